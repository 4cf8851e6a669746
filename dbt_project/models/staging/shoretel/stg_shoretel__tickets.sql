/*
    ShoreTel: fixed columns, in the layouts of releases 6.1 and 7.5, told apart by the column of the direction digit.

    There is no number of the party called on incoming calls, no ringing, no cost, and there are no internal calls.
*/
{#- ShoreTel's tables of release 7.5 and of release 6.1: first column and width of each field. -#}
{%- set cut = column_cuts([
    {
        'line': {
            'extension': (32, 16), 'duration': (49, 8), 'direction_code': (58, 1), 'dialled_number': (60, 16), 'caller_id': (77, 16),
            'trunk_group': (99, 3), 'account_code': (103, 20), 'line_end': (123, 999),
        },
    },
    {
        'line': {
            'extension': (32, 7), 'duration': (40, 8), 'direction_code': (49, 1), 'dialled_number': (51, 16), 'caller_id': (68, 16),
            'trunk_group': (90, 3), 'account_code': (94, 20), 'line_end': (114, 999),
        },
    },
]) -%}
{#- The start of a ticket wherever it stands: two of them in a line are two records run together. -#}
{%- set ticket_start = '[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}' -%}

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
        -- The blanks that a shorter line has lost.
        rpad(tickets.body, greatest(length(tickets.body), 124)) as line
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'shoretel'
),

-- Blanks between the fields belong to the shape: a line that lost a character has neither of the two.
shapes as (
    {{ computed_once() }}
    select
        *,
        case
            when
                line like '__________ __________ ________ ________________ __:__:__ _ ________________ ________________ ____ ___ %'
                and substr(line, 58, 1) between '0' and '9'
                then 1
            when
                line like '__________ __________ ________ _______ __:__:__ _ ________________ ________________ ____ ___ %'
                and substr(line, 49, 1) between '0' and '9'
                then 2
        end as layout
    from tickets
),

fields as (
    {{ computed_once() }}
    select
        *,
        btrim(left(line, 10)) as call_id,
        substr(line, 12, 10) as start_date,
        substr(line, 23, 8) as start_time,
        {{ cut.duration }} as duration,
        {{ cut.direction_code }} as direction_code,
        btrim({{ cut.extension }}) as extension,
        btrim({{ cut.dialled_number }}) as dialled_number,
        btrim({{ cut.caller_id }}) as caller_id,
        btrim({{ cut.trunk_group }}) as trunk_group,
        btrim({{ cut.account_code }}) as account_code,
        btrim({{ cut.line_end }}) as line_end
    from shapes
),

numbers as (
    {{ computed_once() }}
    select
        *,
        case
            when start_date ~ '^[0-9]{2}/[0-9]{2}/[0-9]{4}$'
                then array[left(start_date, 2)::int, substr(start_date, 4, 2)::int, right(start_date, 4)::int]
        end as month_day_year,
        case when start_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$' then start_time::interval end as time_of_day,
        case
            when duration ~ '^[0-9]{2}:[0-5][0-9]:[0-5][0-9]$'
                then left(duration, 2)::int * 3600 + substr(duration, 4, 2)::int * 60 + right(duration, 2)::int
        end as record_seconds,
        case direction_code when '0' then 'incoming' when '1' then 'outgoing' when '2' then 'transit' when '3' then 'transit' end
            as read_direction
    from fields
),

readings as (
    {{ computed_once() }}
    select
        *,
        case
            when {{ is_day_of_month('month_day_year[2]', 'month_day_year[1]', 'month_day_year[3]') }}
                then make_date(month_day_year[3], month_day_year[1], month_day_year[2])
        end as start_day,
        -- Without answer supervision the answer is a guess from the duration (rule R9).
        direction_code in ('1', '3') and record_seconds > 0 and answer_threshold_seconds is not null as is_unsupervised
    from numbers
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when layout is null or line ~ '[\x01-\x1f\x7f]' then 'unknown_layout:layout'
            when substr(line, 23) ~ '{{ ticket_start }}' then 'second_ticket_inside:layout'
            when line_end <> '' then 'line_too_long:layout'
            -- Every call has a trunk: a line that ends before it was cut.
            when trunk_group = '' then 'cut_short:layout'
            when call_id !~ '^[0-9]+$' then 'unknown_value:call_id'
            when start_day is null then 'no_such_day:date'
            when time_of_day is null then 'no_such_time:start_time'
            when record_seconds is null then 'no_such_duration:duration'
            -- Release 6.1 has no tandem calls.
            when read_direction is null or (layout = 2 and read_direction = 'transit') then 'unknown_code:direction'
            when direction_code in ('1', '3') and dialled_number = '' then 'missing:dialled_number'
            when trunk_group !~ '^[0-9]+$' then 'unknown_value:trunk_group'
        end as fault
    from readings
),

{{ clock_instants('instants', 'verdicts', 'case when fault is null then start_day + time_of_day end', 'time_zone') }},

calls as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(converted - gone_back, converted) as instant,
        case when fault is null then read_direction end as direction,
        case
            when fault is not null then null
            when record_seconds = 0 or (is_unsupervised and record_seconds < answer_threshold_seconds) then 'no_answer'
            else 'answered'
        end as outcome
    from instants
),

durations as (
    {{ computed_once() }}
    select
        *,
        -- Below the threshold the trunk rang, as far as is known.
        case when outcome = 'no_answer' and record_seconds > 0 then record_seconds end as ring_seconds,
        case outcome when 'answered' then record_seconds when 'no_answer' then 0 end as talk_seconds
    from calls
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
        case when is_ticket then call_id end as source_call_id,
        null::int as leg_number,
        instant as started_at,
        null::timestamptz as answered_at,
        instant + (coalesce(ring_seconds, 0) + talk_seconds) * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case
            when direction = 'outgoing' then nullif(extension, '')
            -- A word (blocked, unavailable) instead of a number.
            when is_ticket and caller_id ~ '[0-9]' then caller_id
        end as caller_number,
        case
            when is_ticket and direction_code in ('1', '3') then dialled_number
            -- The only party printed.
            when is_ticket then nullif(extension, '')
        end as called_number,
        case when direction = 'outgoing' and caller_id ~ '[0-9]' then caller_id end as presented_number,
        case when is_ticket then nullif(extension, '') end as extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        -- The group: the member is one line of it.
        case when is_ticket and direction_code in ('0', '2') then trunk_group end as trunk_in,
        case when is_ticket and direction_code in ('1', '3') then trunk_group end as trunk_out,
        case when is_ticket then nullif(account_code, '') end as account_code,
        null::text as authorization_code,
        case when is_ticket then false end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        null::text as transferred_from,
        null::text as transferred_to,
        null::int as pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        case when is_ticket then false end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from durations
)

select * from final
