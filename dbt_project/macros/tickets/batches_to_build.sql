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

{#-
The staging views of the models that the build under way has tickets of; all of them when no build is. Every view costs time to plan,
whether it finds a ticket or not.
-#}
{% macro of_models_to_build(staging_views) -%}
    {%- set query -%}
        select distinct model from {{ source('raw', 'batches') }} where batch_id = any({{ batches_to_build() }})
    {%- endset -%}
    {%- set models = run_query(query).columns['model'].values() if execute else [] -%}
    {%- set chosen = [] -%}
    {%- for staging_view in staging_views if staging_view.identifier.removeprefix('stg_').removesuffix('__tickets') in models -%}
        {%- do chosen.append(staging_view) -%}
    {%- endfor -%}
    {{ return(chosen or staging_views) }}
{%- endmacro %}
