"""Deliveries: the units that a source hands over, and what raw holds of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from tollhouse.bundles import Bundle

#: The number of a delivery and an ordinal in it: what names a ticket of a model.
Key = tuple[int, int]

#: What a transport says of a delivery: columns of raw.deliveries and attributes of ``Delivery``.
DESCRIPTION = (
    "unit",
    "generation",
    "header",
    "content_sha256",
    "size_bytes",
    "modified_at",
    "source_identity",
    "repeated_bytes",
)
#: Deliveries as a transport describes them, in the order in which it hands them over.
DESCRIBED = """
with described as (
    select *
    from unnest(
        %(unit)s::text[], %(generation)s::int[], %(header)s::text[], %(content_sha256)s::text[],
        %(size_bytes)s::bigint[], %(modified_at)s::timestamptz[], %(source_identity)s::text[],
        %(repeated_bytes)s::bigint[]
    ) with ordinality as described (
        unit, generation, header, content_sha256, size_bytes, modified_at, source_identity,
        repeated_bytes, place
    )
)
"""
UPDATE_KNOWN = (
    DESCRIBED
    + """
update raw.deliveries
set
    last_read_at = now(),
    header = described.header,
    content_sha256 = described.content_sha256,
    size_bytes = described.size_bytes,
    modified_at = described.modified_at,
    source_identity = described.source_identity,
    repeated_bytes = described.repeated_bytes
from described
inner join raw.deliveries as known
    on known.pbx_id = %(pbx_id)s
    and described.unit = known.unit
    and described.generation = known.generation
where deliveries.delivery_id = known.delivery_id
returning described.place, deliveries.delivery_id, (
    known.header, known.content_sha256, known.size_bytes, known.modified_at, known.source_identity,
    known.repeated_bytes
) is distinct from (
    described.header, described.content_sha256, described.size_bytes, described.modified_at,
    described.source_identity, described.repeated_bytes
)
"""
)
INSERT_NEW = (
    DESCRIBED
    + """
insert into raw.deliveries (
    pbx_id, model, unit, generation, header, content_sha256, size_bytes, modified_at,
    source_identity, repeated_bytes
)
select
    %(pbx_id)s, %(model)s, unit, generation, header, content_sha256, size_bytes, modified_at,
    source_identity, repeated_bytes
from described
where place = any(%(new_places)s)
order by place
returning unit, generation, delivery_id
"""
)
HELD_BODIES = """
select tickets.delivery_id, tickets.ordinal, tickets.body
from unnest(%s::int[], %s::bigint[]) as wanted (delivery_id, ordinal)
inner join raw.tickets as tickets
    on tickets.model = %s
    and wanted.delivery_id = tickets.delivery_id
    and wanted.ordinal = tickets.ordinal
"""
EXTENT = """
select coalesce(min(ordinal), 0), coalesce(max(ordinal), -1)
from raw.tickets
where model = %s and delivery_id = %s
"""
HIGHEST_ORDINALS = """
select wanted.delivery_id, highest.ordinal
from unnest(%s::int[]) as wanted (delivery_id)
cross join lateral (
    select max(tickets.ordinal) as ordinal
    from raw.tickets as tickets
    where tickets.model = %s and tickets.delivery_id = wanted.delivery_id
) as highest
where highest.ordinal is not null
"""


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

    What it describes is in raw, in the pull's transaction, when the next one is asked for.

    Attributes:
        bundles: its tickets; the connection of the landing is busy while they are read.
        cut_ordinals: which tickets the end of a connection cut: known once all of them are read.
        ignored_fields: fields of JSON bodies that tell nothing of the ticket itself: a ticket that
            comes again with others is the same.
    """

    delivery: Delivery
    bundles: Iterable[Bundle]
    cut_ordinals: Sequence[int] = ()
    ignored_fields: Collection[str] = ()


@dataclass(frozen=True)
class SmallDeliveries:
    """Deliveries of few tickets each, all in memory: they are landed together.

    Many small files would cost several statements each, which is more than their tickets do.

    Attributes:
        deliveries: each with its tickets; no two of the same unit and generation.
    """

    deliveries: Sequence[tuple[Delivery, Sequence[Bundle]]]


class UnitState(NamedTuple):
    """What is compared with a listing to tell whether a unit is as it was read."""

    delivery_id: int
    size_bytes: int | None
    modified_at: datetime | None


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

    def generations(self, unit: str) -> list[KnownDelivery]:
        """Return all generations of a unit, the newest first."""
        return self._select(sql.SQL("unit = %(unit)s order by generation desc"), {"unit": unit})

    def extent(self, delivery_id: int) -> tuple[int, int]:
        """Return the lowest and highest ordinal of a delivery; 0 and -1 if it has no ticket."""
        (extent,) = self._connection.execute(EXTENT, [self._model_id, delivery_id])
        lowest, highest = extent
        return lowest, highest

    def states(self, units: Sequence[str]) -> dict[str, UnitState]:
        """Return of the newest generation of many units what a listing is compared with."""
        rows = self._connection.execute(
            "select unit, delivery_id, size_bytes, modified_at from raw.deliveries "
            "where pbx_id = %s and unit = any(%s) order by unit, generation",
            [self._pbx_id, list(units)],
        )
        return {unit: UnitState(*state) for unit, *state in rows}

    def newest_generations(
        self, units: Sequence[str], count: int
    ) -> dict[str, list[KnownDelivery]]:
        """Return the newest generations of each unit that raw knows, so many, the newest first."""
        if not units:
            return {}
        found = self._select(
            sql.SQL("unit = any(%(units)s) order by unit, generation desc"), {"units": list(units)}
        )
        generations: dict[str, list[KnownDelivery]] = {}
        for delivery in found:
            newest = generations.setdefault(delivery.unit, [])
            if len(newest) < count:
                newest.append(delivery)
        return generations

    def with_contents(self, digests: Sequence[str]) -> dict[str, list[KnownDelivery]]:
        """Return the deliveries, of any name, that hold exactly one of these contents."""
        found = self._select(
            sql.SQL("content_sha256 = any(%(digests)s) order by delivery_id"),
            {"digests": list(digests)},
        )
        holders: dict[str, list[KnownDelivery]] = {}
        for delivery in found:
            holders.setdefault(delivery.content_sha256 or "", []).append(delivery)
        return holders

    def newest(self) -> KnownDelivery | None:
        """Return the delivery that this PBX began last."""
        found = self._select(sql.SQL("true order by delivery_id desc limit 1"), {})
        return found[0] if found else None

    def last_ticket(self, delivery_id: int) -> tuple[int, str] | None:
        """Return the highest ordinal that raw holds of a delivery, and the body there."""
        return self._connection.execute(
            "select ordinal, body from raw.tickets where model = %s and delivery_id = %s "
            "order by ordinal desc limit 1",
            [self._model_id, delivery_id],
        ).fetchone()

    def bodies(self, delivery_id: int, ordinals: Sequence[int]) -> dict[int, str]:
        """Return the bodies that raw holds at these ordinals of a delivery."""
        keys = [(delivery_id, ordinal) for ordinal in ordinals]
        held = held_bodies(self._connection, self._model_id, keys)
        return {ordinal: body for (_, ordinal), body in held.items()}

    def in_conflict(self, delivery_id: int, ordinals: Sequence[int]) -> set[int]:
        """Return those of the ordinals under which another body came, too."""
        found = self._connection.execute(
            "select distinct ordinal from raw.conflicts "
            "where delivery_id = %s and ordinal = any(%s::bigint[])",
            [delivery_id, list(ordinals)],
        )
        return {ordinal for (ordinal,) in found}

    def _select(self, condition: sql.SQL, values: dict[str, object]) -> list[KnownDelivery]:
        query = sql.SQL(
            "select delivery_id, unit, generation, header, content_sha256, size_bytes, "
            "modified_at, source_identity, repeated_bytes from raw.deliveries "
            "where pbx_id = %(pbx_id)s and {}"
        ).format(condition)
        with self._connection.cursor(row_factory=class_row(KnownDelivery)) as cursor:
            return cursor.execute(query, {"pbx_id": self._pbx_id, **values}).fetchall()


def held_bodies(
    connection: psycopg.Connection, model_id: str, keys: Sequence[Key]
) -> dict[Key, str]:
    """Return the bodies that raw holds under these keys."""
    delivery_ids, ordinals = [key[0] for key in keys], [key[1] for key in keys]
    rows = connection.execute(HELD_BODIES, [delivery_ids, ordinals, model_id])
    return {(delivery_id, ordinal): body for delivery_id, ordinal, body in rows}


class FoundDelivery(NamedTuple):
    """A delivery in raw: its number, whether it was made just now, or described otherwise."""

    delivery_id: int
    is_new: bool
    has_changed: bool


def find_or_make(
    connection: psycopg.Connection, pbx_id: str, model_id: str, deliveries: Sequence[Delivery]
) -> list[FoundDelivery]:
    """Return the deliveries as raw has them now, in the order given; new ones are numbered so.

    Args:
        connection: as the loader.
        pbx_id: whose deliveries they are.
        model_id: of the PBX.
        deliveries: no two of the same unit and generation.
    """
    values: dict[str, object] = {
        "pbx_id": pbx_id,
        "model": model_id,
        **{name: [getattr(delivery, name) for delivery in deliveries] for name in DESCRIPTION},
    }
    found = {
        place: FoundDelivery(delivery_id, is_new=False, has_changed=has_changed)
        for place, delivery_id, has_changed in connection.execute(UPDATE_KNOWN, values)
    }
    new_places = [place for place in range(1, len(deliveries) + 1) if place not in found]
    if new_places:
        place_of = {
            (deliveries[place - 1].unit, deliveries[place - 1].generation): place
            for place in new_places
        }
        made = connection.execute(INSERT_NEW, {**values, "new_places": new_places})
        for unit, generation, delivery_id in made:
            place = place_of[unit, generation]
            found[place] = FoundDelivery(delivery_id, is_new=True, has_changed=False)
    return [found[place] for place in range(1, len(deliveries) + 1)]


def highest_ordinals(
    connection: psycopg.Connection, model_id: str, delivery_ids: Sequence[int]
) -> dict[int, int]:
    """Return the highest ordinal that raw holds of each of these deliveries, if it holds any."""
    if not delivery_ids:
        return {}
    return dict(connection.execute(HIGHEST_ORDINALS, [list(delivery_ids), model_id]).fetchall())
