/*
    Alcatel-Lucent OmniPCX Enterprise (OXE, 4400): the same ticket as a block of the real-time link and as a line of a TAX file.

    Version ED5.2 has 48 fixed columns. The first line of a file names the columns and their places and is believed where it
    differs. Other programs make of a file fields separated by commas, in the same order.
*/
{#- The columns of ED5.2 by the names that the header of a file gives them, and their widths. -#}
{%- set widths = {
    'TicketVersion': 5, 'CalledNumber': 30, 'ChargedNumber': 30, 'ChargedUserName': 20, 'ChargedCostCenter': 10,
    'ChargedCompany': 16, 'ChargedPartyNode': 5, 'Subaddress': 20, 'CallingNumber': 30, 'CallType': 2, 'CostType': 1,
    'EndDateTime': 17, 'ChargeUnits': 5, 'CostInfo': 10, 'Duration': 10, 'TrunkIdentity': 5, 'TrunkGroupIdentity': 5,
    'TrunkNode': 5, 'PersonalOrBusiness': 1, 'AccessCode': 16, 'SpecificChargeInfo': 7, 'BearerCapability': 1,
    'HighLevelComp': 2, 'DataVolume': 10, 'UserToUserVolume': 5, 'ExternalFacilities': 40, 'InternalFacilities': 40,
    'CallReference': 10, 'SegmentsRate1': 10, 'SegmentsRate2': 10, 'SegmentsRate3': 10, 'ComType': 1, 'X25IncomingFlowRate': 2,
    'X25OutgoingFlowRate': 2, 'Carrier': 2, 'InitialDialledNumber': 30, 'WaitingDuration': 5, 'EffectiveCallDuration': 10,
    'RedirectedCallIndicator': 1, 'StartDateTime': 17, 'ActingExtensionNumber': 30, 'CalledNumberNode': 5,
    'CallingNumberNode': 5, 'InitialDialledNumberNode': 5, 'ActingExtensionNumberNode': 5, 'TransitTrunkGroupIdentity': 5,
    'NodeTimeOffset': 6, 'TimeDlt': 6,
} -%}
{#- What is read of them: field: name. -#}
{%- set names = {
    'version': 'TicketVersion', 'called': 'CalledNumber', 'charged': 'ChargedNumber', 'charged_name': 'ChargedUserName',
    'cost_center': 'ChargedCostCenter', 'company': 'ChargedCompany', 'charged_node': 'ChargedPartyNode',
    'calling': 'CallingNumber', 'call_type': 'CallType', 'end_text': 'EndDateTime', 'charge_units': 'ChargeUnits',
    'duration': 'Duration', 'trunk_group': 'TrunkGroupIdentity', 'access_code': 'AccessCode',
    'call_reference': 'CallReference', 'initial_dialled': 'InitialDialledNumber', 'waiting': 'WaitingDuration',
    'effective': 'EffectiveCallDuration', 'start_text': 'StartDateTime', 'transit_trunk_group': 'TransitTrunkGroupIdentity',
} -%}
{%- set layout = adjacent_columns(widths) -%}
{%- set version = 'ED5.2' -%}
{%- set width = widths.values() | sum -%}
{%- set field_count = widths | length -%}
{#- (part of a line, columns before it) -#}
{%- set parts = [
    ('line', 0), ('line_middle', layout.columns.CallingNumber[1] - 1), ('line_end', layout.columns.InitialDialledNumber[1] - 1),
] -%}
{#- No line of columns has so many commas: it is one of separated fields, cut or not. -#}
{%- set fewest_commas = 20 -%}
{#- Without these a header does not say enough to read a call. -#}
{%- set needed = ['callednumber', 'chargednumber', 'calltype', 'enddatetime', 'effectivecallduration', 'startdatetime'] -%}
{#- The label of a block, as framing writes it: a NUL cannot stand in a text. -#}
{%- set label_begins = "chr(1) || '\\x00'" -%}
{%- set date_and_time = '^[0-9]{8} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$' -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds
    from {{ source('directory', 'current_pbxs') }}
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
        deliveries.header as header_line,
        -- A block that was saved as text still has its padding.
        case when tickets.body like '%\\x00' then regexp_replace(tickets.body, '(\\x00)+$', '') else tickets.body end as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'alcatel_oxe'
),

-- Reading what a header says costs five times as much as a ticket: the one that says just what is known here needs none of it.
shapes as (
    {{ computed_once() }}
    select
        *,
        starts_with(line, {{ label_begins }}) as is_labelled,
        case
            when octet_length(line) - octet_length(replace(line, ',', '')) >= {{ fewest_commas }} then 3
            when header_line is null or (header_line = '{{ layout.header }}' and starts_with(line, '{{ version }}')) then 1
            else 2
        end as layout
    from tickets
),

-- What the header of a file says: {name: [first column, width]}, and how wide a ticket is.
headers as (
    {{ computed_once() }}
    select
        *,
        case
            when layout = 2
                then (
                    select
                        jsonb_build_object('width', max(named.last_column))
                        || jsonb_object_agg(
                            named.column_name,
                            jsonb_build_array(named.first_column, named.last_column - named.first_column + 1)
                        )
                    from (
                        select
                            max(lower(btrim(elements.element))) filter (where elements.place % 4 = 1) as column_name,
                            {%- for column, rest in [('first', 2), ('last', 3)] %}
                            max(
                                case when btrim(elements.element) ~ '^[0-9]{1,4}$' then btrim(elements.element)::int end
                            ) filter (where elements.place % 4 = {{ rest }}) as {{ column }}_column,
                            {%- endfor %}
                            (elements.place - 1) / 4 as number
                        from unnest(string_to_array(ltrim(header_line, '#'), ',')) with ordinality as elements (element, place)
                        group by (elements.place - 1) / 4
                    ) as named
                    where named.first_column between 1 and named.last_column
                )
        end as named_columns
    from shapes
),

lines as (
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
        answer_threshold_seconds,
        is_labelled,
        layout,
        named_columns,
        case layout when 1 then {{ width }} when 2 then (named_columns ->> 'width')::int end as width,
        -- Columns are bytes; unless the line in UTF-8 is too long by its accents alone: then they are characters.
        case
            when
                layout <> 3
                and line ~ '[\u0080-\u00ff]'
                and length(rtrim(line)) > case layout when 1 then {{ width }} else (named_columns ->> 'width')::int end
                then {{ utf8_else_latin1('line') }}
            else line
        end as line,
        case when layout = 3 then string_to_array(line, ',') end as elements
    from headers
),

-- A substr costs as much as all the text before its end: fields far behind are cut from a part of the line.
parts as (
    {{ computed_once() }}
    select
        *,
        case when layout = 1 then substr(line, {{ parts[1][1] + 1 }}) end as line_middle,
        case when layout = 1 then substr(line, {{ parts[2][1] + 1 }}) end as line_end
    from lines
),

fields as (
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
        answer_threshold_seconds,
        is_labelled,
        layout,
        width,
        line,
        elements,
        {%- for field, name in names.items() %}
        {%- set place, first, field_width = layout.columns[name] %}
        {%- set text, columns_before = parts | selectattr(1, 'lt', first) | list | last %}
        coalesce(
            case layout
                when 1 then btrim(substr({{ text }}, {{ first - columns_before }}, {{ field_width }}))
                when 2
                    then btrim(
                        substr(
                            line,
                            (named_columns -> '{{ name | lower }}' ->> 0)::int,
                            (named_columns -> '{{ name | lower }}' ->> 1)::int
                        )
                    )
                when 3 then btrim(elements[{{ place }}], ' "')
            end,
            ''
        ) as {{ field }},
        {%- endfor %}
        layout = 2 and not coalesce(named_columns ?& '{ {{- needed | join(',') -}} }', false) as is_column_missing
    from parts
),

numbers as (
    {{ computed_once() }}
    select
        *,
        {%- for field in ['call_type', 'charge_units', 'duration', 'waiting', 'effective'] %}
        case when {{ field }} ~ '^[0-9]{1,10}$' and pg_input_is_valid({{ field }}, 'int') then {{ field }}::int end
            as {{ field }}_number,
        {%- endfor %}
        {%- for moment in ['start', 'end'] %}
        case when {{ moment }}_text ~ '{{ date_and_time }}' then left({{ moment }}_text, 4)::int end as {{ moment }}_year,
        case when {{ moment }}_text ~ '{{ date_and_time }}' then substr({{ moment }}_text, 5, 2)::int end as {{ moment }}_month,
        case when {{ moment }}_text ~ '{{ date_and_time }}' then substr({{ moment }}_text, 7, 2)::int end as {{ moment }}_day,
        case when {{ moment }}_text ~ '{{ date_and_time }}' then substr({{ moment }}_text, 10)::interval end
            as {{ moment }}_time_of_day,
        {%- endfor %}
        position('{{ version }}' in substr(line, 6)) > 0 as is_second_ticket_inside
    from fields
),

readings as (
    {{ computed_once() }}
    select
        *,
        {%- for moment in ['start', 'end'] %}
        case
            when {{ is_day_of_month(moment ~ '_day', moment ~ '_month', moment ~ '_year') }}
                then make_date({{ moment }}_year, {{ moment }}_month, {{ moment }}_day) + {{ moment }}_time_of_day
        end as local_{{ moment }},
        {%- endfor %}
        case when effective <> '' then effective_number else duration_number end as record_seconds,
        case
            when call_type_number in (0, 1, 7, 8, 11) then 'outgoing'
            when call_type_number in (4, 5, 9, 10, 12, 13) then 'incoming'
            when call_type_number in (2, 3, 14) then 'internal'
            when call_type_number = 15 then 'transit'
            when call_type_number = 6 then 'unknown'
        end as read_direction
    from numbers
),

-- Why this is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when is_labelled
                then
                    case substr(line, 6, 1)
                        when chr(1) then 'empty_block'
                        when chr(6) then 'configuration_ticket'
                        when chr(7) then 'voice_quality_ticket'
                        else 'unknown_block:layout'
                    end
            when line like '#%' then 'column_names'
            when is_column_missing then 'column_not_named:header'
            when version !~ '^ED[0-9]' then 'unknown_layout:layout'
            when layout <> 2 and version <> '{{ version }}' then 'unknown_version:TicketVersion'
            when layout = 3 and cardinality(elements) <> {{ field_count }} then 'other_than_{{ field_count }}_fields:layout'
            when is_second_ticket_inside then 'second_ticket_inside:layout'
            when length(line) < width then 'truncated:layout'
            when btrim(substr(line, width + 1), e' \t\r\n') <> '' then 'line_too_long:layout'
            when called || charged || calling || initial_dialled || access_code ~ '[\x01-\x1f\x7f]'
                then 'control_byte_inside:layout'
            when read_direction is null then 'unknown_code:CallType'
            {%- for moment, name in [('start', 'StartDateTime'), ('end', 'EndDateTime')] %}
            when local_{{ moment }} is null then 'no_such_time:{{ name }}'
            {%- endfor %}
            when
                (duration <> '' or effective = '') and (duration_number is null or duration_number > {{ longest_call_seconds() }})
                then 'no_such_duration:Duration'
            when record_seconds is null or record_seconds > {{ longest_call_seconds() }}
                then 'no_such_duration:EffectiveCallDuration'
            when waiting <> '' and (waiting_number is null or waiting_number > {{ longest_call_seconds() }})
                then 'no_such_duration:WaitingDuration'
            when charge_units <> '' and charge_units_number is null then 'unknown_value:ChargeUnits'
        end as fault
    from readings
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        case when fault is null then read_direction end as direction,
        case
            when fault is not null then null
            when record_seconds = 0 then 'no_answer'
            when read_direction in ('outgoing', 'transit') and record_seconds < answer_threshold_seconds then 'no_answer'
            else 'answered'
        end as outcome,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        coalesce(
            read_direction in ('outgoing', 'transit') and record_seconds > 0 and answer_threshold_seconds is not null, false
        ) as is_unsupervised,
        case when fault is null then local_start end as clock_start
    from verdicts
),

{{ clock_instants('instants', 'outcomes', 'clock_start', 'time_zone') }},

calls as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            -- Below the threshold the trunk rang, as far as is known.
            when outcome = 'no_answer' and record_seconds > 0 then coalesce(waiting_number, 0) + record_seconds
            else waiting_number
        end as ring_seconds,
        case when outcome = 'answered' then record_seconds when is_ticket then 0 end as talk_seconds,
        coalesce(converted - gone_back, converted) as instant
    from instants
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('empty_block', 'configuration_ticket', 'voice_quality_ticket', 'column_names') then 'ignored'
            else 'rejected'
        end as state,
        nullif(split_part(fault, ':', 1), '') as state_reason,
        nullif(split_part(fault, ':', 2), '') as state_field,
        pbx_id,
        model,
        delivery_id,
        ordinal,
        batch_id,
        received_at,
        -- Each node of a network counts its own calls.
        case
            when is_ticket and call_reference !~ '^0*$' then concat_ws('-', nullif(charged_node, ''), call_reference)
        end as source_call_id,
        null::int as leg_number,
        instant as started_at,
        case when outcome = 'answered' then instant + ring_seconds * interval '1 second' end as answered_at,
        instant + (coalesce(ring_seconds, 0) + talk_seconds) * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case
            when direction in ('outgoing', 'internal') then coalesce(nullif(calling, ''), nullif(charged, ''))
            when is_ticket then nullif(calling, '')
        end as caller_number,
        -- What the caller dialled, before the call was redirected inside.
        case
            when direction = 'incoming' then coalesce(nullif(initial_dialled, ''), nullif(called, ''))
            when is_ticket then coalesce(nullif(called, ''), nullif(initial_dialled, ''))
        end as called_number,
        null::text as presented_number,
        case
            when is_ticket and charged <> '' then charged
            when direction in ('outgoing', 'internal') then nullif(calling, '')
            when direction = 'incoming' then nullif(called, '')
        end as extension,
        case when is_ticket then nullif({{ utf8_else_latin1('charged_name') }}, '') end as extension_name,
        case when is_ticket then nullif({{ utf8_else_latin1('cost_center') }}, '') end as group_name,
        case when is_ticket then nullif({{ utf8_else_latin1('company') }}, '') end as subsidiary_name,
        case when direction in ('incoming', 'transit') and trunk_group !~ '^0*$' then trunk_group end as trunk_in,
        case
            when direction = 'outgoing' and trunk_group !~ '^0*$' then trunk_group
            when direction = 'transit' and transit_trunk_group !~ '^0*$' then transit_trunk_group
        end as trunk_out,
        case when is_ticket then nullif(access_code, '') end as account_code,
        null::text as authorization_code,
        -- Of the classes of PersonalOrBusiness only the plain one is known.
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        null::text as transferred_from,
        null::text as transferred_to,
        case when is_ticket then charge_units_number end as pulses,
        -- The unit of CostInfo is not known.
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from calls
)

select * from final
