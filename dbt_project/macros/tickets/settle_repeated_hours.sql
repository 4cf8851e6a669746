{#-
    Decides which of the two hours it was, the night the clocks go back, from the order of tickets (rule R3). Runs when the
    rows are in.

    A PBX writes a ticket when the call ends, so ends rise along its tickets. Staging takes the first of the two hours; a ticket
    that would then have ended before one that was written earlier belongs to the second. One hour moved may show the next, so
    this is done three times. Two minutes are allowed for clocks without seconds. What the order does not show stays flagged.
-#}
{% macro settle_repeated_hours(relation) %}
create temporary table tickets_in_doubt on commit drop as
select
    staged.ticket_id,
    -- PostgreSQL reads a repeated time as its second occurrence. Some clocks tell the start of a call and some its end.
    greatest(
        staged.started_at at time zone pbxs.time_zone at time zone pbxs.time_zone - staged.started_at,
        staged.ended_at at time zone pbxs.time_zone at time zone pbxs.time_zone - staged.ended_at
    ) as gone_back
from {{ relation }} as staged
inner join {{ source('directory', 'current_pbxs') }} as pbxs on staged.pbx_id = pbxs.pbx_id
where
    staged.batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
    and staged.time_dst_ambiguous;
analyze tickets_in_doubt;

{% for pass in range(3) %}
update {{ relation }} as staged
set
    started_at = staged.started_at + tickets_in_doubt.gone_back,
    answered_at = staged.answered_at + tickets_in_doubt.gone_back,
    ended_at = staged.ended_at + tickets_in_doubt.gone_back,
    time_dst_ambiguous = false
from tickets_in_doubt
where
    staged.ticket_id = tickets_in_doubt.ticket_id
    and staged.time_dst_ambiguous
    and exists (
        select 1
        from {{ relation }} as earlier
        where
            earlier.started_at between staged.started_at - interval '4 hours' and staged.started_at + interval '4 hours'
            and earlier.ended_at > staged.ended_at + interval '2 minutes'
            and earlier.pbx_id = staged.pbx_id
            and earlier.delivery_id = staged.delivery_id
            and earlier.ordinal < staged.ordinal
    );
{% endfor %}
{% endmacro %}
