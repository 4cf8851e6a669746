{#-
    JSON in a ticket, which may be hostile. The parser calls itself for each bracket: a ticket of nothing but brackets would exhaust
    the stack, and raise. Read as jsonb, which refuses what ->> would raise on (an escaped NUL, half a surrogate pair).

    Args:
        text: SQL expression of the JSON.
        brackets: that of the number of its brackets, where a step has counted them already.
-#}
{% macro json_document(text, brackets=none) -%}
    case
        when {{ brackets or bracket_count(text) }} < {{ too_many_brackets() }} and pg_input_is_valid({{ text }}, 'jsonb')
            then {{ text }}::jsonb
    end
{%- endmacro %}

{% macro bracket_count(text) -%}
    octet_length({{ text }}) - octet_length(replace(replace({{ text }}, '[', ''), '{', ''))
{%- endmacro %}

{#- No ticket has so many, and no parser fails of them. -#}
{% macro too_many_brackets() -%}
    500
{%- endmacro %}
