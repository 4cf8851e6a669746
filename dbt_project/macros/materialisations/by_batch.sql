{#-
    A table that is rebuilt batch by batch: the rows of the batches of this build are deleted and inserted again, straight, in one
    transaction, so that a build done twice leaves the same rows. An incremental model would write each row twice (a temporary
    table, then the target). The model selects exactly the rows of those batches and has the column batch_id.

    The rows pass through a temporary table, because PostgreSQL gives a query that parses several processors there, and one where
    it inserts: 300,000 tickets took 7 s instead of 14 s on two busy processors, and the same time of processor. A query that
    joins gains nothing by it.

    The contract is checked against these rows on every run; on the first run the table is made with its constraints. A column
    added to the contract is added to the table; --full-refresh is refused, for history is not selected here (a batch
    whose built_at is cleared in raw.batches is built again).

    In a session that tries a replay (tollhouse replay) all of this is done to a copy, which is gone at the end of the transaction;
    what came out differently is kept in raw.replay_differences.

    Config:
        before_delete: names of macros that get the relation and return SQL to run before anything changes.
        after_insert: names of macros that get the relation and return SQL to run on the new rows, in the same transaction.
-#}
{% materialization by_batch, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set written_relation = copy_on_trial(target_relation) if is_replay_on_trial() else target_relation -%}
    {%- set column_names = model.columns | map('string') | join(', ') -%}

    {% if not config.get('contract').enforced %}
        {% do exceptions.raise_compiler_error(this ~ ': by_batch needs an enforced contract.') %}
    {% endif %}
    {% if existing is not none and should_full_refresh() %}
        {% do exceptions.raise_compiler_error(
            this ~ ' holds history that this query does not select: open batches again instead of --full-refresh.'
        ) %}
    {% endif %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is none %}
        {% call statement('make_table') %}
            {{ get_create_table_as_sql(False, target_relation, empty_of_rows(sql)) }}
        {% endcall %}
        {% do create_indexes(target_relation) %}
    {% else %}
        {% do add_contract_columns(target_relation) %}
    {% endif %}

    {% if is_replay_on_trial() %}
        {% call statement('copy_on_trial') %}
            {{ fill_copy_on_trial(target_relation, written_relation) }}
        {% endcall %}
    {% endif %}
    {% for macro_name in config.get('before_delete', []) %}
        {% call statement(macro_name) %}
            {{ context[macro_name](written_relation) }}
        {% endcall %}
    {% endfor %}
    {% call statement('delete_batches') %}
        delete from {{ written_relation }}
        where batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
    {% endcall %}
    {% call statement('read_rows') %}
        create temporary table rows_of_batches on commit drop as
        {{ sql }}
    {% endcall %}
    {% call statement('main') %}
        {{ get_assert_columns_equivalent('select * from rows_of_batches') }}
        insert into {{ written_relation }} ({{ column_names }})
        select {{ column_names }}
        from rows_of_batches
    {% endcall %}
    {% for macro_name in config.get('after_insert', []) %}
        {% call statement(macro_name) %}
            {{ context[macro_name](written_relation) }}
        {% endcall %}
    {% endfor %}
    {% if is_replay_on_trial() %}
        {% call statement('keep_differences') %}
            {{ differences_on_trial(target_relation, written_relation) }}
        {% endcall %}
    {% endif %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=False)) %}
    {% do persist_docs(target_relation, model) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#- The columns of a query without its rows. -#}
{% macro empty_of_rows(query) %}
    select *
    from (
        {{ query }}
    ) as model_query
    where false
{% endmacro %}


{#- Columns that the contract has gained since the table was made. -#}
{% macro add_contract_columns(relation) %}
    {%- set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {% for column in model.columns.values() if column.name not in present %}
        {% call statement('add_column') %}
            alter table {{ relation }} add column {{ column.name }} {{ column.data_type }}
        {% endcall %}
    {% endfor %}
{% endmacro %}
