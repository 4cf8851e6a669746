{#-
    One call counts once though its PBX writes it again under another id (rule R20): call logs that were deleted and generated
    anew. Runs when the rows are in and equal ones are marked.

    Of the tickets that bear one identity, in the order in which they came:
    - one that says the same as the one before it is a duplicate (same_ticket_came_before);
    - one that says something else stands instead, for that is why somebody generated it; the one before it becomes a duplicate
      (superseded), and the call models take its leg away;
    - but once one of them is on an issued invoice, that one stands for good (I1, R22), and what came after it is a duplicate
      (call_is_invoiced): test_invoiced_calls_say_what_they_said names it, and a person decides on a credit note.

    What stands depends on the tickets alone and not on the order of builds, so that a batch built again gives the same. Only the
    identities of this build's tickets are looked up, by an index of their own.
-#}
{% macro supersede_regenerated(relation) %}
{%- set provenance = [
    'ticket_id', 'state', 'state_reason', 'state_field', 'pbx_id', 'model', 'delivery_id', 'ordinal', 'batch_id', 'received_at',
] -%}
{%- set told = model.columns | reject('in', provenance) | list -%}

{% if regenerating_batches_wait() %}
create index if not exists {{ relation.identifier }}_regenerated
on {{ relation }} (source_call_id, pbx_id)
where {{ is_regenerating_model('model') }};

create temporary table regenerated_tickets on commit drop as
with touched_identities as (
    select distinct
        pbx_id,
        source_call_id
    from {{ relation }}
    where
        batch_id = any({{ batches_to_build() }})
        and {{ is_regenerating_model('model') }}
        and source_call_id is not null
),

tickets as (
    select
        staged.ticket_id,
        staged.pbx_id,
        staged.source_call_id,
        count(*) over (partition by staged.pbx_id, staged.source_call_id) as times_told
    from touched_identities
    inner join {{ relation }} as staged
        on
            touched_identities.source_call_id = staged.source_call_id
            and touched_identities.pbx_id = staged.pbx_id
    where
        {{ is_regenerating_model('staged.model') }}
        and (
            staged.state = 'ticket'
            or staged.state_reason in ('same_ticket_came_before', 'superseded', 'call_is_invoiced')
        )
),

told_again as (
    select
        tickets.ticket_id,
        tickets.pbx_id,
        tickets.source_call_id,
        jsonb_build_array(
            {%- for column in told %}
            staged.{{ column }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        ) as told,
        invoice_calls.ticket_id is not null as is_invoiced
    from tickets
    inner join {{ relation }} as staged
        on tickets.ticket_id = staged.ticket_id
    left join {{ source('billing', 'invoice_calls') }} as invoice_calls
        on tickets.ticket_id = invoice_calls.ticket_id
    where tickets.times_told > 1
),

compared as (
    select
        *,
        told is distinct from lag(told) over (partition by pbx_id, source_call_id order by ticket_id) as is_said_first
    from told_again
),

standing as (
    select
        pbx_id,
        source_call_id,
        bool_or(is_invoiced) as is_invoiced,
        coalesce(
            min(ticket_id) filter (where is_invoiced),
            max(ticket_id) filter (where is_said_first)
        ) as ticket_id
    from compared
    group by pbx_id, source_call_id
)

select
    compared.ticket_id,
    case when compared.ticket_id = standing.ticket_id then 'ticket' else 'duplicate' end as state,
    case
        when compared.ticket_id = standing.ticket_id then null
        when compared.ticket_id < standing.ticket_id then 'superseded'
        when compared.told = standing_ticket.told then 'same_ticket_came_before'
        else 'call_is_invoiced'
    end as state_reason
from compared
inner join standing
    on
        compared.pbx_id = standing.pbx_id
        and compared.source_call_id = standing.source_call_id
inner join compared as standing_ticket
    on standing.ticket_id = standing_ticket.ticket_id;

update {{ relation }} as staged
set
    state = regenerated_tickets.state,
    state_reason = regenerated_tickets.state_reason
from regenerated_tickets
where
    staged.ticket_id = regenerated_tickets.ticket_id
    and (staged.state, staged.state_reason) is distinct from (regenerated_tickets.state, regenerated_tickets.state_reason)
{% else %}
select 1
{% endif %}
{% endmacro %}

{#-
    Whether a model writes calls again under other ids, and one ticket a call, so that its call identity tells the ticket too.
    Written alike wherever it stands: the index serves queries that hold this condition.
-#}
{% macro is_regenerating_model(column) -%}
    {{ column }} = 'wazo'
{%- endmacro %}

{#- Whether the build under way has tickets of such a model. -#}
{% macro regenerating_batches_wait() -%}
    {%- set query -%}
        select exists (
            select from {{ source('raw', 'batches') }}
            where batch_id = any({{ batches_to_build() }}) and {{ is_regenerating_model('model') }}
        )
    {%- endset -%}
    {{ return(execute and run_query(query).rows[0][0]) }}
{%- endmacro %}

{#-
    The same as a condition, true or false as the query is planned: without such tickets nothing looks for what was generated again,
    for there may be no index yet, and all of history would be read.
-#}
{% macro if_regenerating_batches_wait() -%}
    {%- if regenerating_batches_wait() -%} true {%- else -%} false {%- endif -%}
{%- endmacro %}
