{{ config(tags=['build']) }}

-- Of the legs that this build wrote: none is lost, none has lost its call, a call of one leg is that leg, and a call of several has
-- the seconds of them all.
with legs as (
    select
        legs_to_build.ticket_id,
        legs_to_build.call_id,
        legs_to_build.leg_count,
        legs.call_id as leg_call_id,
        legs.talk_seconds
    from {{ ref('int_calls__legs_to_build') }} as legs_to_build
    left join {{ ref('fct_call_legs') }} as legs
        on legs_to_build.ticket_id = legs.ticket_id
    where legs_to_build.call_id is not null
),

sums as (
    select
        call_id,
        count(*) as leg_count,
        sum(talk_seconds) as talk_seconds
    from legs
    where leg_count > 1
    group by call_id
),

misplaced_legs as (
    select
        legs.ticket_id,
        legs.call_id,
        'leg is not in its call' as fault
    from legs
    where legs.leg_call_id is distinct from legs.call_id
),

miscounted_calls as (
    select
        null::bigint as ticket_id,
        sums.call_id,
        'call is not the sum of its legs' as fault
    from sums
    left join {{ ref('int_calls__of_several_legs') }} as calls
        on sums.call_id = calls.call_id
    where
        calls.leg_count is distinct from sums.leg_count
        or calls.talk_seconds is distinct from sums.talk_seconds
),

outgrown_calls as (
    select
        legs.ticket_id,
        legs.call_id,
        'call of one leg has a sum as well' as fault
    from legs
    inner join {{ ref('int_calls__of_several_legs') }} as calls
        on legs.call_id = calls.call_id
    where legs.leg_count = 1
)

select * from misplaced_legs

union all

select * from miscounted_calls

union all

select * from outgrown_calls
