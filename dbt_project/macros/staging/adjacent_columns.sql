{#-
    A layout of fixed columns with nothing between them: {'columns': {name: (place, first column, width)}, 'header': the line that
    says so, name, first column, last column and width of each, as the header of an OXE's file does}.

    Args:
        widths: {name: width}, in the order of the line.
-#}
{% macro adjacent_columns(widths) -%}
    {%- set next = namespace(column=1) -%}
    {%- set columns = {} -%}
    {%- set header = [] -%}
    {%- for name, width in widths.items() -%}
        {%- do columns.update({name: (loop.index, next.column, width)}) -%}
        {%- do header.append([name, next.column, next.column + width - 1, width] | join(',')) -%}
        {%- set next.column = next.column + width -%}
    {%- endfor -%}
    {{ return({'columns': columns, 'header': '#' ~ header | join(',')}) }}
{%- endmacro %}
