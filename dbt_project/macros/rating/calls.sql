{#- After this long without a leg, the same call identity is another call. Mitel uses its 10,000 call ids again within hours. -#}
{% macro call_identity_pause() -%}
    interval '2 hours'
{%- endmacro %}

{#- How far back a leg may have started whose call still goes on. -#}
{% macro longest_leg() -%}
    interval '1 day'
{%- endmacro %}
