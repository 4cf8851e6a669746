"""The ledger: a row per pull in raw.batches, and one per delivery that it read.

A pull that inserts nothing, moves nothing and learns nothing leaves no row: the row is made when
the first thing is to be written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

COPY_COUNTS = (
    "copy raw.batch_deliveries (batch_id, delivery_id, first_ordinal, last_ordinal, rows_read, "
    "rows_inserted) from stdin"
)


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


@dataclass(slots=True)
class DeliveryCounts:
    """What a pull read of one delivery."""

    delivery_id: int
    first_ordinal: int | None = None
    last_ordinal: int | None = None
    rows_read: int = 0
    rows_inserted: int = 0

    def see(self, ordinals: Sequence[int]) -> None:
        """Count tickets that were read."""
        self.rows_read += len(ordinals)
        first, last = min(ordinals), max(ordinals)
        self.first_ordinal = first if self.first_ordinal is None else min(first, self.first_ordinal)
        self.last_ordinal = last if self.last_ordinal is None else max(last, self.last_ordinal)


@dataclass
class Ledger:
    """One pull in the ledger: lives as long as its transaction."""

    connection: psycopg.Connection
    batch: BatchStart
    counts: dict[int, DeliveryCounts] = field(default_factory=dict)
    rows_conflicting: int = 0
    batch_id: int | None = None

    def counts_of(self, delivery_id: int) -> DeliveryCounts:
        """Return what was read of a delivery so far, to be counted on."""
        return self.counts.setdefault(delivery_id, DeliveryCounts(delivery_id))

    def batch_number(self) -> int:
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

    def close(self, idlast_after: str | None) -> LandedBatch:
        """Write the ledger, if there is something to write, and return the counts."""
        if idlast_after is not None and idlast_after != self.batch.idlast_before:
            self.batch_number()
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
            self._write_counts(self.batch_id)
        return LandedBatch(
            batch_id=self.batch_id,
            rows_read=read,
            rows_inserted=inserted,
            rows_already_there=there,
            rows_conflicting=self.rows_conflicting,
            idlast_before=self.batch.idlast_before,
            idlast_after=idlast_after,
        )

    def _write_counts(self, batch_id: int) -> None:
        with self.connection.cursor().copy(COPY_COUNTS) as copy:
            for count in self.counts.values():
                copy.write_row(
                    (
                        batch_id,
                        count.delivery_id,
                        count.first_ordinal,
                        count.last_ordinal,
                        count.rows_read,
                        count.rows_inserted,
                    )
                )
