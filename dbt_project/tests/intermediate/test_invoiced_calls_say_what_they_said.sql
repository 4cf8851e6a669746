-- A call log that was generated again and says something else than the one on an issued invoice. The invoice stands (R22): what the
-- call costs now is for a credit note or a debit, by a person.
{{ config(tags=['build'], severity='warn') }}

select
    staged.pbx_id,
    staged.source_call_id,
    invoice_calls.invoice_id,
    invoice_calls.ticket_id as invoiced_ticket_id,
    staged.ticket_id as generated_ticket_id,
    invoice_calls.called_number as invoiced_number,
    staged.called_number as generated_number,
    invoice_calls.talk_seconds as invoiced_talk_seconds,
    staged.talk_seconds as generated_talk_seconds
from {{ ref('int_tickets__staged') }} as staged
inner join {{ ref('int_tickets__staged') }} as invoiced
    on
        staged.source_call_id = invoiced.source_call_id
        and staged.pbx_id = invoiced.pbx_id
inner join {{ source('billing', 'invoice_calls') }} as invoice_calls
    on invoiced.ticket_id = invoice_calls.ticket_id
where
    {{ if_regenerating_batches_wait() }}
    and staged.batch_id = any(array(select batches.batch_id from {{ source('raw', 'batches_to_build') }} as batches))
    and staged.state_reason = 'call_is_invoiced'
    and {{ is_regenerating_model('staged.model') }}
    and {{ is_regenerating_model('invoiced.model') }}
