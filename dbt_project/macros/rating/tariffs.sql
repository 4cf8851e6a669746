{#-
CTEs: which tariff an owner has, by civil days, and which version a tariff has, by instants (R15, R16). Days of an assignment are days of
its owner's zone, the issuer's or the pbx's, and not of the tariff's: two tariffs of different zones would overlap or leave a gap where
one follows the other.
-#}
{% macro tariff_periods(is_hypothetical=false) -%}
assigned_tariffs as (
    select
        assignments.side,
        assignments.owner_kind,
        assignments.owner_id,
        tariffs.tariff_id,
        tariffs.currency,
        tariffs.rounding,
        tariffs.rounding_decimals,
        assignments.valid_from,
        assignments.valid_to
    from {{ source('directory', 'tariff_assignments') }} as assignments
    inner join {{ source('directory', 'tariffs') }} as tariffs
        on assignments.tariff_id = tariffs.tariff_id
    {%- if is_hypothetical %}

    union all

    -- A tariff asked for by name, whoever it is assigned to.
    select
        'asked' as side,
        'asked' as owner_kind,
        tariffs.tariff_id as owner_id,
        tariffs.tariff_id,
        tariffs.currency,
        tariffs.rounding,
        tariffs.rounding_decimals,
        '-infinity'::date as valid_from,
        'infinity'::date as valid_to
    from {{ source('directory', 'tariffs') }} as tariffs
    {%- endif %}
),

version_periods as (
    select
        versions.tariff_version_id,
        versions.tariff_id,
        {{ period_start('versions', 'tariffs.time_zone') }} as starts_at,
        {{ period_end('versions', 'tariffs.time_zone') }} as ends_at
    from {{ source('directory', 'tariff_versions') }} as versions
    inner join {{ source('directory', 'tariffs') }} as tariffs
        on versions.tariff_id = tariffs.tariff_id
)
{%- endmacro %}

{#-
The rate of each number in a tariff version: the longest prefix in the namespace e164 (R7), the whole number in the others (R6).
`numbers` has tariff_version_id, namespace, rating_digits.
-#}
{% macro matched_rates(numbers) -%}
{%- set lengths = range(1, 16) -%}
select
    numbers.tariff_version_id,
    numbers.namespace,
    numbers.rating_digits,
    coalesce({{ longest_prefix_value('rate_id', lengths, alias='rates') }}, whole.rate_id) as rate_id
from {{ numbers }} as numbers
{{ join_longest_prefix(
    'numbers.rating_digits',
    source('directory', 'rates'),
    'prefix',
    lengths,
    also="{row}.tariff_version_id = numbers.tariff_version_id and {row}.namespace = 'e164' and numbers.namespace = 'e164'",
    alias='rates'
) }}
left join {{ source('directory', 'rates') }} as whole
    on numbers.tariff_version_id = whole.tariff_version_id
        and numbers.namespace = whole.namespace
        and numbers.rating_digits = whole.prefix
        and numbers.namespace <> 'e164'
{%- endmacro %}
