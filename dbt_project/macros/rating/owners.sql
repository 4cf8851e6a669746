{#-
CTEs: who owned what, from when to when, in the zone of the pbx (R18). Zones are reckoned once per row of the directory and not
once per leg. `numbers`: see attributed_legs().
-#}
{% macro owner_periods(numbers) -%}
{%- for table, key in [('account_codes', 'account_code'), ('extensions', 'extension'), ('trunks', 'trunk')] %}

{{ key }}_owners as not materialized (
    {{ computed_once() }}
    select
        owned.pbx_id,
        owned.{{ key }},
        owned.service_id,
        {{ period_start('owned', "coalesce(time_zones.time_zone, 'UTC')") }} as starts_at,
        {{ period_end('owned', "coalesce(time_zones.time_zone, 'UTC')") }} as ends_at
    from {{ source('directory', table) }} as owned
    left join time_zones
        on owned.pbx_id = time_zones.pbx_id
),
{%- endfor %}

-- Ranges are looked up once per own number, not once per leg.
number_range_owners as not materialized (
    {{ computed_once() }}
    select distinct
        numbers.pbx_id,
        numbers.e164_number,
        owned.service_id,
        {{ period_start('owned', "coalesce(time_zones.time_zone, 'UTC')") }} as starts_at,
        {{ period_end('owned', "coalesce(time_zones.time_zone, 'UTC')") }} as ends_at
    from {{ numbers }} as numbers
    inner join {{ source('directory', 'number_ranges') }} as owned
        on
            numbers.pbx_id = owned.pbx_id
            and {{ is_in_number_range('numbers.rating_digits', 'owned') }}
    left join time_zones
        on owned.pbx_id = time_zones.pbx_id
    where numbers.is_own_number
)
{%- endmacro %}
