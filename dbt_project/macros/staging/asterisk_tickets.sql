{#-
    A staging view of the Asterisk family whole: rows of the table `cdr`, one JSON object each, to the columns of the contract.

    Args:
        model_id: the model whose tickets are read.
        user_columns: for products that join their user tables to cdr: the names under which the query yields `number`,
            `first_name`, `last_name`, `group` and `subsidiary` of the user, each a list of names of which the first filled one
            counts. What is left out is not looked for.
-#}
{% macro asterisk_tickets(model_id, user_columns={}) -%}
with {{ asterisk_rows('cdr', model_id, user_columns) }},

{{ asterisk_legs('final', 'cdr', has_user_groups='group' in user_columns) }}

select * from final
{%- endmacro %}
