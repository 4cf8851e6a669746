{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with invoices as (
    select * from {{ source('billing', 'invoices') }}
),

final as (
    select
        invoice_id,
        issuer_id,
        customer_id,
        service_id,
        invoice_number,
        series,
        type_code,
        language,
        vat_regime,
        currency,
        year,
        sequence_number,
        vat_rate_percent,
        net_amount,
        vat_amount,
        total_amount,
        call_count,
        talk_seconds,
        billed_seconds,
        billing_month,
        issue_date,
        due_date,
        issued_at
    from invoices
)

select * from final
