/*
    Cisco Unified Communications Manager: comma-separated records whose columns the file's first line names.

    Order, number and letter case of the columns vary between releases, so every value is read by its name. The clock is
    UTC, in whole seconds since 1970: no zone and no change of clocks is involved.
*/
{#- Columns that are read: name here, name in the file in lower case. -#}
{%- set columns = {
    'record_type': 'cdrrecordtype',
    'cluster': 'globalcallid_clusterid',
    'call_manager': 'globalcallid_callmanagerid',
    'call': 'globalcallid_callid',
    'origination': 'datetimeorigination',
    'connect': 'datetimeconnect',
    'disconnect': 'datetimedisconnect',
    'duration': 'duration',
    'calling_number': 'callingpartynumber',
    'calling_partition': 'callingpartynumberpartition',
    'first_called_number': 'originalcalledpartynumber',
    'last_called_number': 'finalcalledpartynumber',
    'redirecting_number': 'lastredirectdn',
    'sent_calling_number': 'outpulsedcallingpartynumber',
    'origin_span': 'origspan',
    'destination_span': 'destspan',
    'origin_device': 'origdevicename',
    'destination_device': 'destdevicename',
    'origin_cause': 'origcause_value',
    'destination_cause': 'destcause_value',
    'first_redirect_reason': 'origcalledpartyredirectreason',
    'last_redirect_reason': 'lastredirectredirectreason',
    'pattern_usage': 'calledpartypatternusage',
    'matter_code': 'clientmattercode',
    'authorization_code': 'authcodedescription',
    'hunt_pilot': 'huntpilotdn',
} -%}
{%- set on_behalf_of = [
    'origcallterminationonbehalfof', 'destcallterminationonbehalfof', 'origcalledpartyredirectonbehalfof',
    'lastredirectredirectonbehalfof', 'joinonbehalfof',
] -%}
{%- set recording = {'on_behalf_of': '27', 'redirect_reason': '354'} -%}
{%- set phone_name = '^(SEP|ATA|CSF|BOT|TCT|TAB)' -%}
{%- set address = '^[0-9]{1,3}([.][0-9]{1,3}){3}$' -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone
    from {{ source('directory', 'current_pbxs') }}
),

records as (
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
        rtrim(tickets.body, e'\r\n') as record,
        string_to_array(lower(translate(rtrim(deliveries.header, e'\r\n'), e'" \uFEFF', '')), ',') as names
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'cisco_cucm'
),

-- Between quotes a comma belongs to the value: it travels as a unit separator. What stands outside and is empty, between two
-- quoted pieces, was a doubled quote. An odd number of quotes never closes.
unquoted as (
    {{ computed_once() }}
    select
        *,
        case
            when strpos(record, '"') = 0 then record
            when length(translate(record, '"', '')) % 2 = length(record) % 2
                then (
                    select
                        string_agg(
                            case
                                when pieces.position % 2 = 0 then translate(pieces.piece, ',', e'\x1f')
                                when pieces.piece = '' and pieces.position > 1 and pieces.position < pieces.piece_count then '"'
                                else pieces.piece
                            end,
                            ''
                            order by pieces.position
                        )
                    from (
                        select
                            split.piece,
                            split.position,
                            cardinality(string_to_array(records.record, '"')) as piece_count
                        from unnest(string_to_array(records.record, '"')) with ordinality as split (piece, position)
                    ) as pieces
                )
        end as plain_record
    from records
),

named as (
    {{ computed_once() }}
    select
        *,
        case
            when cardinality(string_to_array(plain_record, ',')) = cardinality(names)
                and array_position(names, null) is null
                then jsonb_object(names, string_to_array(plain_record, ','))
        end as named_values
    from unquoted
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
        named_values is not null as is_whole,
        {%- for field, name in columns.items() %}
        btrim(translate(named_values ->> '{{ name }}', e'\x1f', ',')) as {{ field }},
        {%- endfor %}
        -- Releases before 7 named it otherwise.
        btrim(coalesce(named_values ->> 'destlegidentifier', named_values ->> 'destlegcallidentifier')) as destination_leg,
        array[
            {%- for name in on_behalf_of %}
            btrim(named_values ->> '{{ name }}'){{ ',' if not loop.last }}
            {%- endfor %}
        ] as features
    from named
),

numbers as (
    {{ computed_once() }}
    select
        *,
        {%- for field in ['origination', 'connect', 'disconnect'] %}
        case when {{ field }} ~ '^[0-9]{1,10}$' then {{ field }}::bigint end as {{ field }}_epoch,
        {%- endfor %}
        case when duration ~ '^[0-9]+$' and pg_input_is_valid(duration, 'integer') then duration::int end as duration_seconds,
        coalesce(origin_span, '') not in ('', '0') as has_origin_span,
        coalesce(destination_span, '') not in ('', '0') as has_destination_span,
        coalesce(destination_device, '') = '' and coalesce(destination_span, '') in ('', '0') as has_no_destination,
        destination_device like 'CiscoUM%' as is_voicemail,
        last_called_number ~ '^b[0-9]+$' as is_bridge
    from fields
),

-- Why the record is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when not is_whole then 'values_do_not_match_names:layout'
            when record_type = '2' then 'quality_record'
            when record_type is distinct from '1' then 'unknown_code:cdrRecordType'
            when
                is_bridge
                and (
                    '{{ recording.on_behalf_of }}' = any(features)
                    or '{{ recording.redirect_reason }}' in (first_redirect_reason, last_redirect_reason)
                )
                then 'recording_leg'
            when coalesce(origination_epoch, 0) = 0 then 'unknown_value:dateTimeOrigination'
            when coalesce(disconnect_epoch, 0) = 0 then 'unknown_value:dateTimeDisconnect'
            when connect_epoch is null then 'unknown_value:dateTimeConnect'
            when duration_seconds is null then 'unknown_value:duration'
        end as fault
    from numbers
),

sides as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(connect_epoch, 0) > 0 as is_connected,
        has_origin_span
        or coalesce(calling_partition = '', false)
        or (origin_device <> '' and origin_device !~ '{{ phone_name }}' and origin_device not like 'CiscoUM%')
            as is_from_trunk,
        has_destination_span
        or (destination_device like '%/%' and destination_device like '%@%')
        or coalesce(destination_device ~ '{{ address }}', false)
            as is_to_trunk,
        -- The side that cleared the call bears 16: the other side tells why.
        coalesce(
            case when destination_cause not in ('', '0', '16') then destination_cause end,
            case when origin_cause not in ('', '0', '16') then origin_cause end
        ) as cause
    from verdicts
),

directions as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            when has_no_destination and is_from_trunk then 'incoming'
            when has_no_destination and pattern_usage = '5' then 'outgoing'
            when has_no_destination then 'unknown'
            when is_from_trunk and is_to_trunk then 'transit'
            when is_from_trunk then 'incoming'
            when is_to_trunk then 'outgoing'
            else 'internal'
        end as direction
    from sides
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('quality_record', 'recording_leg') then 'ignored'
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
        case when is_ticket then concat_ws('/', coalesce(cluster, ''), call_manager, call) end as source_call_id,
        -- A consultation and the call it becomes share this leg.
        case
            when is_ticket and destination_leg ~ '^[0-9]+$' and pg_input_is_valid(destination_leg, 'integer')
                then destination_leg::int
        end as leg_number,
        case when is_ticket then to_timestamp(origination_epoch) end as started_at,
        case when is_ticket and is_connected then to_timestamp(connect_epoch) end as answered_at,
        case when is_ticket then to_timestamp(disconnect_epoch) end as ended_at,
        case
            when is_ticket
                then greatest(
                    case when is_connected then connect_epoch else disconnect_epoch end - origination_epoch, 0
                )::int
        end as ring_seconds,
        case when is_ticket and is_connected then duration_seconds when is_ticket then 0 end as talk_seconds,
        direction,
        case
            when not is_ticket then null
            when is_connected and is_voicemail then 'answered_by_machine'
            when is_connected then 'answered'
            when cause = '17' then 'busy'
            when cause in ('18', '19') then 'no_answer'
            when cause in ('393216', '126') then 'redirected'
            when cause is not null or has_no_destination then 'failed'
            else 'no_answer'
        end as outcome,
        case when is_ticket then nullif(calling_number, '') end as caller_number,
        case
            when direction in ('incoming', 'internal')
                then coalesce(nullif(first_called_number, ''), nullif(last_called_number, ''))
            when is_ticket then coalesce(nullif(last_called_number, ''), nullif(first_called_number, ''))
        end as called_number,
        case when direction in ('outgoing', 'transit') then nullif(sent_calling_number, '') end as presented_number,
        case
            when direction in ('outgoing', 'internal', 'unknown') then nullif(calling_number, '')
            when direction = 'incoming' and not coalesce(is_bridge, false) then nullif(last_called_number, '')
            -- A forwarded call: the forwarding extension pays the leg that goes out (rule R19).
            when direction = 'transit' and last_redirect_reason not in ('', '0') then nullif(redirecting_number, '')
        end as extension,
        null::text as extension_name,
        case when is_ticket then nullif(hunt_pilot, '') end as group_name,
        null::text as subsidiary_name,
        case when is_ticket and is_from_trunk then nullif(origin_device, '') end as trunk_in,
        case when is_ticket and is_to_trunk then nullif(destination_device, '') end as trunk_out,
        -- Sixteen nines: a code that the PBX refused.
        case when is_ticket and matter_code <> '9999999999999999' then nullif(matter_code, '') end as account_code,
        case when is_ticket then nullif(authorization_code, '') end as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then false end as is_estimated,
        case when is_ticket and last_redirect_reason = '4' then nullif(redirecting_number, '') end as transferred_from,
        case when is_ticket and last_redirect_reason = '4' then nullif(last_called_number, '') end as transferred_to,
        null::int as pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then false end as time_dst_ambiguous,
        case when is_ticket then false end as time_dst_shifted
    from directions
)

select * from final
