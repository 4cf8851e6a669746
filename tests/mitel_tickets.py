"""Mitel 3300 tickets for tests of what comes after parsing: short to write, exact to the minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

PBX_ID = "paris_hq"
MODEL = "mitel_3300"

#: Tickets have no year: they are taken to be of the months before this instant.
RECEIVED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class OutgoingLeg:
    """An answered call from an extension to an outside number.

    Attributes:
        time: ``MM/DD HH:MM``, local time of the PBX.
        call: the PBX's identity of the call, such as M0010001; legs of one call share it.
        leg: A, B, …
    """

    time: str
    seconds: int
    number: str = "0199001999"
    extension: int = 4201
    call: str = ""
    leg: str = "A"

    def __str__(self) -> str:
        duration = (
            f"{self.seconds // 3600:02d}:{self.seconds // 60 % 60:02d}:{self.seconds % 60:02d}"
        )
        dialled = f"{self.extension} 0{self.number}"
        body = f" {self.time}  {duration} {self.extension:<10}{dialled:<26}A T003"
        return f"{body:<113}{self.call}{self.leg}" if self.call else body


def land(connection: psycopg.Connection, tickets: Sequence[object]) -> int:
    """Put tickets into raw as one batch of a delivery of their own; the caller commits.

    Returns:
        The batch.
    """
    delivery = connection.execute(
        "insert into raw.deliveries (pbx_id, model, unit) "
        "values (%s, %s, gen_random_uuid()::text) returning delivery_id",
        [PBX_ID, MODEL],
    ).fetchone()
    batch = connection.execute(
        "insert into raw.batches (pbx_id, model, rows_read, rows_inserted) "
        "values (%s, %s, %s, %s) returning batch_id",
        [PBX_ID, MODEL, len(tickets), len(tickets)],
    ).fetchone()
    assert delivery is not None
    assert batch is not None
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.tickets (model, delivery_id, ordinal, batch_id, received_at, body) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                (MODEL, delivery[0], ordinal, batch[0], RECEIVED_AT, str(ticket))
                for ordinal, ticket in enumerate(tickets)
            ],
        )
    return int(batch[0])
