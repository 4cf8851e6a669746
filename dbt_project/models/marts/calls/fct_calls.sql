{{ config(
    materialized='touched_rows',
    tags=['build'],
    key='call_id',
    touched='int_calls__legs_to_build',
    touched_key='ticket_id',
    indexes=[
        {'columns': ['service_id', 'billing_month']},
    ],
    post_hook="{{ analyze_when_grown(this) }}",
) }}

with legs as (
    select legs.*
    from {{ ref('int_calls__legs_to_build') }} as legs_to_build
    inner join {{ ref('fct_call_legs') }} as legs
        on legs_to_build.ticket_id = legs.ticket_id
),

-- One ordering for all "first of the call": the leg that started first, the lower ticket between equals.
first_legs as (
    select distinct on (call_id)
        call_id,
        pbx_id,
        model,
        source_call_id,
        direction,
        issuer_id,
        customer_id,
        service_id,
        attribution_rule,
        extension,
        caller_number,
        called_number,
        caller_e164,
        called_e164,
        called_country,
        destination_class,
        billing_month,
        rated_at
    from legs
    order by
        call_id asc,
        rating_state = 'phantom' asc,
        is_billable desc,
        started_at asc,
        ticket_id asc
),

sums as (
    select
        call_id,
        count(*)::int as leg_count,
        count(*) filter (where is_billable)::int as billable_leg_count,
        count(*) filter (where rating_state = 'rated')::int as rated_leg_count,
        count(*) filter (where rating_state = 'unrated')::int as unrated_leg_count,
        count(*) filter (where rating_state = 'phantom')::int as phantom_leg_count,
        max(ring_seconds) as ring_seconds,
        sum(talk_seconds)::bigint as talk_seconds,
        coalesce(sum(talk_seconds) filter (where is_billable), 0)::bigint as billable_talk_seconds,
        sum(billed_seconds)::bigint as billed_seconds,
        case
            when count(*) filter (where rating_state = 'unrated') > 0 then null
            when count(distinct sale_currency) filter (where sale_amount <> 0) > 1 then null
            else sum(sale_amount)
        end::numeric(18, 6) as sale_amount,
        coalesce(min(sale_currency) filter (where sale_amount <> 0), min(sale_currency)) as sale_currency,
        case
            when count(*) filter (where cost_amount is null) > 0 then null
            when count(distinct cost_currency) filter (where cost_amount <> 0) > 1 then null
            else sum(cost_amount)
        end::numeric(18, 6) as cost_amount,
        coalesce(min(cost_currency) filter (where cost_amount <> 0), min(cost_currency)) as cost_currency,
        bool_or(talk_seconds > 0) as is_answered,
        bool_or(is_estimated) as is_estimated,
        min(started_at) as started_at,
        min(answered_at) as answered_at,
        max(ended_at) as ended_at
    from legs
    group by call_id
),

final as (
    select
        sums.call_id,
        first_legs.pbx_id,
        first_legs.model,
        first_legs.source_call_id,
        first_legs.direction,
        first_legs.issuer_id,
        first_legs.customer_id,
        first_legs.service_id,
        first_legs.attribution_rule,
        first_legs.extension,
        first_legs.caller_number,
        first_legs.called_number,
        first_legs.caller_e164,
        first_legs.called_e164,
        first_legs.called_country,
        first_legs.destination_class,
        sums.leg_count,
        sums.billable_leg_count,
        sums.rated_leg_count,
        sums.unrated_leg_count,
        sums.phantom_leg_count,
        sums.ring_seconds,
        sums.talk_seconds,
        sums.billable_talk_seconds,
        sums.billed_seconds,
        sums.sale_amount,
        sums.sale_currency,
        sums.cost_amount,
        sums.cost_currency,
        sums.is_answered,
        sums.is_estimated,
        first_legs.billing_month,
        sums.started_at,
        first_legs.rated_at,
        sums.answered_at,
        sums.ended_at
    from sums
    inner join first_legs
        on sums.call_id = first_legs.call_id
)

select * from final
