{#-
CTEs: which tariff a service has, which version a tariff has, and which version prices the cost of a pbx, from when to when (R15, R16).
Days of an assignment are days of its owner's zone, the issuer's or the pbx's, and not of the tariff's: two tariffs of different zones
would overlap or leave a gap where one follows the other. For attributed_legs(), which has pbx_periods and time_zones.
-#}
{% macro tariff_periods(is_hypothetical=false) -%}
sale_tariffs as not materialized (
    {{ computed_once() }}
    select
        assignments.owner_id as service_id,
        tariffs.tariff_id,
        tariffs.currency,
        tariffs.rounding,
        tariffs.rounding_decimals,
        {{ period_start('assignments', "coalesce(issuers.billing_time_zone, 'UTC')") }} as starts_at,
        {{ period_end('assignments', "coalesce(issuers.billing_time_zone, 'UTC')") }} as ends_at
    from {{ source('directory', 'tariff_assignments') }} as assignments
    inner join {{ source('directory', 'tariffs') }} as tariffs
        on assignments.tariff_id = tariffs.tariff_id
    left join {{ source('directory', 'services') }} as services
        on assignments.owner_id = services.service_id
    left join {{ source('directory', 'issuers') }} as issuers
        on services.issuer_id = issuers.issuer_id
    where assignments.side = 'sale'
    {%- if is_hypothetical %}

    union all

    -- A tariff asked for by name, whoever it is assigned to.
    select
        {{ asked_tariff_key('tariffs.tariff_id') }} as service_id,
        tariffs.tariff_id,
        tariffs.currency,
        tariffs.rounding,
        tariffs.rounding_decimals,
        '-infinity'::timestamptz as starts_at,
        'infinity'::timestamptz as ends_at
    from {{ source('directory', 'tariffs') }} as tariffs
    {%- endif %}
),

version_periods as not materialized (
    {{ computed_once() }}
    select
        versions.tariff_version_id,
        versions.tariff_id,
        tariffs.currency,
        tariffs.rounding,
        tariffs.rounding_decimals,
        {{ period_start('versions', 'tariffs.time_zone') }} as starts_at,
        {{ period_end('versions', 'tariffs.time_zone') }} as ends_at
    from {{ source('directory', 'tariff_versions') }} as versions
    inner join {{ source('directory', 'tariffs') }} as tariffs
        on versions.tariff_id = tariffs.tariff_id
),

cost_versions as not materialized (
    {{ computed_once() }}
    select
        pbx_periods.pbx_id,
        assignments.owner_kind,
        version_periods.tariff_version_id,
        version_periods.currency,
        version_periods.rounding,
        version_periods.rounding_decimals,
        greatest(
            pbx_periods.starts_at,
            {{ period_start('assignments', 'time_zones.time_zone') }},
            version_periods.starts_at
        ) as starts_at,
        least(
            pbx_periods.ends_at,
            {{ period_end('assignments', 'time_zones.time_zone') }},
            version_periods.ends_at
        ) as ends_at
    from pbx_periods
    inner join time_zones
        on pbx_periods.pbx_id = time_zones.pbx_id
    inner join {{ source('directory', 'tariff_assignments') }} as assignments
        on
            assignments.side = 'cost'
            and assignments.owner_id
            = case assignments.owner_kind when 'pbx' then pbx_periods.pbx_id else pbx_periods.carrier_id end
    inner join version_periods
        on assignments.tariff_id = version_periods.tariff_id
)
{%- endmacro %}

{#- Tells a tariff asked for from a service of the same name. -#}
{% macro asked_tariff_key(tariff_id) -%}
    chr(1) || {{ tariff_id }}
{%- endmacro %}

{#- The numbers to look up, each once for each tariff version of either side. `attributed`: rows of attributed_legs(). -#}
{% macro numbers_by_version(attributed) -%}
{%- for side in ['sale', 'cost'] %}
select
    {{ side }}_tariff_version_id as tariff_version_id,
    called_namespace as namespace,
    rating_digits
from {{ attributed }}
where is_billable and is_answered and rating_digits is not null and {{ side }}_tariff_version_id is not null
{%- if not loop.last %}

union
{% endif %}
{%- endfor %}
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
    on
        numbers.tariff_version_id = whole.tariff_version_id
        and numbers.namespace = whole.namespace
        and numbers.rating_digits = whole.prefix
        and numbers.namespace <> 'e164'
{%- endmacro %}
