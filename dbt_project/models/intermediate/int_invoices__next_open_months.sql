with invoices as (
    select
        service_id,
        billing_month,
        (billing_month + interval '1 month')::date as month_after
    from {{ source('billing', 'invoices') }}
    where type_code = '380'
),

months_without_invoice as (
    select
        invoices.service_id,
        invoices.month_after
    from invoices
    left join invoices as following_invoices
        on
            invoices.service_id = following_invoices.service_id
            and invoices.month_after = following_invoices.billing_month
    where following_invoices.service_id is null
),

final as (
    select
        invoices.service_id,
        invoices.billing_month,
        min(months_without_invoice.month_after) as open_month
    from invoices
    inner join months_without_invoice
        on
            invoices.service_id = months_without_invoice.service_id
            and invoices.billing_month < months_without_invoice.month_after
    group by invoices.service_id, invoices.billing_month
)

select * from final
