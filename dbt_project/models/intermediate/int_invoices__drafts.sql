with draft_lines as (
    select * from {{ ref('int_invoices__draft_lines') }}
),

legs as (
    select * from {{ ref('fct_call_legs') }}
),

services as (
    select * from {{ source('directory', 'services') }}
    where is_billable
),

set_aside as (
    select ticket_id from {{ source('billing', 'set_aside') }}
),

totals as not materialized (
    select
        service_id,
        billing_month,
        min(currency) as currency,
        count(distinct currency)::int as currency_count,
        count(*)::int as line_count,
        sum(call_count)::bigint as call_count,
        sum(talk_seconds)::bigint as talk_seconds,
        sum(billed_seconds)::bigint as billed_seconds,
        sum(exact_amount)::numeric(18, 6) as exact_amount,
        sum(net_amount)::numeric(14, 2) as net_amount
    from draft_lines
    group by service_id, billing_month
),

next_open_months as (
    select * from {{ ref('int_invoices__next_open_months') }}
),

-- R8: what has no price blocks the invoice, the next one if it came late, unless a named person set it aside.
unrated_calls as (
    select
        legs.service_id,
        coalesce(next_open_months.open_month, legs.billing_month) as billing_month,
        set_aside.ticket_id is not null as is_set_aside
    from legs
    left join set_aside
        on legs.ticket_id = set_aside.ticket_id
    left join next_open_months
        on
            legs.service_id = next_open_months.service_id
            and legs.billing_month = next_open_months.billing_month
    where
        legs.is_billable
        and legs.rating_state = 'unrated'
),

unrated as (
    select
        service_id,
        billing_month,
        count(*) filter (where not is_set_aside) as unrated_call_count,
        count(*) filter (where is_set_aside) as set_aside_call_count
    from unrated_calls
    group by service_id, billing_month
),

months as (
    select
        service_id,
        billing_month
    from totals

    union

    select
        service_id,
        billing_month
    from unrated
),

final as (
    select
        services.issuer_id,
        services.customer_id,
        months.service_id,
        months.billing_month,
        totals.currency,
        coalesce(totals.currency_count, 0) as currency_count,
        coalesce(totals.line_count, 0) as line_count,
        coalesce(totals.call_count, 0) as call_count,
        coalesce(totals.talk_seconds, 0) as talk_seconds,
        coalesce(totals.billed_seconds, 0) as billed_seconds,
        coalesce(totals.exact_amount, 0) as exact_amount,
        coalesce(totals.net_amount, 0) as net_amount,
        coalesce(unrated.unrated_call_count, 0) as unrated_call_count,
        coalesce(unrated.set_aside_call_count, 0) as set_aside_call_count
    from months
    inner join services
        on months.service_id = services.service_id
    left join totals
        on
            months.service_id = totals.service_id
            and months.billing_month = totals.billing_month
    left join unrated
        on
            months.service_id = unrated.service_id
            and months.billing_month = unrated.billing_month
)

select * from final
