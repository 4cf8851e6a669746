{#-
    A ticket on an issued invoice stays as it was invoiced, however its batch is read when it is built again (I1, R22): its leg does,
    too (is_kept_as_invoiced), and so the two go on agreeing. What it would say now is for a person and a credit note: a replay
    shows it.

    Two steps: the rows are put by before their batches are deleted, and come back when everything is settled.
-#}
{% macro put_by_invoiced_tickets(relation) %}
create temporary table invoiced_tickets on commit drop as
select staged.*
from {{ relation }} as staged
inner join {{ source('billing', 'invoice_calls') }} as invoice_calls
    on staged.ticket_id = invoice_calls.ticket_id
where staged.batch_id = any({{ batches_to_build() }})
{% endmacro %}

{% macro keep_invoiced_tickets(relation) %}
{%- set column_names = model.columns | map('string') | join(', ') %}
create temporary table invoiced_tickets_as_read on commit drop as
select staged.*
from {{ relation }} as staged
inner join invoiced_tickets
    on staged.ticket_id = invoiced_tickets.ticket_id;

delete from {{ relation }}
where ticket_id in (select invoiced_tickets.ticket_id from invoiced_tickets);

insert into {{ relation }} ({{ column_names }})
select {{ column_names }}
from invoiced_tickets
{% endmacro %}
