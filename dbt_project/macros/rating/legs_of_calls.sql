{#-
    Steps (CTEs) that tie tickets to calls: `legs`, with ticket_id, call_id (null for what is no leg), leg_count, batch_id and
    is_phantom (R19). What a build does and what a replay shows run this same text.

    tickets  relation or step with ticket_id, batch_id, state, pbx_id, model, source_call_id, direction, outcome, called_number,
             trunk_out, talk_seconds, started_at and ended_at: all legs of the calls in question
-#}
{% macro legs_of_calls(tickets) -%}
{%- set asterisk = "('" ~ asterisk_models() | join("', '") ~ "')" -%}
-- Most identities have one leg, which is a call of its own: only the others are worth sorting.
shared_identities as (
    select
        pbx_id,
        source_call_id
    from {{ tickets }}
    where source_call_id is not null
    group by pbx_id, source_call_id
    having count(*) filter (where state = 'ticket') > 1
),

keyed as (
    select
        tickets.*,
        (shared_identities.source_call_id is not null) as is_shared
    from {{ tickets }} as tickets
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
            ) + {{ call_identity_pause('model') }},
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
            ) or (
                -- Asterisk's dial plan goes on after a dial: an announcement, its last step (h, s-BUSY).
                correlated.model in {{ asterisk }}
                and correlated.direction = 'internal'
                and calls_of_several_legs.numbers_sent_out is not null
                and (
                    correlated.called_number = any(calls_of_several_legs.numbers_sent_out)
                    or correlated.called_number !~ '^[+*#]?[0-9]'
                )
            ) or (
                -- The half of a local channel, whose talk another row holds.
                correlated.model in {{ asterisk }}
                and correlated.outcome = 'redirected'
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
)
{%- endmacro %}
