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
What a killed build left undone, as an array of tickets: its work list is made anew after this is read. The touched batches themselves
are open still.
-#}
{% macro left_over_tickets() -%}
    {%- set work_list = adapter.get_relation(
        database=target.database, schema='intermediate', identifier='int_calls__legs_to_build'
    ) if execute -%}
    {%- if work_list -%}
        array(
            select work_list.ticket_id
            from {{ work_list }} as work_list
            inner join {{ source('raw', 'builds') }} as builds
                on work_list.build_id = builds.build_id
            where
                builds.finished_at is null
                and work_list.batch_id <> all({{ batches_to_build() }})
        )
    {%- else -%}
        '{}'::bigint[]
    {%- endif -%}
{%- endmacro %}
