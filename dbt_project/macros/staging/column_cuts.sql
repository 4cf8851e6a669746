{#-
    The expressions that cut the fields out of a line of fixed columns, whichever of its layouts it has: {field: expression}.
    They read `layout`, the number of the layout from 1 (comparing texts costs), and the line or a part of it.

    Args:
        layouts: for each layout {text that the field is cut from: {field: (first column in the line, width)}}. The text is
            `line` or a field of `line`. The first layout has all the fields.
-#}
{% macro column_cuts(layouts) -%}
    {%- set cuts = {} -%}
    {%- for text, fields in layouts[0].items() -%}
        {%- for field in fields -%}
            {%- set branches = [] -%}
            {%- for layout in layouts -%}
                {%- if field in layout[text] -%}
                    {%- set columns_before = layout['line'][text][0] - 1 if text in layout['line'] else 0 -%}
                    {%- set first, width = layout[text][field] -%}
                    {%- do branches.append(
                        'when %d then substr(%s, %d, %d)' % (loop.index, text, first - columns_before, width)
                    ) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- do cuts.update({field: 'case layout ' ~ branches | join(' ') ~ ' end'}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(cuts) }}
{%- endmacro %}
