/*
    3CX: comma separated and not quoted, a line per call.

    The installer chooses which fields are written, and in which order: settings.fields of the pbx lists them. Without that list
    they are all 27 in the order that 3CX proposes, or the 20 of older releases. Names are written as they are, so that a comma in
    one moves what follows: fields before the names are counted from the left, fields behind them from the right.
*/
{%- set places = {
    'historyid': 1, 'callid': 2, 'duration': 3, 'time-start': 4, 'time-answered': 5, 'time-end': 6, 'reason-terminated': 7,
    'from-no': 8, 'to-no': 9, 'from-dn': 10, 'to-dn': 11, 'dial-no': 12, 'reason-changed': 13, 'final-number': 14, 'final-dn': 15,
    'bill-code': 16, 'bill-rate': 17, 'bill-cost': 18, 'bill-name': 19, 'chain': 20, 'from-type': 21, 'to-type': 22,
    'final-type': 23, 'from-dispname': 24, 'to-dispname': 25, 'final-dispname': 26, 'missed-queue-calls': 27,
} -%}
{%- set field_count_of_old_releases = 20 -%}
{%- set names = ['from-dispname', 'to-dispname', 'final-dispname'] -%}
{%- set places_of_names = 'from_dispname_place, to_dispname_place, final_dispname_place' -%}
{#- Columns that are read but for the names. -#}
{%- set read_fields = [
    'historyid', 'callid', 'duration', 'time-start', 'time-answered', 'time-end', 'reason-terminated', 'from-no', 'to-no', 'from-dn',
    'to-dn', 'dial-no', 'reason-changed', 'final-number', 'final-dn', 'bill-code', 'bill-cost', 'chain', 'from-type', 'to-type',
    'final-type',
] -%}
{%- set time_shape = '^[0-9]{4}[/-][0-9]{2}[/-][0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?$' -%}
{#- Control characters, and what framing writes for bytes that are no text. -#}
{%- set odd_bytes -%} [\x01-\x1f\x7f-\x9f\\] {%- endset -%}
{#- A queue, by what 3CX numbers them, where the line does not tell what it is. -#}
{%- set queue_number = '^(6[0-9]{2}|8[0-9]{4})$' -%}

with listed_fields as (
    {{ computed_once() }}
    select
        pbx_id,
        answer_threshold_seconds,
        case when settings ->> 'charge_currency' ~ '^[A-Z]{3}$' then settings ->> 'charge_currency' end as charge_currency,
        string_to_array(nullif(lower(translate(settings ->> 'fields', '_[]" ', '-')), ''), ',') as own_fields
    from {{ source('directory', 'current_pbxs') }}
),

field_lists as (
    {{ computed_once() }}
    select
        pbx_id,
        answer_threshold_seconds,
        charge_currency,
        own_fields is null as has_all_fields,
        coalesce(own_fields, '{{ '{' ~ places.keys() | join(',') ~ '}' }}') as fields_in_order
    from listed_fields
),

pbxs as (
    {{ computed_once() }}
    select
        pbx_id,
        answer_threshold_seconds,
        charge_currency,
        has_all_fields,
        cardinality(fields_in_order) as listed_count,
        {%- for field in places %}
        array_position(fields_in_order, '{{ field }}') as {{ field | replace('-', '_') }}_place{% if not loop.last %},{% endif %}
        {%- endfor %}
    from field_lists
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
        pbxs.answer_threshold_seconds,
        pbxs.charge_currency,
        pbxs.has_all_fields,
        pbxs.listed_count,
        {%- for field in read_fields + names %}
        pbxs.{{ field | replace('-', '_') }}_place,
        {%- endfor %}
        ltrim({{ without_control_bytes('tickets.body') }}, e'\uFEFF') as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'threecx'
),

splits as (
    {{ computed_once() }}
    select
        *,
        -- Who opens a log in a spreadsheet saves what has commas between quotation marks. Such a mark within a name means nothing.
        case
            when line like '%,"%' and line ~ ',"([^"]|"")*"(,|$)'
                then coalesce({{ csv_values('line') }}, string_to_array(line, ','))
            else string_to_array(line, ',')
        end as elements,
        least({{ places_of_names }}) as first_name_place,
        greatest({{ places_of_names }}) as last_name_place
    from tickets
),

counts as (
    {{ computed_once() }}
    select
        *,
        cardinality(elements) as element_count,
        case
            when
                has_all_fields
                and (
                    cardinality(elements) = {{ field_count_of_old_releases }}
                    or cardinality(elements) = {{ field_count_of_old_releases + 1 }}
                    and elements[{{ field_count_of_old_releases + 1 }}] = ''
                )
                then {{ field_count_of_old_releases }}
            else listed_count
        end as field_count
    from splits
),

-- Some releases close a line with a comma of its own. Where a name goes on after a blank the comma was that of the name; and what
-- stands before the last comma may be the agents who missed a call, but not a name.
endings as (
    {{ computed_once() }}
    select
        *,
        case
            when element_count <= field_count or elements[element_count] <> '' then 0
            when field_count < last_name_place or last_name_place is null then 1
            when element_count > field_count + 1 then (elements[element_count - 1] = '')::int
            when array_to_string(elements[first_name_place:last_name_place + 1], ',') like '%, %' then 0
            else (elements[field_count] ~ '^([0-9]{1,6};?)*$')::int
        end as trailing_count
    from counts
),

-- How many commas stand in names.
surpluses as (
    {{ computed_once() }}
    select
        *,
        element_count - trailing_count - field_count as surplus_count
    from endings
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
        answer_threshold_seconds,
        charge_currency,
        line,
        field_count,
        time_end_place,
        surplus_count,
        first_name_place,
        {%- for field in read_fields %}
        {%- set column = field | replace('-', '_') %}
        nullif(
            btrim(elements[{{ column }}_place + case when {{ column }}_place > last_name_place then surplus_count else 0 end]),
            ''
        ) as {{ column }},
        {%- endfor %}
        case
            when surplus_count = 0 then null
            -- Written "Last, First" a name goes on after the blank.
            else
                string_to_array(
                    replace(
                        array_to_string(
                            elements[first_name_place:last_name_place + surplus_count], {{ csv_quoted_separator() }}
                        ),
                        {{ csv_quoted_separator() }} || ' ',
                        ', '
                    ),
                    {{ csv_quoted_separator() }}
                )
        end as joined_names,
        {%- for name in names %}
        {%- set column = name | replace('-', '_') %}
        elements[{{ column }}_place] as {{ column }}_element,
        {{ column }}_place - first_name_place + 1 as {{ column }}_rank,
        {%- endfor %}
        last_name_place - first_name_place + 1 as name_count
    from surpluses
),

numbers as (
    {{ computed_once() }}
    select
        *,
        {%- for column in ['time_start', 'time_answered', 'time_end'] %}
        case
            when {{ column }} ~ '{{ time_shape }}' and pg_input_is_valid(left({{ column }}, 19), 'timestamp')
                then left({{ column }}, 19)::timestamp at time zone 'UTC'
        end as {{ column | replace('time_', '') }}_clock,
        {%- endfor %}
        case
            when duration ~ '^[0-9]{1,4}:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?$'
                then
                    split_part(duration, ':', 1)::int * 3600
                    + split_part(duration, ':', 2)::int * 60
                    + ceil(split_part(duration, ':', 3)::numeric)::int
        end as duration_seconds,
        -- An instant in milliseconds, in UTC.
        case when callid ~ '^[0-9A-Fa-f]{16}_' then ('x' || left(callid, 16))::bit(64)::bigint end as callid_number,
        {%- for column in ['from_type', 'to_type', 'final_type'] %}
        case
            when lower({{ column }}) in ('line', 'provider', 'externalline', 'bridge') then 'outside'
            when lower({{ column }}) in ('vmail', 'ivr') then 'machine'
            when lower({{ column }}) in ('queue', 'extension') then lower({{ column }})
        end as {{ column | replace('_type', '') }}_kind,
        {%- endfor %}
        {%- for column in ['from_no', 'to_no', 'final_number'] %}
        lower({{ column }}) as {{ column }}_word,
        {%- endfor %}
        -- Where no blank tells how far a name goes, the first one has the commas.
        {%- for name in names %}
        {%- set column = name | replace('-', '_') %}
        case
            when joined_names is null then {{ column }}_element
            when cardinality(joined_names) < name_count then null
            when {{ column }}_rank = 1 then array_to_string(joined_names[1:cardinality(joined_names) - name_count + 1], ',')
            else joined_names[cardinality(joined_names) - name_count + {{ column }}_rank]
        end as {{ column }},
        {%- endfor %}
        line ~ '{{ odd_bytes }}' as has_odd_bytes,
        lower(reason_terminated) as end_code,
        lower(reason_changed) as change_code
    from fields
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when field_count is null then 'unknown_pbx:pbx_id'
            when line = '' then 'control_bytes'
            when historyid = 'historyid' or time_start = 'time-start' then 'column_names'
            when octet_length(line) > 8000 then 'line_too_long:layout'
            when substr(line, 6) like '%Call %' and regexp_count(line, 'Call [0-9]+,') > 1 then 'second_ticket_inside:layout'
            when surplus_count < 0 then 'truncated:layout'
            when surplus_count > 0 and (first_name_place is null or field_count < first_name_place) then 'unknown_layout:layout'
            -- A comma elsewhere than in a name moves what must be words.
            when surplus_count > 0 and (chain !~ '^Chain:' or concat(from_type, to_type, final_type) ~ '[^A-Za-z_ ]')
                then 'unknown_layout:layout'
            when coalesce(historyid, callid) is null then 'no_identity:historyid'
            when historyid !~ '^(Call )?[0-9]{1,18}$' then 'unknown_value:historyid'
            when callid !~ '^[0-9A-Za-z_-]+$' then 'unknown_value:callid'
            when start_clock is null then 'no_such_time:time-start'
            when time_answered is not null and answered_clock is null then 'no_such_time:time-answered'
            when time_end is not null and end_clock is null then 'no_such_time:time-end'
            when duration is not null and duration_seconds is null then 'no_such_duration:duration'
            when coalesce(duration_seconds, 0) > {{ longest_call_seconds() }} then 'no_such_duration:duration'
            -- A clock that is set while a call is up may go back.
            when abs(extract(epoch from answered_clock - start_clock)) > {{ longest_call_seconds() }}
                then 'wrong_order:time-answered'
            when abs(extract(epoch from end_clock - start_clock)) > {{ longest_call_seconds() }} then 'wrong_order:time-end'
            when coalesce(from_no, from_dn) is null then 'no_party:from-no'
            when coalesce(to_no, to_dn, dial_no) is null then 'no_party:to-no'
            {%- for column in ['from-no', 'to-no', 'from-dn', 'to-dn', 'dial-no', 'final-number', 'final-dn'] %}
            when has_odd_bytes and {{ column | replace('-', '_') }} ~ '{{ odd_bytes }}' then 'unknown_value:{{ column }}'
            {%- endfor %}
            when reason_terminated !~ '^[A-Za-z_]+$' then 'unknown_code:reason-terminated'
            when reason_changed !~ '^[A-Za-z_]+$' then 'unknown_code:reason-changed'
            when bill_cost !~ '^[0-9]{1,11}([.][0-9]{1,20})?$' then 'unknown_value:bill-cost'
        end as fault
    from numbers
),

parties as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        -- Since 1970, since 1601, or since 1970 with its bytes in the other order.
        case
            when callid_number between 946684800000 and 4102444800000 then callid_number
            when callid_number between 12591158400000 and 15746918400000 then callid_number - 11644473600000
            when callid_number is not null
                then
                    (
                        'x'
                        {%- for first in range(15, 0, -2) %}
                        || substr(callid, {{ first }}, 2)
                        {%- endfor %}
                    )::bit(64)::bigint
        end as callid_milliseconds,
        {%- for column in ['from_no', 'to_no', 'final_number'] %}
        case
            when {{ column }}_word like 'ext.%' then substr({{ column }}, 5)
            when {{ column }}_word like 'pickupext.%' then substr({{ column }}, 11)
            else {{ column }}
        end as {{ column }}_bare,
        {%- endfor %}
        {%- for party, word in {'from': 'from_no_word', 'to': 'to_no_word', 'final': 'final_number_word'}.items() %}
        case
            when {{ word }} in ('makecall', 'endcall') then false
            when {{ party }}_kind = 'outside' then true
            when {{ party }}_kind is not null or {{ word }} like 'ext.%' or {{ word }} like 'pickupext.%' then false
            -- A caller may hide his number; whoever is called has one.
            else {{ 'true' if party == 'from' else word ~ ' is not null' }}
        end as is_{{ party }}_outside,
        {%- endfor %}
        coalesce(from_no_word = 'makecall', false) as is_click_to_call,
        -- The party that was last on the line: 3CX itself, voicemail (999 on every site), a menu, or a queue that nobody left.
        case
            {%- for party, word in {'final': 'final_number_word', 'to': 'to_no_word'}.items() %}
            when {{ word }} is not null
                then {{ word }} in ('endcall', 'ext.999') or coalesce({{ party }}_kind in ('machine', 'queue'), false)
            {%- endfor %}
            else false
        end as is_with_machine,
        coalesce(
            to_kind = 'queue'
            or (
                to_kind is null
                and (
                    change_code = 'qfwdtodna'
                    or (change_code = 'replaceddst' and coalesce(to_dn, substr(to_no, 5)) ~ '{{ queue_number }}')
                )
            ),
            false
        ) as is_to_queue,
        coalesce(change_code in ('replaceddst', 'qfwdtodna', 'pickedup'), false) as is_destination_replaced,
        -- The first party of the chain that is an outside number.
        case
            when from_no_word = 'makecall' then substring(chain from '[;,'']([+]?[0-9*#]{3,})[;,]')
        end as chain_number
    from verdicts
),

forwards as (
    {{ computed_once() }}
    select
        *,
        -- Forwarded or transferred to the outside by whom was called inside. Who picks up a call of another telephone has its
        -- caller on the line, and called nobody outside.
        not is_to_outside
        and is_final_outside
        and not is_click_to_call
        and coalesce(change_code not in ('replacedsrc', 'pickedup'), false) as is_sent_outside,
        case
            when is_click_to_call
                then coalesce(
                    case when is_final_outside then final_number end,
                    case when is_to_outside then to_no end,
                    chain_number
                )
        end as clicked_number,
        case
            when is_ticket and callid_milliseconds between 946684800000 and 4102444800000
                then extract(epoch from start_clock) - callid_milliseconds / 1000.0
        end as lag_seconds
    from parties
),

directions as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            when is_click_to_call then case when clicked_number is null then 'internal' else 'outgoing' end
            when is_from_outside and (is_to_outside or is_sent_outside) then 'transit'
            when is_from_outside then 'incoming'
            when is_to_outside or is_sent_outside then 'outgoing'
            else 'internal'
        end as direction,
        -- A start that is whole quarters of an hour away from what the call id tells was written in another zone than UTC.
        case
            when lag_seconds is null or abs(lag_seconds) > 14 * 3600 + 5 then 0
            when abs(lag_seconds - round(lag_seconds / 900) * 900) <= 5 then round(lag_seconds / 900)::int * 900
            else 0
        end * interval '1 second' as zone_shift
    from forwards
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        coalesce(
            direction in ('outgoing', 'transit') and answered_clock is not null and answer_threshold_seconds is not null, false
        ) as is_unsupervised,
        case
            when not is_ticket then null
            when answered_clock is not null
                then coalesce(duration_seconds, greatest(extract(epoch from end_clock - answered_clock), 0)::int, 0)
            else 0
        end as connected_seconds,
        case
            when end_code in ('targetbusy', 'routebusy', 'busy') then 'busy'
            when
                end_code in (
                    'failed', 'norouteexists', 'no_route', 'targetnotfound', 'not_found', 'notavailable', 'rejected'
                )
                then 'failed'
            when end_code = 'redirected' then 'redirected'
            else 'no_answer'
        end as unanswered_outcome
    from directions
),

calls as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            when answered_clock is null then unanswered_outcome
            when direction in ('outgoing', 'transit') and connected_seconds < answer_threshold_seconds then 'no_answer'
            when is_with_machine then 'answered_by_machine'
            else 'answered'
        end as outcome,
        case
            when is_ticket and coalesce(answered_clock, end_clock) is not null
                then greatest(extract(epoch from coalesce(answered_clock, end_clock) - start_clock), 0)::int
        end as waited_seconds,
        -- Whom inside the call belongs to. Who sent it to the outside pays for it (rule R19).
        case
            when not is_ticket then null
            when is_click_to_call and is_to_outside then null
            when is_click_to_call or is_sent_outside then 'to'
            when direction in ('outgoing', 'internal') then 'from'
            when direction = 'transit' then null
            when is_destination_replaced then 'final'
            when to_no_word <> 'endcall' then 'to'
        end as party
    from outcomes
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('column_names', 'control_bytes') then 'ignored'
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
        -- Numbers begin again when a PBX is set up anew; the other half tells its instant.
        case when is_ticket then concat_ws('/', regexp_replace(historyid, '^Call ', ''), callid) end as source_call_id,
        null::int as leg_number,
        case when is_ticket then start_clock - zone_shift end as started_at,
        case when outcome in ('answered', 'answered_by_machine') then answered_clock - zone_shift end as answered_at,
        case
            when is_ticket then coalesce(end_clock, answered_clock + connected_seconds * interval '1 second') - zone_shift
        end as ended_at,
        case
            when not is_ticket then null
            -- Below the threshold the trunk rang, as far as is known.
            when outcome = 'no_answer' and answered_clock is not null then waited_seconds + connected_seconds
            else waited_seconds
        end as ring_seconds,
        case when outcome in ('answered', 'answered_by_machine') then connected_seconds when is_ticket then 0 end as talk_seconds,
        direction,
        outcome,
        case
            when not is_ticket then null
            when is_click_to_call then case when not is_to_outside then coalesce(to_dn, to_no_bare) end
            else from_no_bare
        end as caller_number,
        case
            when not is_ticket then null
            when is_sent_outside then final_number
            else coalesce(clicked_number, dial_no, to_no_bare)
        end as called_number,
        null::text as presented_number,
        case party
            when 'from' then coalesce(from_dn, from_no_bare)
            when 'to' then coalesce(to_dn, to_no_bare)
            when 'final' then coalesce(final_dn, final_number_bare, to_dn)
        end as extension,
        case party
            {%- for name in ['from', 'to', 'final'] %}
            when '{{ name }}' then {{ csv_value(name ~ '_dispname') }}
            {%- endfor %}
        end as extension_name,
        case when is_ticket and is_to_queue then coalesce(to_dn, to_no_bare) end as group_name,
        null::text as subsidiary_name,
        case when direction in ('incoming', 'transit') and from_dn <> coalesce(from_no, '') then from_dn end as trunk_in,
        case
            when not is_ticket then null
            when is_sent_outside or (is_click_to_call and is_final_outside) then nullif(final_dn, final_number)
            when is_to_outside and to_dn not in (to_no, 'EndCall') then to_dn
        end as trunk_out,
        case when is_ticket then bill_code end as account_code,
        null::text as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        case
            -- MakeCall gives way to the number that was clicked: nobody transfers.
            when not is_ticket or (is_click_to_call and change_code = 'replacedsrc') then null
            when change_code = 'replacedsrc' and not is_from_outside then from_dn
            when change_code = 'replaceddst' and not is_to_queue and not is_to_outside then to_dn
        end as transferred_from,
        case
            when not is_ticket then null
            when change_code = 'replacedsrc' and (is_from_outside or is_click_to_call) then null
            when change_code = 'replacedsrc' and not is_final_outside then final_dn
            -- The party that was held is on the line in place of whom it was transferred by.
            when change_code = 'replacedsrc' and not is_to_outside then to_dn
            when change_code = 'replaceddst' and not is_to_queue and not is_final_outside then final_dn
        end as transferred_to,
        null::int as pulses,
        case when is_ticket then bill_cost end::numeric(18, 6) as pbx_charge_amount,
        -- 3CX multiplies minutes by a rate, in whatever currency the rates were entered: settings.charge_currency.
        case when is_ticket and bill_cost is not null then charge_currency end as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then false end as time_dst_ambiguous,
        case when is_ticket then false end as time_dst_shifted
    from calls
)

select * from final
