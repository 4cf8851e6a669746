"""Tickets of one PBX as they reach the disk: the spool is followed, never the socket.

Only what is on disk is shown, so whoever looks on takes nothing from the PBX, holds nothing back
and sees nothing that a power cut could undo.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tollhouse.collector.segment import ENDED
from tollhouse.collector.spool import (
    SpoolDamagedError,
    last_records,
    read_spool,
    spool_identity,
)
from tollhouse.collector.spooled_tickets import SpooledTickets
from tollhouse.framing import Ticket
from tollhouse.pbx import Model

#: A ticket is rarely more records than this: that far back is read for the last few.
RECORDS_PER_TICKET = 4


class SpoolFollower:
    """Reads on in a spool whenever it is asked to; across segments, and past damage."""

    def __init__(self, folder: Path, model: Model) -> None:
        self._folder = folder
        self._model = model
        self._identity = spool_identity(folder)
        self._segment = 0
        self._offset = 0
        self._reader = SpooledTickets(model)

    def last_tickets(self, count: int) -> list[Ticket]:
        """Return the last tickets that are on disk by now; what comes later is news."""
        records = last_records(self._folder, max(1, count * RECORDS_PER_TICKET))
        if not records:
            return []
        self._segment, self._offset = records[0].segment, records[0].offset
        tickets = self.new_tickets()
        return tickets[-count:] if count else []

    def new_tickets(self) -> list[Ticket]:
        """Return the tickets that became complete since the last time.

        Raises:
            SpoolError: the spool cannot be read on.
        """
        self._begin_again_if_rebuilt()
        tickets: list[Ticket] = []
        try:
            for record in read_spool(
                self._folder, segment=self._segment, offset=self._offset, with_ends=True
            ):
                if record.segment != self._segment:
                    self._reader = SpooledTickets(self._model)
                    self._segment, self._offset = record.segment, 0
                tickets += self._reader.tickets([record])
                # The place of an end may be taken back by a power cut; data that was shown may not.
                if record.flags != ENDED:
                    self._offset = record.next_offset
        except SpoolDamagedError as damage:
            if damage.resume_offset is None:
                raise
            self._segment, self._offset = damage.segment, damage.resume_offset
        tickets += self._reader.release_complete(datetime.now(UTC))
        return tickets

    def _begin_again_if_rebuilt(self) -> None:
        identity = spool_identity(self._folder)
        if identity != self._identity:
            self._identity = identity
            self._segment, self._offset = 0, 0
            self._reader = SpooledTickets(self._model)
