-- A ticket without a year that seems older than eleven months is more likely one from the future: a PBX whose clock is days
-- ahead. Rule R4 dates it a year back; a person should look.
{{ config(tags=['build'], severity='warn') }}
select
    pbx_id,
    batch_id,
    count(*) as ticket_count,
    min(started_at) as first_started_at
from {{ ref('int_tickets__staged') }}
where batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
    and time_year_inferred
    and started_at < received_at - interval '11 months'
group by pbx_id, batch_id
