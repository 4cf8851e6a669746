{{ config(tags=['nightly']) }}

-- A leg on an issued invoice is in the marts as it was invoiced (R22, I1).
select
    invoice_calls.ticket_id,
    invoice_calls.exact_amount,
    legs.sale_amount
from {{ source('billing', 'invoice_calls') }} as invoice_calls
left join {{ ref('fct_call_legs') }} as legs
    on invoice_calls.ticket_id = legs.ticket_id
where
    legs.sale_amount is distinct from invoice_calls.exact_amount
    or legs.sale_currency is distinct from invoice_calls.currency
    or legs.billed_seconds is distinct from invoice_calls.billed_seconds
