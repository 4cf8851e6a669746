{#-
    What legs of calls with several rows come to, for settle_asterisk_channels(), whose temporary tables it reads: a row per leg that
    changes, with what it says then.

    A row continues a trunk that another row dialled before (`dialled`: as its party B; `calling`: as its party A), or the extension
    that forwarded it is known, or its talk is told by other rows too.
-#}
{% macro asterisk_settled_legs() -%}
with dialled_before as (
    select
        calls.*,
        dialled.extension as dialled_extension,
        calling.ticket_id as calling_ticket_id,
        coalesce(dialled.ticket_id, case when not calls.is_trunk_dialled then calling.ticket_id end) as origin_ticket_id,
        coalesce(dialled.extension, calling.extension) as origin_extension,
        coalesce(dialled.caller_number, calling.caller_number) as origin_caller_number,
        coalesce(dialled.called_number, calling.called_number) as origin_called_number,
        coalesce(dialled.presented_number, calling.presented_number) as origin_presented_number,
        coalesce(dialled.trunk_out, calling.trunk_out) as origin_trunk_out,
        coalesce(dialled.account_code, calling.account_code) as origin_account_code,
        coalesce(
            dialled.trunk_channel, case when not calls.is_trunk_dialled then calling.trunk_channel end, calls.trunk_channel
        ) as up_channel
    from asterisk_channels as calls
    left join asterisk_origins as dialled
        on
            calls.delivery_id = dialled.delivery_id
            and calls.source_call_id = dialled.source_call_id
            and calls.dstchannel = dialled.trunk_channel
            and calls.started_at >= dialled.started_at
            and calls.ticket_id <> dialled.ticket_id
    left join asterisk_origins as calling
        on
            calls.delivery_id = calling.delivery_id
            and calls.source_call_id = calling.source_call_id
            and calls.channel = calling.trunk_channel
            and calls.started_at >= calling.started_at
            and calls.ticket_id <> calling.ticket_id
),

continued as (
    select *
    from dialled_before
    where origin_ticket_id is not null
),

last_parties as (
    select distinct on (origin_ticket_id)
        origin_ticket_id,
        extension
    from continued
    where extension <> origin_extension
    order by origin_ticket_id asc, started_at desc, ticket_id desc
),

-- Who had a caller, or whoever was called.
parties as (
    select
        ticket_id,
        delivery_id,
        source_call_id,
        channel as party_channel,
        started_at,
        talk_seconds,
        extension
    from asterisk_channels
    where direction = 'incoming'

    union all

    select
        ticket_id,
        delivery_id,
        source_call_id,
        trunk_channel as party_channel,
        started_at,
        talk_seconds,
        extension
    from asterisk_channels
    where is_trunk_dialled
),

-- Who had the caller before: who answered last, or the only extension that was rung.
earlier_parties as (
    select
        calls.ticket_id,
        (
            array_agg(earlier.extension order by earlier.started_at desc, earlier.ticket_id desc)
            filter (where earlier.talk_seconds > 0)
        )[1] as answering_extension,
        case when count(distinct earlier.extension) = 1 then min(earlier.extension) end as only_extension
    from asterisk_channels as calls
    inner join parties as earlier
        on
            calls.delivery_id = earlier.delivery_id
            and calls.source_call_id = earlier.source_call_id
            and calls.channel = earlier.party_channel
            and calls.started_at >= earlier.started_at
            and calls.ticket_id <> earlier.ticket_id
    where calls.direction = 'transit'
    group by calls.ticket_id
),

without_talk as (
    select calls.ticket_id
    from asterisk_channels as calls
    where
        calls.repetition_rank > 0
        and calls.talk_seconds > 0
        and exists (
            select
            from asterisk_channels as other
            where
                other.delivery_id = calls.delivery_id
                and other.source_call_id = calls.source_call_id
                and other.repetition_rank < calls.repetition_rank
                and other.talk_seconds > 0
                and other.answered_at < calls.ended_at
                and other.ended_at > calls.answered_at
        )

    union

    select announcements.ticket_id
    from asterisk_channels as announcements
    inner join asterisk_channels as dials
        on
            announcements.delivery_id = dials.delivery_id
            and announcements.source_call_id = dials.source_call_id
            and announcements.channel = dials.channel
            and announcements.started_at >= dials.started_at
    where
        announcements.direction = 'internal'
        and announcements.dstchannel is null
        and announcements.talk_seconds > 0
        and dials.is_trunk_dialled
),

-- When a trunk was up: while a row of it talks, and all the time that a dialled one goes on by itself.
trunk_times as (
    select
        delivery_id,
        source_call_id,
        leg_number,
        ticket_id,
        ticket_id as paying_ticket_id,
        up_channel,
        case when calling_ticket_id = origin_ticket_id then started_at else answered_at end as answered_at,
        ended_at
    from dialled_before
    where up_channel is not null and (talk_seconds > 0 or calling_ticket_id = origin_ticket_id)

    union all

    -- The first of two dialled trunks.
    select
        delivery_id,
        source_call_id,
        leg_number,
        ticket_id,
        calling_ticket_id as paying_ticket_id,
        channel as up_channel,
        started_at as answered_at,
        ended_at
    from dialled_before
    where up_channel = dstchannel and calling_ticket_id is not null
),

paid_times as (
    select
        times.ticket_id,
        times.paying_ticket_id,
        times.ended_at,
        -- Whole seconds are cut from finer clocks: rows that follow each other may overlap by one.
        case
            when times.answered_at < max(earlier.ended_at) - interval '1 second'
                then greatest(extract(epoch from times.ended_at - max(earlier.ended_at)), 0)::int
            else extract(epoch from times.ended_at - times.answered_at)::int
        end as talk_seconds
    from trunk_times as times
    left join trunk_times as earlier
        on
            times.delivery_id = earlier.delivery_id
            and times.source_call_id = earlier.source_call_id
            and times.up_channel = earlier.up_channel
            and (earlier.answered_at, -extract(epoch from earlier.ended_at), earlier.ticket_id, earlier.paying_ticket_id)
            < (times.answered_at, -extract(epoch from times.ended_at), times.ticket_id, times.paying_ticket_id)
            -- The same record under two ids is a duplicate, and stays what it is for the comparison.
            and (times.ticket_id = earlier.ticket_id or coalesce(times.leg_number <> earlier.leg_number, true))
    group by times.ticket_id, times.paying_ticket_id, times.up_channel, times.answered_at, times.ended_at
),

longer as (
    select
        paying_ticket_id,
        sum(talk_seconds)::int as talk_seconds,
        max(ended_at) as ended_at
    from paid_times
    where ticket_id <> paying_ticket_id and talk_seconds > 0
    group by paying_ticket_id
),

talks as (
    select
        calls.ticket_id,
        case
            when without_talk.ticket_id is not null then 0
            else coalesce(paid_times.talk_seconds, calls.talk_seconds)
        end as talk_seconds,
        coalesce(longer.talk_seconds, 0) as longer_seconds,
        longer.ended_at as longer_until,
        coalesce(paid_times.talk_seconds > 0 and calls.talk_seconds = 0, false) as is_kept_up,
        coalesce(paid_times.talk_seconds = 0, false) or without_talk.ticket_id is not null as is_told_elsewhere
    from asterisk_channels as calls
    left join without_talk
        on calls.ticket_id = without_talk.ticket_id
    left join paid_times
        on
            calls.ticket_id = paid_times.ticket_id
            and calls.ticket_id = paid_times.paying_ticket_id
    left join longer
        on calls.ticket_id = longer.paying_ticket_id
),

joined as (
    select
        calls.*,
        forwards.extension as forwarding_extension,
        last_parties.extension as last_extension,
        earlier_parties.answering_extension,
        earlier_parties.only_extension,
        earlier_parties.ticket_id is not null as had_parties,
        talks.talk_seconds as settled_talk_seconds,
        talks.longer_seconds,
        talks.longer_until,
        talks.is_kept_up,
        talks.is_told_elsewhere,
        calls.direction <> 'transit' or calls.calling_ticket_id is not null as is_settled_outgoing
    from dialled_before as calls
    inner join talks
        on calls.ticket_id = talks.ticket_id
    left join last_parties
        on calls.ticket_id = last_parties.origin_ticket_id
    left join asterisk_forwards as forwards
        on calls.ticket_id = forwards.ticket_id
    left join earlier_parties
        on calls.ticket_id = earlier_parties.ticket_id
    where
        calls.origin_ticket_id is not null
        or calls.calling_ticket_id is not null
        or last_parties.origin_ticket_id is not null
        or forwards.ticket_id is not null
        or earlier_parties.ticket_id is not null
        or talks.talk_seconds <> calls.talk_seconds
        or talks.longer_seconds > 0
)

select
    ticket_id,
    case
        when is_settled_outgoing and coalesce(origin_ticket_id, calling_ticket_id) is not null then 'outgoing'
        else direction
    end as direction,
    case
        when is_settled_outgoing and coalesce(origin_ticket_id, calling_ticket_id) is not null then origin_caller_number
        else caller_number
    end as caller_number,
    case when origin_ticket_id is not null then origin_called_number else called_number end as called_number,
    case when origin_ticket_id is not null then origin_presented_number else presented_number end as presented_number,
    case when is_settled_outgoing and coalesce(origin_ticket_id, calling_ticket_id) is not null then null else trunk_in end as trunk_in,
    case when origin_ticket_id is not null then origin_trunk_out else trunk_out end as trunk_out,
    coalesce(origin_account_code, account_code) as account_code,
    coalesce(
        forwarding_extension,
        extension,
        case when direction = 'transit' then dialled_extension end,
        answering_extension,
        only_extension,
        case when direction = 'transit' then origin_extension end
    ) as extension,
    case when coalesce(forwarding_extension, extension) = extension then extension_name end as extension_name,
    coalesce(
        case when origin_ticket_id is not null and direction <> 'transit' then nullif(origin_extension, extension) end,
        transferred_from
    ) as transferred_from,
    coalesce(last_extension, transferred_to) as transferred_to,
    settled_talk_seconds + longer_seconds as talk_seconds,
    ring_seconds + talk_seconds - settled_talk_seconds as ring_seconds,
    case when settled_talk_seconds > 0 then ended_at - settled_talk_seconds * interval '1 second' end as answered_at,
    greatest(ended_at, longer_until) as ended_at,
    case
        when is_told_elsewhere then 'redirected'
        when is_kept_up then 'answered'
        else outcome
    end as outcome
from joined
{%- endmacro %}
