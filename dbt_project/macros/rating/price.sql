{#- R11: first increment, then whole next increments. Integers only. -#}
{% macro billed_seconds(talk_seconds, rate) -%}
    case
        when {{ talk_seconds }} <= {{ rate }}.first_increment_seconds then {{ rate }}.first_increment_seconds
        else
            {{ rate }}.first_increment_seconds
            + (
                {{ talk_seconds }} - {{ rate }}.first_increment_seconds + {{ rate }}.next_increment_seconds - 1
            ) / {{ rate }}.next_increment_seconds * {{ rate }}.next_increment_seconds
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
