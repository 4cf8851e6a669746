{#-
Joins the row of a prefix table whose prefix is the longest that begins a string of digits (R7): an equality join per length.

Measured on PostgreSQL 18, 300,000 distinct numbers and 29,000 prefixes: 0.5 s so; 1.0 s by a table of the lengths in use;
1.4 s by a lateral index probe; minutes by LIKE. For a few numbers the planner probes the table's index instead.

    digits    SQL expression: the digits to match
    relation  table of prefixes
    prefix    its column of prefixes
    also      further join condition; {row} stands for the row of the table, as in '{row}.version_id = legs.version_id'
    lengths   the prefix lengths that are tried

Each length joins as longest_<length>; read the result with longest_prefix_value('column').
-#}
{% macro join_longest_prefix(digits, relation, prefix, lengths, also='true', alias='longest') -%}
    {%- for length in lengths %}
left join {{ relation }} as {{ alias }}_{{ length }}
    on
        {{ alias }}_{{ length }}.{{ prefix }} = left({{ digits }}, {{ length }})
        and length({{ alias }}_{{ length }}.{{ prefix }}) = {{ length }}
        and {{ also | replace('{row}', alias ~ '_' ~ length) }}
    {%- endfor %}
{%- endmacro %}

{% macro longest_prefix_value(column, lengths, alias='longest') -%}
coalesce(
    {%- for length in lengths | sort(reverse=true) %}
    {{ alias }}_{{ length }}.{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}
