{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with invoices as (
    select * from {{ source('billing', 'invoices') }}
),

invoice_lines as (
    select * from {{ source('billing', 'invoice_lines') }}
),

final as (
    select
        invoice_lines.invoice_id,
        invoices.issuer_id,
        invoices.customer_id,
        invoices.service_id,
        invoices.invoice_number,
        invoice_lines.section,
        invoice_lines.destination_class,
        invoice_lines.description,
        invoice_lines.currency,
        invoice_lines.line_number,
        invoice_lines.call_count,
        invoice_lines.talk_seconds,
        invoice_lines.billed_seconds,
        invoice_lines.exact_amount,
        invoice_lines.net_amount,
        invoice_lines.vat_rate_percent,
        invoices.billing_month,
        invoice_lines.period_month
    from invoice_lines
    inner join invoices
        on invoice_lines.invoice_id = invoices.invoice_id
)

select * from final
