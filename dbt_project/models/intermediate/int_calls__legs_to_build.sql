{#-
The work list of the call models: every leg of every call that owns a touched leg, with its call. A late leg brings back the legs
that its call has already. Small and replaced by each build; what a killed build left in it is taken up again.
-#}
{{ config(
    materialized='table',
    tags=['build'],
    post_hook="analyze {{ this }}",
) }}

{%- set earlier_legs = earlier_call_legs() %}
{%- set left_over = earlier_rows() %}

with builds as (
    select * from {{ source('raw', 'builds') }}
),

{%- if left_over %}

-- Only legs that a build drew in from other batches: the touched batches themselves are open still.
left_over as (
    select array(
        select left_over.ticket_id
        from {{ left_over }} as left_over
        inner join builds
            on left_over.build_id = builds.build_id
        where
            builds.finished_at is null
            and left_over.batch_id <> all({{ batches_to_build() }})
    ) as ticket_ids
),
{%- endif %}

touched_tickets as (
    select
        ticket_id,
        batch_id,
        state,
        pbx_id,
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

    {%- if left_over %}

    union all

    select
        ticket_id,
        batch_id,
        state,
        pbx_id,
        source_call_id,
        direction,
        outcome,
        called_number,
        trunk_out,
        talk_seconds,
        started_at,
        ended_at
    from {{ ref('int_tickets__staged') }}
    where ticket_id = any((select left_over.ticket_ids from left_over)::bigint[])
    {%- endif %}
),

touched_identities as (
    select
        pbx_id,
        source_call_id,
        count(*) filter (where state = 'ticket') as leg_count,
        min(started_at) as first_started_at,
        max(coalesce(ended_at, started_at)) as last_ended_at
    from touched_tickets
    where source_call_id is not null
    group by pbx_id, source_call_id
),

{%- if earlier_legs %}

-- Calls that own a leg of a touched batch (it may be gone now), and calls that a touched leg may belong to.
affected_calls as (
    select earlier_legs.call_id
    from {{ earlier_legs }} as earlier_legs
    where earlier_legs.batch_id = any({{ batches_to_build() }})

    {%- if left_over %}

    union

    select earlier_legs.call_id
    from {{ earlier_legs }} as earlier_legs
    where earlier_legs.ticket_id = any((select left_over.ticket_ids from left_over)::bigint[])
    {%- endif %}

    union

    select earlier_legs.call_id
    from touched_identities
    inner join {{ earlier_legs }} as earlier_legs
        on
            touched_identities.pbx_id = earlier_legs.pbx_id
            and touched_identities.source_call_id = earlier_legs.source_call_id
            and earlier_legs.started_at <= touched_identities.last_ended_at + {{ call_identity_pause() }}
            and earlier_legs.started_at
            >= touched_identities.first_started_at - {{ longest_leg() }} - {{ call_identity_pause() }}
),

drawn_in as (
    select
        earlier_legs.ticket_id,
        earlier_legs.batch_id,
        'ticket' as state,
        earlier_legs.pbx_id,
        earlier_legs.source_call_id,
        earlier_legs.direction,
        earlier_legs.outcome,
        earlier_legs.called_number,
        earlier_legs.trunk_out,
        earlier_legs.talk_seconds,
        earlier_legs.started_at,
        earlier_legs.ended_at
    from {{ earlier_legs }} as earlier_legs
    inner join affected_calls
        on earlier_legs.call_id = affected_calls.call_id
    left join touched_tickets
        on earlier_legs.ticket_id = touched_tickets.ticket_id
    where touched_tickets.ticket_id is null
),
{%- endif %}

tickets as (
    select * from touched_tickets

    {%- if earlier_legs %}

    union all

    select * from drawn_in
    {%- endif %}
),

-- Most identities have one leg, which is a call of its own: only the others are worth sorting.
shared_identities as (
    select
        pbx_id,
        source_call_id
    from touched_identities
    where leg_count > 1

    {%- if earlier_legs %}

    union

    select
        pbx_id,
        source_call_id
    from drawn_in
    {%- endif %}
),

keyed as (
    select
        tickets.*,
        (shared_identities.source_call_id is not null) as is_shared
    from tickets
    left join shared_identities
        on
            tickets.pbx_id = shared_identities.pbx_id
            and tickets.source_call_id = shared_identities.source_call_id
            and tickets.state = 'ticket'
),

-- An identity that comes back after a pause is another call: PBXs use their call ids again.
with_pauses as (
    select
        *,
        coalesce(
            started_at > max(coalesce(ended_at, started_at)) over (
                partition by pbx_id, source_call_id
                order by started_at, ticket_id
                rows between unbounded preceding and 1 preceding
            ) + {{ call_identity_pause() }},
            false
        ) as begins_call
    from keyed
    where is_shared
),

numbered as (
    select
        *,
        count(*) filter (where begins_call) over (
            partition by pbx_id, source_call_id
            order by started_at, ticket_id
            rows unbounded preceding
        ) as call_number
    from with_pauses
),

correlated as (
    select
        *,
        min(ticket_id) over (partition by pbx_id, source_call_id, call_number) as call_id,
        count(*) over (partition by pbx_id, source_call_id, call_number)::int as leg_count
    from numbered
),

calls_of_several_legs as (
    select
        call_id,
        coalesce(bool_or(direction in ('incoming', 'internal') and talk_seconds > 0), false) as is_answered_inside,
        array_agg(called_number) filter (where trunk_out is not null) as numbers_sent_out
    from correlated
    where leg_count > 1
    group by call_id
),

legs as (
    select
        correlated.ticket_id,
        correlated.call_id,
        correlated.leg_count,
        correlated.batch_id,
        coalesce(
            (
                -- A member of a ring group that never took part.
                calls_of_several_legs.is_answered_inside
                and correlated.direction in ('incoming', 'internal')
                and correlated.talk_seconds = 0
                and correlated.outcome not in ('answered', 'answered_by_machine')
            ) or (
                -- The dial plan's second row after a dial: same number, no trunk of its own.
                correlated.direction in ('outgoing', 'unknown')
                and correlated.trunk_out is null
                and correlated.called_number = any(calls_of_several_legs.numbers_sent_out)
            ),
            false
        ) as is_phantom
    from correlated
    left join calls_of_several_legs
        on correlated.call_id = calls_of_several_legs.call_id

    union all

    -- Alone in its identity, or without one, a ticket is a call of its own; what is no leg (any more) has no call.
    select
        ticket_id,
        case when state = 'ticket' then ticket_id end as call_id,
        1 as leg_count,
        batch_id,
        false as is_phantom
    from keyed
    where not is_shared
),

final as (
    select
        legs.ticket_id,
        legs.call_id,
        legs.leg_count,
        (select max(builds.build_id) from builds) as build_id,
        legs.batch_id,
        legs.is_phantom,
        invoice_calls.ticket_id is not null as is_invoiced
    from legs
    left join {{ source('billing', 'invoice_calls') }} as invoice_calls
        on legs.ticket_id = invoice_calls.ticket_id
)

select * from final
