{#-
    Gives the state `rejected` to the tickets of this build that the end of a connection cut. Runs when the rows are in, and
    before duplicates are marked.

    What is missing cannot be told from the text: a line cut within blanks at its end, or within its last number, still reads
    as a ticket. A PBX that sends the ticket again sends it whole, and that one is no duplicate of a ticket that was rejected;
    one that does not leaves a rejected ticket for people to see. As in any rejected ticket, no field is read.
-#}
{% macro reject_cut_tickets(relation) %}
{%- set kept_columns = ['ticket_id', 'pbx_id', 'model', 'delivery_id', 'ordinal', 'batch_id', 'received_at'] -%}
update {{ relation }} as staged
set
    {%- for column in model.columns if column not in kept_columns + ['state', 'state_reason'] %}
    {{ column }} = null,
    {%- endfor %}
    state = 'rejected',
    state_reason = 'cut_by_disconnect'
from {{ source('raw', 'cut_tickets') }} as cut_tickets
where
    cut_tickets.batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
    and staged.ticket_id = cut_tickets.ticket_id
{% endmacro %}
