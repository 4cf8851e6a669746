{#- A leap year: what claims to be longer is no call but damage, and its ticket is rejected. -#}
{% macro longest_call_seconds() -%}
    31622400
{%- endmacro %}
