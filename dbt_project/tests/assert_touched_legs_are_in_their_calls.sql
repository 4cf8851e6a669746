{{ config(tags=['build']) }}

-- Of the legs that this build wrote: none is lost, none has lost its call, and each call has the seconds of its legs.
with legs_to_build as (
    select
        ticket_id,
        call_id
    from {{ ref('int_calls__legs_to_build') }}
    where call_id is not null
),

legs as (
    select
        legs_to_build.ticket_id,
        legs_to_build.call_id,
        legs.ticket_id as leg_ticket_id,
        legs.call_id as leg_call_id,
        legs.talk_seconds
    from legs_to_build
    left join {{ ref('fct_call_legs') }} as legs
        on legs_to_build.ticket_id = legs.ticket_id
),

sums as (
    select
        call_id,
        count(*) as leg_count,
        count(*) filter (where leg_call_id = call_id) as right_leg_count,
        sum(talk_seconds) as talk_seconds
    from legs
    group by call_id
)

select
    sums.call_id,
    sums.leg_count,
    sums.right_leg_count,
    calls.leg_count as call_leg_count,
    sums.talk_seconds,
    calls.talk_seconds as call_talk_seconds
from sums
left join {{ ref('fct_calls') }} as calls
    on sums.call_id = calls.call_id
where
    sums.right_leg_count <> sums.leg_count
    or calls.leg_count is distinct from sums.leg_count
    or calls.talk_seconds is distinct from sums.talk_seconds
