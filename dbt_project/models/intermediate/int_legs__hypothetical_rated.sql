{#- What a build does with numbers and legs, by the same macros, over int_legs__hypothetical (R21). -#}
with legs as (
    select * from {{ ref('int_legs__hypothetical') }}
),

-- Without a pbx a number is read by the rules of the country asked for.
pbxs as (
    select
        pbx_id,
        country,
        outside_line_prefix,
        outside_line_policy,
        extension_digits
    from {{ source('directory', 'current_pbxs') }}

    union all

    select distinct
        legs.pbx_id,
        legs.asked_country as country,
        '' as outside_line_prefix,
        'never' as outside_line_policy,
        int4range(2, 6) as extension_digits
    from legs
    where not exists (
        select from {{ source('directory', 'current_pbxs') }} as current_pbxs
        where current_pbxs.pbx_id = legs.pbx_id
    )
),

distinct_numbers as (
    {{ distinct_numbers('legs') }}
),

normalised as (
    {{ normalised_with_ranges('distinct_numbers', 'pbxs') }}
),

attributed as (
    {{ attributed_legs('legs', 'normalised', is_hypothetical=true) }}
),

numbers_by_version as (
    {{ numbers_by_version('attributed') }}
),

matches as (
    {{ matched_rates('numbers_by_version') }}
),

final as (
    {{ rated_legs('legs', 'attributed', 'matches') }}
)

select * from final
