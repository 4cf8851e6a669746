{#- Whether the called number of a leg was dialled towards the network, behind the pbx's prefixes. -#}
{% macro is_dialled_outside(direction) -%}
    {{ direction }} not in ('incoming', 'internal')
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

{#- Whether digits lie in a row of directory.number_ranges; written as its exclusion constraint is, whose index then serves. -#}
{% macro is_in_number_range(digits, ranges) -%}
    numrange(
        substr({{ ranges }}.first_number, 2)::numeric, substr({{ ranges }}.last_number, 2)::numeric, '[]'
    ) @> {{ digits }}::numeric
    and length({{ ranges }}.first_number) = length({{ digits }}) + 1
{%- endmacro %}

{#-
Numbers read under an older directory are forgotten and read again when a leg needs them: a load may change prefixes, extensions and
ranges. Without a load since the last build this touches nothing.
-#}
{% macro forget_numbers_after_a_load() -%}
delete from {{ this }}
where exists (
    select
    from {{ source('directory', 'loads') }} as loads
    where loads.loaded_at >= (
        select coalesce(max(builds.started_at), '-infinity')
        from {{ source('raw', 'builds') }} as builds
        where builds.finished_at is not null
    )
)
{%- endmacro %}
