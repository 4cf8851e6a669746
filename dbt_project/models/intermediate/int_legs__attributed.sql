{#- The legs that this build rates, attributed. Replaced by each build. -#}
{{ config(
    materialized='table',
    tags=['build'],
    post_hook="analyze {{ this }}",
) }}

with legs as (
    select
        staged.*,
        legs_to_build.call_id,
        legs_to_build.is_phantom
    from {{ ref('int_calls__legs_to_build') }} as legs_to_build
    inner join {{ ref('int_tickets__staged') }} as staged
        on legs_to_build.ticket_id = staged.ticket_id
    where
        legs_to_build.call_id is not null
        and not {{ is_kept_as_invoiced('legs_to_build') }}
),

final as (
    {{ attributed_legs('legs', ref('int_numbers__normalised')) }}
)

select * from final
