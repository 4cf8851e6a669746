{#-
R11: first increment, then whole next increments. Integers only: summed as bigint, for an increment of the directory may be any int,
and kept within an int, so that no ticket and no rate stops a build.
-#}
{% macro billed_seconds(talk_seconds, rate) -%}
    case
        -- No rate: least() would pass over the absent sum and bill its limit.
        when {{ rate }}.first_increment_seconds is null then null
        when {{ talk_seconds }} <= {{ rate }}.first_increment_seconds then {{ rate }}.first_increment_seconds
        else
            least(
                {{ rate }}.first_increment_seconds
                + (
                    {{ talk_seconds }}::bigint - {{ rate }}.first_increment_seconds + {{ rate }}.next_increment_seconds - 1
                ) / {{ rate }}.next_increment_seconds * {{ rate }}.next_increment_seconds,
                2147483647
            )::int
    end
{%- endmacro %}

{#-
R11 and R13: fee and time, then minimum and maximum on the whole price, then one rounding, half up: to the tariff's decimals for
`per_call`, to the 6 decimals that a call keeps for `per_line`. least() and greatest() pass over an absent limit.
-#}
{% macro call_price(billed_seconds, rate, tariff) -%}
    round(
        least(
            greatest(
                {{ rate }}.connection_fee + {{ billed_seconds }} * {{ rate }}.price_per_minute / 60,
                {{ rate }}.minimum_charge
            ),
            {{ rate }}.maximum_charge
        ),
        case when {{ tariff }}_rounding = 'per_call' then {{ tariff }}_rounding_decimals else 6 end
    )
{%- endmacro %}
