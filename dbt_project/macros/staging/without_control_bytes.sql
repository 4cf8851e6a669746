{#-
    The expression for a line without what a serial port or a printer puts around it: control bytes, and NULs, which framing
    keeps as \x00. What stands within the line stays.

    Args:
        column: the line, as it came.
-#}
{% macro without_control_bytes(column) -%}
    btrim(
        case
            when position('\x00' in {{ column }}) > 0
                then regexp_replace({{ column }}, '^(\\x00|[\x01-\x1f])+|(\\x00|[\x01-\x1f])+$', '', 'g')
            else {{ column }}
        end,
        e'\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f'
    )
{%- endmacro %}
