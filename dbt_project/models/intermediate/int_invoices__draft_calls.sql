{#-
A view, so that it costs a build nothing. The two arms let a filter on the month reach the index: legs of open months stand under their
own month; legs of months already invoiced for their service are late and wait for the next month that is open (I4).
-#}
with legs as (
    select * from {{ ref('fct_call_legs') }}
),

services as (
    select * from {{ source('directory', 'services') }}
    where is_billable
),

invoices as (
    select
        service_id,
        billing_month
    from {{ source('billing', 'invoices') }}
    where type_code = '380'
),

invoice_calls as (
    select ticket_id from {{ source('billing', 'invoice_calls') }}
),

next_open_months as (
    select * from {{ ref('int_invoices__next_open_months') }}
),

-- Not materialised, here and below: the month asked for reaches the index of the legs.
rated_legs as not materialized (
    select legs.*
    from legs
    inner join services
        on legs.service_id = services.service_id
    where
        legs.is_billable
        and legs.rating_state = 'rated'
),

on_time as (
    select
        rated_legs.*,
        rated_legs.billing_month as invoice_month,
        'communications' as section
    from rated_legs
    where not exists (
        select from invoices
        where
            invoices.service_id = rated_legs.service_id
            and invoices.billing_month = rated_legs.billing_month
    )
),

late as (
    select
        rated_legs.*,
        next_open_months.open_month as invoice_month,
        'previous_periods' as section
    from rated_legs
    inner join next_open_months
        on
            rated_legs.service_id = next_open_months.service_id
            and rated_legs.billing_month = next_open_months.billing_month
    where not exists (
        select from invoice_calls
        where invoice_calls.ticket_id = rated_legs.ticket_id
    )
),

to_invoice as (
    select * from on_time

    union all

    select * from late
),

final as (
    select
        ticket_id,
        call_id,
        issuer_id,
        customer_id,
        service_id,
        section,
        extension,
        called_number,
        destination_name,
        destination_class,
        sale_currency as currency,
        tariff_version_id,
        rate_id,
        talk_seconds,
        billed_seconds,
        sale_amount as exact_amount,
        invoice_month as billing_month,
        billing_month as period_month,
        rated_at
    from to_invoice
)

select * from final
