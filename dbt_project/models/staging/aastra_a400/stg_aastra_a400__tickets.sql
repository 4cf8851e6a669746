/*
    Aastra 400, Ascotel IntelliGate, MiVoice Office 400 in the format PC5: a tab, then fixed columns with a blank between them.

    A transferred call has a ticket per leg, tied by SEQ. The years have two digits, and prints of the maker's own manuals turn
    the date around.
*/
{%- set widths = {
    'no': 12, 'cc': 9, 'sc': 3, 'date': 6, 'time': 5, 'duration': 8, 'charges': 10, 'metpul': 5, 'exch': 5, 'id1': 20, 'id2': 20,
    'dest1': 40, 'dest2': 40, 'tta': 3, 'seq': 3, 'serial': 4,
} -%}
{#- The ring time (TTA) has three digits by the table and four in some prints. -#}
{%- set three_digits = blank_separated_columns(widths, 2) -%}
{%- set four_digits = blank_separated_columns(dict(widths, tta=4), 2) -%}
{%- set cut = column_cuts([{'line': three_digits.columns}, {'line': four_digits.columns}]) -%}
{#- A ticket's date, time and duration wherever they stand. -#}
{%- set ticket_middle = '[0-9]{6} [0-9]{2}:[0-9]{2} [0-9]{2}[Hh][0-9]{2}[Mm]' -%}
{#- No PBX of this family is older. -#}
{%- set oldest_ticket_years = 50 -%}

with pbxs as (
    select
        pbx_id,
        {{ valid_time_zone('time_zone') }} as time_zone,
        answer_threshold_seconds,
        -- The tickets name no currency.
        case when settings ->> 'charge_currency' ~ '^[A-Z]{3}$' then settings ->> 'charge_currency' end as charge_currency
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
        tickets.body as line,
        pbxs.time_zone,
        pbxs.answer_threshold_seconds,
        pbxs.charge_currency,
        case
            when tickets.body like e'\t{{ three_digits.shape }}' then 1
            when tickets.body like e'\t{{ four_digits.shape }}' then 2
        end as layout
    from {{ source('raw', 'tickets') }} as tickets
    inner join {{ source('raw', 'deliveries') }} as deliveries on tickets.delivery_id = deliveries.delivery_id
    left join pbxs on deliveries.pbx_id = pbxs.pbx_id
    where tickets.model = 'aastra_a400'
),

texts as (
    {{ computed_once() }}
    select
        *,
        {%- for name in widths %}
        btrim({{ cut[name] }}) as {{ name }}_text,
        {%- endfor %}
        (received_at + interval '24 hours') at time zone time_zone as latest_start
    from tickets
),

numbers as (
    {{ computed_once() }}
    select
        *,
        -- Three digits: where from or to (x), for what (y), how (z).
        case when sc_text ~ '^[0134][0-46-9][0-9]$' then left(sc_text, 1)::int end as network_code,
        case when sc_text ~ '^[0134][0-46-9][0-9]$' then substr(sc_text, 2, 1)::int end as purpose_code,
        case
            when sc_text ~ '^[01].[045678]$' or sc_text ~ '^[34].[0123469]$' then substr(sc_text, 3, 1)::int
        end as manner_code,
        {%- for part, first in [('first', 1), ('second', 3), ('third', 5)] %}
        case when date_text ~ '^[0-9]{6}$' then substr(date_text, {{ first }}, 2)::int end as {{ part }}_part,
        {%- endfor %}
        case when time_text ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' then time_text::interval end as time_of_day,
        case
            when duration_text ~ '^[0-9]{2}[Hh][0-5][0-9][Mm][0-5][0-9]$'
                then
                    left(duration_text, 2)::int * 3600 + substr(duration_text, 4, 2)::int * 60 + substr(duration_text, 7, 2)::int
        end as duration_seconds,
        case when charges_text ~ '^[0-9]{1,7}[.][0-9]{2}$' then charges_text::numeric(18, 6) end as charges,
        case when metpul_text ~ '^[0-9]+$' then metpul_text::int end as metpul,
        case when tta_text ~ '^[0-9]+$' then tta_text::int end as ringing,
        date_part('year', received_at at time zone 'UTC')::int / 100 * 100 as century
    from texts
),

-- The first order and century that make a day which is not ahead of the receipt; the year comes first by the maker's table.
starts as (
    {{ computed_once() }}
    select
        *,
        case
            {%- for age in [0, 100] %}
            {%- for year_part, day_part in [('first_part', 'third_part'), ('third_part', 'first_part')] %}
            {%- set year = '(century - %d + %s)' % (age, year_part) %}
            when
                {{ is_day_of_month(day_part, 'second_part', year) }}
                and make_date({{ year }}, second_part, {{ day_part }}) + coalesce(time_of_day, interval '0') <= latest_start
                {%- if age %}
                and {{ year }} >= date_part('year', latest_start) - {{ oldest_ticket_years }}
                {%- endif %}
                then make_date({{ year }}, second_part, {{ day_part }}) + coalesce(time_of_day, interval '0')
            {%- endfor %}
            {%- endfor %}
        end as local_start
    from numbers
),

-- Why the line is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when time_zone is null then 'unknown_time_zone:time_zone'
            when layout is null
                then
                    case
                        when line not like e'\t%' and line ~ '{{ ticket_middle }}' then 'beginning_lost:layout'
                        -- Headers of pages, rows of asterisks, counters and messages share the port.
                        when line not like e'\t%' then 'no_ticket'
                        when substr(line, 2) like e'%\t%' then 'second_ticket_inside:layout'
                        -- PC1 to PC4: their codes have two digits and do not say which network.
                        when line ~ '^\t.{5,15} [0-9]{2} {{ ticket_middle }}' then 'older_layout:layout'
                        when length(line) < {{ three_digits.shape | length + 1 }} then 'truncated:layout'
                        else 'unknown_layout:layout'
                    end
            when substr(line, 2) like e'%\t%' then 'second_ticket_inside:layout'
            when substr(line, 2) ~ '[\x01-\x1f\x7f]' then 'control_byte_inside:layout'
            when network_code is null or manner_code is null then 'unknown_code:SC'
            when local_start is null then 'no_such_day:DATE'
            when time_of_day is null then 'no_such_time:TIME'
            when duration_seconds is null then 'no_such_duration:DURATION'
            when charges_text <> '' and charges is null then 'unknown_value:CHARGES'
            when metpul_text <> '' and metpul is null then 'unknown_value:METPUL'
            when tta_text <> '' and ringing is null then 'unknown_value:TTA'
            when seq_text !~ '^([0-9]{3})?$' then 'unknown_value:SEQ'
            when serial_text !~ '^[0-9]{4}$' then 'unknown_value:SERIAL'
        end as fault
    from starts
),

directions as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        network_code in (0, 1) as is_to_network,
        purpose_code = 4 as is_transit,
        case
            when fault is not null then null
            -- The lines between the company's own PBXs cost nothing, also where a call only passes.
            when network_code in (1, 4) then 'internal'
            when network_code = 3 then 'incoming'
            when purpose_code = 4 then 'transit'
            else 'outgoing'
        end as direction,
        case when fault is null then local_start end as clock_start,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        coalesce(network_code in (0, 1) and duration_seconds > 0 and answer_threshold_seconds is not null, false)
            as is_unsupervised
    from verdicts
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_ticket then null
            when is_to_network and duration_seconds = 0 then 'no_answer'
            when is_unsupervised and duration_seconds < answer_threshold_seconds then 'no_answer'
            when is_to_network then 'answered'
            when manner_code = 2 and ringing = 0 then 'busy'
            when manner_code = 2 then 'no_answer'
            when manner_code = 9 then 'failed'
            when manner_code = 4 and duration_seconds = 0 then 'redirected'
            else 'answered'
        end as outcome
    from directions
),

{{ clock_instants('instants', 'outcomes', 'clock_start', 'time_zone') }},

calls as (
    {{ computed_once() }}
    select
        *,
        coalesce(converted - gone_back, converted) as instant,
        case
            when not is_ticket then null
            -- Below the threshold the trunk rang, as far as is known.
            when is_unsupervised and outcome = 'no_answer' then coalesce(ringing, 0) + duration_seconds
            else ringing
        end as ring_seconds,
        case when outcome = 'answered' then duration_seconds when is_ticket then 0 end as talk_seconds
    from instants
),

final as (
    select
        ticket_id,
        case when is_ticket then 'ticket' when fault = 'no_ticket' then 'ignored' else 'rejected' end as state,
        nullif(split_part(fault, ':', 1), '') as state_reason,
        nullif(split_part(fault, ':', 2), '') as state_field,
        pbx_id,
        model,
        delivery_id,
        ordinal,
        batch_id,
        received_at,
        case when is_ticket then nullif(seq_text, '') end as source_call_id,
        -- SERIAL counts all tickets and does not number the legs.
        null::int as leg_number,
        instant as started_at,
        case when outcome = 'answered' then instant + ring_seconds * interval '1 second' end as answered_at,
        instant + (coalesce(ring_seconds, 0) + talk_seconds) * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case
            when is_ticket and is_to_network and not is_transit then nullif(no_text, '')
            -- What the network verified is worth more than what was presented.
            when is_ticket then coalesce(nullif(id2_text, ''), nullif(id1_text, ''))
        end as caller_number,
        case
            when is_ticket and not is_to_network and not is_transit then coalesce(nullif(dest2_text, ''), nullif(no_text, ''))
            -- What was dialled; what was sent may begin with the code of a carrier.
            when is_ticket then coalesce(nullif(dest2_text, ''), nullif(dest1_text, ''))
        end as called_number,
        null::text as presented_number,
        case when is_ticket and not is_transit then nullif(no_text, '') end as extension,
        null::text as extension_name,
        null::text as group_name,
        null::text as subsidiary_name,
        case when is_ticket and not is_to_network then nullif(exch_text, '') end as trunk_in,
        case when is_ticket and is_to_network then nullif(exch_text, '') end as trunk_out,
        case when is_ticket then nullif(cc_text, '') end as account_code,
        null::text as authorization_code,
        case when is_ticket then purpose_code in (8, 9) end as is_private,
        case when is_ticket then is_unsupervised end as is_estimated,
        -- Who transferred the call stands on another ticket.
        null::text as transferred_from,
        case
            when not is_ticket or is_transit then null
            when not is_to_network and manner_code = 0 then nullif(no_text, '')
            when is_to_network and (manner_code = 5 or purpose_code in (0, 6, 8)) then nullif(no_text, '')
        end as transferred_to,
        case when is_ticket then metpul end as pulses,
        case when is_ticket then charges end::numeric(18, 6) as pbx_charge_amount,
        case when is_ticket and charges is not null then charge_currency end as pbx_charge_currency,
        case when is_ticket then true end as time_is_minute,
        case when is_ticket then false end as time_year_inferred,
        case when is_ticket then gone_back is not null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from calls
)

select * from final
