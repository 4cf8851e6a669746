/*
    Asterisk's Master.csv: a line per leg, texts between quotation marks, no line of column names.

    cdr_csv writes 16 columns in an order of its own, then what cdr.conf switches on: uniqueid, userfield, and peeraccount, linkedid
    and sequence together. How many columns a line has tells which; of one alone, its look. cdr_custom writes what its template
    says: settings.fields of the pbx lists it. What the columns mean is the same as in a table.
*/
{%- set fixed_count = 16 -%}
{%- set most_columns = 22 -%}
{%- set told_columns = [
    'state_field', 'pbx_id', 'model', 'delivery_id', 'ordinal', 'batch_id', 'received_at', 'source_call_id', 'leg_number', 'started_at',
    'answered_at', 'ended_at', 'ring_seconds', 'talk_seconds', 'direction', 'outcome', 'caller_number', 'called_number',
    'presented_number', 'extension', 'extension_name', 'group_name', 'subsidiary_name', 'trunk_in', 'trunk_out', 'account_code',
    'authorization_code', 'is_private', 'is_estimated', 'transferred_from', 'transferred_to', 'pulses', 'pbx_charge_amount',
    'pbx_charge_currency', 'time_is_minute', 'time_year_inferred', 'time_dst_ambiguous', 'time_dst_shifted',
] -%}

with {{ asterisk_pbxs() }},

listed_columns as (
    {{ computed_once() }}
    select
        pbx_id,
        {{ asterisk_csv_own_columns('settings') }} as own_columns
    from {{ source('directory', 'current_pbxs') }}
),

layouts as (
    {{ computed_once() }}
    select
        pbx_id,
        cardinality(own_columns) as own_column_count,
        {%- for column in asterisk_columns() %}
        case
            when own_columns is null then {{ asterisk_csv_places().get(column, 'null') }}
            else array_position(own_columns, '{{ column }}')
        end as {{ column }}_place{% if not loop.last %},{% endif %}
        {%- endfor %}
    from listed_columns
),

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
        pbxs.time_zone,
        pbxs.answer_threshold_seconds,
        coalesce(pbxs.trunks, '{}') as trunks,
        coalesce(pbxs.amaflags_tell_direction, false) as amaflags_tell_direction,
        layouts.own_column_count,
        {%- for column in asterisk_columns() %}
        layouts.{{ column }}_place,
        {%- endfor %}
        {{ csv_values('tickets.body') }} as line_values
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    left join layouts on deliveries.pbx_id = layouts.pbx_id
    where tickets.model = 'asterisk_csv'
),

counts as (
    {{ computed_once() }}
    select
        *,
        cardinality(line_values) as value_count,
        case when own_column_count is null then cardinality(line_values) end as switched_on_count,
        coalesce(own_column_count, {{ fixed_count }}) as least_count,
        -- A site may add a column of its own at the end, unless it lists them: then one value more is a comma that was not quoted.
        coalesce(own_column_count, {{ most_columns }}) as greatest_count
    from tickets
),

-- Where the columns stand that cdr.conf switches on.
switched_on as (
    {{ computed_once() }}
    select
        *,
        case
            when switched_on_count in (18, 21, 22) then 17
            when switched_on_count in (17, 20) and line_values[17] ~ '^(.*-)?[0-9]{9,10}[.][0-9]+$' then 17
        end as late_uniqueid_place,
        case when switched_on_count between 19 and {{ most_columns }} then least(switched_on_count, 21) - 2 end
            as late_peeraccount_place
    from counts
),

cdr as (
    {{ computed_once() }}
    select
        ticket_id,
        pbx_id,
        model,
        delivery_id,
        ordinal,
        batch_id,
        received_at,
        time_zone,
        trunks,
        answer_threshold_seconds,
        amaflags_tell_direction,
        coalesce(value_count between least_count and greatest_count, false) as is_readable,
        coalesce(start_place is not null, true) as has_start_column,
        null::text as nested_column,
        {%- for column in asterisk_columns() %}
        {%- set place = {
            'uniqueid': 'coalesce(late_uniqueid_place, uniqueid_place)',
            'peeraccount': 'coalesce(late_peeraccount_place, peeraccount_place)',
            'linkedid': 'coalesce(late_peeraccount_place + 1, linkedid_place)',
            'sequence': 'coalesce(late_peeraccount_place + 2, sequence_place)',
        }.get(column, column ~ '_place') %}
        {{ csv_value('line_values[' ~ place ~ ']') }} as {{ column }},
        {%- endfor %}
        {%- for meaning in ['number', 'first_name', 'last_name', 'group', 'subsidiary'] %}
        null::text as user_{{ meaning }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from switched_on
),

{{ asterisk_legs('legs', 'cdr') }},

final as (
    select
        ticket_id,
        state,
        -- A line is no JSON object by nature: its marks or the number of its columns are wrong.
        case state_reason when 'no_json_object' then 'unknown_layout' else state_reason end as state_reason,
        {%- for column in told_columns %}
        {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from legs
)

select * from final
