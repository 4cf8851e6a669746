-- An Asterisk call id begins with the UTC second in which the call was made. When half the calls of a batch start a quarter of
-- an hour or more away from it, the pbx's time zone is wrong, or its table is in UTC (settings: table_time_zone).
{{ config(tags=['build'], severity='warn') }}
with calls as (
    select
        pbx_id,
        batch_id,
        extract(epoch from started_at) - substring(source_call_id from '([0-9]{9,10})[.][0-9]+$')::bigint as seconds_off
    from {{ ref('int_tickets__staged') }}
    where batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
        and model = 'asterisk_mysql'
        and state = 'ticket'
        and source_call_id ~ '[0-9]{9,10}[.][0-9]+$'
),

final as (
    select
        pbx_id,
        batch_id,
        count(*) as call_count,
        percentile_cont(0.5) within group (order by seconds_off) as median_seconds_off
    from calls
    group by pbx_id, batch_id
    having abs(percentile_cont(0.5) within group (order by seconds_off)) >= 900
)

select * from final
