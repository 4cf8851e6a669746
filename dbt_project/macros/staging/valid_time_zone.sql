{#- A zone that PostgreSQL knows, or null: one mistyped entry must not stop the build of every PBX. -#}
{% macro valid_time_zone(time_zone) %}
case
    when pg_input_is_valid('2000-01-01 00:00:00 ' || {{ time_zone }}, 'timestamp with time zone') then {{ time_zone }}
end
{% endmacro %}
