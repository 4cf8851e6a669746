{#-
Tickets of other batches that this build touches too: the legs of calls that own a leg of a touched batch (it may be gone now), the
legs of calls that a touched leg may belong to, what was written again under another id, and what a killed build left undone. Replaced
by each build, and mostly empty.
-#}
{{ config(
    materialized='table',
    tags=['build'],
    post_hook="analyze {{ this }}",
) }}

{%- set earlier_legs = earlier_call_legs() %}

with left_over as (
    select
        staged.ticket_id,
        staged.batch_id,
        staged.state,
        staged.pbx_id,
        staged.model,
        staged.source_call_id,
        staged.direction,
        staged.outcome,
        staged.caller_number,
        staged.called_number,
        staged.presented_number,
        staged.trunk_out,
        staged.talk_seconds,
        staged.started_at,
        staged.ended_at
    from {{ ref('int_tickets__staged') }} as staged
    where staged.ticket_id = any({{ left_over_tickets() }})
),

{%- if earlier_legs %}

touched_tickets as (
    select
        ticket_id,
        pbx_id,
        model,
        source_call_id,
        started_at,
        ended_at
    from {{ ref('int_tickets__staged') }}
    where batch_id = any({{ batches_to_build() }})

    union all

    select
        ticket_id,
        pbx_id,
        model,
        source_call_id,
        started_at,
        ended_at
    from left_over
),

touched_identities as (
    select
        pbx_id,
        source_call_id,
        min(started_at) as first_started_at,
        max(coalesce(ended_at, started_at)) as last_ended_at
    from touched_tickets
    where source_call_id is not null
    group by pbx_id, source_call_id
),

-- Another ticket of the same call that stood, or stands again, whatever it said of its start.
regenerated_identities as (
    select distinct
        pbx_id,
        source_call_id
    from touched_tickets
    where {{ is_regenerating_model('model') }}
),

regenerated_tickets as (
    select
        staged.ticket_id,
        staged.batch_id,
        staged.state,
        staged.pbx_id,
        staged.model,
        staged.source_call_id,
        staged.direction,
        staged.outcome,
        staged.caller_number,
        staged.called_number,
        staged.presented_number,
        staged.trunk_out,
        staged.talk_seconds,
        staged.started_at,
        staged.ended_at
    from regenerated_identities
    inner join {{ ref('int_tickets__staged') }} as staged
        on
            regenerated_identities.source_call_id = staged.source_call_id
            and regenerated_identities.pbx_id = staged.pbx_id
    left join touched_tickets
        on staged.ticket_id = touched_tickets.ticket_id
    where
        {{ if_regenerating_batches_wait() }}
        and {{ is_regenerating_model('staged.model') }}
        and touched_tickets.ticket_id is null
),

affected_calls as (
    select earlier_legs.call_id
    from {{ earlier_legs }} as earlier_legs
    where earlier_legs.batch_id = any({{ batches_to_build() }})

    union

    select earlier_legs.call_id
    from left_over
    inner join {{ earlier_legs }} as earlier_legs
        on left_over.ticket_id = earlier_legs.ticket_id

    union

    select earlier_legs.call_id
    from touched_identities
    inner join {{ earlier_legs }} as earlier_legs
        on
            touched_identities.pbx_id = earlier_legs.pbx_id
            and touched_identities.source_call_id = earlier_legs.source_call_id
            and earlier_legs.started_at <= touched_identities.last_ended_at + {{ longest_call_identity_pause() }}
            and earlier_legs.started_at
            >= touched_identities.first_started_at - {{ longest_leg() }} - {{ longest_call_identity_pause() }}
),

legs_of_affected_calls as (
    select
        earlier_legs.ticket_id,
        earlier_legs.batch_id,
        'ticket' as state,
        earlier_legs.pbx_id,
        earlier_legs.model,
        earlier_legs.source_call_id,
        earlier_legs.direction,
        earlier_legs.outcome,
        earlier_legs.caller_number,
        earlier_legs.called_number,
        earlier_legs.presented_number,
        earlier_legs.trunk_out,
        earlier_legs.talk_seconds,
        earlier_legs.started_at,
        earlier_legs.ended_at
    from {{ earlier_legs }} as earlier_legs
    inner join affected_calls
        on earlier_legs.call_id = affected_calls.call_id
    left join touched_tickets
        on earlier_legs.ticket_id = touched_tickets.ticket_id
    where
        touched_tickets.ticket_id is null
        and earlier_legs.ticket_id not in (select regenerated_tickets.ticket_id from regenerated_tickets)
),
{%- endif %}

final as (
    select * from left_over

    {%- if earlier_legs %}

    union all

    select * from legs_of_affected_calls

    union all

    select * from regenerated_tickets
    {%- endif %}
)

select * from final
