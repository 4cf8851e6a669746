{#-
    Decides which of the two hours it was, the night the clocks go back, from the order of tickets (rule R3). Runs when the
    rows are in.

    A PBX writes a ticket when the call ends, so ends rise along its tickets. Staging takes the first of the two hours; a ticket
    that would then have ended before one that was written earlier belongs to the second. One hour moved may show the next, so
    this is done three times. Two minutes are allowed for clocks without seconds. What the order does not show stays flagged.
-#}
{% macro settle_repeated_hours(relation) %}
{%- set in_doubt -%}
    select staged.*
    from {{ relation }} as staged
    where
        staged.batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
        and staged.time_dst_ambiguous
{%- endset -%}
{%- set count_query = 'select count(*) from (' ~ in_doubt ~ ') as in_doubt' -%}
{%- set in_doubt_count = run_query(count_query).columns[0].values()[0] if execute else 0 -%}

{% for pass in range(3) if in_doubt_count > 0 %}
update {{ relation }} as staged
set
    started_at = staged.started_at + moved.gone_back,
    answered_at = staged.answered_at + moved.gone_back,
    ended_at = staged.ended_at + moved.gone_back,
    time_dst_ambiguous = false
from (
    select
        in_doubt.ticket_id,
        -- PostgreSQL reads a repeated time as its second occurrence.
        in_doubt.started_at at time zone pbxs.time_zone at time zone pbxs.time_zone - in_doubt.started_at as gone_back
    from ({{ in_doubt }}) as in_doubt
    inner join {{ source('directory', 'current_pbxs') }} as pbxs on in_doubt.pbx_id = pbxs.pbx_id
    where exists (
        select 1
        from {{ relation }} as earlier
        where
            earlier.started_at between in_doubt.started_at - interval '4 hours' and in_doubt.started_at + interval '4 hours'
            and earlier.ended_at > in_doubt.ended_at + interval '2 minutes'
            and earlier.pbx_id = in_doubt.pbx_id
            and earlier.delivery_id = in_doubt.delivery_id
            and earlier.ordinal < in_doubt.ordinal
    )
) as moved
where staged.ticket_id = moved.ticket_id;
{% else %}
select 1
{% endfor %}
{% endmacro %}
