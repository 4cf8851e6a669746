/*
    Wazo's call logs: one JSON object a conversation, read by name; fields that a release does not have are null.

    Every time bears the offset of its own moment and is converted by it; the zone of the pbx is not read.

    call_direction is that of the first leg. A call that was forwarded to an outside number leaves by a trunk and costs: it is told
    by where it ended. What an extension can be is known from extension_digits alone: a short number outside (15, 3900, 118712)
    that a call was forwarded to cannot be told from an extension, nor can a call from a trunk that Wazo labels internal.
*/
{%- set text_columns = [
    'tenant_uuid', 'call_direction', 'call_status', 'conversation_id', 'source_extension', 'source_name',
    'source_internal_extension', 'source_internal_name', 'requested_extension', 'requested_internal_extension', 'requested_name',
    'destination_extension', 'destination_internal_extension', 'destination_name',
] -%}
{#- `Z` or an offset, which PostgreSQL takes up to 15:59; a time without one would be read by the session's zone. -#}
{%- set instant = '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?'
    ~ '(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?|[+-]15(:?00)?)$' -%}

with pbxs as (
    select
        pbx_id,
        answer_threshold_seconds,
        upper(extension_digits) - 1 as maximum_extension_digits
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
        coalesce(pbxs.maximum_extension_digits, 6) as maximum_extension_digits
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'wazo'
),

documents as (
    {{ computed_once() }}
    select
        *,
        {{ json_document('body') }} as document
    from tickets
),

records as (
    {{ computed_once() }}
    select
        *,
        case when jsonb_typeof(document) = 'object' then document end as record
    from documents
),

-- A list, an object or a boolean where a text belongs says nothing; where a time or a number belongs it is a fault.
fields as (
    {{ computed_once() }}
    select
        *,
        {%- for column in text_columns %}
        case
            when jsonb_typeof(record -> '{{ column }}') in ('string', 'number')
                then nullif(btrim(record ->> '{{ column }}'), '')
        end as {{ column }},
        {%- endfor %}
        {%- for column in ['start', 'end', 'answer', 'answered', 'duration'] %}
        nullif(btrim(record ->> '{{ column }}'), '') as {{ column }}_text,
        {%- endfor %}
        record #>> '{destination_details,type}' as destination_type,
        nullif(btrim(record #>> '{destination_details,group_label}'), '') as group_label
    from records
),

clocks as (
    {{ computed_once() }}
    select
        *,
        {%- for column in ['start', 'end', 'answer'] %}
        case
            when {{ column }}_text ~ '{{ instant }}' and pg_input_is_valid({{ column }}_text, 'timestamptz')
                then {{ column }}_text::timestamptz
        end as {{ column }}_instant,
        {%- endfor %}
        case
            when jsonb_typeof(record -> 'answered') in ('object', 'array', 'number') then null
            when answered_text is null then answer_text is not null
            when lower(answered_text) in ('true', 'false') then lower(answered_text) = 'true'
        end as is_taken
    from fields
),

spans as (
    {{ computed_once() }}
    select
        *,
        extract(epoch from end_instant - answer_instant) as answered_span,
        extract(epoch from case when is_taken then answer_instant else end_instant end - start_instant) as ringing_span
    from clocks
),

-- Null where one of the two ends is: greatest() would make 0 of it.
durations as (
    {{ computed_once() }}
    select
        *,
        case
            -- What the service does itself: whole seconds, cut off, and none where the end comes before the answer.
            when duration_text is null then case when answered_span < 0 then 0 else trunc(answered_span) end
            when duration_text ~ '^-[0-9]{1,20}([.][0-9]{1,200})?$' then 0
            -- A fraction of a second is rounded up (rule R11).
            when duration_text ~ '^[0-9]{1,20}([.][0-9]{1,200})?$' then ceil(duration_text::numeric)
        end as duration_seconds,
        case
            when ringing_span < 0 then 0
            when ringing_span <= {{ longest_call_seconds() }} then trunc(ringing_span)::int
        end as span_before_answer
    from spans
),

-- Why the row is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when record is null then 'no_json_object:body'
            when start_instant is null then 'no_date:start'
            when end_text is not null and end_instant is null then 'no_date:end'
            when is_taken is null then 'unknown_code:answered'
            when is_taken and answer_text is not null and answer_instant is null then 'no_date:answer'
            when is_taken and (duration_seconds is null or duration_seconds > {{ longest_call_seconds() }})
                then 'no_duration:duration'
        end as fault
    from durations
),

destinations as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        {%- for column in ['requested', 'destination'] %}
        coalesce(
            {{ column }}_extension ~ '^[+][0-9]+$'
            or ({{ column }}_extension ~ '^[0-9]+$' and length({{ column }}_extension) > maximum_extension_digits),
            false
        ) as is_{{ column }}_outside,
        {%- endfor %}
        coalesce(requested_extension <> destination_extension, false) as is_redirected
    from verdicts
),

directions as (
    {{ computed_once() }}
    select
        *,
        -- Wazo clears the details of a destination that is none of its own.
        is_redirected
        and is_destination_outside
        and destination_internal_extension is null
        and coalesce(destination_type, 'unknown') = 'unknown'
        and coalesce(call_direction in ('internal', 'inbound'), false) as is_forwarded_outside
    from destinations
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            when call_direction = 'internal' and is_forwarded_outside then 'outgoing'
            when call_direction = 'inbound' and is_forwarded_outside then 'transit'
            when call_direction = 'internal' then 'internal'
            when call_direction = 'inbound' then 'incoming'
            when call_direction = 'outbound' then 'outgoing'
            else 'unknown'
        end as direction,
        case
            when not is_ticket then null
            when call_status = 'blocked' then 'failed'
            when is_taken then 'answered'
            when call_status = 'voicemail' then 'answered_by_machine'
            else 'no_answer'
        end as service_outcome
    from directions
),

talks as (
    {{ computed_once() }}
    select
        *,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        direction in ('outgoing', 'transit')
        and service_outcome = 'answered'
        and answer_threshold_seconds is not null as is_unsupervised,
        case
            when
                direction in ('outgoing', 'transit')
                and service_outcome = 'answered'
                and duration_seconds < answer_threshold_seconds
                then 'no_answer'
            else service_outcome
        end as outcome,
        case
            -- The number called from outside is no extension.
            when direction in ('incoming', 'transit') then requested_internal_extension
            when call_direction = 'internal' then coalesce(requested_internal_extension, requested_extension)
        end as asked_extension,
        case
            when not is_forwarded_outside then coalesce(destination_internal_extension, destination_extension)
        end as final_extension
    from outcomes
),

transfers as (
    {{ computed_once() }}
    select
        *,
        to_char(start_instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as start_in_utc,
        is_ticket and is_redirected and asked_extension <> coalesce(final_extension, '')
            as is_transferred
    from talks
),

final as (
    select
        ticket_id,
        case when is_ticket then 'ticket' else 'rejected' end as state,
        nullif(split_part(fault, ':', 1), '') as state_reason,
        nullif(split_part(fault, ':', 2), '') as state_field,
        pbx_id,
        model,
        delivery_id,
        ordinal,
        batch_id,
        received_at,
        -- Ids change when call logs are generated again: what stays tells the call (macros/tickets/supersede_regenerated.sql).
        -- The instant, for the offset that it is written with is another once the server's zone is.
        case when is_ticket then coalesce(conversation_id, tenant_uuid || '/' || start_in_utc || '/' || source_extension) end
            as source_call_id,
        null::int as leg_number,
        case when is_ticket then start_instant end as started_at,
        case when outcome = 'answered' then answer_instant end as answered_at,
        case
            when not is_ticket then null
            when end_instant is null and is_taken then answer_instant + duration_seconds * interval '1 second'
            else end_instant
        end as ended_at,
        case when is_ticket then span_before_answer end as ring_seconds,
        case
            when not is_ticket then null
            when outcome = 'answered' then duration_seconds::int
            else 0
        end as talk_seconds,
        direction,
        outcome,
        case when is_ticket then source_extension end as caller_number,
        case
            when not is_ticket then null
            when is_forwarded_outside then destination_extension
            -- Forwarded too: releases before the forward had its own label.
            when call_direction = 'outbound' and not is_requested_outside and is_destination_outside then destination_extension
            else coalesce(requested_extension, destination_extension)
        end as called_number,
        case when direction = 'outgoing' and source_extension <> source_internal_extension then source_extension end
            as presented_number,
        case
            when not is_ticket then null
            when direction = 'incoming' then coalesce(destination_internal_extension, destination_extension)
            -- The extension that forwarded the call pays for its way out (rule R19).
            when direction = 'transit' then coalesce(requested_internal_extension, requested_extension)
            else coalesce(source_internal_extension, source_extension)
        end as extension,
        case
            when not is_ticket then null
            when direction = 'incoming' and destination_type in ('group', 'conference', 'meeting') then null
            when direction = 'incoming' then destination_name
            when direction = 'transit' then requested_name
            else coalesce(source_internal_name, source_name)
        end as extension_name,
        case when is_ticket and destination_type = 'group' then group_label end as group_name,
        null::text as subsidiary_name,
        null::text as trunk_in,
        null::text as trunk_out,
        null::text as account_code,
        null::text as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        case when is_transferred then asked_extension end as transferred_from,
        case when is_transferred then final_extension end as transferred_to,
        null::int as pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then false end as time_dst_ambiguous,
        case when is_ticket then false end as time_dst_shifted
    from transfers
)

select * from final
