{#- Schemas are plain (staging, intermediate, marts, reference), without the prefix that dbt puts before them. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
