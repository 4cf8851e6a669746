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

{%- set of_the_leading_leg = [
    'pbx_id', 'model', 'source_call_id', 'direction', 'issuer_id', 'customer_id', 'service_id', 'attribution_rule', 'extension',
    'caller_number', 'called_number', 'caller_e164', 'called_e164', 'called_country', 'destination_class', 'billing_month', 'rated_at',
] -%}

-- Not materialised: read twice, the legs would be copied whole, history and all.
with legs_to_build as not materialized (
    select * from {{ ref('int_calls__legs_to_build') }}
),

legs as not materialized (
    select * from {{ ref('fct_call_legs') }}
),

-- Most calls have one leg: they are copied, not grouped.
single_legs as (
    select
        legs.call_id,
        {%- for column in of_the_leading_leg %}
        legs.{{ column }},
        {%- endfor %}
        1 as leg_count,
        legs.is_billable::int as billable_leg_count,
        (legs.rating_state = 'rated')::int as rated_leg_count,
        (legs.rating_state = 'unrated')::int as unrated_leg_count,
        (legs.rating_state = 'phantom')::int as phantom_leg_count,
        legs.ring_seconds,
        legs.talk_seconds::bigint as talk_seconds,
        case when legs.is_billable then legs.talk_seconds else 0 end::bigint as billable_talk_seconds,
        legs.billed_seconds::bigint as billed_seconds,
        legs.sale_amount,
        legs.sale_currency,
        legs.cost_amount,
        legs.cost_currency,
        legs.talk_seconds > 0 as is_answered,
        legs.is_estimated,
        legs.started_at,
        legs.answered_at,
        legs.ended_at
    from legs_to_build
    inner join legs
        on legs_to_build.ticket_id = legs.ticket_id
    where legs_to_build.leg_count = 1
),

legs_of_several as (
    select legs.*
    from legs_to_build
    inner join legs
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
    from legs_of_several
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
    from legs_of_several
    group by call_id
),

several_legs as (
    select
        sums.call_id,
        {%- for column in of_the_leading_leg %}
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
),

final as (
    select * from single_legs

    union all

    select * from several_legs
)

select * from final
