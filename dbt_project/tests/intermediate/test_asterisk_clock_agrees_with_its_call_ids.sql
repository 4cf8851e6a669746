-- An Asterisk call id begins with the UTC second in which the call was made, and a build follows it where most clocks are those of
-- another time zone (the raw checkpoint names the pbx). When half the calls of a batch still start a quarter of an hour or more
-- away from it, the two were not written by the same clock: nothing puts that right.
{{ config(tags=['build'], severity='warn') }}

{%- set models = "('" ~ asterisk_models() | join("', '") ~ "')" %}

with calls as (
    select
        staged.pbx_id,
        staged.batch_id,
        extract(epoch from staged.started_at)
        - substring(staged.source_call_id from '([0-9]{9,10})[.][0-9]+$')::bigint as seconds_off
    from {{ ref('int_tickets__staged') }} as staged
    where
        staged.batch_id = any(array(select batches.batch_id from {{ source('raw', 'batches_to_build') }} as batches))
        and staged.model in {{ models }}
        and staged.state = 'ticket'
        and staged.source_call_id ~ '[0-9]{9,10}[.][0-9]+$'
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
