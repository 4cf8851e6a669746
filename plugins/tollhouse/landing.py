"""Landing: tickets into raw, each exactly once, all of one pull in one transaction.

While a PBX lands, its advisory lock is held, so nobody else writes its deliveries. A ticket beyond
everything that its delivery holds is new and is copied straight in; one at or below that point is
compared with what stands there:

- same key, same body: already there, nothing is written;
- same key, other body: never dropped and never a second ticket; it goes to ``raw.conflicts``
  (once), the batch counts it, the pull succeeds and raises an alarm;
- no such key: a late ticket, copied in.

A ticket that the end of a connection cut is raw like any other, and named in ``raw.cut_tickets``.

A pull that inserts nothing, moves nothing and learns nothing leaves no row in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from tollhouse.framing import Ticket
from tollhouse.warehouse import LANDING_LOCKS, advisory_lock, lock_number

#: So many tickets, or characters of them, are held in memory and copied at a time.
CHUNK_TICKETS = 20_000
CHUNK_CHARACTERS = 16_000_000
#: How long a run waits for another that lands the same PBX (a backfill beside the live run).
LOCK_WAIT_SECONDS = 1_800

#: The partition that a batch is in, if it has grown by a tenth since it was last looked at.
GROWN_PARTITION = """
select pg_class.relname
from pg_class
where pg_class.oid = (select tableoid from raw.tickets where batch_id = %s limit 1)
    and pg_relation_size(pg_class.oid) / current_setting('block_size')::bigint
        > pg_class.relpages * 1.1
"""


class LandingBusyError(Exception):
    """Another run of the same PBX has been landing for too long."""


@dataclass(frozen=True)
class Delivery:
    """A unit that a source hands over, as the source describes it: a file, a segment, a table.

    Attributes:
        unit: its name, unique within the PBX.
        generation: rises when the unit starts again under the same name.
        header: the line that names the columns, where the format has one.
        content_sha256: digest of the whole content, of files.
        source_identity: which source the unit is part of, of spool segments.
        repeated_bytes: the first bytes that repeat what another delivery had landed.
    """

    unit: str
    generation: int = 1
    header: str | None = None
    content_sha256: str | None = None
    size_bytes: int | None = None
    modified_at: datetime | None = None
    source_identity: str | None = None
    repeated_bytes: int = 0


@dataclass(frozen=True)
class KnownDelivery(Delivery):
    """A delivery that raw holds."""

    delivery_id: int = 0


@dataclass(frozen=True)
class DeliveryTickets:
    """A delivery and its tickets, in rising order of ordinal, read as they are asked for.

    Attributes:
        cut_ordinals: which tickets the end of a connection cut: known once all of them are read.
    """

    delivery: Delivery
    tickets: Iterator[Ticket]
    cut_ordinals: Sequence[int] = ()


@dataclass(frozen=True)
class BatchStart:
    """What is known of a pull before it reads: whose it is and which run asked for it."""

    pbx_id: str
    model_id: str
    dag_id: str | None = None
    run_id: str | None = None
    run_type: str = "command"
    idlast_before: str | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None


@dataclass(frozen=True)
class LandedBatch:
    """What a pull did; ``batch_id`` is None when there was nothing to write down."""

    batch_id: int | None
    rows_read: int = 0
    rows_inserted: int = 0
    rows_already_there: int = 0
    rows_conflicting: int = 0
    idlast_before: str | None = None
    idlast_after: str | None = None
    warnings: tuple[str, ...] = ()


class KnownDeliveries:
    """What raw holds of one PBX; asked by a transport while the PBX's lock is held."""

    def __init__(self, connection: psycopg.Connection, pbx_id: str, model_id: str) -> None:
        self._connection = connection
        self._pbx_id = pbx_id
        self._model_id = model_id

    def current(self, units: Sequence[str]) -> dict[str, KnownDelivery]:
        """Return the newest generation of each unit that raw knows."""
        found = self._select(
            sql.SQL("unit = any(%(units)s) order by unit, generation"), {"units": list(units)}
        )
        return {delivery.unit: delivery for delivery in found}

    def with_content(self, content_sha256: str) -> list[KnownDelivery]:
        """Return the deliveries, of any name, that hold exactly this content."""
        return self._select(
            sql.SQL("content_sha256 = %(digest)s order by delivery_id"), {"digest": content_sha256}
        )

    def newest(self) -> KnownDelivery | None:
        """Return the delivery that this PBX began last."""
        found = self._select(sql.SQL("true order by delivery_id desc limit 1"), {})
        return found[0] if found else None

    def bodies(self, delivery_id: int, ordinals: Sequence[int]) -> dict[int, str]:
        """Return the bodies that raw holds at these ordinals of a delivery."""
        return held_bodies(self._connection, self._model_id, delivery_id, ordinals)

    def _select(self, condition: sql.SQL, values: dict[str, object]) -> list[KnownDelivery]:
        query = sql.SQL(
            "select delivery_id, unit, generation, header, content_sha256, size_bytes, "
            "modified_at, source_identity, repeated_bytes from raw.deliveries "
            "where pbx_id = %(pbx_id)s and {}"
        ).format(condition)
        with self._connection.cursor(row_factory=class_row(KnownDelivery)) as cursor:
            return cursor.execute(query, {"pbx_id": self._pbx_id, **values}).fetchall()


@contextmanager
def landing_lock(
    connection: psycopg.Connection, pbx_id: str, *, wait_seconds: float = LOCK_WAIT_SECONDS
) -> Iterator[None]:
    """Hold the landing lock of a PBX: from reading IDLAST until it is moved.

    Raises:
        LandingBusyError: another run holds it for longer than ``wait_seconds``.
    """
    with ExitStack() as held:
        try:
            held.enter_context(
                advisory_lock(connection, LANDING_LOCKS, pbx_id, wait_seconds=wait_seconds)
            )
        except psycopg.errors.LockNotAvailable as error:
            raise LandingBusyError(
                f"{pbx_id}: another run has been landing for {wait_seconds:.0f} seconds. Look for "
                f"a running extract__{pbx_id} (a backfill, perhaps), let it finish and try again."
            ) from error
        yield


def land(
    connection: psycopg.Connection,
    batch: BatchStart,
    deliveries: Iterable[DeliveryTickets],
    *,
    idlast_after: Callable[[], str | None] = lambda: None,
) -> LandedBatch:
    """Land the tickets of one pull, in one transaction of its own.

    Args:
        connection: as the loader, with no transaction open.
        batch: whose pull it is.
        deliveries: read once, in order; only a chunk of tickets is ever in memory.
        idlast_after: asked after the last delivery: where IDLAST stands then; None if the pull does
            not move it.

    Returns:
        The counts; read = inserted + already there + conflicting.
    """
    with connection.transaction() as transaction:
        connection.execute(
            "select pg_advisory_xact_lock(%s, %s)", [LANDING_LOCKS, lock_number(batch.pbx_id)]
        )
        landing = _Landing(connection, batch)
        for delivery_tickets in deliveries:
            landing.add(delivery_tickets)
        landed = landing.finish(idlast_after())
        if landed.batch_id is None:
            raise psycopg.Rollback(transaction)
    if landed.rows_inserted:
        _refresh_statistics(connection, landed.batch_id)
    return landed


def _refresh_statistics(connection: psycopg.Connection, batch_id: int | None) -> None:
    """Let the planner know of a large batch: a build may follow at once, before autovacuum looks.

    It takes an unknown batch for a small one, which it parses on one processor only.
    """
    with connection.transaction():
        grown = connection.execute(GROWN_PARTITION, [batch_id]).fetchone()
        if grown is not None:
            connection.execute(sql.SQL("analyze raw.{}").format(sql.Identifier(grown[0])))


def held_bodies(
    connection: psycopg.Connection, model_id: str, delivery_id: int, ordinals: Sequence[int]
) -> dict[int, str]:
    """Return the bodies that raw holds at these ordinals of a delivery."""
    rows = connection.execute(
        "select ordinal, body from raw.tickets "
        "where model = %s and delivery_id = %s and ordinal = any(%s)",
        [model_id, delivery_id, list(ordinals)],
    )
    return dict(rows.fetchall())


def says_the_same(kept: str, body: str) -> bool:
    """Whether two bodies of one key are the same ticket.

    Rows of a table are, when they agree in the columns that both have: a column added to the table
    must not make a conflict of every row that is read again.
    """
    if kept == body:
        return True
    if not (kept.startswith("{") and body.startswith("{")):
        return False
    try:
        old, new = json.loads(kept), json.loads(body)
    except (ValueError, RecursionError):
        return False
    return old.keys() != new.keys() and all(old[key] == new[key] for key in old.keys() & new.keys())


@dataclass
class _Counts:
    delivery_id: int
    first_ordinal: int | None = None
    last_ordinal: int | None = None
    rows_read: int = 0
    rows_inserted: int = 0

    def see(self, ordinals: list[int]) -> None:
        """Count tickets that were read."""
        self.rows_read += len(ordinals)
        first, last = min(ordinals), max(ordinals)
        self.first_ordinal = first if self.first_ordinal is None else min(first, self.first_ordinal)
        self.last_ordinal = last if self.last_ordinal is None else max(last, self.last_ordinal)


@dataclass
class _Landing:
    """One pull on its way into raw: lives as long as its transaction."""

    connection: psycopg.Connection
    batch: BatchStart
    landed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: dict[int, _Counts] = field(default_factory=dict)
    rows_conflicting: int = 0
    batch_id: int | None = None

    def add(self, delivery_tickets: DeliveryTickets) -> None:
        """Land the tickets of one delivery, chunk by chunk."""
        delivery_id = self._find_or_make(delivery_tickets.delivery)
        counts = self.counts.setdefault(delivery_id, _Counts(delivery_id))
        highest = self._highest_ordinal(delivery_id)
        for chunk in _chunks(delivery_tickets.tickets):
            counts.see([ticket.ordinal for ticket in chunk])
            new, maybe_there = _split(chunk, highest)
            self._copy(counts, new)
            # After the copy: a key that comes twice in one chunk is compared like any other.
            if maybe_there:
                self._copy_missing(counts, maybe_there)
            if new:
                highest = new[-1].ordinal
        if delivery_tickets.cut_ordinals:
            self._note_cut(delivery_id, delivery_tickets.cut_ordinals)

    def finish(self, idlast_after: str | None) -> LandedBatch:
        """Write the ledger, if there is something to write, and return the counts."""
        if idlast_after is not None and idlast_after != self.batch.idlast_before:
            self._number()
        counts = self.counts.values()
        read = sum(count.rows_read for count in counts)
        inserted = sum(count.rows_inserted for count in counts)
        there = read - inserted - self.rows_conflicting
        if self.batch_id is not None:
            # A batch without tickets is built as it is: it must not wake a build.
            self.connection.execute(
                "update raw.batches set idlast_after = %s, rows_read = %s, rows_inserted = %s, "
                "rows_already_there = %s, rows_conflicting = %s, landed_at = clock_timestamp(), "
                "built_at = case when %s = 0 then clock_timestamp() end where batch_id = %s",
                [
                    idlast_after,
                    read,
                    inserted,
                    there,
                    self.rows_conflicting,
                    inserted,
                    self.batch_id,
                ],
            )
            with self.connection.cursor() as cursor:
                cursor.executemany(
                    "insert into raw.batch_deliveries (batch_id, delivery_id, first_ordinal, "
                    "last_ordinal, rows_read, rows_inserted) values (%s, %s, %s, %s, %s, %s)",
                    [
                        (
                            self.batch_id,
                            count.delivery_id,
                            count.first_ordinal,
                            count.last_ordinal,
                            count.rows_read,
                            count.rows_inserted,
                        )
                        for count in counts
                    ],
                )
        return LandedBatch(
            batch_id=self.batch_id,
            rows_read=read,
            rows_inserted=inserted,
            rows_already_there=there,
            rows_conflicting=self.rows_conflicting,
            idlast_before=self.batch.idlast_before,
            idlast_after=idlast_after,
        )

    def _number(self) -> int:
        """Return the batch's number; its row is made when there is something to write down."""
        if self.batch_id is None:
            batch = self.batch
            row = self.connection.execute(
                "insert into raw.batches (pbx_id, model, dag_id, run_id, run_type, idlast_before, "
                "interval_start, interval_end) values (%s, %s, %s, %s, %s, %s, %s, %s) "
                "returning batch_id",
                [
                    batch.pbx_id,
                    batch.model_id,
                    batch.dag_id,
                    batch.run_id,
                    batch.run_type,
                    batch.idlast_before,
                    batch.interval_start,
                    batch.interval_end,
                ],
            ).fetchone()
            self.batch_id = int(row[0]) if row else None
        if self.batch_id is None:
            raise psycopg.InternalError("raw.batches returned no batch_id")
        return self.batch_id

    def _find_or_make(self, delivery: Delivery) -> int:
        values = {
            "pbx_id": self.batch.pbx_id,
            "model": self.batch.model_id,
            "unit": delivery.unit,
            "generation": delivery.generation,
            "header": delivery.header,
            "content_sha256": delivery.content_sha256,
            "size_bytes": delivery.size_bytes,
            "modified_at": delivery.modified_at,
            "source_identity": delivery.source_identity,
            "repeated_bytes": delivery.repeated_bytes,
        }
        known = self.connection.execute(
            "update raw.deliveries set last_read_at = now() where pbx_id = %(pbx_id)s "
            "and unit = %(unit)s and generation = %(generation)s returning delivery_id, "
            "(header, content_sha256, size_bytes, modified_at, source_identity, repeated_bytes) "
            "is distinct from (%(header)s::text, %(content_sha256)s::text, %(size_bytes)s::bigint, "
            "%(modified_at)s::timestamptz, %(source_identity)s::text, %(repeated_bytes)s::bigint)",
            values,
        ).fetchone()
        if known is None:
            made = self.connection.execute(
                "insert into raw.deliveries (pbx_id, model, unit, generation, header, "
                "content_sha256, size_bytes, modified_at, source_identity, repeated_bytes) values ("
                "%(pbx_id)s, %(model)s, %(unit)s, %(generation)s, %(header)s, %(content_sha256)s, "
                "%(size_bytes)s, %(modified_at)s, %(source_identity)s, %(repeated_bytes)s) "
                "returning delivery_id",
                values,
            ).fetchone()
            self._number()
            return int(made[0]) if made else 0
        delivery_id, has_changed = known
        if has_changed:
            self.connection.execute(
                "update raw.deliveries set header = %(header)s, size_bytes = %(size_bytes)s, "
                "content_sha256 = %(content_sha256)s, modified_at = %(modified_at)s, "
                "source_identity = %(source_identity)s, repeated_bytes = %(repeated_bytes)s "
                "where delivery_id = %(delivery_id)s",
                {**values, "delivery_id": delivery_id},
            )
            self._number()
        return int(delivery_id)

    def _highest_ordinal(self, delivery_id: int) -> int:
        row = self.connection.execute(
            "select max(ordinal) from raw.tickets where model = %s and delivery_id = %s",
            [self.batch.model_id, delivery_id],
        ).fetchone()
        return -1 if row is None or row[0] is None else int(row[0])

    def _copy_missing(self, counts: _Counts, tickets: list[Ticket]) -> None:
        """Copy the tickets that raw does not hold yet; other bodies go to the conflicts."""
        ordinals = [ticket.ordinal for ticket in tickets]
        kept = held_bodies(self.connection, self.batch.model_id, counts.delivery_id, ordinals)
        missing: dict[int, Ticket] = {}
        differing: list[Ticket] = []
        for ticket in tickets:
            body = kept.get(ticket.ordinal)
            if body is None:
                missing[ticket.ordinal] = ticket
                kept[ticket.ordinal] = ticket.body
            elif not says_the_same(body, ticket.body):
                differing.append(ticket)
        self._copy(counts, [missing[ordinal] for ordinal in sorted(missing)])
        for ticket in differing:
            self._keep_conflict(counts.delivery_id, ticket)

    def _keep_conflict(self, delivery_id: int, ticket: Ticket) -> None:
        """Keep a body that differs from the one in raw, unless the same one was kept before."""
        key = [delivery_id, ticket.ordinal, ticket.body]
        seen = self.connection.execute(
            "select from raw.conflicts where delivery_id = %s and ordinal = %s and body = %s", key
        ).fetchone()
        if seen is not None:
            return
        self.connection.execute(
            "insert into raw.conflicts (model, delivery_id, ordinal, batch_id, kept_ticket_id, "
            "received_at, body) select model, delivery_id, ordinal, %s, ticket_id, %s, %s "
            "from raw.tickets where model = %s and delivery_id = %s and ordinal = %s",
            [
                self._number(),
                ticket.received_at or self.landed_at,
                ticket.body,
                self.batch.model_id,
                delivery_id,
                ticket.ordinal,
            ],
        )
        self.rows_conflicting += 1

    def _note_cut(self, delivery_id: int, ordinals: Sequence[int]) -> None:
        """Note which tickets are not whole, whatever they look like; once, whenever they landed."""
        noted = self.connection.execute(
            "insert into raw.cut_tickets (ticket_id, batch_id) "
            "select ticket_id, batch_id from raw.tickets "
            "where model = %s and delivery_id = %s and ordinal = any(%s) "
            "on conflict (ticket_id) do nothing",
            [self.batch.model_id, delivery_id, list(ordinals)],
        )
        if noted.rowcount:
            self._number()

    def _copy(self, counts: _Counts, tickets: list[Ticket]) -> None:
        if not tickets:
            return
        head = f"{self.batch.model_id}\t{counts.delivery_id}\t{self._number()}\t"
        with (
            self.connection.cursor() as cursor,
            cursor.copy(
                "copy raw.tickets (model, delivery_id, batch_id, received_at, ordinal, body) "
                "from stdin"
            ) as copy,
        ):
            for block in _copy_lines(head, tickets, self.landed_at):
                copy.write(block)
        counts.rows_inserted += len(tickets)


def _copy_lines(head: str, tickets: list[Ticket], landed_at: datetime) -> Iterator[str]:
    """Yield COPY's text format; written out here because a call per row costs twice as much."""
    received_at: datetime | None = landed_at
    written_at = landed_at.isoformat()
    for start in range(0, len(tickets), 2_000):
        lines = []
        for ordinal, body, arrived_at in tickets[start : start + 2_000]:
            if arrived_at is not received_at:
                received_at = arrived_at
                written_at = (arrived_at or landed_at).isoformat()
            if "\\" in body:
                body = body.replace("\\", "\\\\")
            if "\t" in body or "\n" in body or "\r" in body:
                body = body.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
            lines.append(f"{head}{written_at}\t{ordinal}\t{body}\n")
        yield "".join(lines)


def _chunks(tickets: Iterator[Ticket]) -> Iterator[list[Ticket]]:
    chunk: list[Ticket] = []
    characters = 0
    for ticket in tickets:
        chunk.append(ticket)
        characters += len(ticket.body)
        if len(chunk) >= CHUNK_TICKETS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _split(chunk: list[Ticket], highest: int) -> tuple[list[Ticket], list[Ticket]]:
    """Split a chunk: what lies beyond the highest ordinal and rises, and what may be there."""
    new: list[Ticket] = []
    maybe_there: list[Ticket] = []
    for ticket in chunk:
        if ticket.ordinal > highest:
            new.append(ticket)
            highest = ticket.ordinal
        else:
            maybe_there.append(ticket)
    return new, maybe_there
