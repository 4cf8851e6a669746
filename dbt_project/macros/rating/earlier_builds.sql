{#-
The legs of earlier builds, or none before the first. A ref would be a cycle: fct_call_legs is built from what reads this. Which
call a leg was in is asked nowhere else, and a second table of it would cost a fifth of the build.
-#}
{% macro earlier_call_legs() -%}
    {%- if execute -%}
        {{ return(adapter.get_relation(database=target.database, schema='marts', identifier='fct_call_legs')) }}
    {%- endif -%}
{%- endmacro %}

{#- This model's table as the build before left it, or none before the first. -#}
{% macro earlier_rows() -%}
    {%- if execute -%}
        {{ return(adapter.get_relation(database=this.database, schema=this.schema, identifier=this.identifier)) }}
    {%- endif -%}
{%- endmacro %}

{#-
The batches of the build under way, as an array of literals. The planner then knows how much of a table they are: told only
`array(select ...)` it expects ten batches, which is most of a history of few large ones, and reads all of it. Never
`in (select ...)`, which does not reach raw through the staging views.
-#}
{% macro batches_to_build() -%}
    {%- set query -%}
        select coalesce(array_agg(batch_id), '{}')::text from {{ source('raw', 'batches_to_build') }}
    {%- endset -%}
    {%- if execute -%}
        '{{ run_query(query).rows[0][0] }}'::int[]
    {%- else -%}
        '{}'::int[]
    {%- endif -%}
{%- endmacro %}
