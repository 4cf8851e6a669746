/*
    Avaya IP Office SMDR: comma separated and never quoted, a line per segment of a call.

    Each segment repeats the start and the call id of its call. Releases add fields at the end (17 to 37): they are read by place,
    and those after the park time may be missing.
*/
{%- set places = {
    'call_start': 1, 'connected_time': 2, 'ring_time': 3, 'caller': 4, 'call_direction': 5, 'called': 6, 'dialled': 7, 'account': 8,
    'is_internal': 9, 'call_id': 10, 'continuation': 11, 'party1_device': 12, 'party1_name': 13, 'party2_device': 14,
    'party2_name': 15, 'hold_time': 16, 'park_time': 17, 'auth_valid': 18, 'auth_code': 19, 'call_charge': 21, 'currency': 22,
    'charge_at_user_change': 23, 'call_units': 24, 'units_at_user_change': 25, 'cost_per_unit': 26, 'mark_up': 27,
    'targeting_cause': 28, 'targeter': 29, 'targeted_number': 30, 'caller_server': 31, 'caller_server_id': 32,
    'record_time': 35,
} -%}
{#- The start of a ticket wherever it stands; the record time of recent releases looks the same. -#}
{%- set ticket_start = '[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}' -%}

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
        -- NULs (kept by framing as \x00) and a byte order mark may stand before the first field, NULs behind the last.
        case
            when ascii(tickets.body) between 48 and 57 and right(tickets.body, 4) <> '\x00' then tickets.body
            else regexp_replace(tickets.body, '^(\\x00|\uFEFF|[[:space:]])+|(\\x00)+$', '', 'g')
        end as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'avaya_ipoffice'
),

splits as (
    {{ computed_once() }}
    select
        *,
        string_to_array(line, ',') as elements
    from tickets
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
        line,
        {%- for field, place in places.items() %}
        btrim(coalesce(elements[{{ place }}], '')) as {{ field }},
        {%- endfor %}
        cardinality(elements) as field_count,
        elements[cardinality(elements)] as last_field
    from splits
),

numbers as (
    {{ computed_once() }}
    select
        *,
        call_start ~ '^{{ ticket_start }}(:[0-9]{2})?$' as has_start,
        case when call_start ~ '^{{ ticket_start }}(:[0-9]{2})?$' then left(call_start, 4)::int end as year,
        case when call_start ~ '^{{ ticket_start }}(:[0-9]{2})?$' then substr(call_start, 6, 2)::int end as month,
        case when call_start ~ '^{{ ticket_start }}(:[0-9]{2})?$' then substr(call_start, 9, 2)::int end as day,
        case
            when substr(call_start, 12) ~ '^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$'
                then
                    substr(call_start, 12, 2)::int * 3600
                    + substr(call_start, 15, 2)::int * 60
                    + coalesce(nullif(substr(call_start, 18, 2), ''), '0')::int
        end as start_second_of_day,
        case
            when connected_time ~ '^[0-9]{2,3}:[0-5][0-9]:[0-5][0-9]$'
                then
                    split_part(connected_time, ':', 1)::int * 3600
                    + split_part(connected_time, ':', 2)::int * 60
                    + split_part(connected_time, ':', 3)::int
        end as connected_seconds,
        case when ring_time ~ '^[0-9]{1,6}$' then ring_time::int end as ring,
        case when hold_time ~ '^[0-9]{1,6}$' then hold_time::int end as hold_seconds,
        case when park_time ~ '^[0-9]{1,6}$' then park_time::int end as park_seconds,
        party1_device like 'T%' as is_party1_trunk,
        party2_device like 'T%' as is_party2_trunk,
        case when party1_device like 'E%' then 1 when party2_device like 'E%' then 2 end as extension_party,
        -- Voicemail that answers is the second party, or the first of a call that came in; else it is voicemail that calls.
        party2_device ~ '^V9[5-9][0-9]{2}$'
        or party2_device like 'V%' and party2_name like 'VM Channel%'
        or call_direction = 'I'
        and (party1_device ~ '^V9[5-9][0-9]{2}$' or party1_device like 'V%' and party1_name like 'VM Channel%')
            as is_with_voicemail,
        party2_device in ('V8000', 'Barred') or party2_name = 'Barred' as is_without_target,
        -- Of a SIP party the address follows its number.
        {%- for number in ['caller', 'called', 'dialled'] %}
        coalesce(substring({{ number }} from '^(?:sips?:)?([^@]+)'), nullif({{ number }}, '')) as {{ number }}_number,
        {%- endfor %}
        case when targeting_cause like 'HG%' then nullif(targeter, '') end as targeting_group,
        -- Lines, routes and attendants target calls too.
        case when targeting_cause like 'U%' then nullif(targeter, '') end as targeting_user
    from fields
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named. A comma in a name moves all that follows
-- it by one place: then a field is found where it cannot be, and the line waits for a person.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when line = '' then 'control_bytes'
            when line ~* '^"?call[ _]?start' then 'column_names'
            when not has_start then 'unknown_layout:layout'
            when octet_length(line) > 2000 then 'line_too_long:layout'
            when
                substr(line, 11) like '%/__/__ __:__%'
                and regexp_count(line, '{{ ticket_start }}') > case when record_time ~ '^{{ ticket_start }}' then 2 else 1 end
                then 'second_ticket_inside:layout'
            when field_count < 17 then 'truncated:layout'
            when not {{ is_day_of_month('day', 'month', 'year') }} then 'no_such_day:call_start'
            when start_second_of_day is null then 'no_such_time:call_start'
            when connected_seconds is null then 'no_such_duration:connected_time'
            when ring is null then 'unknown_value:ring_time'
            -- Groups are called by their names, in any letters.
            {%- for number in ['caller', 'called', 'dialled'] %}
            when {{ number }} ~ '[\x01-\x1f\x7f-\x9f\\]' then 'unknown_value:{{ number }}'
            {%- endfor %}
            when call_direction not in ('I', 'O') then 'unknown_code:direction'
            -- One of the maker's examples prints the letter.
            when is_internal not in ('0', '1', 'I') then 'unknown_code:is_internal'
            when call_id !~ '^[0-9]{1,10}$' then 'unknown_value:call_id'
            when continuation not in ('0', '1') then 'unknown_code:continuation'
            when party1_device !~ '^([ETV][0-9*#]+)?$' then 'unknown_value:party1_device'
            when party2_device !~ '^([ETV][0-9*#]+|Barred)?$' then 'unknown_value:party2_device'
            when hold_seconds is null then 'unknown_value:hold_time'
            when park_seconds is null then 'unknown_value:park_time'
            when auth_valid not in ('', '0', '1') then 'unknown_code:auth_valid'
            when call_charge !~ '^([0-9]{1,11}([.][0-9]{1,6})?)?$' then 'unknown_value:call_charge'
            when currency ~ '[0-9]' then 'unknown_value:currency'
            when charge_at_user_change !~ '^[0-9.]*$' then 'unknown_value:charge_at_user_change'
            when call_units !~ '^[0-9]{0,9}$' then 'unknown_value:call_units'
            {%- for field in ['units_at_user_change', 'cost_per_unit', 'mark_up'] %}
            when {{ field }} !~ '^[0-9.]*$' then 'unknown_value:{{ field }}'
            {%- endfor %}
            when caller_server !~ '^$|[.:]' or caller_server_id ~ '[.:]' then 'unknown_value:caller_server'
            when record_time !~ '^$|:' then 'unknown_value:record_time'
            -- No release ends there, and what stands last may be half of a value.
            when field_count between 18 and 33 and field_count not in (27, 30) and last_field <> '' then 'truncated:layout'
        end as fault
    from numbers
),

starts as (
    {{ computed_once() }}
    select
        *,
        case when fault is null then make_date(year, month, day) + start_second_of_day * interval '1 second' end as local_start
    from verdicts
),

{{ clock_instants('instants', 'starts', 'local_start', 'time_zone') }},

directions as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(converted - gone_back, converted) as instant,
        case
            when fault is not null then null
            -- A call to another site of the network is internal too, and seizes a trunk.
            when is_internal <> '0' then 'internal'
            when is_party1_trunk and is_party2_trunk then 'transit'
            when call_direction = 'I' then 'incoming'
            else 'outgoing'
        end as direction
    from instants
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        coalesce(
            direction in ('outgoing', 'transit') and connected_seconds > 0 and answer_threshold_seconds is not null, false
        ) as is_unsupervised,
        case
            when not is_ticket then null
            -- Whoever is connected hears a tone.
            when is_without_target then 'failed'
            when connected_seconds > 0 and is_with_voicemail then 'answered_by_machine'
            when direction in ('outgoing', 'transit') and connected_seconds < answer_threshold_seconds and connected_seconds > 0
                then 'no_answer'
            when connected_seconds > 0 then 'answered'
            -- Another segment follows: somebody else may have taken the call.
            when continuation = '1' then 'redirected'
            else 'no_answer'
        end as outcome
    from directions
),

calls as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            -- Below the threshold the trunk rang, as far as is known.
            when is_unsupervised and outcome = 'no_answer' then ring + connected_seconds
            else ring
        end as ring_seconds,
        case when outcome in ('answered', 'answered_by_machine') then connected_seconds when is_ticket then 0 end as talk_seconds
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
        -- Call ids begin again at 1,000,000 when the PBX restarts; its segments share the start of their call.
        case when is_ticket then call_id || '@' || call_start end as source_call_id,
        null::int as leg_number,
        instant as started_at,
        case when outcome in ('answered', 'answered_by_machine') then instant + ring_seconds * interval '1 second' end
            as answered_at,
        -- The length of a record is that of ringing, talking, holding and parking.
        instant + (ring + connected_seconds + hold_seconds + park_seconds) * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case when is_ticket then caller_number end as caller_number,
        case
            when direction = 'incoming' then coalesce(dialled_number, called_number)
            -- The number of a forward or transfer to the outside.
            when direction = 'transit' then coalesce(nullif(targeted_number, ''), called_number)
            when is_ticket then called_number
        end as called_number,
        null::text as presented_number,
        case
            when not is_ticket then null
            when extension_party = 1 then substr(party1_device, 2)
            when extension_party = 2 then substr(party2_device, 2)
            -- From trunk to trunk nobody inside talks: whoever sent the call out is named and pays (rule R19).
            when direction = 'transit' then targeting_user
        end as extension,
        case
            when not is_ticket then null
            when extension_party = 1 then nullif(party1_name, '')
            when extension_party = 2 then nullif(party2_name, '')
            when direction = 'transit' then targeting_user
        end as extension_name,
        case when is_ticket then targeting_group end as group_name,
        null::text as subsidiary_name,
        case
            when not is_ticket then null
            when is_party1_trunk and is_party2_trunk then party1_device
            when call_direction = 'I' and is_party1_trunk then party1_device
            when call_direction = 'I' and is_party2_trunk then party2_device
        end as trunk_in,
        case
            when not is_ticket then null
            when is_party1_trunk and is_party2_trunk then party2_device
            when call_direction = 'O' and is_party2_trunk then party2_device
            when call_direction = 'O' and is_party1_trunk then party1_device
        end as trunk_out,
        case when is_ticket then nullif(account, '') end as account_code,
        -- Recent releases print n/a whatever was entered.
        case when is_ticket and lower(auth_code) not in ('', 'n/a') then auth_code end as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        -- Targeters are named, not numbered, unless users are named by their extensions.
        case when is_ticket and targeting_cause like '% Xf_' and targeting_user ~ '^[0-9]+$' then targeting_user end
            as transferred_from,
        null::text as transferred_to,
        case when is_ticket then nullif(call_units, '')::int end as pulses,
        case when is_ticket then nullif(call_charge, '') end::numeric(18, 6) as pbx_charge_amount,
        -- Free text of the PBX: a code is one, a sign is not.
        case when is_ticket and call_charge <> '' and currency ~ '^[A-Z]{3}$' then currency end as pbx_charge_currency,
        case when is_ticket then length(call_start) = 16 end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from calls
)

select * from final
