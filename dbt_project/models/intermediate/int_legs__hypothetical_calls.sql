{#- What a build makes of the rows of int_legs__hypothetical when it ties legs to calls, by the same macro. -#}
with tickets as (
    select
        ticket_id,
        batch_id,
        state,
        pbx_id,
        model,
        source_call_id,
        direction,
        outcome,
        called_number,
        trunk_out,
        talk_seconds,
        started_at,
        ended_at
    from {{ ref('int_legs__hypothetical') }}
),

{{ legs_of_calls('tickets') }},

final as (
    select
        ticket_id,
        call_id,
        leg_count,
        is_phantom
    from legs
)

select * from final
