{#- The calls of several legs, summed. fct_calls reads the others, which are most, straight from their only leg. -#}
{{ config(
    materialized='touched_rows',
    tags=['build'],
    key='call_id',
    touched='int_calls__legs_to_build',
    touched_key='ticket_id',
    post_hook="{{ analyze_when_grown(this) }}",
) }}

with legs as not materialized (
    select legs.*
    from {{ ref('int_calls__legs_to_build') }} as legs_to_build
    inner join {{ ref('fct_call_legs') }} as legs
        on legs_to_build.ticket_id = legs.ticket_id
    where legs_to_build.leg_count > 1
),

ranked_legs as (
    select
        *,
        row_number() over (
            partition by call_id
            order by rating_state = 'phantom' asc, is_billable desc, started_at asc, ticket_id asc
        ) as leg_rank
    from legs
),

leading_legs as (
    select * from ranked_legs
    where leg_rank = 1
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
        {%- for column in columns_of_the_leading_leg() %}
        leading_legs.{{ column }},
        {%- endfor %}
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
        sums.started_at,
        sums.answered_at,
        sums.ended_at
    from sums
    inner join leading_legs
        on sums.call_id = leading_legs.call_id
)

select * from final
