"""A replay on trial: the real build of the staged contract, on a copy that nobody sees.

dbt runs the model as in a build. A setting of its session says which replay is tried: the batches
to build are those of the replay then, and the materialisation writes a temporary copy and leaves
the differences in ``raw.replay_differences``. No other session sees anything of it.
"""

from __future__ import annotations

import getpass
import io
from dataclasses import dataclass

import psycopg

from tollhouse.building import run_dbt
from tollhouse.replaying.choice import Choice, with_batches
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

#: The setting that dbt's macros look at.
ON_TRIAL = "tollhouse.replay_on_trial"

#: Whoever was killed, or still thinks, has left one; the latter's is tried again.
FORGET_TRIALS = "delete from raw.replays where kept_at is null"
FORGET_TRIAL = "delete from raw.replays where replay_id = %s and kept_at is null"

RECORD_TRIAL = """
insert into raw.replays (
    pbx_id, received_since, received_until, batch_ids, ticket_count, tried_by
)
values (%s, %s, %s, %s, %s, %s)
returning replay_id
"""

#: Batches that are not read again and hold a copy of a ticket that changes, which is found as a
#: build finds copies: by what tickets say. A later copy may be a duplicate from now on, or none any
#: more; one on an issued invoice stays what it is. An earlier copy has to be read like the one that
#: was its duplicate, or both would count.
BATCHES_WITH_COPIES = """
with changing as (
    select
        staged as rows_before,
        jsonb_populate_record(staged, differences.after) as rows_after
    from raw.replay_differences as differences
    inner join intermediate.int_tickets__staged as staged
        on differences.ticket_id = staged.ticket_id
    where differences.replay_id = %(replay_id)s
        and not differences.is_invoiced
        and differences.after ?| array[
            'state', 'started_at', 'talk_seconds', 'direction', 'caller_number', 'called_number'
        ]
),
images as (
    select (rows_before).*, (rows_after).state as state_after
    from changing
    union all
    select (rows_after).*, (rows_after).state as state_after
    from changing
)
select distinct copies.batch_id
from images
inner join intermediate.int_tickets__staged as copies
    on images.started_at = copies.started_at
    and images.pbx_id = copies.pbx_id
    and images.talk_seconds = copies.talk_seconds
    and images.direction = copies.direction
    and coalesce(images.caller_number, '') = coalesce(copies.caller_number, '')
    and coalesce(images.called_number, '') = coalesce(copies.called_number, '')
inner join raw.batches as batches
    on copies.batch_id = batches.batch_id
where images.state in ('ticket', 'duplicate')
    and copies.state in ('ticket', 'duplicate')
    and batches.built_at is not null
    and copies.batch_id <> all(%(batch_ids)s)
    and case
        when copies.ticket_id < images.ticket_id
            then images.state = 'duplicate' and images.state_after = 'ticket'
        else not exists (
            select from billing.invoice_calls as invoice_calls
            where invoice_calls.ticket_id = copies.ticket_id
        )
    end
"""

#: The same for copies that count and were read otherwise when they came, so that only the text
#: tells. Nobody knows how few or many they are: hashed, it is one pass over the PBX's tickets.
BATCHES_WITH_EQUAL_TEXTS = """
with other_batches as (
    select array_agg(batch_id) as batch_ids
    from raw.batches
    where pbx_id = %(pbx_id)s
        and built_at is not null
        and batch_id <> all(%(batch_ids)s)
),
changing as (
    select
        tickets.delivery_id,
        btrim(replace(tickets.body, '\\x00', '')) as body
    from raw.replay_differences as differences
    inner join intermediate.int_tickets__staged as staged
        on differences.ticket_id = staged.ticket_id
    inner join raw.tickets as tickets
        on staged.ticket_id = tickets.ticket_id
        and tickets.batch_id = any(%(batch_ids)s)
    where differences.replay_id = %(replay_id)s
        and not differences.is_invoiced
        and coalesce(differences.after ->> 'state', staged.state) = 'ticket'
        and (select count(*) > 1 from raw.deliveries where pbx_id = %(pbx_id)s)
)
select distinct copies.batch_id
from changing
inner join raw.tickets as tickets
    on changing.body = btrim(replace(tickets.body, '\\x00', ''))
    and changing.delivery_id <> tickets.delivery_id
    and tickets.batch_id = any((select batch_ids from other_batches)::int[])
inner join intermediate.int_tickets__staged as copies
    on tickets.ticket_id = copies.ticket_id
    and copies.batch_id = any((select batch_ids from other_batches)::int[])
where copies.state = 'ticket'
"""


@dataclass(frozen=True)
class Trial:
    """A replay whose differences are in the database.

    Attributes:
        choice: what was read again in the end.
        added_batch_ids: batches outside the period that had to be read again too.
    """

    replay_id: int
    choice: Choice
    added_batch_ids: tuple[int, ...]


def try_replay(connection: psycopg.Connection, settings: Settings, choice: Choice) -> Trial:
    """Read batches again on trial; trials that were not kept are forgotten.

    Args:
        connection: of the role tollhouse_loader, in autocommit mode, holding the build lock.
        settings: the installation.
        choice: what to read again.

    Raises:
        BuildError: the staged contract cannot be built.
    """
    asked = choice
    while True:
        connection.execute(FORGET_TRIALS)
        replay_id = _record(connection, choice)
        run_dbt(
            settings, "run", "--select", "int_tickets__staged",
            output=io.StringIO(), session_settings={ON_TRIAL: str(replay_id)},
        )  # fmt: skip
        copies = _batches_with_copies(settings, replay_id, choice)
        if not copies:
            added = sorted(set(choice.batch_ids) - set(asked.batch_ids))
            return Trial(replay_id, choice, tuple(added))
        choice = with_batches(connection, choice, copies)


def forget_trial(connection: psycopg.Connection, replay_id: int) -> None:
    """Remove a replay that is not kept, with its differences."""
    connection.execute(FORGET_TRIAL, [replay_id])


def _record(connection: psycopg.Connection, choice: Choice) -> int:
    row = connection.execute(
        RECORD_TRIAL,
        [
            choice.pbx_id,
            choice.since,
            choice.until,
            list(choice.batch_ids),
            choice.ticket_count,
            getpass.getuser(),
        ],
    ).fetchone()
    assert row is not None
    return int(row[0])


def _batches_with_copies(settings: Settings, replay_id: int, choice: Choice) -> set[int]:
    asked = {
        "replay_id": replay_id,
        "batch_ids": list(choice.batch_ids),
        "pbx_id": choice.pbx_id,
    }
    with connect(DBT, settings=settings) as connection:
        found = connection.execute(BATCHES_WITH_COPIES, asked).fetchall()
        connection.execute("set local enable_nestloop = off")
        found += connection.execute(BATCHES_WITH_EQUAL_TEXTS, asked).fetchall()
    return {batch_id for (batch_id,) in found}
