/*
    Grandstream UCM6xxx: one leg a ticket, as JSON, XML or CSV, told apart by how it begins and read by name from then on.

    PostgreSQL is often built without XML, so XML is read as text: framing hands over one element that holds elements of text.
    Commas stand unquoted in some CSV, so such a line is read from both ends towards its dates.
*/
{#- In the order in which the PBX writes them; AcctId may be left out. -#}
{%- set columns = [
    'AcctId', 'accountcode', 'src', 'dst', 'dcontext', 'clid', 'channel', 'dstchannel', 'lastapp', 'lastdata', 'start', 'answer',
    'end', 'duration', 'billsec', 'disposition', 'amaflags', 'uniqueid', 'userfield', 'channel_ext', 'dstchannel_ext', 'service',
    'caller_name', 'recordfiles', 'dstanswer', 'chanext', 'dstchanext', 'session', 'action_owner', 'action_type',
    'src_trunk_name', 'dst_trunk_name',
] -%}
{%- set text_columns = [
    'AcctId', 'accountcode', 'src', 'dst', 'channel', 'lastapp', 'start', 'duration', 'billsec', 'disposition', 'uniqueid',
    'userfield', 'channel_ext', 'dstchannel_ext', 'caller_name', 'chanext', 'dstchanext', 'session', 'action_type',
    'src_trunk_name', 'dst_trunk_name',
] -%}
{%- set date = '[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}' -%}
{#-
    Without quotes: up to the channel, which is the first that has a slash, so that digits of an account are no AcctId; lastapp and
    lastdata; three dates; up to the disposition; the rest.
-#}
{%- set bare_line = '^(?:([0-9]+),)?([^,]*),([^,]*),([^,]*),([^,]*),("[^"]*" ?<[^>]*>|[^,/]*),([A-Za-z0-9_]+/[^,]*),'
    ~ '([^,]*),([^,]*),(.*),(' ~ date ~ '),(|' ~ date ~ '),(|' ~ date ~ '),([0-9]+),([0-9]+),([A-Za-z ]+),(.*)$' -%}
{#- The rest, from amaflags on: the caller's name may have commas, and the session has a shape of its own. -#}
{%- set bare_rest = '^([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),(.*),([^,]*),([^,]*),([^,]*),([^,]*),([0-9]{11,}-[^,]*),'
    ~ '([^,]*),([^,]*),([^,]*),([^,]*)(?:,.*)?$' -%}

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
        string_to_array(translate(deliveries.header, '"'' ', ''), ',') as header_columns,
        btrim(tickets.body, e' \t\r\n') as body
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'grandstream_ucm'
),

-- A leg of a group keeps its name: "sub_cdr_2": {...}, <sub_cdr_2>...</sub_cdr_2>.
forms as (
    {{ computed_once() }}
    select
        *,
        case
            when body ~ '^[{[]' or body ~ '^"(main_cdr|sub_cdr_[0-9]+)"\s*:' then 'json'
            when body ~ '^<[A-Za-z_?!]' then 'xml'
            else 'csv'
        end as form,
        case
            when body like '"%' then substring(body from '^"(main_cdr|sub_cdr_[0-9]+)"\s*:')
            when body like '<%' then substring(body from '^<(main_cdr|sub_cdr_[0-9]+)[\s>]')
        end as leg_name
    from tickets
),

texts as (
    {{ computed_once() }}
    select
        *,
        case
            when {{ bracket_count('body') }} >= {{ too_many_brackets() }} then null
            when form = 'json' and body like '"%' then substr(body, position(':' in body) + 1)
            when form = 'json' then body
        end as json_text,
        -- An element that is closed by its own tag: one that was cut off would pass for a shorter record.
        case
            when form = 'xml' and body like '%</' || replace(substring(body from '^<([A-Za-z_][\w.-]*)'), '_', '\_') || '>'
                then
                    case
                        when body like '%<![CDATA[%' then regexp_replace(body, '<!\[CDATA\[(.*?)\]\]>', '\1', 'g')
                        else body
                    end
        end as xml_text,
        case when form = 'csv' and body ~ '^[''"]' then left(body, 1) end as quote_mark,
        case
            when form = 'csv' and body !~ '^[''"]' and octet_length(body) < 8192 then regexp_match(body, '{{ bare_line }}')
        end as bare_values
    from forms
),

lines as (
    {{ computed_once() }}
    select
        *,
        case
            when length(body) > 2 and right(body, 1) = quote_mark
                then
                    string_to_array(
                        replace(
                            substr(body, 2, length(body) - 2), quote_mark || ', ' || quote_mark, quote_mark || ',' || quote_mark
                        ),
                        quote_mark || ',' || quote_mark
                    )
            when bare_values[17] ~ '^([^,]*,){5}[^,]*$' then bare_values[1:16] || string_to_array(bare_values[17], ',')
            when quote_mark is null and bare_values is not null
                then bare_values[1:16] || regexp_match(bare_values[17], '{{ bare_rest }}')
            -- Other columns than all of them, as the line above the records names them.
            when quote_mark is null and cardinality(string_to_array(body, ',')) = cardinality(header_columns)
                then string_to_array(body, ',')
        end as column_values,
        -- A quotation mark within a value is doubled.
        strpos(body, quote_mark || quote_mark) > 0 as may_double_marks,
        -- As jsonb, which refuses what ->> would raise on (an escaped NUL, half a surrogate pair).
        case when pg_input_is_valid(json_text, 'jsonb') then json_text::jsonb end as document
    from texts
),

layouts as (
    {{ computed_once() }}
    select
        *,
        case
            when cardinality(column_values) = cardinality(header_columns) then header_columns
            -- 22 columns of older exports, 32 in real time, more of newer releases behind them; a second record is none of these.
            when
                (cardinality(column_values) = 22 or cardinality(column_values) between 32 and 56)
                and column_values[11] ~ '^{{ date }}'
                and (quote_mark is null or column_values[1] ~ '^[0-9]+$')
                then array['{{ columns | join("', '") }}']
            when
                (cardinality(column_values) = 21 or cardinality(column_values) between 31 and 55)
                and column_values[10] ~ '^{{ date }}'
                then array['{{ columns[1:] | join("', '") }}']
        end as column_names
    from lines
),

records as (
    {{ computed_once() }}
    select
        *,
        case
            when jsonb_typeof(document) = 'object' then document
            -- What stands before each closing tag: the last element opened there, and its text.
            when xml_text is not null
                then (
                    select
                        jsonb_object_agg(
                            rtrim(split_part(split_part(leaves.leaf, '>', 1), ' ', 1), e' \t\r\n'),
                            {% set text = "substr(leaves.leaf, position('>' in leaves.leaf) + 1)" -%}
                            {% set plain = namespace(text=text) -%}
                            {%- for entity, character in [
                                ('&lt;', '<'), ('&gt;', '>'), ('&quot;', '"'), ('&apos;', "''"), ('&#39;', "''"), ('&amp;', '&'),
                            ] -%}
                            {%- set plain.text = "replace(" ~ plain.text ~ ", '" ~ entity ~ "', '" ~ character ~ "')" -%}
                            {%- endfor %}
                            case when leaves.leaf like '%&%' then {{ plain.text }} else {{ text }} end
                        )
                    from (
                        select split_part(pieces.piece, '<', -1) as leaf
                        from unnest(string_to_array(layouts.xml_text, '</')) as pieces (piece)
                        where pieces.piece like '%<%>%'
                    ) as leaves
                )
            when column_names is not null
                then
                    jsonb_object(
                        column_names[1:least(cardinality(column_names), cardinality(column_values))],
                        case
                            when may_double_marks
                                then
                                    array(
                                        select replace(given.given_value, quote_mark || quote_mark, quote_mark)
                                        from unnest(column_values) with ordinality as given (given_value, place)
                                        order by given.place
                                        limit cardinality(column_names)
                                    )
                            else column_values[1:least(cardinality(column_names), cardinality(column_values))]
                        end
                    )
        end as record
    from layouts
),

cdr as (
    {{ computed_once() }}
    select
        *,
        {%- for column in text_columns %}
        nullif(btrim(record ->> '{{ column }}'), '') as {{ column | lower }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from records
),

fields as (
    {{ computed_once() }}
    select
        *,
        {%- for column in ['duration', 'billsec'] %}
        case when {{ column }} ~ '^[0-9]{1,9}$' then {{ column }}::int end as {{ column }}_seconds,
        {%- endfor %}
        case when start ~ '^{{ date }}$' and pg_input_is_valid(start, 'timestamp') then start::timestamp end as local_start,
        case upper(disposition)
            when 'ANSWERED' then 'answered'
            when 'NO ANSWER' then 'no_answer'
            when 'BUSY' then 'busy'
            when 'FAILED' then 'failed'
        end as disposition_outcome,
        -- Older releases write EXT for every call, so that only the trunks tell.
        case lower(userfield)
            when 'internal' then 'internal'
            when 'inbound' then 'incoming'
            when 'outbound' then 'outgoing'
            when 'external' then 'transit'
        end as userfield_direction,
        -- The sides of a call that are no extension.
        {%- for column in ['channel_ext', 'dstchannel_ext', 'chanext', 'dstchanext'] %}
        case when {{ column }} !~ '^trunk_[0-9]+$' then {{ column }} end as {{ column }}_extension,
        {%- endfor %}
        src_trunk_name is not null or coalesce(channel_ext ~ '^trunk_[0-9]+$', false) as is_from_trunk,
        dst_trunk_name is not null or coalesce(dstchannel_ext ~ '^trunk_[0-9]+$', false) as is_to_trunk,
        -- The second, in UTC, in which the channel of the call was made.
        case
            when uniqueid ~ '[0-9]{9,10}[.][0-9]+$' then to_timestamp(substring(uniqueid from '([0-9]{9,10})[.][0-9]+$')::bigint)
        end as channel_made_at
    from cdr
),

-- Why the ticket is none, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when leg_name = 'main_cdr' and record is not null then 'group_summary'
            when form = 'csv' and body ~* '^[''"]?(acctid|accountcode)[''"]?,.*,[''"]?start[''"]?,' then 'column_names'
            when
                jsonb_typeof(document) = 'array'
                or jsonb_typeof(
                    coalesce(
                        document -> 'cdr_root',
                        document -> 'cdr',
                        document #> '{response,cdr_root}',
                        document #> '{response,cdr}'
                    )
                ) = 'array'
                then 'no_records'
            when form = 'xml' and body !~ '=' and regexp_replace(body, '<[^<>]*>', '', 'g') ~ '^\s*$' then 'no_records'
            -- What stands before a document that was sent by HTTP.
            when body ~ '^HTTP/1[.][01] [0-9]{3}' or body ~ '^[A-Z][A-Za-z]*(-[A-Za-z]+)*: ' then 'http_header'
            when body ~ '^[A-Z]+ [^ ]+ HTTP/1[.][01]$' then 'http_request_without_document:body'
            when record is null and form = 'json' then 'no_json_object:body'
            when record is null and form = 'xml' then 'no_xml_record:body'
            -- Start, answer and end are all the dates there are.
            when form = 'csv' and regexp_count(body, '{{ date }}') > 3 then 'second_ticket_inside:body'
            when record is null then 'unknown_columns:body'
            -- Sums over the legs of a group, where it came without its name.
            when start is not null and session is not null and coalesce(acctid, disposition, uniqueid, channel) is null
                then 'group_summary'
            when time_zone is null then 'unknown_time_zone:time_zone'
            {%- for column in text_columns %}
            when {{ column | lower }} ~ '^[{[]' and jsonb_typeof(record -> '{{ column }}') in ('object', 'array')
                then 'no_plain_value:{{ column }}'
            {%- endfor %}
            when local_start is null then 'no_date:start'
            when duration_seconds is null or duration_seconds > {{ longest_call_seconds() }} then 'no_duration:duration'
            when billsec_seconds is null or billsec_seconds > {{ longest_call_seconds() }} then 'no_duration:billsec'
            when disposition_outcome is null then 'unknown_code:disposition'
        end as fault
    from fields
),

{{ clock_instants('instants', 'verdicts', 'case when fault is null then local_start end', 'time_zone') }},

lags as (
    {{ computed_once() }}
    select
        *,
        coalesce(converted - gone_back, converted) as instant,
        extract(epoch from coalesce(converted - gone_back, converted) - channel_made_at) as lag_seconds
    from instants
),

-- A leg begins when its channel is made or later, seldom as much as an hour later. The PBX changes its clock by rules of its own,
-- so it may be an hour off its zone for months; and in the repeated hour the second occurrence is an hour after the first.
clocks as (
    {{ computed_once() }}
    select
        *,
        instant + case
            when lag_seconds >= -3660 and lag_seconds < -60 then interval '1 hour'
            when lag_seconds >= 3540 and lag_seconds < 4500 then interval '-1 hour'
            else interval '0'
        end as started_at,
        coalesce(lag_seconds >= -3660 and lag_seconds < 4500, false) as is_proven
    from lags
),

directions as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        case
            when fault is not null then null
            when userfield_direction is not null then userfield_direction
            when is_from_trunk and is_to_trunk then 'transit'
            when is_from_trunk then 'incoming'
            when is_to_trunk then 'outgoing'
            else 'unknown'
        end as direction
    from clocks
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        direction in ('outgoing', 'transit')
        and disposition_outcome = 'answered'
        and answer_threshold_seconds is not null as is_unsupervised,
        case
            when not is_ticket then null
            when
                direction in ('outgoing', 'transit')
                and disposition_outcome = 'answered'
                and billsec_seconds < answer_threshold_seconds
                then 'no_answer'
            when disposition_outcome = 'answered' and (action_type ~ '^(VM($|\[)|IVR)' or lastapp ilike 'voicemail%')
                then 'answered_by_machine'
            else disposition_outcome
        end as outcome
    from directions
),

durations as (
    {{ computed_once() }}
    select
        *,
        outcome in ('answered', 'answered_by_machine') as is_answered,
        case
            when not is_ticket then null
            -- Where voicemail takes over from a busy phone, the duration of the leg runs to the end of the whole call.
            when outcome = 'busy' then null
            when outcome in ('answered', 'answered_by_machine') then greatest(duration_seconds - billsec_seconds, 0)
            else duration_seconds
        end as ring_seconds,
        case
            when not is_ticket then null
            when outcome in ('answered', 'answered_by_machine') then billsec_seconds
            else 0
        end as talk_seconds,
        case
            when not is_ticket or direction = 'transit' then null
            -- On analogue trunks the PBX may call itself `s`.
            when direction = 'incoming' then coalesce(dstchanext_extension, dstchannel_ext_extension, nullif(dst, 's'))
            else coalesce(chanext_extension, channel_ext_extension, src)
        end as extension
    from outcomes
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('group_summary', 'column_names', 'no_records', 'http_header') then 'ignored'
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
        case when is_ticket then coalesce(session, uniqueid) end as source_call_id,
        -- AcctId begins anew each month: it tells the legs of a call apart, not the calls.
        case when is_ticket and acctid ~ '^[0-9]{1,9}$' then acctid::int end as leg_number,
        case when is_ticket then started_at end as started_at,
        -- `answer` is filled on calls that nobody answered, and its seconds are cut off from finer ones: durations count.
        case when is_answered then started_at + ring_seconds * interval '1 second' end as answered_at,
        started_at + duration_seconds * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case when is_ticket then src end as caller_number,
        case when is_ticket then dst end as called_number,
        null::text as presented_number,
        extension,
        -- The name is the caller's; one that only repeats the number is none.
        case when direction in ('outgoing', 'internal', 'unknown') and caller_name not in (src, extension) then caller_name end
            as extension_name,
        case when is_ticket then substring(action_type from '^(?:QUEUE|RINGGROUP)\[(.+)\]$') end as group_name,
        null::text as subsidiary_name,
        case when is_ticket then src_trunk_name end as trunk_in,
        case when is_ticket then dst_trunk_name end as trunk_out,
        case when is_ticket then accountcode end as account_code,
        null::text as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        -- A transfer shows only beside its neighbours.
        null::text as transferred_from,
        null::text as transferred_to,
        null::int as pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then gone_back is not null and not is_proven end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from durations
)

select * from final
