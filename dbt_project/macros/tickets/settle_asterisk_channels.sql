{#-
    Settles what a row of Asterisk cannot say alone: what a channel was before (rule R19). Runs when the rows are in, before
    duplicates are marked, and looks at the rows of one call in one delivery, so that a copy of the table is settled alike.

    - A trunk that was dialled and goes on with another party (transfer, parking) is still the outgoing call, to the number that was
      dialled; whoever dialled it is transferred_from, and transferred_to is the last one who had it.
    - A call that a local channel sent out belongs to the extension that forwarded it: the one whose dial made that channel. So does
      one that a caller's own channel was sent out by, after the extension had it.
    - Halves of local channels repeat the talk of another row, and what the dial plan plays to a caller after it dialled a trunk for
      him is no call: talk 0, redirected.
    - A trunk talks once at a time: what two rows of the same trunk channel both tell (conferences) counts in the first.

    Most calls have one row and are not looked at; nor is an identity with hundreds of rows, which is no call but a dial plan that
    sets the same one for all of them.
-#}
{% macro settle_asterisk_channels(relation) %}
{%- set models = "('" ~ asterisk_models() | join("', '") ~ "')" -%}
{%- set settled_columns = [
    'direction', 'caller_number', 'called_number', 'presented_number', 'trunk_in', 'trunk_out', 'account_code', 'extension',
    'extension_name', 'transferred_from', 'transferred_to', 'talk_seconds', 'ring_seconds', 'answered_at', 'outcome',
] -%}
{%- set kept_columns = settled_columns + [
    'ticket_id', 'model', 'delivery_id', 'ordinal', 'source_call_id', 'leg_number', 'started_at', 'ended_at',
] -%}
{%- set new_batches -%}
    any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
{%- endset -%}
{%- set waiting_query -%}
    select count(*) from {{ source('raw', 'batches') }} where batch_id = {{ new_batches }} and model in {{ models }}
{%- endset -%}
{%- set earlier_legs = earlier_call_legs() -%}

{% if execute and run_query(waiting_query).rows[0][0] > 0 %}
create temporary table asterisk_calls on commit drop as
with identities as (
    select
        delivery_id,
        source_call_id,
        array_agg(ticket_id) as ticket_ids,
        min(started_at) as first_started_at,
        max(coalesce(ended_at, started_at)) as last_ended_at
    from {{ relation }}
    where
        batch_id = {{ new_batches }}
        and model in {{ models }}
        and state = 'ticket'
        and source_call_id is not null
    group by delivery_id, source_call_id
    having count(*) <= 200
),
{%- if earlier_legs %}

earlier_tickets as (
    select
        identities.delivery_id,
        identities.source_call_id,
        earlier_legs.ticket_id
    from identities
    inner join {{ earlier_legs }} as earlier_legs
        on
            identities.source_call_id = earlier_legs.source_call_id
            and earlier_legs.started_at <= identities.last_ended_at + {{ longest_call_identity_pause() }}
            and earlier_legs.started_at
            >= identities.first_started_at - {{ longest_leg() }} - {{ longest_call_identity_pause() }}
    where earlier_legs.model in {{ models }}
),
{%- endif %}

tickets as (
    select unnest(ticket_ids) as ticket_id
    from identities
    where
        cardinality(ticket_ids) > 1
        {%- if earlier_legs %}
        or (delivery_id, source_call_id) in (
            select
                earlier_tickets.delivery_id,
                earlier_tickets.source_call_id
            from earlier_tickets
        )
        {%- endif %}
    {%- if earlier_legs %}

    union

    select ticket_id
    from earlier_tickets
    {%- endif %}
),

rows_of_calls as (
    select
        {%- for column in kept_columns %}
        staged.{{ column }},
        {%- endfor %}
        count(*) over (partition by staged.delivery_id, staged.source_call_id) as row_count
    from tickets
    inner join {{ relation }} as staged
        on tickets.ticket_id = staged.ticket_id
    where staged.state = 'ticket'
)

select *
from rows_of_calls
where row_count between 2 and 200;
analyze asterisk_calls;

create temporary table asterisk_channels on commit drop as
with records as (
    {{ computed_once() }}
    select
        calls.*,
        raw_tickets.body::jsonb as record
    from asterisk_calls as calls
    inner join {{ source('raw', 'tickets') }} as raw_tickets
        on
            calls.model = raw_tickets.model
            and calls.delivery_id = raw_tickets.delivery_id
            and calls.ordinal = raw_tickets.ordinal
),

named as (
    {{ computed_once() }}
    select
        *,
        btrim(record ->> 'channel') as channel,
        nullif(btrim(record ->> 'dstchannel'), '') as dstchannel,
        btrim(record ->> 'dst') as dst
    from records
),

placed as (
    {{ computed_once() }}
    select
        *,
        channel like 'Local/%' as is_channel_local,
        dstchannel like 'Local/%' as is_dstchannel_local,
        case
            when {{ is_channel_of('dstchannel', 'trunk_out') }} then dstchannel
            when {{ is_channel_of('channel', 'coalesce(trunk_in, trunk_out)') }} then channel
        end as trunk_channel
    from named
)

select
    *,
    trunk_channel is not distinct from dstchannel and trunk_channel is not null as is_trunk_dialled,
    -- Whose talk counts when rows of a call overlap: a trunk or two phones, then a local channel that reached a phone.
    case
        when trunk_channel is not null then 0
        when is_dstchannel_local then 2
        when is_channel_local then 1
        else 0
    end as repetition_rank
from placed;
analyze asterisk_channels;

create temporary table asterisk_settled on commit drop as
with origins as (
    select distinct on (delivery_id, source_call_id, trunk_channel) *
    from asterisk_channels
    where is_trunk_dialled
    order by delivery_id asc, source_call_id asc, trunk_channel asc, started_at asc, ticket_id asc
),

continued as (
    select
        later.ticket_id,
        origins.ticket_id as origin_ticket_id,
        later.started_at,
        later.extension,
        origins.extension as origin_extension,
        origins.caller_number,
        origins.called_number,
        origins.presented_number,
        origins.trunk_out,
        origins.account_code
    from asterisk_channels as later
    inner join origins
        on
            later.delivery_id = origins.delivery_id
            and later.source_call_id = origins.source_call_id
            and later.trunk_channel = origins.trunk_channel
            and later.channel <> origins.channel
            and later.started_at >= origins.started_at
            and later.ticket_id <> origins.ticket_id
    where later.direction in ('incoming', 'outgoing')
),

last_parties as (
    select distinct on (origin_ticket_id)
        origin_ticket_id,
        extension
    from continued
    where extension <> origin_extension
    order by origin_ticket_id asc, started_at desc, ticket_id desc
),

-- Rows that the halves ;1 were dialled by, those between two local channels included, which are no tickets.
local_dials as (
    select
        delivery_id,
        source_call_id,
        dstchannel,
        dst
    from asterisk_channels
    where is_dstchannel_local

    union all

    select
        staged.delivery_id,
        raw_tickets.body::jsonb ->> 'linkedid',
        raw_tickets.body::jsonb ->> 'dstchannel',
        raw_tickets.body::jsonb ->> 'dst'
    from {{ relation }} as staged
    inner join {{ source('raw', 'tickets') }} as raw_tickets
        on
            staged.model = raw_tickets.model
            and staged.delivery_id = raw_tickets.delivery_id
            and staged.ordinal = raw_tickets.ordinal
    where
        staged.batch_id = {{ new_batches }}
        and staged.model in {{ models }}
        and staged.state = 'ignored'
        and staged.state_reason = 'local_channels'
),

forwarded_by_local_channel as (
    select
        calls.ticket_id,
        -- FreePBX prefixes the extension of a follow-me: FMPR-201, FMGL-201.
        min(regexp_replace(local_dials.dst, '^FM[A-Z]{2}-', '')) as extension
    from asterisk_channels as calls
    inner join local_dials
        on
            calls.delivery_id = local_dials.delivery_id
            and calls.source_call_id = local_dials.source_call_id
            and regexp_replace(calls.channel, ';2$', ';1') = local_dials.dstchannel
    where
        calls.is_channel_local
        and calls.is_trunk_dialled
        and local_dials.dst ~ '^(FM[A-Z]{2}-)?[0-9]{2,8}$'
    group by calls.ticket_id
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
    inner join asterisk_channels as earlier
        on
            calls.delivery_id = earlier.delivery_id
            and calls.source_call_id = earlier.source_call_id
            and calls.channel = earlier.channel
            and calls.started_at >= earlier.started_at
            and calls.ticket_id <> earlier.ticket_id
    where calls.direction = 'transit' and earlier.direction = 'incoming'
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

covered as (
    select
        calls.ticket_id,
        max(earlier.ended_at) as covered_until
    from asterisk_channels as calls
    inner join asterisk_channels as earlier
        on
            calls.delivery_id = earlier.delivery_id
            and calls.source_call_id = earlier.source_call_id
            and calls.trunk_channel = earlier.trunk_channel
            and (earlier.answered_at, -earlier.talk_seconds, earlier.ticket_id)
            < (calls.answered_at, -calls.talk_seconds, calls.ticket_id)
    where
        calls.talk_seconds > 0
        and earlier.talk_seconds > 0
        -- The same record under two ids is a duplicate, and stays what it is for the comparison.
        and coalesce(calls.leg_number <> earlier.leg_number, true)
    group by calls.ticket_id
),

talks as (
    select
        calls.ticket_id,
        case
            when without_talk.ticket_id is not null then 0
            -- Whole seconds are cut from finer clocks: rows that follow each other may overlap by one.
            when calls.answered_at < covered.covered_until - interval '1 second'
                then greatest(extract(epoch from calls.ended_at - covered.covered_until), 0)::int
            else calls.talk_seconds
        end as talk_seconds
    from asterisk_channels as calls
    left join without_talk
        on calls.ticket_id = without_talk.ticket_id
    left join covered
        on calls.ticket_id = covered.ticket_id
)

select
    calls.ticket_id,
    case when continued.ticket_id is not null then 'outgoing' else calls.direction end as direction,
    case when continued.ticket_id is not null then continued.caller_number else calls.caller_number end as caller_number,
    case when continued.ticket_id is not null then continued.called_number else calls.called_number end as called_number,
    case when continued.ticket_id is not null then continued.presented_number else calls.presented_number end as presented_number,
    case when continued.ticket_id is not null then null else calls.trunk_in end as trunk_in,
    case when continued.ticket_id is not null then continued.trunk_out else calls.trunk_out end as trunk_out,
    coalesce(continued.account_code, calls.account_code) as account_code,
    coalesce(
        forwarded_by_local_channel.extension,
        calls.extension,
        earlier_parties.answering_extension,
        earlier_parties.only_extension
    ) as extension,
    case
        when coalesce(forwarded_by_local_channel.extension, calls.extension) = calls.extension then calls.extension_name
    end as extension_name,
    coalesce(nullif(continued.origin_extension, calls.extension), calls.transferred_from) as transferred_from,
    coalesce(last_parties.extension, calls.transferred_to) as transferred_to,
    talks.talk_seconds,
    calls.ring_seconds + calls.talk_seconds - talks.talk_seconds as ring_seconds,
    case
        when talks.talk_seconds = 0 and calls.talk_seconds > 0 then null
        else calls.answered_at + (calls.talk_seconds - talks.talk_seconds) * interval '1 second'
    end as answered_at,
    case when talks.talk_seconds = 0 and calls.talk_seconds > 0 then 'redirected' else calls.outcome end as outcome
from asterisk_channels as calls
inner join talks
    on calls.ticket_id = talks.ticket_id
left join continued
    on calls.ticket_id = continued.ticket_id
left join last_parties
    on calls.ticket_id = last_parties.origin_ticket_id
left join forwarded_by_local_channel
    on calls.ticket_id = forwarded_by_local_channel.ticket_id
left join earlier_parties
    on calls.ticket_id = earlier_parties.ticket_id
where
    continued.ticket_id is not null
    or last_parties.origin_ticket_id is not null
    or forwarded_by_local_channel.ticket_id is not null
    or earlier_parties.ticket_id is not null
    or talks.talk_seconds < calls.talk_seconds;

update {{ relation }} as staged
set
    {%- for column in settled_columns %}
    {{ column }} = asterisk_settled.{{ column }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from asterisk_settled
where staged.ticket_id = asterisk_settled.ticket_id
{% else %}
select 1
{% endif %}
{% endmacro %}

{#- The models whose tickets are rows of Asterisk's cdr table. -#}
{% macro asterisk_models() %}
    {{ return(['asterisk_mysql', 'fonisk', 'itneo', 'telnowedge']) }}
{% endmacro %}

{#- Whether a channel is one of a device: PJSIP/carrier-0000002a of PJSIP/carrier. -#}
{% macro is_channel_of(channel, device) -%}
    starts_with({{ channel }}, {{ device }}) and substr({{ channel }}, length({{ device }}) + 1, 1) in ('-', '/')
{%- endmacro %}
