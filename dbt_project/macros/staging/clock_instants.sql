{#-
    Steps (CTEs) that read a wall-clock time of a PBX as an instant (rule R3); null stays null. They add to the columns of
    `source`:
        instant        timestamptz  the first occurrence of a repeated hour; a missing hour shifted forward
        is_repeated    boolean      the clock showed this time twice
        is_missing     boolean      the clock never showed this time

    PostgreSQL reads a repeated time as its second occurrence and shifts a missing one forward. Since 2010 no zone has changed
    its clock between 07:00 and 21:00 local time: most tickets need one conversion instead of several. Clocks go back by one
    hour, by 30 minutes (Lord Howe) or by two hours (Troll).

    Args:
        step: name of the last of the steps.
        source: the step before.
        local_time, time_zone: expressions over its columns.
-#}
{% macro clock_instants(step, source, local_time, time_zone) -%}
{{ step }}_read as (
    {{ computed_once() }}
    select
        *,
        {{ local_time }} as clock_time
    from {{ source }}
),

{{ step }}_converted as (
    {{ computed_once() }}
    select
        *,
        clock_time at time zone {{ time_zone }} as converted,
        date_part('hour', clock_time) not between 7 and 20 as is_near_change
    from {{ step }}_read
),

{{ step }} as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_near_change then converted
            {%- for gone_back in ['1 hour', '30 minutes', '2 hours'] %}
            when (converted - interval '{{ gone_back }}') at time zone {{ time_zone }} = clock_time
                then converted - interval '{{ gone_back }}'
            {%- endfor %}
            else converted
        end as instant,
        is_near_change and (
            {%- for gone_back in ['1 hour', '30 minutes', '2 hours'] %}
            (converted - interval '{{ gone_back }}') at time zone {{ time_zone }} = clock_time
            {{- ' or' if not loop.last }}
            {%- endfor %}
        ) as is_repeated,
        is_near_change and converted at time zone {{ time_zone }} <> clock_time as is_missing
    from {{ step }}_converted
)
{%- endmacro %}
