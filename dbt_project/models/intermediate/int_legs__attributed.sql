{#- The legs that this build rates, attributed. Replaced by each build. -#}
{{ config(
    materialized='table',
    unlogged=true,
    tags=['build'],
    post_hook="analyze {{ this }}",
) }}

with legs as (
    {{ legs_to_rate() }}
),

final as (
    {{ attributed_legs('legs', ref('int_numbers__normalised')) }}
)

select * from final
