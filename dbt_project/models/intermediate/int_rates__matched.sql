{#- The rate of each number that this build rates, in each tariff version that prices it. Replaced by each build. -#}
{{ config(
    materialized='table',
    unlogged=true,
    tags=['build'],
    post_hook="analyze {{ this }}",
) }}

with numbers_by_version as (
    {{ numbers_by_version(ref('int_legs__attributed')) }}
),

final as (
    {{ matched_rates('numbers_by_version') }}
)

select * from final
