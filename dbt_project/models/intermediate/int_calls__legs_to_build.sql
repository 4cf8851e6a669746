{#-
The work list of the call models: every leg of every call that owns a touched leg, with its call. A late leg brings back the legs
that its call has already. Small and replaced by each build; what a killed build left in it is taken up again.
-#}
{{ config(
    materialized='table',
    tags=['build'],
    post_hook="analyze {{ this }}",
) }}

with touched_tickets as (
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
    from {{ ref('int_tickets__staged') }}
    where batch_id = any({{ batches_to_build() }})
),

tickets as (
    select * from touched_tickets

    union all

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
    from {{ ref('int_calls__late_legs') }}
),

{{ legs_of_calls('tickets') }},

final as (
    select
        legs.ticket_id,
        legs.call_id,
        legs.leg_count,
        (select max(builds.build_id) from {{ source('raw', 'builds') }} as builds) as build_id,
        legs.batch_id,
        legs.is_phantom,
        invoice_calls.ticket_id is not null as is_invoiced
    from legs
    left join {{ source('billing', 'invoice_calls') }} as invoice_calls
        on legs.ticket_id = invoice_calls.ticket_id
)

select * from final
