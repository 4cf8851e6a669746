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

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter

import psycopg
from psycopg import sql

from tollhouse.bundles import Bundle, bundle_of
from tollhouse.framing import Ticket
from tollhouse.landing.conflicts import Arrived, missing_and_differing, says_the_same
from tollhouse.landing.copying import TicketCopy
from tollhouse.landing.deliveries import (
    Delivery,
    DeliveryTickets,
    KnownDeliveries,
    KnownDelivery,
    SmallDeliveries,
    find_or_make,
    highest_ordinals,
)
from tollhouse.landing.ledger import BatchStart, LandedBatch, Ledger
from tollhouse.warehouse import LANDING_LOCKS, advisory_lock, lock_number

#: So many tickets that may be there already, or characters of them, are compared at a time.
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
    deliveries: Iterable[DeliveryTickets | SmallDeliveries],
    *,
    idlast_after: Callable[[], str | None] = lambda: None,
) -> LandedBatch:
    """Land the tickets of one pull, in one transaction of its own.

    Args:
        connection: as the loader, with no transaction open.
        batch: whose pull it is.
        deliveries: read once, in order; in memory are only a bundle of tickets (or what came
            together) and a chunk of those that may be in raw already.
        idlast_after: asked after the last delivery: where IDLAST stands then; None if the pull does
            not move it.

    Returns:
        The counts; read = inserted + already there + conflicting.
    """
    with connection.transaction() as transaction:
        connection.execute(
            "select pg_advisory_xact_lock(%s, %s)", [LANDING_LOCKS, lock_number(batch.pbx_id)]
        )
        landing = _Landing(connection, Ledger(connection, batch))
        for handed_over in deliveries:
            if isinstance(handed_over, SmallDeliveries):
                landing.add(handed_over.deliveries)
            else:
                landing.add_one(handed_over)
        landed = landing.ledger.close(idlast_after())
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


@dataclass
class _Landing:
    """One pull on its way into raw: lives as long as its transaction."""

    connection: psycopg.Connection
    ledger: Ledger
    landed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def add_one(self, delivery_tickets: DeliveryTickets) -> None:
        """Land the tickets of one delivery, bundle by bundle."""
        (delivery_id,) = self.add(
            [(delivery_tickets.delivery, delivery_tickets.bundles)], delivery_tickets.ignored_fields
        )
        if delivery_tickets.cut_ordinals:
            self._note_cut(delivery_id, delivery_tickets.cut_ordinals)

    def add(
        self,
        deliveries: Sequence[tuple[Delivery, Iterable[Bundle]]],
        ignored_fields: Collection[str] = (),
    ) -> list[int]:
        """Land the tickets of deliveries, in one COPY if all are new; return their numbers."""
        batch = self.ledger.batch
        found = find_or_make(
            self.connection, batch.pbx_id, batch.model_id, [delivery for delivery, _ in deliveries]
        )
        if any(one.is_new or one.has_changed for one in found):
            self.ledger.batch_number()
        known_ids = [one.delivery_id for one in found if not one.is_new]
        highest_ids = highest_ordinals(self.connection, batch.model_id, known_ids)
        waiting = _Waiting()
        with TicketCopy(self.connection, self.landed_at) as copy:
            for (_, bundles), (delivery_id, _, _) in zip(deliveries, found, strict=True):
                counts = self.ledger.counts_of(delivery_id)
                highest = highest_ids.get(delivery_id, -1)
                for bundle in bundles:
                    counts.see(bundle.ordinals)
                    new = waiting.take(delivery_id, bundle, highest)
                    if new is not None:
                        self._copy(copy, delivery_id, new)
                        highest = new.ordinals[-1]
                    if waiting.is_full:
                        self._compare(copy, waiting.release(), ignored_fields)
            self._compare(copy, waiting.release(), ignored_fields)
        return [one.delivery_id for one in found]

    def _copy(self, copy: TicketCopy, delivery_id: int, bundle: Bundle) -> None:
        if not copy.is_open:
            copy.open(self.ledger.batch.model_id, self.ledger.batch_number())
        copy.write(delivery_id, bundle)
        self.ledger.counts_of(delivery_id).rows_inserted += len(bundle.ordinals)

    def _compare(
        self, copy: TicketCopy, arrived: list[Arrived], ignored_fields: Collection[str]
    ) -> None:
        """Copy the tickets that raw does not hold yet; other bodies go to the conflicts."""
        if not arrived:
            return
        # Only once they are in raw can a key that comes twice in one pull be compared.
        copy.finish()
        missing, differing = missing_and_differing(
            self.connection, self.ledger.batch.model_id, arrived, ignored_fields
        )
        for delivery_id, of_delivery in groupby(missing, key=attrgetter("delivery_id")):
            self._copy(copy, delivery_id, bundle_of([one.ticket for one in of_delivery]))
        copy.finish()
        for delivery_id, ticket in differing:
            self._keep_conflict(delivery_id, ticket)

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
                self.ledger.batch_number(),
                ticket.received_at or self.landed_at,
                ticket.body,
                self.ledger.batch.model_id,
                delivery_id,
                ticket.ordinal,
            ],
        )
        self.ledger.rows_conflicting += 1

    def _note_cut(self, delivery_id: int, ordinals: Sequence[int]) -> None:
        """Note which tickets are not whole, whatever they look like; once, whenever they landed."""
        noted = self.connection.execute(
            "insert into raw.cut_tickets (ticket_id, batch_id) "
            "select ticket_id, batch_id from raw.tickets "
            "where model = %s and delivery_id = %s and ordinal = any(%s) "
            "on conflict (ticket_id) do nothing",
            [self.ledger.batch.model_id, delivery_id, list(ordinals)],
        )
        if noted.rowcount:
            self.ledger.batch_number()


class _Waiting:
    """Tickets that may be in raw already, until there are enough of them to be compared."""

    def __init__(self) -> None:
        self._arrived: list[Arrived] = []
        self._characters = 0

    @property
    def is_full(self) -> bool:
        return len(self._arrived) >= CHUNK_TICKETS or self._characters >= CHUNK_CHARACTERS

    def take(self, delivery_id: int, bundle: Bundle, highest: int) -> Bundle | None:
        """Return what lies beyond the highest ordinal and rises; what may be there stays here."""
        if bundle.rises_beyond(highest):
            return bundle
        new: list[Ticket] = []
        for ticket in bundle.tickets():
            if ticket.ordinal > highest:
                new.append(ticket)
                highest = ticket.ordinal
            else:
                self._arrived.append(Arrived(delivery_id, ticket))
                self._characters += len(ticket.body)
        return bundle_of(new) if new else None

    def release(self) -> list[Arrived]:
        """Return all that waited."""
        arrived, self._arrived, self._characters = self._arrived, [], 0
        return arrived


__all__ = [
    "BatchStart",
    "Delivery",
    "DeliveryTickets",
    "KnownDeliveries",
    "KnownDelivery",
    "LandedBatch",
    "LandingBusyError",
    "SmallDeliveries",
    "land",
    "landing_lock",
    "says_the_same",
]
