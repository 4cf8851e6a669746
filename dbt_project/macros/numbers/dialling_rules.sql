{#- Whether the called number of a leg was dialled towards the network, behind the pbx's prefixes. -#}
{% macro is_dialled_outside(direction) -%}
    {{ direction }} not in ('incoming', 'internal')
{%- endmacro %}

{#- A number that may be one of the network; what has six digits or less is an extension, and not worth looking up. -#}
{% macro full_number(number) -%}
    case when length({{ number }}) > 6 then {{ number }} end
{%- endmacro %}

{#- The distinct numbers of legs, by role. Those of internal legs are extensions: nothing to read. -#}
{% macro distinct_numbers(legs) -%}
select distinct
    legs.pbx_id,
    numbers.raw_number,
    numbers.is_dialled
from {{ legs }} as legs
cross join lateral (
    values
    (legs.called_number, {{ is_dialled_outside('legs.direction') }}),
    ({{ full_number('legs.caller_number') }}, false),
    ({{ full_number('legs.presented_number') }}, false)
) as numbers (raw_number, is_dialled)
where
    legs.direction <> 'internal'
    and numbers.raw_number <> ''
{%- endmacro %}

{#- Adds to distinct strings the dialling rules of their pbx: what normalised_numbers() reads. -#}
{% macro numbers_with_dialling_rules(numbers, pbxs) -%}
select
    numbers.pbx_id,
    numbers.raw_number,
    numbers.is_dialled,
    pbxs.country,
    coalesce(pbxs.outside_line_prefix, '') as outside_line_prefix,
    coalesce(pbxs.outside_line_policy, 'never') as outside_line_policy,
    coalesce(lower(pbxs.extension_digits), 2) as minimum_extension_digits,
    coalesce(upper(pbxs.extension_digits) - 1, 6) as maximum_extension_digits,
    exists (
        select
        from {{ source('directory', 'extensions') }} as extensions
        where
            extensions.pbx_id = numbers.pbx_id
            and extensions.extension = numbers.raw_number
    ) as is_extension
from {{ numbers }} as numbers
left join {{ pbxs }} as pbxs
    on numbers.pbx_id = pbxs.pbx_id
{%- endmacro %}

{#- What int_numbers__normalised holds, for distinct numbers and the pbxs (with their dialling rules) that wrote them. -#}
{% macro normalised_with_ranges(numbers, pbxs) -%}
with strings as (
    {{ numbers_with_dialling_rules(numbers, pbxs) }}
),

normalised as (
    {{ normalised_numbers('strings') }}
),

final as (
    select
        normalised.*,
        exists (
            select
            from {{ source('directory', 'number_ranges') }} as number_ranges
            where
                number_ranges.pbx_id = normalised.pbx_id
                and {{ is_in_number_range('normalised.rating_digits', 'number_ranges') }}
                and normalised.namespace = 'e164'
                and not normalised.is_masked
        ) as is_own_number,
        ({{ latest_load() }}) as load_id
    from normalised
)

select * from final
{%- endmacro %}

{#- Whether digits lie in a row of directory.number_ranges; written as its exclusion constraint is, whose index then serves. -#}
{% macro is_in_number_range(digits, ranges) -%}
    numrange(
        substr({{ ranges }}.first_number, 2)::numeric, substr({{ ranges }}.last_number, 2)::numeric, '[]'
    ) @> {{ digits }}::numeric
    and length({{ ranges }}.first_number) = length({{ digits }}) + 1
{%- endmacro %}

{#-
Numbers read under an older directory are forgotten and read again when a leg needs them: a load may change prefixes, extensions and
ranges. Without a newer load this is one look into an index.
-#}
{% macro forget_numbers_of_older_loads() -%}
delete from {{ this }}
where load_id < ({{ latest_load() }})
{%- endmacro %}

{% macro latest_load() -%}
select coalesce(max(loads.load_id), 0) from {{ source('directory', 'loads') }} as loads
{%- endmacro %}
