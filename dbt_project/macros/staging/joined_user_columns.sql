{#-
    Under which names the queries of Fonisk, ITNeo and TelNowEdge give the user of a cdr row, for asterisk_tickets(): those of
    their models in plugins/tollhouse/pbx/, or of an entry's own query. A column `number` or `name` that cdr may have of its own
    is none of them.
-#}
{% macro joined_user_columns() -%}
    {{ return({
        'number': ['user_number'],
        'first_name': ['user_firstname'],
        'last_name': ['user_lastname'],
        'group': ['usergroup'],
        'subsidiary': ['subsidiary'],
    }) }}
{%- endmacro %}
