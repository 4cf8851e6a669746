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

{#- The batches of the build under way. `in (select ...)` would scan history; an array is known before the scan. -#}
{% macro batches_to_build() -%}
    array(select batches_to_build.batch_id from {{ source('raw', 'batches_to_build') }} as batches_to_build)
{%- endmacro %}
