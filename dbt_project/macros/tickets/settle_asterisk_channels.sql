{#-
    Settles what a row of Asterisk cannot say alone: what a channel was before (rule R19). Runs when the rows are in, before
    duplicates are marked, and looks at the rows of one call in one delivery, so that a copy of the table is settled alike.

    - A trunk that was dialled and goes on with another party (transfer, parking, conference, a local channel that steps out of the
      way) is still the outgoing call, to the number that was dialled; whoever dialled it is transferred_from, and transferred_to is
      the last one who had it. It is up all the while, whether the next one answers or not. A transfer by SIP may leave the dialling
      in a call of its own: that one ends as the trunk goes on here.
    - Two trunks that were dialled and talk to each other both cost: the row is the call of the second, and that of the first grows.
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
    'extension_name', 'transferred_from', 'transferred_to', 'talk_seconds', 'ring_seconds', 'answered_at', 'ended_at', 'outcome',
] -%}
{%- set kept_columns = settled_columns + [
    'ticket_id', 'model', 'delivery_id', 'ordinal', 'source_call_id', 'leg_number', 'started_at',
] -%}
{%- set columns_of_a_dial = [
    'ticket_id', 'started_at', 'caller_number', 'called_number', 'presented_number', 'trunk_out', 'account_code', 'extension',
] -%}
{%- set new_batches -%}
    any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
{%- endset -%}
{%- set between_local_channels -%}
    (
        select
            staged.model,
            staged.delivery_id,
            staged.ordinal
        from {{ relation }} as staged
        where
            staged.batch_id = {{ new_batches }}
            and staged.model in {{ models }}
            and staged.state = 'ignored'
            and staged.state_reason = 'local_channels'
            and exists (
                select
                from asterisk_channels as calls
                where calls.is_channel_local and calls.is_trunk_dialled
            )
    )
{%- endset -%}
{%- set earlier_legs = earlier_call_legs() -%}

{% if asterisk_batches_wait() %}
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
with {{ asterisk_channel_names('named', 'asterisk_calls') }},

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

-- Who forwarded a call that a local channel sent out: the half ;1 was dialled for it, maybe by another local channel, whose row is no
-- ticket.
create temporary table asterisk_forwards on commit drop as
with {{ asterisk_channel_names('ignored', between_local_channels) }},

local_dials as (
    select
        delivery_id,
        source_call_id,
        dstchannel,
        dst,
        case when not is_channel_local and direction <> 'incoming' then extension end as extension
    from asterisk_channels
    where is_dstchannel_local

    union all

    select
        delivery_id,
        linkedid as source_call_id,
        dstchannel,
        dst,
        null::text as extension
    from ignored
)

select
    calls.ticket_id,
    -- The number that is forwarded, or else who dialled to transfer.
    coalesce(
        min({{ called_extension('local_dials.dst') }}) filter (where {{ called_extension('local_dials.dst') }} ~ '^[0-9]{2,6}$'),
        min(local_dials.extension)
    ) as extension
from asterisk_channels as calls
inner join local_dials
    on
        calls.delivery_id = local_dials.delivery_id
        and calls.source_call_id = local_dials.source_call_id
        and regexp_replace(calls.channel, '2$', '1') = local_dials.dstchannel
where
    calls.is_channel_local
    and calls.is_trunk_dialled
group by calls.ticket_id;
analyze asterisk_forwards;

create temporary table asterisk_origins on commit drop as
with dials as (
    select distinct on (delivery_id, source_call_id, trunk_channel) *
    from asterisk_channels
    where is_trunk_dialled
    order by delivery_id asc, source_call_id asc, trunk_channel asc, started_at asc, ticket_id asc
)

select
    dials.delivery_id,
    dials.source_call_id,
    dials.trunk_channel,
    {%- for column in columns_of_a_dial if column != 'extension' %}
    dials.{{ column }},
    {%- endfor %}
    coalesce(forwards.extension, dials.extension) as extension
from dials
left join asterisk_forwards as forwards
    on dials.ticket_id = forwards.ticket_id;
analyze asterisk_origins;

-- The first row of a trunk, yet not of its caller: maybe it was dialled in another call, which ended as the trunk came into this one.
create temporary table asterisk_taken_over on commit drop as
select
    calls.ticket_id,
    calls.delivery_id,
    calls.source_call_id,
    calls.trunk_out,
    calls.trunk_channel,
    date_trunc('second', calls.started_at) + apart.seconds * interval '1 second' as second
from asterisk_channels as calls
inner join asterisk_origins as origins
    on calls.ticket_id = origins.ticket_id
cross join generate_series(-2, 2) as apart (seconds)
where
    calls.talk_seconds > 0
    and exists (
        select
        from asterisk_channels as earlier
        where
            earlier.delivery_id = calls.delivery_id
            and earlier.source_call_id = calls.source_call_id
            and earlier.channel = calls.channel
            and earlier.started_at < calls.started_at
    );
analyze asterisk_taken_over;

-- By itself, before raw is read: PostgreSQL cannot know how few these are.
create temporary table asterisk_dials_elsewhere on commit drop as
select
    staged.*,
    taken_over.ticket_id as later_ticket_id,
    taken_over.trunk_channel
from asterisk_taken_over as taken_over
inner join {{ relation }} as staged
    on
        taken_over.delivery_id = staged.delivery_id
        and taken_over.trunk_out = staged.trunk_out
        and taken_over.second = date_trunc('second', staged.ended_at)
where
    taken_over.source_call_id <> staged.source_call_id
    and staged.batch_id = {{ new_batches }}
    and staged.state = 'ticket';
analyze asterisk_dials_elsewhere;

update asterisk_origins as origins
set
    {%- for column in columns_of_a_dial %}
    {{ column }} = dials.{{ column }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from (
    with {{ asterisk_channel_names('named', 'asterisk_dials_elsewhere') }}

    select distinct on (later_ticket_id) *
    from named
    where dstchannel = trunk_channel
    order by later_ticket_id asc, started_at asc, ticket_id asc
) as dials
where origins.ticket_id = dials.later_ticket_id;
analyze asterisk_origins;

create temporary table asterisk_settled on commit drop as
{{ asterisk_settled_legs() }};

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

{#- Whether a channel is one of a device: PJSIP/carrier-0000002a of PJSIP/carrier. -#}
{% macro is_channel_of(channel, device) -%}
    starts_with({{ channel }}, {{ device }}) and substr({{ channel }}, length({{ device }}) + 1, 1) in ('-', '/')
{%- endmacro %}
