{#-
    Steps (CTEs) that give the fields of a cdr row of Asterisk their meaning; the last of them has the columns of the contract.

    Direction is not in the data. In this order: amaflags, where the pbx's settings say that the dial plan sets them
    (amaflags_direction: true; Asterisk itself puts 3 on every row); the pbx's trunk list against both channels, and against what
    was dialled where no second channel came of it; `did` or a context from-pstn..., from-trunk... or from-sip-external (FreePBX);
    else the call is internal. A trunk that was only met (conference, parking, pick-up) was not called by the one who met it. Without a trunk list the technologies that are nothing but cards and gateways are taken for trunks, and what is left
    is unknown.

    A row is read alone, by the clock of the entry's zone. What its neighbours change is settled later: a clock of another zone by
    settle_asterisk_clocks(); a trunk that goes on after a transfer, halves of local channels by settle_asterisk_channels().

    Args:
        step: name of the last of the steps.
        source: the step before, with the columns of asterisk_rows().
        has_user_groups: whether the rows name the group of their user; else a queue that was called is the group.
-#}
{% macro asterisk_legs(step, source, has_user_groups=false) -%}
fields as (
    {{ computed_once() }}
    select
        *,
        case
            when start not like '0000-00-00%' then start
            when calldate not like '0000-00-00%' then calldate
        end as clock_text,
        coalesce(channel like 'Local/%', false) as is_channel_local,
        coalesce(dstchannel like 'Local/%', false) as is_dstchannel_local,
        lower(disposition) as disposition_code,
        {%- for column in ['duration', 'billsec'] %}
        -- Fractions of a second are rounded up, once (rule R11).
        case
            when {{ column }} ~ '^[0-9]{1,9}$' then {{ column }}::bigint
            when {{ column }} ~ '^[0-9]{1,10}([.][0-9]{1,20})?$' then ceil({{ column }}::numeric)::bigint
        end as {{ column }}_seconds,
        {%- endfor %}
        {%- for column in ['channel', 'dstchannel'] %}
        case
            when {{ column }} like 'Local/%' then null
            -- A channel that was redirected or replaced has another's name in its own.
            when {{ column }} ~ '^(AsyncGoto|Surrogate|Transfered|Bridge|Parked)/|>$'
                then {{ asterisk_device(
                    "regexp_replace(" ~ column ~ ", '^(AsyncGoto|Surrogate|Transfered|Bridge|Parked)/|<[A-Z]+>$', '', 'g')"
                ) }}
            else {{ asterisk_device(column) }}
        end as {{ column }}_device,
        {%- endfor %}
        -- The first device of Dial(PJSIP/number@endpoint&...,30), Dial(SIP/peer/number,...); before Asterisk 1.6 Dial(...|30).
        substring(lastdata from '^[^,|&]+/[^,|&]+') as dialled,
        -- The half ;1 of a local channel stands for the number that it was made for.
        case when channel ~ '^Local/.*[;,]1$' then nullif({{ extension_of_local_channel('channel') }}, 's') end as local_party,
        -- Whoever is met there had another call already, or has none.
        coalesce(
            lower(lastapp) in (
                'confbridge', 'meetme', 'konference', 'page', 'park', 'parkedcall', 'pickup', 'pickupchan', 'bridge', 'chanspy', 'extenspy'
            )
            or channel ~* '^(CBAnn|CBRec|ConfBridge[a-z]*|Announcer|Recorder|Multicast[a-z]*)/',
            false
        ) as is_meeting,
        -- Such a channel was not received but made: by Dial or Queue for an older channel, or by a call file (AppDial2).
        coalesce(
            lastdata = '(Outgoing Line)' and did is null and (linkedid <> uniqueid or lower(lastapp) = 'appdial2'), false
        ) as is_channel_dialled,
        nullif(btrim(split_part(clid, '<', 1), ' "'), '') as clid_name
    from {{ source }}
),

devices as (
    {{ computed_once() }}
    select
        *,
        -- What was dialled, where no channel came of it.
        case
            when dstchannel is not null or lower(lastapp) <> 'dial' or dialled like 'Local/%' then null
            when dialled like '%/%/%' or dialled not like '%@%' then {{ asterisk_device("dialled || '/'") }}
            else split_part(dialled, '/', 1) || '/' || substring(dialled from '@([^/:@]+)')
        end as tried_device
    from fields
),

clocks as (
    {{ computed_once() }}
    select
        *,
        case
            when
                clock_text ~ '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?$'
                and pg_input_is_valid(clock_text, 'timestamp')
                then clock_text::timestamp
        end as local_start,
        case
            when disposition_code in ('answered', '8') then 'answered'
            when disposition_code in ('no answer', 'cancel', '0', '1', '32') then 'no_answer'
            when disposition_code in ('busy', '4') then 'busy'
            when disposition_code in ('failed', 'congestion', '2', '16') then 'failed'
        end as disposition_outcome,
        {%- for column in ['channel', 'dstchannel'] %}
        nullif(split_part({{ column }}_device, '/', 2), '') as {{ column }}_peer,
        {{ is_asterisk_trunk(column ~ '_device', 'trunks') }} as is_{{ column }}_trunk,
        {%- endfor %}
        tried_device is not null and {{ is_asterisk_trunk('tried_device', 'trunks') }} as is_tried_trunk,
        case when lastapp = 'Queue' then substring(lastdata from '^[^,|]+') end as queue,
        -- A w waits for the line.
        regexp_replace(split_part(regexp_replace(dialled, '^.*/(sips?:|w+)?', ''), '@', 1), '^w+', '') as dialled_number
    from devices
),

-- Why the row is no ticket, as reason:field. The first fault is the one that is named.
verdicts as (
    {{ computed_once() }}
    select
        *,
        case
            when not is_readable then 'no_json_object:body'
            when local_start is null and coalesce(src, dst, channel, dstchannel, lastapp, disposition) is null
                then 'row_of_blanks'
            when is_channel_local and is_dstchannel_local then 'local_channels'
            when channel = 'Message/ast_msg_queue' then 'text_message'
            when time_zone is null then 'unknown_time_zone:time_zone'
            when nested_column is not null then 'no_plain_value:' || nested_column
            when local_start is null and has_start_column then 'no_date:start'
            when local_start is null then 'no_date:calldate'
            when duration_seconds is null or duration_seconds > {{ longest_call_seconds() }} then 'no_duration:duration'
            when billsec_seconds is null or billsec_seconds > {{ longest_call_seconds() }} then 'no_duration:billsec'
            when disposition_outcome is null then 'unknown_code:disposition'
        end as fault
    from clocks
),

{{ clock_instants('instants', 'verdicts', 'case when fault is null then local_start end', 'time_zone') }},

-- The number before the dot of uniqueid is the UTC second in which channel A was made: it tells one repeated hour from another.
epochs as (
    {{ computed_once() }}
    select
        *,
        fault is null as is_ticket,
        coalesce(converted - gone_back, converted) as instant,
        case when gone_back is not null then to_timestamp(substring(uniqueid from '^(?:.*-)?([0-9]{9,10})[.][0-9]+$')::bigint) end
            as channel_made_at
    from instants
),

proofs as (
    {{ computed_once() }}
    select
        *,
        case
            when gone_back is null then null
            when channel_made_at between instant - interval '30 minutes' and instant + interval '30 minutes' then instant
            when channel_made_at between converted - interval '30 minutes' and converted + interval '30 minutes' then converted
        end as proven_instant
    from epochs
),

directions as (
    {{ computed_once() }}
    select
        *,
        case
            when fault is not null then null
            when amaflags_tell_direction and upper(amaflags) in ('2', 'BILLING', 'BILL') then 'outgoing'
            when amaflags_tell_direction and upper(amaflags) in ('3', 'DOCUMENTATION') then 'incoming'
            when is_channel_trunk and is_dstchannel_trunk and not is_meeting then 'transit'
            when is_channel_trunk and is_channel_dialled then 'outgoing'
            when is_channel_trunk then 'incoming'
            when (is_dstchannel_trunk and not is_meeting) or is_tried_trunk then 'outgoing'
            when did is not null or dcontext ~ '^from-(pstn|trunk|sip-external)' then 'incoming'
            when trunks = '{}' then 'unknown'
            else 'internal'
        end as direction,
        case
            when fault is not null then null
            when disposition_outcome <> 'answered' then disposition_outcome
            -- Before Asterisk 12 the row of a call that went on to voicemail kept the phone that had rung.
            when lower(lastapp) = 'voicemail' then 'answered_by_machine'
            when dstchannel is not null then 'answered'
            -- The dial plan had answered, and then could not reach the trunk; a trunk that was called has answered itself.
            when is_tried_trunk and not is_channel_trunk then 'failed'
            when is_channel_trunk and is_channel_dialled then 'answered'
            -- Nobody was dialled: the dial plan, an announcement or voicemail answered; or no member took the call.
            when lower(lastapp) = 'queue' then 'no_answer'
            else 'answered_by_machine'
        end as dialplan_outcome
    from proofs
),

outcomes as (
    {{ computed_once() }}
    select
        *,
        -- Trunks without answer supervision: an answer is a guess from the duration (rule R9).
        direction in ('outgoing', 'transit')
        and dialplan_outcome = 'answered'
        and answer_threshold_seconds is not null as is_unsupervised,
        case
            when
                direction in ('outgoing', 'transit')
                and dialplan_outcome = 'answered'
                and billsec_seconds < answer_threshold_seconds
                then 'no_answer'
            else dialplan_outcome
        end as outcome,
        direction = 'outgoing' and is_channel_trunk and is_channel_dialled as is_sent_by_channel,
        coalesce(proven_instant, instant) as started_at
    from directions
),

durations as (
    {{ computed_once() }}
    select
        *,
        outcome in ('answered', 'answered_by_machine') as is_answered,
        case
            when not is_ticket then null
            when outcome in ('answered', 'answered_by_machine') then greatest(duration_seconds - billsec_seconds, 0)::int
            else duration_seconds::int
        end as ring_seconds,
        case
            when not is_ticket then null
            -- Answered before Dial or Queue by the dial plan itself, billsec counts although nobody took the call.
            when outcome in ('answered', 'answered_by_machine') then billsec_seconds::int
            else 0
        end as talk_seconds
    from outcomes
),

{{ step }} as (
    select
        ticket_id,
        case
            when is_ticket then 'ticket'
            when fault in ('row_of_blanks', 'local_channels', 'text_message') then 'ignored'
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
        case when is_ticket then coalesce(linkedid, uniqueid) end as source_call_id,
        case when is_ticket and pg_input_is_valid(sequence, 'int') then sequence::int end as leg_number,
        started_at,
        case when is_answered then started_at + ring_seconds * interval '1 second' end as answered_at,
        started_at + duration_seconds * interval '1 second' as ended_at,
        ring_seconds,
        talk_seconds,
        direction,
        outcome,
        case
            when not is_ticket then null
            -- A tie trunk puts itself into src, and the caller's number into the name.
            when direction = 'incoming' and src = channel_peer and clid_name ~ '^[+]?[0-9]+$' then clid_name
            else src
        end as caller_number,
        case
            when not is_ticket then null
            when direction = 'incoming' then coalesce(did, dst)
            when direction <> 'outgoing' or dst ~ '^[+*#0-9]+$' or dialled_number !~ '^[+*#0-9]+$' then dst
            else coalesce(dialled_number, dst)
        end as called_number,
        case when direction = 'outgoing' then outbound_cnum end as presented_number,
        case
            when not is_ticket then null
            when user_number is not null then user_number
            when direction = 'transit' then null
            when direction <> 'incoming' and not is_sent_by_channel
                then coalesce(channel_peer, {{ unless_outside_number('cnum') }}, local_party, {{ unless_outside_number('src') }})
            when is_dstchannel_local then {{ extension_of_local_channel('dstchannel') }}
            else dstchannel_peer
        end as extension,
        case
            when not is_ticket then null
            when coalesce(user_first_name, user_last_name) is not null then concat_ws(' ', user_first_name, user_last_name)
            when direction = 'transit' then null
            when direction = 'incoming' then dst_cnam
            else coalesce(nullif(cnam, src), nullif(clid_name, src))
        end as extension_name,
        case when is_ticket then {{ 'user_group' if has_user_groups else 'queue' }} end as group_name,
        case when is_ticket then user_subsidiary end as subsidiary_name,
        case when direction in ('incoming', 'transit') then channel_device end as trunk_in,
        case
            when is_sent_by_channel then channel_device
            when direction in ('outgoing', 'transit') then coalesce(dstchannel_device, tried_device)
        end as trunk_out,
        case when is_ticket then coalesce(accountcode, peeraccount) end as account_code,
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
        case when is_ticket then gone_back is not null and proven_instant is null end as time_dst_ambiguous,
        case when is_ticket then is_missing end as time_dst_shifted
    from durations
)
{%- endmacro %}

{#- TECH/peer of a channel: up to the last dash; in DAHDI/i1/0199001234-1 up to the second slash. -#}
{% macro asterisk_device(channel) -%}
    case
        when {{ channel }} like '%/%/%' then split_part({{ channel }}, '/', 1) || '/' || split_part({{ channel }}, '/', 2)
        else regexp_replace({{ channel }}, '-[^-]*$', '')
    end
{%- endmacro %}

{#-
Whether a device is a trunk. An entry of the list is a technology (`DAHDI/`), a technology and peer (`PJSIP/carrier`) or a peer;
without a list the technologies that are nothing but cards and gateways are.
-#}
{% macro is_asterisk_trunk(device, trunks) -%}
    case
        when {{ trunks }} = '{}'
            then lower(split_part({{ device }}, '/', 1)) in ('dahdi', 'zap', 'khomp', 'misdn', 'capi', 'dongle', 'ooh323')
        else {{ trunks }} && array[
            lower(split_part({{ device }}, '/', 1)) || '/',
            lower({{ device }}),
            lower(split_part({{ device }}, '/', 2))
        ]
    end
{%- endmacro %}

{#-
The extension that a local channel was made for: Local/201@from-queue-..., and with FreePBX's prefixes of follow-me, ring groups and
paging Local/FMPR-201@..., Local/FMGL-201#@..., Local/RG-600-201@..., Local/PAGE201@...
-#}
{% macro extension_of_local_channel(channel) -%}
    {{ unless_outside_number(called_extension("substring(" ~ channel ~ " from '^Local/([^@]+)@')")) }}
{%- endmacro %}

{#- What was dialled without what FreePBX puts around it. -#}
{% macro called_extension(dialled) -%}
    regexp_replace({{ dialled }}, '^(FM[A-Z]{2}-|RG-[0-9]+-|PAGE|xfer-?)|#$', '', 'g')
{%- endmacro %}

{#- What is no number of the outside: those are masked where they belong, and an extension is not. -#}
{% macro unless_outside_number(number) -%}
    case when {{ number }} !~ '^[+]?[0-9*#]{7,}$' then {{ number }} end
{%- endmacro %}
