"""Which batches are read again: those of one PBX with tickets received in a period.

Whole batches are read again, since a build knows nothing smaller. The period is that of receipt and
not that of the calls: a ticket that could not be read has no call that one could ask for.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

KNOWN_PBXS = "select pbx_id, time_zone from directory.current_pbxs order by pbx_id"

#: A batch lands after its tickets were received, give or take what the clocks differ.
FIND_BATCHES = """
select
    batches.batch_id,
    count(*) as ticket_count,
    min(tickets.received_at),
    max(tickets.received_at)
from raw.batches as batches
inner join raw.tickets as tickets
    on batches.batch_id = tickets.batch_id and batches.model = tickets.model
where batches.pbx_id = %(pbx_id)s
    and batches.built_at is not null
    and batches.landed_at >= %(since)s - interval '1 day'
group by batches.batch_id
having bool_or(
    tickets.received_at >= %(since)s
    and (%(until)s::timestamptz is null or tickets.received_at < %(until)s)
)
order by batches.batch_id
"""

MEASURE_BATCHES = """
select
    batches.batch_id,
    count(*) as ticket_count,
    min(tickets.received_at),
    max(tickets.received_at)
from raw.batches as batches
inner join raw.tickets as tickets
    on batches.batch_id = tickets.batch_id and batches.model = tickets.model
where batches.batch_id = any(%s)
group by batches.batch_id
order by batches.batch_id
"""

COUNT_WAITING = """
select count(*) from raw.batches where pbx_id = %s and built_at is null and rows_inserted > 0
"""

LAST_LANDED = """
select max(landed_at) from raw.batches
where pbx_id = %s and built_at is not null and rows_inserted > 0
"""


class ReplayError(Exception):
    """A replay is refused; the message says why and what to do."""


@dataclass(frozen=True)
class Choice:
    """What is read again.

    Attributes:
        until: tickets received from then on are not asked for; None when there is no such end.
        batch_ids: in order; whole batches, so that they may hold tickets of other times.
        waiting_count: batches of the PBX that wait for their first build and are no part of it.
    """

    pbx_id: str
    time_zone: str
    since: datetime
    until: datetime | None
    batch_ids: tuple[int, ...]
    ticket_count: int
    first_received_at: datetime
    last_received_at: datetime
    waiting_count: int


def choose_batches(
    connection: psycopg.Connection, pbx_id: str, *, since: str, until: str | None = None
) -> Choice:
    """Return the built batches of a PBX that hold tickets received in a period.

    Args:
        connection: as a role that reads raw and the directory.
        pbx_id: the installed PBX.
        since: a date, from its midnight in the PBX's zone, or an instant in ISO 8601.
        until: the same; a date means until that day ends.

    Raises:
        ReplayError: no such PBX, no such period, or no batch in it.
    """
    time_zone = _zone_of(connection, pbx_id)
    begin = _instant(since, "--since", time_zone)
    end = _instant(until, "--until", time_zone, end_of_day=True) if until else None
    if begin > datetime.now(UTC):
        raise ReplayError(f"--since {since} is in the future: nothing was received since then.")
    if end is not None and end <= begin:
        raise ReplayError(f"--until {until} is not after --since {since}.")
    period = {"pbx_id": pbx_id, "since": begin, "until": end}
    batches = connection.execute(FIND_BATCHES, period).fetchall()
    waiting_count = _count(connection, COUNT_WAITING, pbx_id)
    if not batches:
        raise ReplayError(_nothing_found(connection, period, waiting_count, time_zone))
    return Choice(
        pbx_id, time_zone, begin, end, *_measures(batches), waiting_count=waiting_count
    )  # fmt: skip


def with_batches(connection: psycopg.Connection, choice: Choice, batch_ids: set[int]) -> Choice:
    """Return a choice that has other batches of the PBX as well."""
    batches = connection.execute(
        MEASURE_BATCHES, [sorted({*choice.batch_ids, *batch_ids})]
    ).fetchall()
    return Choice(
        choice.pbx_id, choice.time_zone, choice.since, choice.until, *_measures(batches),
        waiting_count=choice.waiting_count,
    )  # fmt: skip


def _measures(
    batches: list[tuple[int, int, datetime, datetime]],
) -> tuple[tuple[int, ...], int, datetime, datetime]:
    return (
        tuple(batch[0] for batch in batches),
        sum(batch[1] for batch in batches),
        min(batch[2] for batch in batches),
        max(batch[3] for batch in batches),
    )


def _zone_of(connection: psycopg.Connection, pbx_id: str) -> str:
    zones: dict[str, str] = dict(connection.execute(KNOWN_PBXS).fetchall())
    if pbx_id not in zones:
        raise ReplayError(
            f"The directory knows no PBX {pbx_id!r}; known are {', '.join(zones) or 'none'}. "
            "`tollhouse directory load` takes new entries of include/pbx.yml over."
        )
    return zones[pbx_id]


def _instant(text: str, option: str, time_zone: str, *, end_of_day: bool = False) -> datetime:
    """Read a date or an instant; without an offset it is the time of the PBX.

    The night the clocks go back a time comes twice: a period holds both.
    """
    zone = ZoneInfo(time_zone)
    try:
        with contextlib.suppress(ValueError):
            day = date.fromisoformat(text) + timedelta(days=int(end_of_day))
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=zone, fold=int(end_of_day))
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReplayError(
            f"{option} {text} is no date and no instant: write it as 2026-11-01 or "
            "2026-11-01T09:30 (time of the PBX) or 2026-11-01T08:30Z."
        ) from error


def _nothing_found(
    connection: psycopg.Connection,
    period: dict[str, object],
    waiting_count: int,
    time_zone: str,
) -> str:
    pbx_id = period["pbx_id"]
    row = connection.execute(LAST_LANDED, [pbx_id]).fetchone()
    last = row[0] if row else None
    if last is None:
        told = f"{pbx_id} has no built tickets at all"
    else:
        told = (
            f"{pbx_id} has no built tickets that were received then; its last ones landed at "
            f"{last.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M} ({time_zone})"
        )
    if waiting_count:
        told += f"; {waiting_count} batches wait for their first build (`tollhouse build`)"
    return told + "."


def _count(connection: psycopg.Connection, query: str, pbx_id: str) -> int:
    row = connection.execute(query, [pbx_id]).fetchone()
    assert row is not None
    return int(row[0])
