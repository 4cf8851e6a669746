/*
    Unify OpenScape Business and OpenScape Office: elements between '|', each record closed by one; or, in files of systems that
    were set up so, the fixed columns of HiPath 3000. The clock is that of the END.

    Elements 1 to 9 are confirmed by the header line that the PBX itself writes; project code, MSN, seizure code and LCR route
    follow the order of HiPath 3000: cut at its columns a line has the same elements.
*/
{#- First column and width of each element: table 7-1 of the service manual of HiPath 3000. -#}
{%- set columns = [
    (1, 8), (9, 8), (17, 3), (20, 6), (26, 5), (31, 8), (39, 25), (64, 11), (75, 2), (77, 11), (88, 11), (99, 5), (104, 2),
] -%}
{#- The information code is the last column that is always there: blanks at the end of a line are often cut off. -#}
{%- set shortest_length, longest_length = 76, 112 -%}
{%- set date_and_time = '[0-9]{2}[.][0-9]{2}[.][0-9]{2}[0-9]{2}:[0-9]{2}:[0-9]{2}' -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        -- The PBX writes units or, by an option that a ticket does not show, amounts.
        settings ->> 'charge_currency' as charge_currency,
        transport in ('dropped_files', 'remote_files') as are_files
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
        pbxs.are_files,
        -- A serial line puts control bytes around a record.
        {{ without_control_bytes('tickets.body') }} as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'unify_openscape'
),

layouts as (
    {{ computed_once() }}
    select
        *,
        -- Over TCP such a line says that another PBX is on the port. The durations stand elsewhere in the columns of HiPath 5000
        -- and Hicom 100 E.
        coalesce(are_files, false)
        and line like '__.__.____:__:__%'
        and substr(line, 34, 8) not like '__:__:__'
        and substr(line, 29, 8) not like '__:__:__'
        and substr(line, 24, 5) not like '__:__' as is_in_columns
    from tickets
),

split_lines as (
    {{ computed_once() }}
    select
        *,
        case
            when is_in_columns
                then array[
                    {%- for first, width in columns %}
                    substr(line, {{ first }}, {{ width }}),
                    {%- endfor %}
                    ''
                ]
            else string_to_array(line, '|')
        end as elements
    from layouts
),

fields as (
    {{ computed_once() }}
    select
        *,
        cardinality(elements) as element_count,
        btrim(elements[1]) as end_date,
        btrim(elements[2]) as end_time,
        btrim(elements[3]) as trunk,
        btrim(elements[4]) as extension,
        btrim(elements[5]) as ring,
        btrim(elements[6]) as conversation,
        btrim(elements[7]) as outside_number,
        btrim(elements[8]) as charge,
        btrim(elements[9]) as information_code,
        btrim(coalesce(elements[10], '')) as project_code,
        btrim(coalesce(elements[11], '')) as msn,
        -- With `output LCR number`: the digits sent out, or the number dialled by the caller from outside.
        btrim(case when cardinality(elements) = 15 then elements[14] else '' end) as further_number
    from split_lines
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
            -- `Datum|Uhrzeit|...`, written before the tickets where `uncompressed` is chosen.
            when element_count between 9 and 15 and line ~ '^[[:alpha:]]+[|][[:alpha:]]+[|][^0-9]*$' then 'column_names'
            -- The entry should name the model siemens_hipath.
            when not is_in_columns and line like '__.__.____:__:__%' then 'line_of_siemens_hipath:layout'
            when is_in_columns and substr(line, 17) ~ '{{ date_and_time }}' then 'second_ticket_inside:layout'
            when is_in_columns and length(line) < {{ shortest_length }} then 'line_too_short:layout'
            when is_in_columns and btrim(substr(line, {{ longest_length + 1 }})) <> '' then 'line_too_long:layout'
            when element_count not in (10, 14, 15) then 'unknown_number_of_elements:layout'
            when btrim(elements[element_count]) <> '' then 'not_closed_by_a_separator:layout'
            -- No element is documented to be wider than 25.
            when octet_length(line) > 255 then 'line_too_long:layout'
            when not coalesce({{ is_day_of_month('day', 'month', 'year') }}, false) then 'no_such_day:date'
            -- What the PBX writes as long as nobody has set its clock.
            when end_date = '01.01.00' then 'clock_not_set:date'
            when end_second_of_day is null then 'no_such_time:time'
            when trunk !~ '^[0-9]*$' then 'unknown_value:trunk'
            when extension !~ '^[0-9*#]*$' then 'unknown_value:extension'
            when ring <> '' and ring_seconds is null then 'no_such_duration:ring'
            when conversation <> '' and conversation_seconds is null then 'no_such_duration:duration'
            when outside_number !~ '^[0-9*#?+]*$' then 'unknown_value:number'
            when charge !~ '^([0-9]{1,9}([.,][0-9]{1,6})?)?$' then 'unknown_value:charge'
            when code_fault is not null then code_fault
            when msn !~ '^[0-9*#+]*$' then 'unknown_value:msn'
            when further_number !~ '^[0-9*#?+]*$' then 'unknown_value:lcr_number'
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
            when fault in ('control_bytes', 'column_names', 'ring_notification') then 'ignored'
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
        -- The clock is that of the end: the answer is known even where the ringing is not shown.
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
            else coalesce(nullif(further_number, ''), nullif(msn, ''), nullif(extension, ''))
        end as called_number,
        case when is_ticket and direction = 'outgoing' then nullif(msn, '') end as presented_number,
        case when is_ticket then nullif(extension, '') end as extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        case when is_ticket and direction = 'incoming' then nullif(trunk, '') end as trunk_in,
        case when is_ticket and direction = 'outgoing' then nullif(trunk, '') end as trunk_out,
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
