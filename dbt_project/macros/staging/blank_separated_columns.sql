{#-
    A layout of fixed columns with one blank between them: {'shape': pattern for LIKE, 'columns': {field: (first column, width)}}.
    The pattern holds for a line of exactly this length with its blanks in place, at a fraction of the cost of cutting it.

    Args:
        widths: {field: width}, in the order of the line.
        first_column: of the first field.
-#}
{% macro blank_separated_columns(widths, first_column) -%}
    {%- set next = namespace(column=first_column) -%}
    {%- set columns = {} -%}
    {%- set blanks = [] -%}
    {%- for field, width in widths.items() -%}
        {%- do columns.update({field: (next.column, width)}) -%}
        {%- do blanks.append('_' * width) -%}
        {%- set next.column = next.column + width + 1 -%}
    {%- endfor -%}
    {{ return({'shape': blanks | join(' '), 'columns': columns}) }}
{%- endmacro %}
