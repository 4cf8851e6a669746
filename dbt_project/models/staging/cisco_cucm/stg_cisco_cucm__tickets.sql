/*
    Cisco Unified Communications Manager: CSV lines whose columns the delivery's header names, in any order and letter case.

    Direction is not in the data: a side is a trunk by its span, its partition or the name of its device, or because the pbx's
    trunk list names the device. Times are UTC seconds, so no clock is ever in doubt.
*/
{%- set columns = [
    'cdrRecordType', 'globalCallID_callManagerId', 'globalCallID_callId', 'globalCallId_ClusterID', 'destLegIdentifier',
    'destLegCallIdentifier', 'dateTimeOrigination', 'dateTimeConnect', 'dateTimeDisconnect', 'duration', 'callingPartyNumber',
    'callingPartyNumberPartition', 'originalCalledPartyNumber', 'finalCalledPartyNumber', 'lastRedirectDn', 'origSpan',
    'destSpan', 'origDeviceName', 'destDeviceName', 'origCause_value', 'destCause_value', 'origCalledPartyRedirectReason',
    'lastRedirectRedirectReason', 'origCallTerminationOnBehalfOf', 'destCallTerminationOnBehalfOf',
    'origCalledPartyRedirectOnBehalfOf', 'lastRedirectRedirectOnBehalfOf', 'joinOnBehalfOf', 'calledPartyPatternUsage',
    'clientMatterCode', 'authCodeDescription', 'authorizationCodeValue', 'outpulsedCallingPartyNumber', 'huntPilotDN',
] -%}
{#- Stands for a comma within quotes while the line is cut at its commas; no PBX writes it. -#}
{%- set quoted_comma = "chr(31)" -%}
{%- set phone_names = '^(SEP|ATA|CSF|BOT|TCT|TAB)' -%}
{%- set trunk_names = '^[^/]+/.*@|^[0-9]{1,3}([.][0-9]{1,3}){3}$' -%}

with pbxs as (
    select
        pbx_id,
        answer_threshold_seconds,
        lower(trunks::text)::text[] as trunks
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
        tickets.body,
        pbxs.answer_threshold_seconds,
        coalesce(pbxs.trunks, '{}') as trunks,
        string_to_array(replace(lower(deliveries.header), '"', ''), ',') as column_names,
        (octet_length(tickets.body) - octet_length(replace(tickets.body, '"', ''))) % 2 = 0 as has_closed_quotes
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'cisco_cucm'
),

-- Cut at the quotes, every second piece is within quotes; nothing between two of those is a quote written twice.
lines as (
    {{ computed_once() }}
    select
        *,
        string_to_array(
            case
                when body not like '%"%' then body
                when has_closed_quotes
                    then (
                        select
                            string_agg(
                                case
                                    when pieces.place % 2 = 0 then replace(pieces.piece, ',', {{ quoted_comma }})
                                    when pieces.piece = '' and pieces.place > 1 and pieces.place < pieces.piece_count then '"'
                                    else pieces.piece
                                end,
                                '' order by pieces.place
                            )
                        from (
                            select
                                split.piece,
                                split.place,
                                cardinality(string_to_array(body, '"')) as piece_count
                            from unnest(string_to_array(body, '"')) with ordinality as split (piece, place)
                        ) as pieces
                    )
            end,
            ','
        ) as column_values
    from tickets
),

records as (
    {{ computed_once() }}
    select
        *,
        case when cardinality(column_names) = cardinality(column_values) then jsonb_object(column_names, column_values) end
            as record
    from lines
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
        answer_threshold_seconds,
        trunks,
        {%- for column in columns %}
        nullif(btrim(replace(record ->> '{{ column | lower }}', {{ quoted_comma }}, ',')), '') as {{ column | lower }},
        {%- endfor %}
        column_names is not null as has_header,
        record is not null as is_record,
        record ? 'callingpartynumberpartition' as has_partition_column
    from records
),

fields as (
    {{ computed_once() }}
    select
        *,
        {%- for column in ['dateTimeOrigination', 'dateTimeConnect', 'dateTimeDisconnect', 'duration'] %}
        case
            when {{ column | lower }} ~ '^[0-9]{1,10}$' and pg_input_is_valid({{ column | lower }}, 'int')
                then {{ column | lower }}::int
        end as {{ column | lower }}_number,
        {%- endfor %}
        finalcalledpartynumber ~ '^b[0-9]+$' as is_to_bridge,
        '27' in (
            coalesce(origcallterminationonbehalfof, ''),
            coalesce(destcallterminationonbehalfof, ''),
            coalesce(origcalledpartyredirectonbehalfof, ''),
            coalesce(lastredirectredirectonbehalfof, ''),
            coalesce(joinonbehalfof, '')
        )
        or '354' in (coalesce(origcalledpartyredirectreason, ''), coalesce(lastredirectredirectreason, ''))
            as is_recording,
        coalesce(
            origspan <> '0'
            or (has_partition_column and callingpartynumberpartition is null)
            or origdevicename !~ '{{ phone_names }}|^CiscoUM'
            or lower(origdevicename) = any(trunks),
            false
        ) as is_from_trunk,
        coalesce(destspan <> '0' or destdevicename ~ '{{ trunk_names }}' or lower(destdevicename) = any(trunks), false)
            as is_to_trunk,
        destdevicename is null and coalesce(destspan, '0') = '0' as is_without_destination,
        coalesce(destdevicename like 'CiscoUM%', false) as is_to_voicemail,
        -- The side that cleared the call carries 16.
        coalesce(nullif(nullif(destcause_value, '0'), '16'), nullif(nullif(origcause_value, '0'), '16')) as cause
    from cdr
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when not has_header then 'no_column_names:header'
            when not is_record then 'other_than_the_columns_named:layout'
            when cdrrecordtype = '2' then 'call_quality_record'
            when cdrrecordtype = 'INTEGER' then 'column_types'
            when coalesce(cdrrecordtype, '') <> '1' then 'unknown_code:cdrRecordType'
            when is_to_bridge and is_recording then 'recording_leg'
            when coalesce(datetimeorigination_number, 0) = 0 then 'no_time:dateTimeOrigination'
            when coalesce(datetimedisconnect_number, 0) = 0 then 'no_time:dateTimeDisconnect'
            when datetimeconnect_number is null then 'no_time:dateTimeConnect'
            when duration_number is null or duration_number > {{ longest_call_seconds() }} then 'no_duration:duration'
        end as fault
    from fields
),

directions as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        case
            when fault is not null then null
            when is_without_destination and is_from_trunk then 'incoming'
            -- Matched a route pattern, so it was on its way out.
            when is_without_destination and calledpartypatternusage = '5' then 'outgoing'
            when is_without_destination then 'unknown'
            when is_from_trunk and is_to_trunk then 'transit'
            when is_from_trunk then 'incoming'
            when is_to_trunk then 'outgoing'
            else 'internal'
        end as direction,
        case
            when fault is not null then null
            when datetimeconnect_number > 0 and is_to_voicemail then 'answered_by_machine'
            when datetimeconnect_number > 0 then 'answered'
            when cause = '17' then 'busy'
            when cause in ('18', '19') then 'no_answer'
            -- Split by a feature before it connected: a blind transfer.
            when cause in ('393216', '126') then 'redirected'
            when cause is not null or is_without_destination then 'failed'
            else 'no_answer'
        end as cause_outcome
    from verdicts
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        -- Gateways without answer supervision: an answer is a guess from the duration (rule R9).
        direction in ('outgoing', 'transit') and cause_outcome = 'answered' and answer_threshold_seconds is not null
            as is_unsupervised,
        case
            when
                direction in ('outgoing', 'transit')
                and cause_outcome = 'answered'
                and duration_number < answer_threshold_seconds
                then 'no_answer'
            else cause_outcome
        end as outcome
    from directions
),

durations as (
    {{ computed_once() }}
    select
        *,
        outcome in ('answered', 'answered_by_machine') as is_answered,
        case
            when outcome in ('answered', 'answered_by_machine') then datetimeconnect_number
            else datetimedisconnect_number
        end
        - datetimeorigination_number as ringing
    from outcomes
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('call_quality_record', 'column_types', 'recording_leg') then 'ignored'
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
        -- Call ids are of a node, nodes of a cluster, and several clusters may have the same name.
        case when is_ticket then concat_ws('/', globalcallid_clusterid, globalcallid_callmanagerid, globalcallid_callid) end
            as source_call_id,
        -- A consultation and the call transferred by it share the leg of the destination.
        case
            when is_ticket and pg_input_is_valid(coalesce(destlegidentifier, destlegcallidentifier), 'int')
                then coalesce(destlegidentifier, destlegcallidentifier)::int
        end as leg_number,
        case when is_ticket then to_timestamp(datetimeorigination_number) end as started_at,
        case when is_answered then to_timestamp(datetimeconnect_number) end as answered_at,
        case when is_ticket then to_timestamp(datetimedisconnect_number) end as ended_at,
        case when is_ticket then greatest(ringing, 0) end as ring_seconds,
        case when is_answered then duration_number when is_ticket then 0 end as talk_seconds,
        direction,
        outcome,
        case when is_ticket then callingpartynumber end as caller_number,
        case
            when direction in ('incoming', 'internal') then coalesce(originalcalledpartynumber, finalcalledpartynumber)
            when is_ticket then coalesce(finalcalledpartynumber, originalcalledpartynumber)
        end as called_number,
        case when direction in ('outgoing', 'transit') then outpulsedcallingpartynumber end as presented_number,
        case
            when direction in ('outgoing', 'internal', 'unknown') then callingpartynumber
            when direction = 'incoming' and not is_to_bridge then finalcalledpartynumber
            -- Whoever forwarded or transferred the call to the outside pays for it (rule R19).
            when direction = 'transit' and coalesce(lastredirectredirectreason, '0') <> '0' then lastredirectdn
        end as extension,
        null::text as extension_name,
        case when is_ticket then huntpilotdn end as group_name,
        null::text as subsidiary_name,
        case when is_ticket and is_from_trunk then origdevicename end as trunk_in,
        case when is_ticket and is_to_trunk then destdevicename end as trunk_out,
        -- The code that CUCM writes for one it did not know.
        case when is_ticket then nullif(clientmattercode, '9999999999999999') end as account_code,
        case when is_ticket then coalesce(authorizationcodevalue, authcodedescription) end as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        case when is_ticket and lastredirectredirectreason = '4' then lastredirectdn end as transferred_from,
        case when is_ticket and lastredirectredirectreason = '4' then finalcalledpartynumber end as transferred_to,
        null::int as pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then false end as time_dst_ambiguous,
        case when is_ticket then false end as time_dst_shifted
    from durations
)

select * from final
