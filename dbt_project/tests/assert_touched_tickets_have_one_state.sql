{{ config(tags=['build']) }}

-- Raw is the sum of the four states, batch by batch: of the batches of this build each raw row is staged, once.
with raw_rows as (
    select
        batch_id,
        count(*) as raw_count
    from {{ source('raw', 'tickets') }}
    where batch_id = any({{ batches_to_build() }})
    group by batch_id
),

staged_rows as (
    select
        batch_id,
        count(*) as staged_count
    from {{ ref('int_tickets__staged') }}
    where batch_id = any({{ batches_to_build() }})
    group by batch_id
)

select
    coalesce(raw_rows.batch_id, staged_rows.batch_id) as batch_id,
    raw_rows.raw_count,
    staged_rows.staged_count
from raw_rows
full outer join staged_rows
    on raw_rows.batch_id = staged_rows.batch_id
where raw_rows.raw_count is distinct from staged_rows.staged_count
