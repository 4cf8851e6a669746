{#- Where the columns stand that cdr_csv always writes. -#}
{% macro asterisk_csv_places() -%}
    {{ return({
        'accountcode': 1, 'src': 2, 'dst': 3, 'dcontext': 4, 'clid': 5, 'channel': 6, 'dstchannel': 7, 'lastapp': 8, 'lastdata': 9,
        'start': 10, 'duration': 13, 'billsec': 14, 'disposition': 15, 'amaflags': 16,
    }) }}
{%- endmacro %}

{#- The columns that cdr_custom writes, as an array: what `fields` of the settings lists; null where cdr_csv writes. -#}
{% macro asterisk_csv_own_columns(settings) -%}
    string_to_array(nullif(lower(translate({{ settings }} ->> 'fields', '[]" ', '')), ''), ',')
{%- endmacro %}
