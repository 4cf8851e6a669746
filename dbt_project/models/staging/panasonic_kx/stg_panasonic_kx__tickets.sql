/*
    Panasonic KX-TDA, TDE, NCP, NS (and TES, TEA): lines of type A, B or C, with a clock of 12 or 24 hours.

    Date and time stand in the same columns in all types. What follows is read from both ends: extension and trunk from the
    left; code, account, cost, duration and ringing from the right; what is left between them was dialled. So each line is
    read by what is on it, and the columns of type C, of which only the widths are documented, are never counted.
*/
{#- Where each order of date (a setting of the PBX) has its parts among the six digits. -#}
{%- set date_orders = {
    'dmy': {'day': 1, 'month': 3, 'year': 5},
    'mdy': {'month': 1, 'day': 3, 'year': 5},
    'ymd': {'year': 1, 'month': 3, 'day': 5},
    'ydm': {'year': 1, 'day': 3, 'month': 5},
} -%}
{#- The start of a ticket wherever it stands: two of them in a line are two records run together. -#}
{%- set ticket_start = '[0-9*]{2}/[0-9*]{2}/[0-9*]{2} +[0-9]{2}:[0-9]{2}' -%}
{#- A name and a number may be run together; the number is what ends the text. -#}
{%- set number_at_end = '[+]?[0-9*#][0-9*#.]*X*$' -%}
{#- What was dialled: digits and marks, or the name of a dialled number that is run together with it as well. -#}
{%- set dialled_digits = '^[+]?[0-9*#.XPF=]+$' -%}
{%- set dialled_name_and_number = "^[A-Za-z\u00c0-\u00ff][^0-9<>:'']*[0-9*#][0-9*#.]*X*$" -%}
{#- What the dialogue of the login leaves in a capture: its prompts, what was typed, its answers. -#}
{%- set login_texts = '^(smdr|enter password: *[*]*|pccsmdr|no such command[.]?|goodbye[.]?)$' -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        -- What the PBX was told to do, and a single ticket does not show.
        lower(coalesce(settings ->> 'date_order', 'dmy')) as date_order,
        lower(coalesce(settings ->> 'clock_means', 'end')) as clock_means,
        upper(settings ->> 'charge_currency') as pbx_currency
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
        pbxs.date_order,
        pbxs.clock_means,
        pbxs.pbx_currency,
        -- A form feed begins a page, and the prompt of the login may stand before the first line.
        ltrim(btrim(tickets.body, ' ' || chr(12)), '- ' || chr(12)) as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'panasonic_kx'
),

heads as (
    {{ computed_once() }}
    select
        *,
        -- Stars for the day: the clock was set four times or more.
        line like '**/**/** __:__%' as has_no_day,
        -- Then stars for the time too.
        line like '**/**/** **:**%' as has_no_time,
        case
            when line like '**/**/** **:**%' then '0101010000'
            when line like '__/__/__ __:__%'
                then
                    replace(substr(line, 1, 2) || substr(line, 4, 2) || substr(line, 7, 2), '******', '010101')
                    || substr(line, 10, 2) || substr(line, 13, 2)
        end as clock_digits,
        case when substr(line, 15, 2) in ('AM', 'PM') then substr(line, 15, 2) end as half_of_day,
        case when substr(line, 15, 2) in ('AM', 'PM', '**') then substr(line, 17) else substr(line, 15) end as sides
    from tickets
),

left_sides as (
    {{ computed_once() }}
    select
        *,
        -- Only an extension of five digits behind AM or PM may touch the time.
        case
            when clock_digits ~ '^[0-9]{10}$' and (half_of_day is not null or left(sides, 1) = ' ') then clock_digits::bigint
        end as clock_number,
        -- The extension ends at column 21 or 22: what begins behind is a trunk without an extension.
        length(line) - length(ltrim(sides)) >= 22 as has_no_party,
        ltrim(sides) as side
    from heads
),

parties as (
    {{ computed_once() }}
    select
        *,
        case when has_no_party then '' else split_part(side, ' ', 1) end as party,
        case when has_no_party then ' ' || side else substr(side, length(split_part(side, ' ', 1)) + 1) end as beside_party
    from left_sides
),

trunks as (
    {{ computed_once() }}
    select
        *,
        -- One blank behind the extension: two digits in types A and B, four in type C. More blanks: no trunk.
        case when beside_party ~ '^ ([0-9]{2}|[0-9]{4})( |$)' then split_part(beside_party, ' ', 2) end as trunk
    from parties
),

right_sides as (
    {{ computed_once() }}
    select
        *,
        ' ' || btrim(substr(beside_party, coalesce(length(trunk), 0) + 2)) || ' ' as beside_trunk
    from trunks
),

apostrophes as (
    {{ computed_once() }}
    select
        *,
        -- Nothing behind the duration has an apostrophe: the last one is its.
        length(beside_trunk) - length(split_part(beside_trunk, '''', -1)) as apostrophe_column
    from right_sides
),

durations_printed as (
    {{ computed_once() }}
    select
        *,
        case
            when substr(beside_trunk, apostrophe_column - 6, 10) ~ '^ [0-9]{2}:[0-9]{2}''[0-9]{2} $'
                then substr(beside_trunk, apostrophe_column - 5, 8)
        end as duration
    from apostrophes
),

-- A line without a duration may end with a code, two blanks or more behind the text.
ends as (
    {{ computed_once() }}
    select
        *,
        btrim(case
            when duration is null then regexp_replace(beside_trunk, '(^ | {2,})[A-Z][A-Z0-9] $', '')
            else left(beside_trunk, apostrophe_column - 6)
        end) as dialled_and_ringing,
        case
            when duration is null then coalesce(regexp_match(beside_trunk, '(?:^ | {2,})([A-Z][A-Z0-9]) $'), '{}')
            else array_remove(string_to_array(substr(beside_trunk, apostrophe_column + 4), ' '), '')
        end as end_texts
    from durations_printed
),

fields as (
    {{ computed_once() }}
    select
        *,
        case when ' ' || dialled_and_ringing ~ ' ([0-9]''[0-9]{2}|[*]''[*]{2})$' then right(dialled_and_ringing, 4) end as ringing,
        -- A cost is longer than a code and shows a decimal point or a currency; an account of digits does not.
        case when length(end_texts[1]) > 3 and end_texts[1] ~ '[^0-9*#]' then end_texts[1] end as charge,
        case
            when length(end_texts[cardinality(end_texts)]) <= 3 and end_texts[cardinality(end_texts)] !~ '^[0-9*#]'
                then end_texts[cardinality(end_texts)]
        end as condition_code
    from ends
),

numbers as (
    {{ computed_once() }}
    select
        *,
        (clock_number / 100 % 100)::int as clock_hour,
        (clock_number % 100)::int as clock_minute,
        {%- for part in ['day', 'month', 'year'] %}
        case date_order
            {%- for date_order, first_digits in date_orders.items() %}
            when '{{ date_order }}' then (clock_number / {{ 10 ** (9 - first_digits[part]) }} % 100)::int
            {%- endfor %}
        end as {{ part }}{{ '_of_century' if part == 'year' }},
        {%- endfor %}
        btrim(case when ringing is null then dialled_and_ringing else left(dialled_and_ringing, -4) end) as dialled,
        case
            when ringing <> '*''**' and substr(ringing, 3, 2) < '60' then left(ringing, 1)::int * 60 + right(ringing, 2)::int
        end as ring_seconds,
        case
            when substr(duration, 4, 2) < '60' and substr(duration, 7, 2) < '60'
                then left(duration, 2)::int * 3600 + substr(duration, 4, 2)::int * 60 + right(duration, 2)::int
        end as record_seconds,
        -- The counter stops there: a call that the PBX never saw end.
        coalesce(duration = '11:59''59', false) as is_longest,
        -- Eight characters of amount; a currency of up to three before or behind.
        case
            when charge ~ '^([^0-9.]{0,3}[0-9.]{8}|[0-9.]{8}[^0-9.]{1,3})$' then substring(charge from '[0-9.]{8}')
        end as charge_digits,
        array_remove(array_remove(end_texts, charge), condition_code) as account_codes
    from fields
),

readings as (
    {{ computed_once() }}
    select
        *,
        case
            when has_no_time then floor(extract(epoch from (received_at at time zone time_zone)::time))::int
            when half_of_day is null then clock_hour * 3600 + clock_minute * 60
            else (clock_hour % 12 + case half_of_day when 'PM' then 12 else 0 end) * 3600 + clock_minute * 60
        end as second_of_day,
        clock_hour between 0 and case when half_of_day is null then 23 else 12 end and clock_minute < 60 as is_time_of_day,
        case
            when dialled like '<I>%' or dialled like '<D>%' then 'incoming'
            when dialled like 'EXT%' and trunk is null then 'internal'
            else 'outgoing'
        end as dialled_direction,
        case when pg_input_is_valid(charge_digits, 'numeric') then charge_digits::numeric(18, 6) end as charge_amount,
        replace(charge, charge_digits, '') as charge_currency,
        -- Marks a call that was transferred; what whoever got it then dialled may stand behind the mark.
        case when dialled like '%-%' then regexp_replace(dialled, '-+$|(?<=[0-9*#.X])-[0-9*#.]+$', '') else dialled end
            as dialled_text
    from numbers
),

parts as (
    {{ computed_once() }}
    select
        *,
        case
            when has_no_day
                then
                    (received_at at time zone time_zone)::date
                    - case
                        when second_of_day > extract(epoch from (received_at at time zone time_zone)::time) then 1
                        else 0
                    end
            when {{ is_day_of_month('day', 'month', '(2000 + year_of_century)') }}
                then make_date(2000 + year_of_century, month, day)
        end as local_day,
        case when dialled_text like '<D>%' then btrim(split_part(substr(dialled_text, 4), '<I>', 1)) end as direct_dial_text,
        case
            when dialled_direction = 'incoming' and dialled_text like '%<I>%'
                then btrim(substr(dialled_text, position('<I>' in dialled_text) + 3))
        end as caller_text,
        case when dialled_direction = 'internal' then substr(dialled_text, 4) end as called_extension
    from readings
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when date_order not in ('dmy', 'mdy', 'ymd', 'ydm') then 'unknown_setting:date_order'
            when clock_means not in ('end', 'start') then 'unknown_setting:clock_means'
            when clock_number is null
                then
                    case
                        when line = '' or line ilike 'date%time%ext%' then 'page_header'
                        when line ~* '{{ login_texts }}' then 'login_dialogue'
                        else 'unknown_layout:layout'
                    end
            when line ~ '[\x01-\x1f\x7f]' then 'control_byte_inside:layout'
            when split_part(line, '/', 4) <> '' and substr(line, 2) ~ '{{ ticket_start }}' then 'second_ticket_inside:layout'
            -- Type C, the widest, has 120 columns.
            when length(line) > 120 then 'line_too_long:layout'
            when trunk is null and btrim(beside_trunk) = '' then 'cut_short:layout'
            when local_day is null then 'no_such_day:date'
            when not is_time_of_day then 'no_such_time:time'
            when condition_code in ('RC', 'AN', 'VR', 'VA') then 'call_progress'
            -- Log-in and log-out, absence, check-in, reminders, errors: words where other lines have a number.
            when
                dialled ~ '^<I>S[0-9]+$'
                or (trunk is null and duration is null and dialled ~* '^[a-z]([^0-9 ]| (?! )){2,}$|^[a-z]* *error')
                then 'event'
            when party = '' then 'missing:extension'
            when party !~ '^([0-9]{1,5}|[DT*][0-9]{1,4})$' then 'unknown_value:extension'
            when trunk is null and dialled_direction <> 'internal' then 'missing:trunk'
            when record_seconds is null and (trunk is not null or duration is not null) then 'no_such_duration:duration'
            when ringing <> '*''**' and ring_seconds is null then 'no_such_duration:ring'
            when charge is not null and charge_amount is null then 'unknown_value:cost'
            when cardinality(account_codes) > 1 or account_codes[1] !~ '^[0-9*#]{1,10}$' then 'unknown_value:account_code'
            when condition_code not in ('TR', 'FW', 'D0', 'D1', 'D2', 'D3', 'D4', 'RM', 'NA') then 'unknown_code:condition_code'
            when dialled_text = '' then 'missing:dialled'
            when
                -- Ringing that does not hold, and what is left of another line: times, marks, numbers behind a gap.
                dialled ~ ' {2}[^ ]{0,3}''[^ ]*$|[0-9]:[0-9]'
                or coalesce(direct_dial_text, '') || coalesce(caller_text, '') ~ '[<>]'
                or caller_text ~ '^[0-9*#.X+]+ [0-9*#.X+ ]+$'
                or (dialled_direction = 'outgoing' and dialled_text !~ '{{ dialled_digits }}|{{ dialled_name_and_number }}')
                or (dialled_direction = 'internal' and called_extension !~ '^[0-9*#]+$')
                then 'unknown_value:dialled'
        end as fault,
        case
            when condition_code = 'NA' or coalesce(record_seconds, 0) = 0 then 'no_answer'
            -- Without answer supervision the answer is a guess from the duration (rule R9).
            when dialled_direction = 'outgoing' and record_seconds < answer_threshold_seconds then 'no_answer'
            else 'answered'
        end as read_outcome,
        dialled_direction = 'outgoing'
        and coalesce(record_seconds, 0) > 0
        and coalesce(condition_code, '') <> 'NA'
        and answer_threshold_seconds is not null as is_unsupervised
    from parts
),

{{ clock_instants('instants', 'verdicts', "case when fault is null then local_day + second_of_day * interval '1 second' end",
    'time_zone') }},

durations as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(converted - gone_back, converted) as instant,
        case when fault is null then dialled_direction end as direction,
        case when fault is null then read_outcome end as outcome,
        case
            when fault is not null then null
            -- Below the threshold the trunk rang, as far as is known.
            when is_unsupervised and read_outcome = 'no_answer' then coalesce(ring_seconds, 0) + record_seconds
            else ring_seconds
        end as rung_seconds,
        case when fault is not null then null when read_outcome = 'answered' then record_seconds else 0 end as talk_seconds
    from instants
),

calls as (
    {{ computed_once() }}
    select
        *,
        -- The clock is that of the end, and of the start on TES, TEA and TEB.
        case clock_means
            when 'start' then instant
            else instant - (coalesce(rung_seconds, 0) + talk_seconds) * interval '1 second'
        end as started_at
    from durations
),

final as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('page_header', 'login_dialogue', 'event', 'call_progress') then 'ignored'
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
        null::text as source_call_id,
        null::int as leg_number,
        started_at,
        case when outcome = 'answered' then started_at + rung_seconds * interval '1 second' end as answered_at,
        started_at + (coalesce(rung_seconds, 0) + talk_seconds) * interval '1 second' as ended_at,
        rung_seconds as ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case
            when direction in ('outgoing', 'internal') then party
            when direction = 'incoming' then substring(caller_text from '{{ number_at_end }}')
        end as caller_number,
        case
            when direction = 'internal' then called_extension
            when direction = 'outgoing'
                then
                    case
                        when dialled_text ~ '{{ dialled_digits }}' then dialled_text
                        else substring(dialled_text from '{{ number_at_end }}')
                    end
            when direction = 'incoming' then coalesce(substring(direct_dial_text from '{{ number_at_end }}'), party)
        end as called_number,
        null::text as presented_number,
        case when is_ticket then party end as extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        case when direction = 'incoming' then trunk end as trunk_in,
        case when direction = 'outgoing' then trunk end as trunk_out,
        case when is_ticket then account_codes[1] end as account_code,
        -- A call made with a verification code stands under it, wherever it was made.
        case when is_ticket and party like '*%' then substr(party, 2) end as authorization_code,
        case when is_ticket then false end as is_private,
        -- A line without a duration does not say whether the call was answered.
        case when is_ticket then record_seconds is null or is_longest or is_unsupervised end as is_estimated,
        null::text as transferred_from,
        case when is_ticket and condition_code = 'TR' then party end as transferred_to,
        null::int as pulses,
        case when is_ticket then charge_amount end::numeric(18, 6) as pbx_charge_amount,
        case
            when not is_ticket or charge is null then null
            when charge_currency = 'EU' then 'EUR'
            when charge_currency ~ '^[A-Z]{3}$' then charge_currency
            else pbx_currency
        end as pbx_charge_currency,
        case when is_ticket then true end as time_is_minute,
        case when is_ticket then has_no_day end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from calls
)

select * from final
