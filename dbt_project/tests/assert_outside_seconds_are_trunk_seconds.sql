{{ config(tags=['nightly']) }}

-- R19: every external outgoing leg is a billable item, with all its seconds, whoever pays for it.
select
    legs.pbx_id,
    sum(legs.talk_seconds) filter (where legs.direction in ('outgoing', 'transit', 'unknown')) as trunk_seconds,
    sum(legs.talk_seconds) filter (where legs.is_billable) as billable_seconds
from {{ ref('fct_call_legs') }} as legs
where
    legs.rating_state <> 'phantom'
    and legs.called_namespace <> 'internal'
group by legs.pbx_id
having
    sum(legs.talk_seconds) filter (where legs.direction in ('outgoing', 'transit', 'unknown'))
    is distinct from sum(legs.talk_seconds) filter (where legs.is_billable)
