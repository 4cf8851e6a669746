-- A ticket without a year that seems older than eleven months is more likely one from the future: a PBX whose clock is days
-- ahead. Rule R4 dates it a year back; a person should look.
{{ config(tags=['build'], severity='warn') }}

select
    staged.pbx_id,
    staged.batch_id,
    count(*) as ticket_count,
    min(staged.started_at) as first_started_at
from {{ ref('int_tickets__staged') }} as staged
where
    staged.batch_id = any(array(select batches.batch_id from {{ source('raw', 'batches_to_build') }} as batches))
    and staged.time_year_inferred
    and staged.started_at < staged.received_at - interval '11 months'
group by staged.pbx_id, staged.batch_id
