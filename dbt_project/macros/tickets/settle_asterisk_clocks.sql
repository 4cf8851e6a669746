{#-
    Puts right the clocks of an Asterisk that were written in another zone than the entry of its pbx says. Runs when the rows are in,
    before anything compares starts.

    An Asterisk call id begins with the UTC second in which the call's first channel was made, and so does the call's first leg. One
    leg proves nothing: what follows a queue or a parking lot that gave up after an hour starts an hour after its channel, too. But
    where most calls of a table's day start whole quarters of an hour off their ids, all legs of that day move: those of a call by
    what its own first leg is off, if another call's is too (the clocks may have changed that day), the others by what most are. Other disagreements (seven minutes, a year) are no zone.

    Systems that share a table write their names before the second, and are looked at each by itself.
-#}
{% macro settle_asterisk_clocks(relation) %}
{%- set models = "('" ~ asterisk_models() | join("', '") ~ "')" -%}
{%- set new_batches -%}
    any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
{%- endset -%}
{%- set earlier_legs = earlier_call_legs() -%}

{% if asterisk_batches_wait() %}
create temporary table asterisk_clocks on commit drop as
with calls as (
    select
        delivery_id,
        source_call_id,
        min(started_at) as started_at,
        min(ticket_id) as first_ticket_id
    from {{ relation }}
    where
        batch_id = {{ new_batches }}
        and model in {{ models }}
        and state = 'ticket'
        and source_call_id is not null
    group by delivery_id, source_call_id
),

identified as (
    {{ computed_once() }}
    select
        *,
        regexp_match(source_call_id, '^(.*-)?([0-9]{9,10})[.][0-9]+$') as id_parts
    from calls
),

lags as (
    {{ computed_once() }}
    select
        *,
        coalesce(id_parts[1], '') as system_name,
        (started_at at time zone 'UTC')::date as started_on,
        extract(epoch from started_at)::bigint - id_parts[2]::bigint as lag_seconds
    from identified
),

-- Zones differ by quarters of an hour, and by no more than 14 hours here.
quarters as (
    {{ computed_once() }}
    select
        *,
        case
            when abs(lag_seconds) <= 14 * 3600 + 5 and abs(lag_seconds - round(lag_seconds / 900.0) * 900) <= 5
                then round(lag_seconds / 900.0)::int * 900
        end as zone_seconds
    from lags
)

select *
from quarters;

{%- if earlier_legs %}

-- A call that goes on from an earlier batch does not begin here.
update asterisk_clocks as clocks
set
    lag_seconds = null,
    zone_seconds = null
where
    clocks.zone_seconds <> 0
    and exists (
        select
        from {{ earlier_legs }} as earlier_legs
        inner join {{ relation }} as staged
            on earlier_legs.ticket_id = staged.ticket_id
        where
            earlier_legs.source_call_id = clocks.source_call_id
            and earlier_legs.started_at between clocks.started_at - interval '1 day' and clocks.started_at + interval '1 day'
            and staged.delivery_id = clocks.delivery_id
            and staged.ticket_id < clocks.first_ticket_id
    );
{%- endif %}

create temporary table asterisk_zones on commit drop as
select
    delivery_id,
    system_name,
    started_on,
    mode() within group (order by zone_seconds) filter (where zone_seconds <> 0) as zone_seconds
from asterisk_clocks
group by delivery_id, system_name, started_on
having count(*) filter (where zone_seconds <> 0) * 2 > count(lag_seconds);

update {{ relation }} as staged
set
    started_at = staged.started_at - clocks.zone_seconds * interval '1 second',
    answered_at = staged.answered_at - clocks.zone_seconds * interval '1 second',
    ended_at = staged.ended_at - clocks.zone_seconds * interval '1 second',
    time_dst_ambiguous = false,
    time_dst_shifted = false
from (
    select
        asterisk_clocks.delivery_id,
        asterisk_clocks.source_call_id,
        case
            when count(*) over calls_alike > 1 then coalesce(asterisk_clocks.zone_seconds, asterisk_zones.zone_seconds)
            else asterisk_zones.zone_seconds
        end as zone_seconds
    from asterisk_clocks
    inner join asterisk_zones
        on
            asterisk_clocks.delivery_id = asterisk_zones.delivery_id
            and asterisk_clocks.system_name = asterisk_zones.system_name
            and asterisk_clocks.started_on = asterisk_zones.started_on
    window calls_alike as (
        partition by
            asterisk_clocks.delivery_id,
            asterisk_clocks.system_name,
            asterisk_clocks.started_on,
            asterisk_clocks.zone_seconds
    )
) as clocks
where
    staged.batch_id = {{ new_batches }}
    and staged.state = 'ticket'
    and staged.delivery_id = clocks.delivery_id
    and staged.source_call_id = clocks.source_call_id
    and clocks.zone_seconds <> 0
{% else %}
select 1
{% endif %}
{% endmacro %}
