{#-
    A wall-clock time of a PBX as an instant (rule R3): a lateral subquery with the columns
        instant        timestamptz  the first occurrence of a repeated hour; a missing hour shifted forward
        is_repeated    boolean      the clock showed this time twice
        is_missing     boolean      the clock never showed this time
    PostgreSQL reads a repeated time as the second occurrence and shifts a missing one forward. No zone has changed its clock
    between 07:00 and 21:00 local time since 2010: tickets of the day, most of them, need one conversion instead of three.
    Clocks go back by one hour, by 30 minutes (Lord Howe) or by two hours (Troll).
-#}
{% macro clock_instants(local_time, time_zone) %}
lateral (
    select
        conversion.converted - conversion.gone_back as instant,
        conversion.gone_back > interval '0' as is_repeated,
        conversion.is_missing
    from (
        select
            reading.converted,
            case
                when date_part('hour', {{ local_time }}) between 7 and 20 then interval '0'
                {%- for step in ['1 hour', '30 minutes', '2 hours'] %}
                when (reading.converted - interval '{{ step }}') at time zone {{ time_zone }} = {{ local_time }}
                    then interval '{{ step }}'
                {%- endfor %}
                else interval '0'
            end as gone_back,
            case
                when date_part('hour', {{ local_time }}) between 7 and 20 then false
                else reading.converted at time zone {{ time_zone }} <> {{ local_time }}
            end as is_missing
        from (select {{ local_time }} at time zone {{ time_zone }} as converted offset 0) as reading
        offset 0
    ) as conversion
    offset 0
)
{% endmacro %}
