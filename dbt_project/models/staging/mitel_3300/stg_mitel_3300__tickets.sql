/*
    Mitel 3300 / MiVoice Business: fixed columns, three layouts told apart by the shape of date, time and duration.

    Each step is a lateral subquery with `offset 0`: it is computed once a ticket, not once a reference, and leaves the filter
    on batch_id free to reach raw.tickets. A step cuts a piece and the next ones read that: in UTF-8 a substr costs as much as
    all the text before its end.
*/
{#- Mitel's tables: first column and width of each field. `middle` and `end` are the parts that the fields are cut from. -#}
{%- set columns = {
    'standard': {
        'afternoon': (13, 1), 'duration': (15, 8),
        'middle': (24, 62), 'calling_party': (24, 4), 'time_to_answer': (30, 3), 'digits': (34, 26), 'completion': (60, 1),
        'called_party': (62, 4), 'transfer': (66, 1), 'third_party': (68, 4), 'account_code': (73, 12),
        'end': (92, 129), 'ani': (92, 10), 'dnis': (103, 10), 'call_ids': (114, 107),
    },
    'extended': {
        'afternoon': (13, 1), 'duration': (15, 10),
        'middle': (26, 71), 'calling_party': (26, 7), 'time_to_answer': (34, 4), 'digits': (39, 26), 'completion': (65, 1),
        'called_party': (67, 7), 'transfer': (74, 1), 'third_party': (76, 7), 'account_code': (84, 12),
        'end': (103, 118), 'ani': (103, 10), 'dnis': (114, 7), 'call_ids': (122, 99),
    },
    'level_2': {
        'afternoon': (16, 1), 'duration': (18, 10),
        'middle': (29, 71), 'calling_party': (29, 7), 'time_to_answer': (37, 4), 'digits': (42, 26), 'completion': (68, 1),
        'called_party': (70, 7), 'transfer': (77, 1), 'third_party': (79, 7),
        'end': (114, 107), 'ani': (114, 21), 'call_ids': (114, 107),
    },
} -%}
{%- set parts = {'head': ['afternoon', 'duration', 'middle', 'end'], 'end': ['ani', 'dnis', 'call_ids']} -%}
{#- The expression that cuts each field out of its part of the line. -#}
{%- set cut = {} -%}
{%- for field in columns['standard'] -%}
    {%- set part = 'head' if field in parts['head'] else 'end' if field in parts['end'] else 'middle' -%}
    {%- set expression -%}
            case layouts.layout
        {%- for layout, fields in columns.items() if field in fields %}
        {%- set first = fields[field][0] - (0 if part == 'head' else fields[part][0] - 1) %}
                when '{{ layout }}' then substr({{ 'lines.line' if part == 'head' else 'heads.line_' ~ part }}, {{ first }}, {{ fields[field][1] }})
        {%- endfor %}
            end
    {%- endset -%}
    {%- do cut.update({field: expression}) -%}
{%- endfor -%}
{#- The start of a ticket wherever it stands: two of them in a line are two records run together. -#}
{%- set ticket_start = '[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?[ P]? ?[0-9]{2,4}:[0-9]{2}:[0-9]{2}' -%}

with tickets as (
    select * from {{ source('raw', 'tickets') }}
    where model = 'mitel_3300'
),

deliveries as (
    select * from {{ source('raw', 'deliveries') }}
),

pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        -- Options of the PBX that a single ticket does not show.
        coalesce(settings ->> 'clock_hours' = '12', false) as has_12_hour_clock,
        coalesce(settings ->> 'meter_pulses' = 'true', false) as has_meter_pulses
    from {{ source('directory', 'current_pbxs') }}
),

final as (
    select
        tickets.ticket_id,
        case when verdicts.fault is null then 'ticket' when verdicts.fault = 'event' then 'ignored' else 'rejected' end as state,
        nullif(split_part(verdicts.fault, ':', 1), '') as state_reason,
        nullif(split_part(verdicts.fault, ':', 2), '') as state_field,
        deliveries.pbx_id,
        tickets.model,
        tickets.delivery_id,
        tickets.ordinal,
        tickets.batch_id,
        tickets.received_at,
        calls.source_call_id,
        calls.leg_number,
        calls.started_at,
        case when calls.outcome = 'answered' then calls.started_at + calls.ring_seconds * interval '1 second' end
            as answered_at,
        calls.started_at + (coalesce(calls.ring_seconds, 0) + calls.talk_seconds) * interval '1 second' as ended_at,
        calls.ring_seconds,
        calls.talk_seconds,
        calls.direction,
        calls.outcome,
        calls.caller_number,
        calls.called_number,
        calls.presented_number,
        calls.extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        calls.trunk_in,
        calls.trunk_out,
        calls.account_code,
        null::text as authorization_code,
        calls.is_private,
        calls.is_estimated,
        calls.transferred_from,
        calls.transferred_to,
        calls.pulses,
        null::numeric(18, 6) as pbx_charge_amount,
        null::text as pbx_charge_currency,
        calls.time_is_minute,
        calls.time_year_inferred,
        calls.time_dst_ambiguous,
        calls.time_dst_shifted
    from tickets
    inner join deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id

    -- Some collectors put the day of receipt before the ticket: @yyyymmdd@.
    cross join lateral (
        select
            case when tickets.body like '@________@%' then substr(tickets.body, 11) else tickets.body end as line,
            case when tickets.body like '@________@%' then substr(tickets.body, 2, 8) end as stamp
        offset 0
    ) as lines
    cross join lateral (
        select case
            when lines.line ~ '^.[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}[ P] [0-9]{2}:[0-9]{2}:[0-9]{2}( |$)' then 'standard'
            when lines.line ~ '^.[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}[ P] [0-9]{4}:[0-9]{2}:[0-9]{2}( |$)' then 'extended'
            when lines.line ~ '^.[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[ P] [0-9]{4}:[0-9]{2}:[0-9]{2}( |$)' then 'level_2'
        end as layout
        offset 0
    ) as layouts

    -- No row comes out of a line that has no known layout: the casts below never see one.
    left join lateral (
        select
            substr(lines.line, 2, 2)::int as month,
            substr(lines.line, 5, 2)::int as day,
            substr(lines.line, 8, 2)::int as clock_hour,
            substr(lines.line, 11, 2)::int as clock_minute,
            case when layouts.layout = 'level_2' then substr(lines.line, 14, 2)::int else 0 end as clock_second,
            {{ cut.afternoon }} = 'P' as is_afternoon,
            {{ cut.duration }} as duration,
            {{ cut.middle }} as line_middle,
            {{ cut.end }} as line_end,
            substr(lines.line, 24) as rest
        where layouts.layout is not null
        offset 0
    ) as heads on true
    cross join lateral (
        select
            case
                when heads.is_afternoon then heads.clock_hour % 12 + 12
                when heads.clock_hour = 12 and pbxs.has_12_hour_clock then 0
                else heads.clock_hour
            end as start_hour,
            heads.clock_hour < case when heads.is_afternoon then 13 else 24 end
            and heads.clock_minute < 60
            and heads.clock_second < 60 as is_time_of_day,
            -- 100 hours or more: the least it can be.
            case
                when heads.duration = '99:99:99' then 360000
                when left(right(heads.duration, 5), 2) < '60' and right(heads.duration, 2) < '60'
                    then
                        left(heads.duration, -6)::int * 3600
                        + left(right(heads.duration, 5), 2)::int * 60
                        + right(heads.duration, 2)::int
            end as record_seconds,
            btrim({{ cut.calling_party }}) as calling_party,
            btrim({{ cut.time_to_answer }}) as time_to_answer,
            {{ cut.digits }} as digits_columns,
            btrim({{ cut.completion }}) as completion,
            btrim({{ cut.called_party }}) as called_party,
            {{ cut.transfer }} as transfer,
            btrim({{ cut.third_party }}) as third_party
        offset 0
    ) as fields
    cross join lateral (
        select
            fields.calling_party ~ '^[TX][0-9]+$' as is_from_trunk,
            fields.called_party ~ '^[TX][0-9]+$' as is_to_trunk,
            btrim(case when pbxs.has_meter_pulses then left(fields.digits_columns, 21) else fields.digits_columns end) as digits,
            case when pbxs.has_meter_pulses then btrim(substr(fields.digits_columns, 22)) end as pulses,
            fields.time_to_answer like '*%' and btrim(fields.time_to_answer, '*') = '' as is_never_answered,
            case when fields.time_to_answer ~ '^[0-9]+$' then fields.time_to_answer::int end as answer_seconds,
            fields.transfer in ('T', 'X') and fields.third_party <> '' as is_transferred
        offset 0
    ) as parts

    -- The newest year that puts the start at most one day after receipt (rule R4).
    cross join lateral (
        select
            case
                when stamps.stamped_day is not null then stamps.stamped_day + interval '1 day' - interval '1 microsecond'
                else (tickets.received_at + interval '1 day') at time zone pbxs.time_zone
            end as latest_start,
            stamps.stamped_day
        from (select case when pg_input_is_valid(lines.stamp, 'date') then lines.stamp::date end as stamped_day) as stamps
        offset 0
    ) as limits
    cross join lateral (
        select
            date_part('year', limits.latest_start)::int as newest_year,
            date_part('year', limits.latest_start - interval '1 day')::int - 1 as oldest_year
        offset 0
    ) as years
    cross join lateral (
        select case when {{ is_day_of_month('heads.day', 'heads.month', 'years.newest_year') }} then make_timestamp(
            years.newest_year, heads.month, heads.day,
            case when fields.is_time_of_day then fields.start_hour else 0 end,
            case when fields.is_time_of_day then heads.clock_minute else 0 end,
            case when fields.is_time_of_day then heads.clock_second else 0 end
        ) end as newest_start
        offset 0
    ) as candidates
    cross join lateral (
        select case
            when candidates.newest_start <= limits.latest_start then candidates.newest_start
            {%- for age in [1, 2] %}
            when
                years.newest_year - {{ age }} >= years.oldest_year
                and {{ is_day_of_month('heads.day', 'heads.month', '(years.newest_year - %d)' % age) }}
                then make_timestamp(
                    years.newest_year - {{ age }}, heads.month, heads.day,
                    case when fields.is_time_of_day then fields.start_hour else 0 end,
                    case when fields.is_time_of_day then heads.clock_minute else 0 end,
                    case when fields.is_time_of_day then heads.clock_second else 0 end
                )
            {%- endfor %}
        end as local_start
        offset 0
    ) as starts

    -- Why the line is no ticket: reason and field. The first fault is the one that is named.
    cross join lateral (
        select case
            when pbxs.time_zone is null then 'unknown_time_zone:time_zone'
            when layouts.layout is null
                then case
                    when lines.line ~ '^.?[0-9]{2}/[0-9]{2}' or lines.line ~ '{{ ticket_start }}' then 'unknown_layout:layout'
                    else 'event'
                end
            when position('/' in heads.rest) > 0 and heads.rest ~ '{{ ticket_start }}' then 'second_ticket_inside:layout'
            when length(heads.rest) > 197 and btrim(substr(heads.rest, 198)) <> '' then 'line_too_long:layout'
            when starts.local_start is null then 'no_such_day:date'
            when not fields.is_time_of_day then 'no_such_time:start_time'
            when fields.record_seconds is null then 'no_such_duration:duration'
            when fields.calling_party = '' then 'missing:calling_party'
            when fields.time_to_answer <> '' and parts.answer_seconds is null and not parts.is_never_answered
                then 'unknown_value:time_to_answer'
            when fields.completion not in ('', 'A', 'T', 'B', 'E', 'I', 'O', 'D', 'S', 'U') then 'unknown_code:completion'
            when not parts.is_from_trunk and parts.digits = '' and fields.called_party = '' then 'missing:digits'
            when parts.pulses !~ '^[0-9]*$' then 'unknown_value:pulses'
        end as fault
        offset 0
    ) as verdicts

    -- What the call was, for a line that is a ticket; null throughout for any other.
    left join lateral (
        select
            identities.source_call_id,
            identities.leg_number,
            clocks.instant as started_at,
            case
                when parts.is_never_answered then null
                when results.is_below_threshold then fields.record_seconds
                else parts.answer_seconds
            end as ring_seconds,
            case when results.outcome = 'answered' then fields.record_seconds else 0 end as talk_seconds,
            directions.direction,
            results.outcome,
            case
                when directions.direction in ('outgoing', 'internal') then fields.calling_party
                else coalesce(nullif(btrim({{ cut.ani }}), ''), numbers.originator)
            end as caller_number,
            case directions.direction
                when 'internal' then coalesce(nullif(fields.called_party, ''), numbers.digits)
                when 'outgoing' then numbers.digits
                else coalesce(numbers.digits, nullif(btrim({{ cut.dnis }}), ''), nullif(fields.called_party, ''))
            end as called_number,
            case when directions.direction = 'outgoing' then numbers.originator end as presented_number,
            case
                when directions.direction in ('outgoing', 'internal') then fields.calling_party
                when directions.direction = 'incoming'
                    then case
                        when parts.is_transferred and fields.third_party !~ '^[TX][0-9]+$' then fields.third_party
                        else nullif(fields.called_party, '')
                    end
            end as extension,
            case when parts.is_from_trunk then fields.calling_party end as trunk_in,
            case when parts.is_to_trunk then fields.called_party end as trunk_out,
            nullif(btrim({{ cut.account_code }}), '') as account_code,
            false as is_private,
            heads.duration = '99:99:99' or results.is_unsupervised as is_estimated,
            case
                when parts.is_transferred
                    then case when directions.direction = 'outgoing' then fields.calling_party else nullif(fields.called_party, '') end
            end as transferred_from,
            case when parts.is_transferred then fields.third_party end as transferred_to,
            nullif(parts.pulses, '')::int as pulses,
            layouts.layout <> 'level_2' as time_is_minute,
            limits.stamped_day is null as time_year_inferred,
            clocks.is_repeated as time_dst_ambiguous,
            clocks.is_missing as time_dst_shifted
        from (
            select case
                when fields.completion = 'I' then 'internal'
                when parts.is_from_trunk and parts.is_to_trunk then 'transit'
                when parts.is_from_trunk then 'incoming'
                when parts.is_to_trunk or fields.called_party = '' then 'outgoing'
                else 'internal'
            end as direction
            where verdicts.fault is null
            offset 0
        ) as directions
        cross join {{ clock_instants('starts.local_start', 'pbxs.time_zone') }} as clocks

        -- Network format: the originator, a blank, the digits. The calling party itself before the blank says nothing new.
        cross join lateral (
            select
                case
                    when parts.digits like '% %'
                        then nullif(split_part(parts.digits, ' ', 1), case when parts.is_from_trunk then '' else fields.calling_party end)
                end as originator,
                nullif(
                    case when parts.digits like '% %' then ltrim(substr(parts.digits, position(' ' in parts.digits))) else parts.digits end,
                    ''
                ) as digits
            offset 0
        ) as numbers

        -- `T` in the completion column is toll denied on the way out and an answer by pickup on the way in.
        cross join lateral (
            select
                case
                    when fields.completion in ('B', 'O') then 'busy'
                    when fields.completion in ('E', 'D', 'S', 'U') then 'failed'
                    when fields.completion = 'T' and directions.direction = 'outgoing' then 'failed'
                end as refusal,
                -- No answer supervision: an answer is a guess from the duration (rule R9).
                fields.time_to_answer = ''
                and fields.completion = ''
                and fields.record_seconds > 0
                and directions.direction in ('outgoing', 'transit') as is_unsupervised
            offset 0
        ) as codes
        cross join lateral (
            select
                codes.is_unsupervised,
                codes.is_unsupervised and fields.record_seconds < coalesce(pbxs.answer_threshold_seconds, 0)
                    as is_below_threshold,
                case
                    when parts.is_never_answered then coalesce(codes.refusal, 'no_answer')
                    when fields.record_seconds = 0 and codes.refusal is not null then codes.refusal
                    when parts.answer_seconds is not null then 'answered'
                    when fields.completion = 'A' and directions.direction = 'outgoing' then 'answered'
                    when codes.is_unsupervised and fields.record_seconds < coalesce(pbxs.answer_threshold_seconds, 0) then 'no_answer'
                    when fields.record_seconds > 0 then 'answered'
                    else 'no_answer'
                end as outcome
            offset 0
        ) as results

        -- The call id stands in its columns, or a blank off them on some releases.
        cross join lateral (
            select case
                when heads.line_end is null or heads.line_end !~ '[A-Z][0-9]{7}' then null
                else regexp_match({{ cut.call_ids }}, '(?:^| )([A-Z][0-9]{7}) ?([A-Z])(?: |$)')
            end as found
            offset 0
        ) as call_ids
        cross join lateral (
            select
                call_ids.found[1] as source_call_id,
                ascii(call_ids.found[2]) - 64 as leg_number
            offset 0
        ) as identities
        offset 0
    ) as calls on true
)

select * from final
