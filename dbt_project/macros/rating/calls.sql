{#-
After this long without a leg, the same call identity is another call. Mitel uses its 10,000 call ids again within hours; three models
have short counters, or ids that hold only while the call lives: their legs follow each other at once.
-#}
{% macro call_identity_pause(model) -%}
    case
        when {{ model }} in ('aastra_a400', 'alcatel_oxe', 'shoretel') then interval '5 minutes'
        else {{ longest_call_identity_pause() }}
    end
{%- endmacro %}

{#- The pause of the models with the longest one. -#}
{% macro longest_call_identity_pause() -%}
    interval '2 hours'
{%- endmacro %}

{#- How far back a leg may have started whose call still goes on. -#}
{% macro longest_leg() -%}
    interval '1 day'
{%- endmacro %}

{#- Columns that a call takes from its leading leg: the first billable leg, else the first; a phantom leg leads only where all are. -#}
{% macro columns_of_the_leading_leg() -%}
    {{ return([
        'pbx_id', 'model', 'source_call_id', 'direction', 'issuer_id', 'customer_id', 'service_id', 'attribution_rule', 'extension',
        'caller_number', 'called_number', 'caller_e164', 'called_e164', 'called_country', 'destination_class', 'billing_month', 'rated_at',
    ]) }}
{%- endmacro %}
