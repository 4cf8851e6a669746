"""Deliveries: the units that a source hands over, and what raw holds of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from tollhouse.bundles import Bundle


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
        bundles: its tickets; the connection of the landing is busy while they are read.
        cut_ordinals: which tickets the end of a connection cut: known once all of them are read.
        ignored_fields: fields of JSON bodies that tell nothing of the ticket itself: a ticket that
            comes again with others is the same.
    """

    delivery: Delivery
    bundles: Iterator[Bundle]
    cut_ordinals: Sequence[int] = ()
    ignored_fields: Collection[str] = ()


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


def find_or_make(
    connection: psycopg.Connection, pbx_id: str, model_id: str, delivery: Delivery
) -> tuple[int, bool]:
    """Return the id of a delivery, and whether raw knew it just like that."""
    values = {
        "pbx_id": pbx_id,
        "model": model_id,
        "unit": delivery.unit,
        "generation": delivery.generation,
        "header": delivery.header,
        "content_sha256": delivery.content_sha256,
        "size_bytes": delivery.size_bytes,
        "modified_at": delivery.modified_at,
        "source_identity": delivery.source_identity,
        "repeated_bytes": delivery.repeated_bytes,
    }
    known = connection.execute(
        "update raw.deliveries set last_read_at = now() where pbx_id = %(pbx_id)s "
        "and unit = %(unit)s and generation = %(generation)s returning delivery_id, "
        "(header, content_sha256, size_bytes, modified_at, source_identity, repeated_bytes) "
        "is distinct from (%(header)s::text, %(content_sha256)s::text, %(size_bytes)s::bigint, "
        "%(modified_at)s::timestamptz, %(source_identity)s::text, %(repeated_bytes)s::bigint)",
        values,
    ).fetchone()
    if known is None:
        made = connection.execute(
            "insert into raw.deliveries (pbx_id, model, unit, generation, header, "
            "content_sha256, size_bytes, modified_at, source_identity, repeated_bytes) values ("
            "%(pbx_id)s, %(model)s, %(unit)s, %(generation)s, %(header)s, %(content_sha256)s, "
            "%(size_bytes)s, %(modified_at)s, %(source_identity)s, %(repeated_bytes)s) "
            "returning delivery_id",
            values,
        ).fetchone()
        return (int(made[0]) if made else 0), False
    delivery_id, has_changed = known
    if has_changed:
        connection.execute(
            "update raw.deliveries set header = %(header)s, size_bytes = %(size_bytes)s, "
            "content_sha256 = %(content_sha256)s, modified_at = %(modified_at)s, "
            "source_identity = %(source_identity)s, repeated_bytes = %(repeated_bytes)s "
            "where delivery_id = %(delivery_id)s",
            {**values, "delivery_id": delivery_id},
        )
    return int(delivery_id), not has_changed


def highest_ordinal(connection: psycopg.Connection, model_id: str, delivery_id: int) -> int:
    """Return the highest ordinal that raw holds of a delivery; -1 when it holds none."""
    row = connection.execute(
        "select max(ordinal) from raw.tickets where model = %s and delivery_id = %s",
        [model_id, delivery_id],
    ).fetchone()
    return -1 if row is None or row[0] is None else int(row[0])
