{#-
    Whether this session tries a replay: batches are read again to see what comes out differently, and nothing is built. Which
    replay it is stands in a setting of the session; raw.batches_to_build gives its batches.
-#}
{% macro is_replay_on_trial() -%}
    {%- set query -%}
        select coalesce(current_setting('tollhouse.replay_on_trial', true), '') <> ''
    {%- endset -%}
    {{ return(execute and run_query(query).rows[0][0]) }}
{%- endmacro %}

{#- The table that a trial writes instead of the real one. -#}
{% macro copy_on_trial(relation) -%}
    {{ return(make_temp_relation(relation, '__on_trial')) }}
{%- endmacro %}

{#-
    Fills it with all that the batches' pbxs have: what settles tickets compares them with earlier ones of their pbx, and may change
    those too. Temporary, so that nobody sees it and nothing is left of it.
-#}
{% macro fill_copy_on_trial(relation, copy) %}
create temporary table {{ copy }} (like {{ relation }} including indexes) on commit drop;
insert into {{ copy }}
select *
from {{ relation }}
where pbx_id = any(array(
    select batches.pbx_id
    from {{ source('raw', 'batches') }} as batches
    where batches.batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
));
analyze {{ copy }}
{% endmacro %}

{#- Writes down, for each ticket that is read otherwise, the columns that differ. -#}
{% macro differences_on_trial(relation, copy) %}
insert into {{ source('raw', 'replay_differences') }} (replay_id, ticket_id, is_invoiced, before, after)
with pairs as (
    select
        rows_after.ticket_id,
        false as is_invoiced,
        to_jsonb(rows_before) as before,
        to_jsonb(rows_after) as after
    from {{ copy }} as rows_after
    left join {{ relation }} as rows_before
        on rows_after.ticket_id = rows_before.ticket_id
    where rows_before.* is distinct from rows_after.*

    union all

    select
        rows_read.ticket_id,
        true as is_invoiced,
        to_jsonb(rows_kept) as before,
        to_jsonb(rows_read) as after
    from invoiced_tickets_as_read as rows_read
    inner join {{ copy }} as rows_kept
        on rows_read.ticket_id = rows_kept.ticket_id
    where rows_kept.* is distinct from rows_read.*
)

select
    current_setting('tollhouse.replay_on_trial')::int as replay_id,
    pairs.ticket_id,
    pairs.is_invoiced,
    changes.before,
    changes.after
from pairs
cross join lateral (
    select
        coalesce(jsonb_object_agg(key, columns_before.value), '{}') as before,
        jsonb_object_agg(key, columns_after.value) as after
    from jsonb_each(pairs.after) as columns_after
    left join jsonb_each(pairs.before) as columns_before
        using (key)
    where columns_before.value is distinct from columns_after.value
) as changes
{% endmacro %}
