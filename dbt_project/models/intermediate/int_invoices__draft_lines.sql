with draft_calls as (
    select * from {{ ref('int_invoices__draft_calls') }}
),

services as (
    select * from {{ source('directory', 'services') }}
),

grouped as (
    select
        service_id,
        billing_month,
        section,
        period_month,
        destination_class,
        currency,
        count(*) as call_count,
        sum(talk_seconds)::bigint as talk_seconds,
        sum(billed_seconds)::bigint as billed_seconds,
        sum(exact_amount)::numeric(18, 6) as exact_amount
    from draft_calls
    group by
        service_id,
        billing_month,
        section,
        period_month,
        destination_class,
        currency
),

-- R13, I8: a line is rounded once, half up; calls rounded by a per_call tariff add up and nothing is left to round.
final as (
    select
        services.issuer_id,
        services.customer_id,
        grouped.service_id,
        grouped.billing_month,
        grouped.section,
        grouped.period_month,
        grouped.destination_class,
        replace(grouped.destination_class, '_', ' ') as description,
        grouped.call_count,
        grouped.talk_seconds,
        grouped.billed_seconds,
        grouped.exact_amount,
        round(grouped.exact_amount, 2)::numeric(14, 2) as net_amount,
        services.vat_rate_percent,
        services.vat_regime,
        grouped.currency
    from grouped
    inner join services
        on grouped.service_id = services.service_id
)

select * from final
