{#-
A call of one leg is that leg: stored a second time, such calls took a tenth of a build. Those of several legs are summed by each build.
-#}
{{ config(materialized='view') }}

with calls_of_one_leg as (
    select
        legs.call_id,
        {%- for column in columns_of_the_leading_leg() %}
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
    from {{ ref('fct_call_legs') }} as legs
    where
        legs.ticket_id = legs.call_id
        and not exists (
            select from {{ ref('int_calls__of_several_legs') }} as calls_of_several_legs
            where calls_of_several_legs.call_id = legs.call_id
        )
),

final as (
    select * from calls_of_one_leg

    union all

    select
        call_id,
        {%- for column in columns_of_the_leading_leg() %}
        {{ column }},
        {%- endfor %}
        leg_count,
        billable_leg_count,
        rated_leg_count,
        unrated_leg_count,
        phantom_leg_count,
        ring_seconds,
        talk_seconds,
        billable_talk_seconds,
        billed_seconds,
        sale_amount,
        sale_currency,
        cost_amount,
        cost_currency,
        is_answered,
        is_estimated,
        started_at,
        answered_at,
        ended_at
    from {{ ref('int_calls__of_several_legs') }}
)

select * from final
