/*
    Siemens HiPath 3000 (Hicom 150 E): fixed columns, compressed or as for a printer; Hicom 100 E, its forerunner; and the files
    of HiPath 5000. The clock is that of the END.

    Blanks at the end of a line are often cut off; the information code is the last column that is always there.
*/
{#-
    First column and width of each field: table 7-1 of the service manual, the positions of the printer format, Hicom 100 E, and
    the files of HiPath 5000, which have a node and the seconds of the conversation, and no ringing.
-#}
{%- set cut = column_cuts([
    {
        'line': {
            'end_date': (1, 8), 'end_time': (9, 8), 'trunk': (17, 3), 'extension': (20, 6), 'ring': (26, 5), 'conversation': (31, 8),
            'outside_number': (39, 25), 'charge': (64, 11), 'information_code': (75, 2), 'project_code': (77, 11), 'msn': (88, 11),
        },
    },
    {
        'line': {
            'end_date': (1, 8), 'end_time': (10, 8), 'trunk': (19, 3), 'extension': (23, 6), 'ring': (30, 5), 'conversation': (36, 8),
            'outside_number': (45, 20), 'charge': (66, 11), 'information_code': (78, 2),
        },
    },
    {
        'line': {
            'end_date': (1, 8), 'end_time': (9, 8), 'trunk': (17, 2), 'extension': (19, 5), 'ring': (24, 5), 'conversation': (29, 8),
            'outside_number': (37, 20), 'charge': (57, 11), 'information_code': (68, 2), 'project_code': (70, 11), 'msn': (81, 11),
        },
    },
    {
        'line': {
            'end_date': (1, 8), 'end_time': (9, 8), 'trunk': (17, 3), 'extension': (23, 6), 'conversation': (34, 8),
            'outside_number': (42, 25), 'charge': (67, 11), 'information_code': (78, 1), 'project_code': (79, 11), 'msn': (90, 11),
        },
    },
]) -%}
{%- set date_and_time = '[0-9]{2}[.][0-9]{2}[.][0-9]{2} ?[0-9]{2}:[0-9]{2}:[0-9]{2}' -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        -- The PBX writes units or, by an option that a ticket does not show, amounts.
        settings ->> 'charge_currency' as charge_currency
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
        pbxs.charge_currency,
        -- A serial line puts control bytes around a record, and a printer is told to begin a page.
        {{ without_control_bytes('tickets.body') }} as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'siemens_hipath'
),

layouts as (
    {{ computed_once() }}
    select
        *,
        -- Without separators the colons of the durations tell the layouts apart: they stand in other columns in each.
        case
            when line like '__.__.____:__:__%'
                then
                    case
                        when substr(line, 34, 8) like '__:__:__' and substr(line, 29, 5) ~ '^ *[0-9]+$' then 4
                        when substr(line, 29, 8) like '__:__:__' or substr(line, 24, 5) like '__:__' then 3
                        else 1
                    end
            when line like '__.__.__ __:__:__ %' then 2
        end as layout
    from tickets
),

fields as (
    {{ computed_once() }}
    select
        *,
        -- The last column of the information code, and the last column of all.
        case layout when 1 then 76 when 2 then 79 when 3 then 69 when 4 then 78 end as shortest_length,
        case layout when 1 then 112 when 2 then 79 when 3 then 91 when 4 then 111 end as longest_length,
        {%- for field in ['end_date', 'end_time'] %}
        {{ cut[field] }} as {{ field }},
        {%- endfor %}
        {%- for field in ['trunk', 'extension', 'outside_number', 'charge', 'information_code'] %}
        btrim({{ cut[field] }}) as {{ field }},
        {%- endfor %}
        btrim(coalesce({{ cut.ring }}, '')) as ring,
        case when layout = 4 then substr(line, 29, 5)::int end as printed_seconds,
        -- HiPath 5000 writes no blanks where nobody was connected.
        case when layout = 4 and {{ cut.conversation }} = '00:00:00' then '' else btrim({{ cut.conversation }}) end as conversation,
        btrim(coalesce({{ cut.project_code }}, '')) as project_code,
        btrim(coalesce({{ cut.msn }}, '')) as msn
    from layouts
),

numbers as (
    {{ computed_once() }}
    select
        *,
        case when end_date ~ '^[0-9]{2}[.][0-9]{2}[.][0-9]{2}$' then left(end_date, 2)::int end as day,
        case when end_date ~ '^[0-9]{2}[.][0-9]{2}[.][0-9]{2}$' then substr(end_date, 4, 2)::int end as month,
        case when end_date ~ '^[0-9]{2}[.][0-9]{2}[.][0-9]{2}$' then 2000 + right(end_date, 2)::int end as year,
        case
            when end_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$'
                then left(end_time, 2)::int * 3600 + substr(end_time, 4, 2)::int * 60 + right(end_time, 2)::int
        end as end_second_of_day,
        case when ring ~ '^[0-5][0-9]:[0-5][0-9]$' then left(ring, 2)::int * 60 + right(ring, 2)::int end as ring_seconds,
        case
            when conversation ~ '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$'
                then left(conversation, 2)::int * 3600 + substr(conversation, 4, 2)::int * 60 + right(conversation, 2)::int
        end as conversation_seconds
    from fields
),

{{ hicom_codes('codes', 'numbers') }},

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when line !~ '[^ ]' then 'control_bytes'
            when layout is null and line ~ '^[-=_* ]+$' then 'separator'
            -- The printer format repeats its header on each page.
            when layout is null and line ~ '^[[:alpha:]][^0-9]* [^0-9]*$' then 'column_names'
            when line ~ '^[0-9]{2}[.][0-9]{2}[.][0-9]{2}[|]' then 'line_of_unify_openscape:layout'
            when layout is null then 'unknown_layout:layout'
            when substr(line, 17) ~ '{{ date_and_time }}' then 'second_ticket_inside:layout'
            when length(line) < shortest_length then 'line_too_short:layout'
            when btrim(substr(line, longest_length + 1)) <> '' then 'line_too_long:layout'
            -- The same duration twice: where the two differ, columns have moved.
            when printed_seconds <> coalesce(conversation_seconds, 0) then 'contradicts_seconds:duration'
            when not coalesce({{ is_day_of_month('day', 'month', 'year') }}, false) then 'no_such_day:date'
            -- What the PBX writes as long as nobody has set its clock.
            when end_date = '01.01.00' then 'clock_not_set:date'
            when end_second_of_day is null then 'no_such_time:time'
            when trunk !~ '^[0-9]*$' then 'unknown_value:trunk'
            when extension !~ '^[0-9*#]*$' then 'unknown_value:extension'
            when ring <> '' and ring_seconds is null then 'no_such_duration:ring'
            when conversation <> '' and conversation_seconds is null then 'no_such_duration:duration'
            -- Masked digits are question marks.
            when outside_number !~ '^[0-9*#?+]*$' then 'unknown_value:number'
            when charge !~ '^([0-9]{1,9}([.,][0-9]{1,6})?)?$' then 'unknown_value:charge'
            when code_fault is not null then code_fault
            when layout = 4 and information_code not in ('1', '2') then 'unknown_code:information_code'
            when msn !~ '^[0-9*#+]*$' then 'unknown_value:msn'
        end as fault
    from codes
),

ends as (
    {{ computed_once() }}
    select
        *,
        case when fault is null then make_date(year, month, day) + end_second_of_day * interval '1 second' end as local_end
    from verdicts
),

{{ clock_instants('instants', 'ends', 'local_end', 'time_zone') }},

calls as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(converted - gone_back, converted) as end_instant,
        case when outcome = 'answered' then conversation_seconds else 0 end as talk_seconds,
        -- Units have no decimals.
        charge_currency is not null or charge ~ '[.,]' as is_amount
    from instants
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('control_bytes', 'separator', 'column_names', 'ring_notification') then 'ignored'
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
        -- The PBX gives none; the segments of a call share trunk and number only.
        null::text as source_call_id,
        null::int as leg_number,
        end_instant - (coalesce(ring_seconds, 0) + coalesce(conversation_seconds, 0)) * interval '1 second' as started_at,
        case when is_ticket and outcome = 'answered' then end_instant - talk_seconds * interval '1 second' end as answered_at,
        end_instant as ended_at,
        -- Below the threshold the trunk rang, as far as is known.
        case
            when not is_ticket then null
            when outcome = 'no_answer' and conversation_seconds > 0 then coalesce(ring_seconds, 0) + conversation_seconds
            else ring_seconds
        end as ring_seconds,
        case when is_ticket then talk_seconds end as talk_seconds,
        case when is_ticket then direction end as direction,
        case when is_ticket then outcome end as outcome,
        case when not is_ticket then null when direction = 'incoming' then nullif(outside_number, '') else nullif(extension, '') end
            as caller_number,
        case
            when not is_ticket then null
            when direction = 'outgoing' then nullif(outside_number, '')
            else coalesce(nullif(msn, ''), nullif(extension, ''))
        end as called_number,
        case when is_ticket and direction = 'outgoing' then nullif(msn, '') end as presented_number,
        case when is_ticket then nullif(extension, '') end as extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        case when is_ticket and direction = 'incoming' then nullif(trunk, '') end as trunk_in,
        case when is_ticket and direction = 'outgoing' then nullif(trunk, '') end as trunk_out,
        -- On some systems these columns hold the number dialled from outside; it is kept as it stands.
        case when is_ticket then nullif(project_code, '') end as account_code,
        null::text as authorization_code,
        case when is_ticket then false end as is_private,
        -- The counters stop at 59:59 and at 23:59:59.
        case when is_ticket then is_unsupervised or ring = '59:59' or conversation = '23:59:59' end as is_estimated,
        -- Who transferred or forwarded the call stands on another line.
        null::text as transferred_from,
        case when is_ticket and information_code ~ '[56]$' then nullif(extension, '') end as transferred_to,
        case when is_ticket and not is_amount then nullif(charge, '')::int end as pulses,
        case when is_ticket and is_amount then replace(nullif(charge, ''), ',', '.') end::numeric(18, 6) as pbx_charge_amount,
        case when is_ticket and charge <> '' then charge_currency end as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from calls
)

select * from final
