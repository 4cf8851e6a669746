{#-
    Two steps (CTEs) that read a wall-clock time of a PBX as an instant (rule R3); null stays null. They add to the columns of
    `source`:
        converted      timestamptz  as PostgreSQL reads it: a repeated time as its second occurrence, a missing one shifted
                                    forward by the hour that is missing
        gone_back      interval     null, or how long before `converted` the clock had shown the same time
        is_missing     boolean      the clock never showed this time
    The instant is the first occurrence: coalesce(converted - gone_back, converted).

    Since 2010 no zone has changed its clock between 07:00 and 21:00 local time: most tickets need one conversion instead of
    several. Clocks go back by one hour, by 30 minutes (Lord Howe) or by two hours (Troll).

    Args:
        step: name of the last of the steps.
        source: the step before.
        local_time, time_zone: expressions over its columns.
        prefix: stands before the names of the columns, where a ticket has several times.
-#}
{% macro clock_instants(step, source, local_time, time_zone, prefix='') -%}
{{ step }}_converted as (
    {{ computed_once() }}
    select
        *,
        {{ local_time }} at time zone {{ time_zone }} as {{ prefix }}converted,
        case when date_part('hour', {{ local_time }}) not between 7 and 20 then {{ local_time }} end as {{ prefix }}night_time
    from {{ source }}
),

{{ step }} as (
    {{ computed_once() }}
    select
        *,
        case
            when {{ prefix }}night_time is null then null
            {%- for gone_back in ['1 hour', '30 minutes', '2 hours'] %}
            when ({{ prefix }}converted - interval '{{ gone_back }}') at time zone {{ time_zone }} = {{ prefix }}night_time
                then interval '{{ gone_back }}'
            {%- endfor %}
        end as {{ prefix }}gone_back,
        coalesce({{ prefix }}converted at time zone {{ time_zone }} <> {{ prefix }}night_time, false) as {{ prefix }}is_missing
    from {{ step }}_converted
)
{%- endmacro %}
