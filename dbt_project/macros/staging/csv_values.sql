{#-
    The expression for the values of a line of separated values, as an array. Values may stand between quotation marks, which
    are doubled within. A separator within them stands as another character until csv_value() gives it back. Null where a mark stays
    open, which is what is left of a value with a line end within, and where text stands beside a value in marks.

    Cut at its quotation marks, every second piece of a line is within them; nothing between two of those is a mark written twice, and
    anything else there begins and ends with a separator: raw.line_of_quoted_values() goes through the pieces.

    Args:
        line: an expression; it is used several times.
        separator, mark: constants of SQL, one character each. Where a blank separates, no other blank stands beside a mark.
-#}
{% macro csv_values(line, separator="','", mark="'\"'") -%}
    string_to_array(
        case
            when strpos({{ line }}, {{ mark }}) = 0 then {{ line }}
            else raw.line_of_quoted_values({{ line }}, {{ separator }}, {{ mark }}, {{ csv_quoted_separator() }})
        end,
        {{ separator }}
    )
{%- endmacro %}

{#- One of csv_values(), trimmed; null when empty or missing. -#}
{% macro csv_value(element, separator="','") -%}
    nullif(btrim(replace({{ element }}, {{ csv_quoted_separator() }}, {{ separator }})), '')
{%- endmacro %}

{#- Stands for a separator within quotation marks while the line is cut at its separators; no PBX writes it. -#}
{% macro csv_quoted_separator() -%}
    chr(31)
{%- endmacro %}
