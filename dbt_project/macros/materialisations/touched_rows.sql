{#-
    A keyed table of which a build replaces the rows it touches, and no others: they are deleted by key and inserted again,
    straight, in one transaction, as by_batch does for whole batches.

    The contract makes the table; a column added to it is added to the table; --full-refresh is refused, for history is not
    selected here (open batches again instead).

    Config:
        key: column of this table that says which rows are replaced.
        touched: model that lists the keys to replace; without it rows are only added.
        touched_key: its column.
        kept: condition on a row of that model, as `touched`, whose row here stays.
-#}
{% materialization touched_rows, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set column_names = model.columns | map('string') | join(', ') -%}

    {% if not config.get('contract').enforced %}
        {% do exceptions.raise_compiler_error(this ~ ': touched_rows needs an enforced contract.') %}
    {% endif %}
    {% if existing is not none and should_full_refresh() %}
        {% do exceptions.raise_compiler_error(
            this ~ ' holds history that this query does not select: open batches again instead of --full-refresh.'
        ) %}
    {% endif %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {% if existing is none %}
        {% call statement('make_table') %}
            {{ get_create_table_as_sql(False, target_relation, empty_of_rows(sql)) }}
        {% endcall %}
        {% do create_indexes(target_relation) %}
    {% else %}
        {% do add_contract_columns(target_relation) %}
    {% endif %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if config.get('touched') %}
        {% call statement('delete_touched') %}
            delete from {{ target_relation }}
            where {{ config.require('key') }} in (
                select touched.{{ config.require('touched_key') }}
                from {{ ref(config.get('touched')) }} as touched
                where not ({{ config.get('kept', 'false') }})
            )
        {% endcall %}
    {% endif %}
    {% call statement('read_rows') %}
        create temporary table touched_rows on commit drop as
        {{ sql }}
    {% endcall %}
    {% call statement('main') %}
        {{ get_assert_columns_equivalent('select * from touched_rows') }}
        insert into {{ target_relation }} ({{ column_names }})
        select {{ column_names }}
        from touched_rows
    {% endcall %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=False)) %}
    {% do persist_docs(target_relation, model) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
