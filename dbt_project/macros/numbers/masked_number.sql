{#-
A number for the role analyst: the last four digits of an outside number are hidden (I10). A short number, an extension or whatever else
is not longer than six characters says nothing of a person outside and stays.
-#}
{% macro masked_number(number) -%}
    case
        when length({{ number }}) > 6 then left({{ number }}, length({{ number }}) - 4) || 'xxxx'
        else {{ number }}
    end
{%- endmacro %}

{#- The columns of this model, in the order of its contract, those that hold numbers masked. -#}
{% macro masked_columns() -%}
    {%- set masked = ['caller_number', 'called_number', 'presented_number', 'caller_e164', 'called_e164'] -%}
    {%- for name in model.columns %}
    {{ masked_number(name) ~ ' as ' ~ name if name in masked else name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
