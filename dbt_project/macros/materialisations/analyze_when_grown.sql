{#-
    For a post-hook: fresh statistics for a table that has grown by a tenth since the last ones, and nothing otherwise.

    The models after it in the same build join it at once, long before autovacuum looks: without statistics PostgreSQL
    expects a handful of rows and joins a hundred thousand in nested loops (measured: 54 s instead of 5 s for 300,000
    legs). A table that grew little keeps its statistics, so that a small build on a long history stays cheap.

    columns: those that queries join and filter by; all of them when none are named, which costs 0.4 s for the 60 of fct_call_legs.
-#}
{% macro analyze_when_grown(relation, columns=[]) -%}
    {%- if execute -%}
        {%- set grown = run_query(
            "select pg_relation_size(oid) / current_setting('block_size')::bigint > relpages * 1.1"
            ~ " from pg_class where oid = '" ~ relation ~ "'::regclass"
        ) -%}
        {%- if grown.rows[0][0] -%}
            analyze {{ relation }} {%- if columns %} ({{ columns | join(', ') }}) {%- endif %}
        {%- else -%}
            select 1
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
