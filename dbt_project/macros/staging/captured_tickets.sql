{#-
Tickets that no layout reads: nothing is guessed, they are kept verbatim and rejected until a layout is confirmed. A select with the
columns of the contract.

Args:
    reason: an expression of the state_reason; it may use deliveries.pbx_id.
-#}
{% macro captured_tickets(model_id, tickets, deliveries, reason="'layout_not_confirmed'") -%}
select
    tickets.ticket_id,
    'rejected' as state,
    {{ reason }} as state_reason,
    null::text as state_field,
    deliveries.pbx_id,
    tickets.model,
    tickets.delivery_id,
    tickets.ordinal,
    tickets.batch_id,
    tickets.received_at,
    null::text as source_call_id,
    null::int as leg_number,
    null::timestamptz as started_at,
    null::timestamptz as answered_at,
    null::timestamptz as ended_at,
    null::int as ring_seconds,
    null::int as talk_seconds,
    null::text as direction,
    null::text as outcome,
    null::text as caller_number,
    null::text as called_number,
    null::text as presented_number,
    null::text as extension,
    null::text as extension_name,
    null::text as group_name,
    null::text as subsidiary_name,
    null::text as trunk_in,
    null::text as trunk_out,
    null::text as account_code,
    null::text as authorization_code,
    null::boolean as is_private,
    null::boolean as is_estimated,
    null::text as transferred_from,
    null::text as transferred_to,
    null::int as pulses,
    null::numeric(18, 6) as pbx_charge_amount,
    null::text as pbx_charge_currency,
    null::boolean as time_is_minute,
    null::boolean as time_year_inferred,
    null::boolean as time_dst_ambiguous,
    null::boolean as time_dst_shifted
from {{ tickets }} as tickets
inner join {{ deliveries }} as deliveries on tickets.delivery_id = deliveries.delivery_id
where tickets.model = '{{ model_id }}'
{%- endmacro %}
