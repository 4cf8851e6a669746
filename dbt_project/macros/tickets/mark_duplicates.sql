{#-
    Gives the state `duplicate` to the tickets of this build that came before in another delivery (rule R20): a PBX that sends
    its buffer again, a table read under a new generation. Runs when the rows are in.

    The same ticket: same pbx, same start, same body; blanks and NULs around it are of the way by which it came, TCP or a file.
    Two equal tickets within a delivery are two calls, so the second of two is a duplicate only when another delivery, too,
    brought two. `before` is the order of ticket_id, which landing hands out. But one that is on an issued invoice stands for good
    (I1, R22): when an earlier one, which could not be read when it came, is read at last, that one is the duplicate
    (call_is_invoiced).
    However a ticket on an issued invoice would be read by now, a replay has noted it: a copy that comes later is read that way.
    Where tickets identify themselves (self_identified_models) two equal ones are one, also within a delivery. Rows of Asterisk's
    cdr table do by uniqueid and sequence; the id that the database gave each is no part of them. What a Grandstream UCM pushed
    and what its API tells of the same record is written differently: they do by session and record number.

    A few new tickets are looked up one by one, so that their cost does not grow with history; many are hashed, against the
    tickets of the time that they span. PostgreSQL cannot know yet how many came in this transaction, so the join is chosen here.
-#}
{% macro mark_duplicates(relation) %}
{%- set self_identified -%}
    ('{{ self_identified_models() | join("', '") }}')
{%- endset -%}
{%- set asterisk -%}
    ('{{ asterisk_models() | join("', '") }}')
{%- endset -%}
{%- set new_tickets -%}
    select staged.*
    from {{ relation }} as staged
    where
        staged.batch_id = any(array(select batch_id from {{ source('raw', 'batches_to_build') }}))
        and staged.state = 'ticket'
        and (
            staged.model in {{ self_identified }}
            or (staged.model in {{ asterisk }} and staged.leg_number is not null)
            -- A pbx with one delivery, such as a table that was never rebuilt, has nothing to compare.
            or staged.pbx_id = any(array(
                select deliveries.pbx_id
                from {{ source('raw', 'deliveries') }} as deliveries
                group by deliveries.pbx_id
                having count(*) > 1
            ))
        )
{%- endset -%}
{%- set extent_query -%}
    select
        count(*),
        floor(extract(epoch from min(new_tickets.started_at)))::bigint,
        ceil(extract(epoch from max(new_tickets.started_at)))::bigint
    from ({{ new_tickets }}) as new_tickets
{%- endset -%}
{%- set new_ticket_count, first_second, last_second = run_query(extent_query).rows[0].values() if execute else (0, 0, 0) -%}
{%- set turned_off = ['enable_hashjoin', 'enable_mergejoin'] if new_ticket_count < 50000 else ['enable_nestloop'] -%}

{%- set earlier_tickets = relation -%}
{%- set compared = [
    'readings.ticket_id', 'readings.started_at', 'readings.talk_seconds', 'readings.direction', 'readings.caller_number',
    'readings.called_number',
] -%}
{% if new_ticket_count > 0 %}
{% if invoiced_tickets_are_read_otherwise() %}
{%- set earlier_tickets = 'tickets_in_all_readings' -%}
create temporary table tickets_in_all_readings on commit drop as
select staged.*
from {{ relation }} as staged
where
    staged.pbx_id = any(array(
        select batches.pbx_id
        from {{ source('raw', 'batches') }} as batches
        where batches.batch_id = any({{ batches_to_build() }})
    ))
    and staged.started_at between to_timestamp({{ first_second }}) and to_timestamp({{ last_second }})

union all

select distinct on ({{ compared | join(', ') }}) readings.*
from {{ source('raw', 'replay_differences') }} as differences
inner join {{ source('raw', 'replays') }} as replays
    on differences.replay_id = replays.replay_id
inner join {{ relation }} as staged
    on differences.ticket_id = staged.ticket_id
cross join lateral jsonb_populate_record(staged, differences.after) as readings
where
    differences.is_invoiced
    and replays.kept_at is not null
    and ({{ compared | join(', ') }}) is distinct from ({{ compared | map('replace', 'readings', 'staged') | join(', ') }});
create index on tickets_in_all_readings (started_at);
analyze tickets_in_all_readings;
{% endif %}
{% for setting in turned_off %}
set local {{ setting }} = off;
{% endfor %}
create temporary table similar_tickets on commit drop as
select
    new_tickets.ticket_id,
    new_tickets.pbx_id,
    new_tickets.model,
    new_tickets.leg_number,
    new_tickets.delivery_id,
    new_tickets.ordinal,
    earlier.ticket_id as earlier_ticket_id,
    earlier.delivery_id as earlier_delivery_id,
    earlier.ordinal as earlier_ordinal,
    coalesce(
        new_tickets.model = 'grandstream_ucm'
        and new_tickets.source_call_id = earlier.source_call_id
        and (
            new_tickets.leg_number = earlier.leg_number
            -- A list of values that is pushed may lack the number; as many legs as came before are the same ones then.
            or (
                coalesce(new_tickets.leg_number, earlier.leg_number) is not null
                and (new_tickets.leg_number is null or earlier.leg_number is null)
                and new_tickets.delivery_id <> earlier.delivery_id
                and new_tickets.outcome = earlier.outcome
                and new_tickets.extension is not distinct from earlier.extension
                and new_tickets.ended_at = earlier.ended_at
            )
        ),
        false
    ) as is_same_record
from ({{ new_tickets }}) as new_tickets
inner join {{ earlier_tickets }} as earlier
    on
        new_tickets.started_at = earlier.started_at
        and new_tickets.pbx_id = earlier.pbx_id
        and new_tickets.talk_seconds = earlier.talk_seconds
        and new_tickets.direction = earlier.direction
        and coalesce(new_tickets.caller_number, '') = coalesce(earlier.caller_number, '')
        and coalesce(new_tickets.called_number, '') = coalesce(earlier.called_number, '')
where
    earlier.state in ('ticket', 'duplicate')
    and case
        when earlier.ticket_id < new_tickets.ticket_id then not {{ is_on_an_invoice('new_tickets') }}
        when earlier.ticket_id > new_tickets.ticket_id then {{ is_on_an_invoice('earlier') }}
        else false
    end
    and earlier.started_at between to_timestamp({{ first_second }}) and to_timestamp({{ last_second }})
    and (
        earlier.delivery_id <> new_tickets.delivery_id
        or (new_tickets.model in {{ self_identified }} and new_tickets.source_call_id is not null)
        or (
            new_tickets.model in {{ asterisk }}
            and new_tickets.source_call_id = earlier.source_call_id
            and new_tickets.leg_number = earlier.leg_number
        )
    );
{% for setting in turned_off %}
set local {{ setting }} = on;
{% endfor %}

update {{ relation }} as staged
set
    state = 'duplicate',
    state_reason = case
        when counted.is_invoiced_later then 'call_is_invoiced'
        when staged.model in {{ self_identified }} or counted.is_found_here then 'same_ticket_came_before'
        else 'came_before_in_another_delivery'
    end
from (
    select
        pairs.ticket_id,
        pairs.delivery_id = pairs.earlier_delivery_id as is_found_here,
        pairs.earlier_ticket_id > pairs.ticket_id as is_invoiced_later,
        row_number() over (partition by pairs.delivery_id, pairs.earlier_ticket_id order by pairs.ordinal) as times_here,
        count(*) over (partition by pairs.ticket_id, pairs.earlier_delivery_id) as times_before
    from similar_tickets as pairs
    inner join {{ source('raw', 'tickets') }} as tickets
        on
            pairs.model = tickets.model
            and pairs.delivery_id = tickets.delivery_id
            and pairs.ordinal = tickets.ordinal
    inner join {{ source('raw', 'tickets') }} as earlier
        on
            pairs.model = earlier.model
            and pairs.earlier_delivery_id = earlier.delivery_id
            and pairs.earlier_ordinal = earlier.ordinal
    left join {{ source('directory', 'current_pbxs') }} as pbxs on pairs.pbx_id = pbxs.pbx_id
    where
        tickets.body = earlier.body
        or {{ without_padding('tickets.body') }} = {{ without_padding('earlier.body') }}
        or pairs.is_same_record
        or (
            pairs.model in {{ asterisk }}
            and pairs.leg_number is not null
            and case
                when pairs.model = 'asterisk_csv' then false
                else
                    tickets.body::jsonb - array['id', 'id_cdr', pbxs.settings ->> 'key']
                    = earlier.body::jsonb - array['id', 'id_cdr', pbxs.settings ->> 'key']
            end
        )
) as counted
where
    staged.ticket_id = counted.ticket_id
    and (counted.is_found_here or counted.times_here <= counted.times_before)
{% else %}
select 1
{% endif %}
{% endmacro %}

{#- Whether a ticket is on an issued invoice. -#}
{% macro is_on_an_invoice(tickets) -%}
    exists (
        select from {{ source('billing', 'invoice_calls') }} as invoice_calls
        where invoice_calls.ticket_id = {{ tickets }}.ticket_id
    )
{%- endmacro %}

{#- Whether replays have noted how tickets on issued invoices would be read by now. -#}
{% macro invoiced_tickets_are_read_otherwise() -%}
    {%- set query -%}
        select exists (
            select
            from {{ source('raw', 'replay_differences') }} as differences
            inner join {{ source('raw', 'replays') }} as replays
                on differences.replay_id = replays.replay_id
            inner join {{ source('raw', 'batches') }} as batches
                on replays.pbx_id = batches.pbx_id
            where
                differences.is_invoiced
                and replays.kept_at is not null
                and batches.batch_id = any({{ batches_to_build() }})
        )
    {%- endset -%}
    {{ return(execute and run_query(query).rows[0][0]) }}
{%- endmacro %}

{#- The expression of a body without the blanks, and the NULs as framing writes them, before and behind it. -#}
{% macro without_padding(body) -%}
    btrim(replace({{ body }}, '\x00', ''))
{%- endmacro %}
