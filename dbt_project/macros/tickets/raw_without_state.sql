{#- Batches of which raw and the staged states do not agree, ticket by ticket: raw = ticket + rejected + ignored + duplicate. -#}
{% macro raw_without_state(batches) %}
with batches as (
    {{ batches }}
),

raw_tickets as (
    select
        tickets.batch_id,
        deliveries.pbx_id,
        count(*) as raw_count
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    where tickets.batch_id = any(array(select batch_id from batches))
    group by tickets.batch_id, deliveries.pbx_id
),

staged_tickets as (
    select
        batch_id,
        pbx_id,
        count(*) filter (where state = 'ticket') as ticket_count,
        count(*) filter (where state = 'rejected') as rejected_count,
        count(*) filter (where state = 'ignored') as ignored_count,
        count(*) filter (where state = 'duplicate') as duplicate_count
    from {{ ref('int_tickets__staged') }}
    where batch_id = any(array(select batch_id from batches))
    group by batch_id, pbx_id
),

final as (
    select
        batch_id,
        pbx_id,
        raw_count,
        ticket_count,
        rejected_count,
        ignored_count,
        duplicate_count
    from raw_tickets
    full join staged_tickets using (batch_id, pbx_id)
    where raw_count is distinct from ticket_count + rejected_count + ignored_count + duplicate_count
)

select * from final
{% endmacro %}
