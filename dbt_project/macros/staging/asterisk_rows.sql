{#-
    Steps (CTEs) that read rows of Asterisk's cdr table: one JSON object each, by column name, whatever the layout. They come before
    asterisk_legs(), which gives the fields their meaning. The last of them has a row per raw ticket:
        ticket_id ... body      as raw holds them
        time_zone, trunks, answer_threshold_seconds, amaflags_tell_direction
                                what the entry of the pbx says
        is_readable             boolean  a JSON object that PostgreSQL can hold
        has_start_column        boolean  the row has a column `start`, filled or not
        nested_column           text     the first column that holds no plain value
        one column for each of asterisk_columns(), and user_number, user_first_name, user_last_name, user_group, user_subsidiary:
                                text     trimmed; null when empty or missing

    Args:
        step: name of the last of the steps.
        model_id: the model whose tickets are read.
        user_columns: which columns of a row name the user, as in asterisk_tickets().
-#}
{% macro asterisk_rows(step, model_id, user_columns) -%}
{{ asterisk_pbxs() }},

tickets as (
    {{ computed_once() }}
    select
        tickets.ticket_id,
        deliveries.pbx_id,
        tickets.model,
        tickets.delivery_id,
        tickets.ordinal,
        tickets.batch_id,
        tickets.received_at,
        tickets.body,
        pbxs.time_zone,
        pbxs.answer_threshold_seconds,
        coalesce(pbxs.trunks, '{}') as trunks,
        coalesce(pbxs.amaflags_tell_direction, false) as amaflags_tell_direction,
        {{ bracket_count('tickets.body') }} as bracket_count
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = '{{ model_id }}'
),

documents as (
    {{ computed_once() }}
    select
        *,
        {{ json_document('body', 'bracket_count') }} as document
    from tickets
),

records as (
    {{ computed_once() }}
    select
        *,
        case when jsonb_typeof(document) = 'object' then document end as record
    from documents
),

{{ step }} as (
    {{ computed_once() }}
    select
        *,
        record is not null as is_readable,
        coalesce(record ? 'start', false) as has_start_column,
        case
            when bracket_count = 1 then null
            {%- for column in asterisk_columns() %}
            when jsonb_typeof(record -> '{{ column }}') in ('object', 'array') then '{{ column }}'
            {%- endfor %}
        end as nested_column,
        {%- for column in asterisk_columns() %}
        nullif(btrim(record ->> '{{ column }}'), '') as {{ column }},
        {%- endfor %}
        {%- for meaning in ['number', 'first_name', 'last_name', 'group', 'subsidiary'] %}
        {%- set names = user_columns.get(meaning, []) %}
        {%- if names %}
        coalesce(
            {%- for name in names %}
            nullif(btrim(record ->> '{{ name }}'), ''){% if not loop.last %},{% endif %}
            {%- endfor %}
        )
        {%- else %}
        null::text
        {%- endif %} as user_{{ meaning }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from records
)
{%- endmacro %}

{#- The columns of a cdr row that are read, of every layout: stock, FreePBX, cdr_mysql. -#}
{% macro asterisk_columns() -%}
    {{ return([
        'start', 'calldate', 'duration', 'billsec', 'disposition', 'src', 'dst', 'dcontext', 'clid', 'channel', 'dstchannel',
        'lastapp', 'lastdata', 'amaflags', 'uniqueid', 'linkedid', 'sequence', 'accountcode', 'peeraccount', 'did', 'cnum', 'cnam',
        'dst_cnam', 'outbound_cnum',
    ]) }}
{%- endmacro %}

{#- A step (CTE), `pbxs`: what the entries of the pbxs say that the reading of an Asterisk needs. -#}
{% macro asterisk_pbxs() -%}
pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        lower(trunks::text)::text[] as trunks,
        coalesce(settings ->> 'amaflags_direction' = 'true', false) as amaflags_tell_direction
    from {{ source('directory', 'current_pbxs') }}
)
{%- endmacro %}
