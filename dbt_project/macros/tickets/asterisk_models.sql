{#- The models whose tickets are call records of an Asterisk: rows of its cdr table, one JSON object each, and lines of Master.csv. -#}
{% macro asterisk_models() %}
    {{ return(['asterisk_csv', 'asterisk_mysql', 'fonisk', 'itneo', 'telnowedge']) }}
{% endmacro %}

{#- Whether the build under way has batches of those models. -#}
{% macro asterisk_batches_wait() -%}
    {%- set query -%}
        select count(*)
        from {{ source('raw', 'batches') }}
        where
            batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
            and model in ('{{ asterisk_models() | join("', '") }}')
    {%- endset -%}
    {{ return(execute and run_query(query).rows[0][0] > 0) }}
{%- endmacro %}

{#-
    Steps (CTEs) that add to some tickets what their records say of channels, trimmed, null when empty or missing:
        channel, dstchannel, dst, linkedid  text

    Args:
        step: name of the last of the steps.
        relation: with model, delivery_id and ordinal of the tickets.
-#}
{% macro asterisk_channel_names(step, relation) -%}
{{ step }}_records as (
    {{ computed_once() }}
    select
        tickets.*,
        layouts.own_columns,
        case when raw_tickets.model <> 'asterisk_csv' then raw_tickets.body::jsonb end as record,
        case when raw_tickets.model = 'asterisk_csv' then {{ csv_values('raw_tickets.body') }} end as line_values
    from {{ relation }} as tickets
    inner join {{ source('raw', 'tickets') }} as raw_tickets
        on
            tickets.model = raw_tickets.model
            and tickets.delivery_id = raw_tickets.delivery_id
            and tickets.ordinal = raw_tickets.ordinal
    inner join {{ source('raw', 'deliveries') }} as deliveries
        on tickets.delivery_id = deliveries.delivery_id
    left join (
        select
            pbx_id,
            {{ asterisk_csv_own_columns('settings') }} as own_columns
        from {{ source('directory', 'current_pbxs') }}
    ) as layouts
        on deliveries.pbx_id = layouts.pbx_id
),

{{ step }} as (
    {{ computed_once() }}
    select
        *,
        {%- for column in ['channel', 'dstchannel', 'dst'] %}
        case
            when record is not null then nullif(btrim(record ->> '{{ column }}'), '')
            when own_columns is null then {{ csv_value('line_values[' ~ asterisk_csv_places()[column] ~ ']') }}
            else {{ csv_value("line_values[array_position(own_columns, '" ~ column ~ "')]") }}
        end as {{ column }},
        {%- endfor %}
        case
            when record is not null then nullif(btrim(record ->> 'linkedid'), '')
            -- peeraccount, linkedid and sequence are the 19th to 21st, or one earlier without uniqueid or userfield.
            when own_columns is null then {{ csv_value('line_values[least(cardinality(line_values), 21) - 1]') }}
            else {{ csv_value("line_values[array_position(own_columns, 'linkedid')]") }}
        end as linkedid
    from {{ step }}_records
)
{%- endmacro %}
