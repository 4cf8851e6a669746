/*
    Mitel 3300 / MiVoice Business: fixed columns, three layouts told apart by the shape of date, time and duration.

    A step cuts a piece of the line and the next ones read that: in UTF-8 a substr costs as much as all the text before its end.
*/
{#- Mitel's tables of the standard, the extended and the level 2 layout: first column and width of each field. -#}
{%- set cut = column_cuts([
    {
        'line': {'afternoon': (13, 1), 'line_middle': (24, 62), 'line_end': (92, 129)},
        'line_middle': {
            'calling_party': (24, 4), 'time_to_answer': (30, 3), 'digits': (34, 26), 'completion': (60, 1), 'called_party': (62, 4),
            'transfer': (66, 1), 'third_party': (68, 4), 'account_code': (73, 12),
        },
        'line_end': {'ani': (92, 10), 'dnis': (103, 10), 'call_ids': (114, 107)},
    },
    {
        'line': {'afternoon': (13, 1), 'line_middle': (26, 71), 'line_end': (103, 118)},
        'line_middle': {
            'calling_party': (26, 7), 'time_to_answer': (34, 4), 'digits': (39, 26), 'completion': (65, 1), 'called_party': (67, 7),
            'transfer': (74, 1), 'third_party': (76, 7), 'account_code': (84, 12),
        },
        'line_end': {'ani': (103, 10), 'dnis': (114, 7), 'call_ids': (122, 99)},
    },
    {
        'line': {'afternoon': (16, 1), 'line_middle': (29, 71), 'line_end': (114, 107)},
        'line_middle': {
            'calling_party': (29, 7), 'time_to_answer': (37, 4), 'digits': (42, 26), 'completion': (68, 1), 'called_party': (70, 7),
            'transfer': (77, 1), 'third_party': (79, 7),
        },
        'line_end': {'call_ids': (114, 107)},
    },
]) -%}
{#- The start of a ticket wherever it stands: two of them in a line are two records run together. -#}
{%- set ticket_start = '[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?[ P]? ?[0-9]{2,4}:[0-9]{2}:[0-9]{2}' -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        -- Options of the PBX that a single ticket does not show.
        coalesce(settings ->> 'clock_hours' = '12', false) as has_12_hour_clock,
        coalesce(settings ->> 'meter_pulses' = 'true', false) as has_meter_pulses
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
        pbxs.has_12_hour_clock,
        pbxs.has_meter_pulses,
        -- Some collectors put the day of receipt before the ticket: @yyyymmdd@.
        case when tickets.body like '@%' and tickets.body ~ '^@[0-9]{8}@' then substr(tickets.body, 2, 8) end as stamp,
        case when tickets.body like '@%' and tickets.body ~ '^@[0-9]{8}@' then substr(tickets.body, 11) else tickets.body end
            as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'mitel_3300'
),

-- LIKE tells the separators at a tenth of the cost of a regular expression; the digits are tested together, two steps below.
shapes as (
    {{ computed_once() }}
    select
        *,
        case
            when line like '___/__ __:___ __:__:__ %' or line like '___/__ __:___ __:__:__' then 1
            when line like '___/__ __:___ ____:__:__ %' or line like '___/__ __:___ ____:__:__' then 2
            when line like '___/__ __:__:___ ____:__:__ %' or line like '___/__ __:__:___ ____:__:__' then 3
        end as layout
    from tickets
),

heads as (
    {{ computed_once() }}
    select
        *,
        -- 1, MMDDhhmmss of the start and hhhhmmss of the duration.
        '1' || substr(line, 2, 2) || substr(line, 5, 2) || substr(line, 8, 2) || substr(line, 11, 2)
        || case layout
            when 1 then '0000' || substr(line, 15, 2) || substr(line, 18, 2) || substr(line, 21, 2)
            when 2 then '00' || substr(line, 15, 4) || substr(line, 20, 2) || substr(line, 23, 2)
            when 3 then substr(line, 14, 2) || substr(line, 18, 4) || substr(line, 23, 2) || substr(line, 26, 2)
        end as head_digits,
        {{ cut.afternoon }} as afternoon,
        {{ cut.line_middle }} as line_middle,
        case when octet_length(line) > 91 then {{ cut.line_end }} end as line_end
    from shapes
),

-- The fields as text, and all numbers of the head as one: cheaper than ten casts.
fields as (
    {{ computed_once() }}
    select
        *,
        case
            when
                pg_input_is_valid(head_digits, 'bigint')
                -- Not so for what a cast takes beside digits: blanks, signs, underscores.
                and head_digits::bigint::text = head_digits
                and afternoon in (' ', 'P')
                then head_digits::bigint
        end as head_number,
        btrim({{ cut.calling_party }}) as calling_party,
        btrim({{ cut.time_to_answer }}) as time_to_answer,
        {{ cut.digits }} as digits_columns,
        btrim({{ cut.completion }}) as completion,
        btrim({{ cut.called_party }}) as called_party,
        {{ cut.transfer }} as transfer,
        btrim({{ cut.third_party }}) as third_party,
        {{ cut.call_ids }} as call_ids,
        -- A stamp from the future says nothing.
        case
            when
                pg_input_is_valid(stamp, 'date')
                and stamp::date <= (received_at + interval '24 hours') at time zone time_zone
                then stamp::date
        end as stamped_day
    from heads
),

numbers as (
    {{ computed_once() }}
    select
        *,
        (head_number / 10000000000000000 % 100)::int as month,
        (head_number / 100000000000000 % 100)::int as day,
        (head_number / 1000000000000 % 100)::int as clock_hour,
        (head_number / 10000000000 % 100)::int as clock_minute,
        (head_number / 100000000 % 100)::int as clock_second,
        (head_number / 10000 % 10000)::int as duration_hours,
        (head_number / 100 % 100)::int as duration_minutes,
        (head_number % 100)::int as duration_seconds,
        left(calling_party, 1) in ('T', 'X') and calling_party ~ '^.[0-9]+$' as is_from_trunk,
        left(called_party, 1) in ('T', 'X') and called_party ~ '^.[0-9]+$' as is_to_trunk,
        btrim(case when has_meter_pulses then left(digits_columns, 21) else digits_columns end) as digits,
        case when has_meter_pulses then btrim(substr(digits_columns, 22)) end as pulses,
        time_to_answer like '*%' and btrim(time_to_answer, '*') = '' as is_never_answered,
        case when time_to_answer ~ '^[0-9]+$' then time_to_answer::int end as answer_seconds,
        transfer in ('T', 'X') and third_party <> '' as is_transferred,
        case
            when stamped_day is not null then stamped_day + interval '1 day' - interval '1 microsecond'
            else (received_at + interval '24 hours') at time zone time_zone
        end as latest_start
    from fields
),

readings as (
    {{ computed_once() }}
    select
        *,
        case
            when afternoon = 'P' then clock_hour % 12 + 12
            when clock_hour = 12 and has_12_hour_clock then 0
            else clock_hour
        end * 3600 + clock_minute * 60 + clock_second as start_second_of_day,
        clock_hour < case when afternoon = 'P' then 13 else 24 end and clock_minute < 60 and clock_second < 60
            as is_time_of_day,
        -- 99:99:99 is 100 hours or more; 100 is the least it can be.
        layout = 1 and duration_hours = 99 and duration_minutes = 99 and duration_seconds = 99 as is_longest,
        case
            when layout = 1 and duration_hours = 99 and duration_minutes = 99 and duration_seconds = 99 then 360000
            when duration_minutes < 60 and duration_seconds < 60
                then duration_hours * 3600 + duration_minutes * 60 + duration_seconds
        end as record_seconds,
        date_part('year', latest_start)::int as newest_year,
        date_part('year', latest_start - interval '24 hours')::int - 1 as oldest_year,
        case
            when completion = 'I' then 'internal'
            when is_from_trunk and is_to_trunk then 'transit'
            when is_from_trunk then 'incoming'
            when is_to_trunk or called_party = '' then 'outgoing'
            else 'internal'
        end as read_direction,
        -- Network format: the originator, a blank, the digits. The calling party itself before the blank says nothing new.
        case
            when digits like '% %' then nullif(split_part(digits, ' ', 1), case when is_from_trunk then '' else calling_party end)
        end as originator,
        nullif(case when digits like '% %' then ltrim(substr(digits, position(' ' in digits))) else digits end, '')
            as plain_digits
    from numbers
),

starts as (
    {{ computed_once() }}
    select
        *,
        -- Rule R4: the newest year that puts the start at most one day after receipt. A time that does not hold is named after
        -- the date: it must not hide a day that does.
        case
            {%- for age in [0, 1, 2] %}
            when
                newest_year - {{ age }} >= oldest_year
                and {{ is_day_of_month('day', 'month', '(newest_year - %d)' % age) }}
                {%- if age == 0 %}
                and make_date(newest_year, month, day)
                + case when is_time_of_day then start_second_of_day else 0 end * interval '1 second' <= latest_start
                {%- endif %}
                then
                    make_date(newest_year - {{ age }}, month, day)
                    + case when is_time_of_day then start_second_of_day else 0 end * interval '1 second'
            {%- endfor %}
        end as local_start,
        -- `T` is toll denied on the way out, and an answer by pickup on the way in.
        case
            when completion in ('B', 'O') then 'busy'
            when completion in ('E', 'D', 'S', 'U') or (completion = 'T' and read_direction = 'outgoing') then 'failed'
        end as refusal,
        -- Without answer supervision the answer is a guess from the duration (rule R9).
        read_direction in ('outgoing', 'transit') and time_to_answer = '' and completion = '' and record_seconds > 0
            as is_unsupervised
    from readings
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when head_number is null and (line ~ '^.?[0-9]{2}/[0-9]{2}' or line ~ '{{ ticket_start }}') then 'unknown_layout:layout'
            when head_number is null then 'event'
            -- Tabs move the columns, and no party or number has a control byte; a NUL stands as \x00.
            when line ~ '[\x01-\x1f\x7f\\]' then 'control_byte_inside:layout'
            when split_part(line, '/', 3) <> '' and substr(line, 8) ~ '{{ ticket_start }}' then 'second_ticket_inside:layout'
            -- No documented set of options makes a line longer.
            when octet_length(line) > 220 and btrim(substr(line, 221)) <> '' then 'line_too_long:layout'
            when local_start is null then 'no_such_day:date'
            when not is_time_of_day then 'no_such_time:start_time'
            when record_seconds is null then 'no_such_duration:duration'
            when calling_party = '' then 'missing:calling_party'
            when time_to_answer <> '' and answer_seconds is null and not is_never_answered then 'unknown_value:time_to_answer'
            when completion not in ('', 'A', 'T', 'B', 'E', 'I', 'O', 'D', 'S', 'U') then 'unknown_code:completion'
            when not is_from_trunk and digits = '' and called_party = '' then 'missing:digits'
            when pulses !~ '^[0-9]*$' then 'unknown_value:pulses'
            -- Whoever talked is named behind the digits, or the trunk is: the line ends among them, and they may not be all.
            when record_seconds > 0 and length(line) < case layout when 1 then 60 when 2 then 65 else 68 end
                then 'cut_short:layout'
        end as fault,
        case
            when is_never_answered then coalesce(refusal, 'no_answer')
            when record_seconds = 0 and refusal is not null then refusal
            when answer_seconds is not null or (completion = 'A' and read_direction = 'outgoing') then 'answered'
            when is_unsupervised and record_seconds < answer_threshold_seconds then 'no_answer'
            when record_seconds > 0 then 'answered'
            else 'no_answer'
        end as read_outcome
    from starts
),

{{ clock_instants('instants', 'verdicts', 'case when fault is null then local_start end', 'time_zone') }},

calls as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(converted - gone_back, converted) as instant,
        case when fault is null then read_direction end as direction,
        case when fault is null then read_outcome end as outcome,
        case
            when fault is not null or is_never_answered then null
            -- Below the threshold the trunk rang, as far as is known.
            when is_unsupervised and read_outcome = 'no_answer' then record_seconds
            else answer_seconds
        end as ring_seconds,
        case when fault is not null then null when read_outcome = 'answered' then record_seconds else 0 end as talk_seconds,
        -- The call id stands in its columns; on some releases with a blank before the sequence letter, or a little off.
        case
            when fault is not null or call_ids is null then null
            when
                (call_ids like '_________ %' or call_ids like '_________')
                and ascii(call_ids) between 65 and 90
                and ascii(substr(call_ids, 9, 1)) between 65 and 90
                and substr(call_ids, 2, 7) ~ '^[0-9]+$'
                then array[left(call_ids, 8), substr(call_ids, 9, 1)]
            when btrim(call_ids) <> '' then regexp_match(call_ids, '(?:^| )([A-Z][0-9]{7}) ?([A-Z])(?: |$)')
        end as call_id
    from instants
),

final as (
    select
        ticket_id,
        case when is_ticket then 'ticket' when fault = 'event' then 'ignored' else 'rejected' end as state,
        nullif(split_part(fault, ':', 1), '') as state_reason,
        nullif(split_part(fault, ':', 2), '') as state_field,
        pbx_id,
        model,
        delivery_id,
        ordinal,
        batch_id,
        received_at,
        call_id[1] as source_call_id,
        ascii(call_id[2]) - 64 as leg_number,
        instant as started_at,
        case when outcome = 'answered' then instant + ring_seconds * interval '1 second' end as answered_at,
        instant + (coalesce(ring_seconds, 0) + talk_seconds) * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case
            when direction in ('outgoing', 'internal') then calling_party
            -- Level 2 has a wide column at its end: the ANI comes first, and without one a call id may stand there.
            when is_ticket and layout = 3
                then coalesce(left(substring(call_ids from '^ {0,9}(?![A-Z][0-9]{7}(?:[A-Z]| |$))([^ ]+)'), 21), originator)
            when is_ticket then coalesce(nullif(btrim({{ cut.ani }}), ''), originator)
        end as caller_number,
        case
            when direction = 'internal' then coalesce(nullif(called_party, ''), plain_digits)
            when direction = 'outgoing' then plain_digits
            when is_ticket then coalesce(plain_digits, nullif(btrim({{ cut.dnis }}), ''), nullif(called_party, ''))
        end as called_number,
        case when direction = 'outgoing' then originator end as presented_number,
        case
            when direction in ('outgoing', 'internal') then calling_party
            when direction = 'incoming' and is_transferred and third_party !~ '^[TX][0-9]+$' then third_party
            when direction = 'incoming' then nullif(called_party, '')
        end as extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        case when is_ticket and is_from_trunk then calling_party end as trunk_in,
        case when is_ticket and is_to_trunk then called_party end as trunk_out,
        -- Where Level 2 puts it is not documented.
        case when is_ticket then nullif(btrim({{ cut.account_code }}), '') end as account_code,
        null::text as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised or is_longest end as is_estimated,
        case
            when not is_ticket or not is_transferred then null
            when direction = 'outgoing' then calling_party
            else nullif(called_party, '')
        end as transferred_from,
        case when is_ticket and is_transferred then third_party end as transferred_to,
        case when is_ticket then nullif(pulses, '')::int end as pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then layout <> 3 end as time_is_minute,
        case when is_ticket then stamped_day is null end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from calls
)

select * from final
