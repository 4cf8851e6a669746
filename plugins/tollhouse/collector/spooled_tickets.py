"""Records of one spool segment to tickets: joined per connection, complete, none of them twice.

What a connection is in the middle of is held back: a line that may wrap, the pieces of a document.
A position is safe to read on from when no connection is within a ticket there; IDLAST never stands
anywhere else, so that reading again meets the same tickets, whatever other connections said in
between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from tollhouse.bundles import Bundle, bundled
from tollhouse.collector.plain_lines import PlainLines
from tollhouse.collector.segment import CUT_BY_DISCONNECT, ENDED, PIECE
from tollhouse.collector.spool import SpoolRecord
from tollhouse.declared_lines import record_of
from tollhouse.framing import Ticket, decode, frame_record, line_joiner
from tollhouse.pbx import Model
from tollhouse.physical_lines import PhysicalLine, cut_line

#: A line that may go on is complete at this age; more than the joining window, because what arrived
#: within the window reaches the disk a little later.
LINE_COMPLETE_AFTER = timedelta(seconds=10)
#: A piece that arrives later than this after the one before it is no continuation of it: a PBX that
#: stops within a document must not hold IDLAST back for ever.
PIECE_WINDOW = timedelta(minutes=10)
PIECES_COMPLETE_AFTER = PIECE_WINDOW + timedelta(seconds=10)

#: Framing kinds of which the collector spools whole tickets, or pieces of them, record by record.
WHOLE_RECORD_KINDS = ("blocks", "documents")

#: Flags of a record that nothing of its connection follows.
LAST_OF_CONNECTION = CUT_BY_DISCONNECT | ENDED


class _Joiner(Protocol):
    """One connection's records on their way to tickets."""

    #: A ticket that is held is complete at this age.
    complete_after: timedelta

    def whole_ticket(self, record: SpoolRecord, /) -> Ticket | None:
        """Return the ticket of a record that plainly is one; the short way for nearly all."""

    def tickets(self, record: SpoolRecord) -> Iterator[Ticket]:
        """Take any other record and yield what it completes."""

    def cut(self, record: SpoolRecord) -> tuple[list[Ticket], list[Ticket]]:
        """Take the record in which the connection ended; return what is whole and what is cut."""

    def release(self) -> Iterator[Ticket]:
        """Yield what is held: nothing will continue it."""

    @property
    def held_since(self) -> datetime | None:
        """When what is held arrived; None when nothing is."""


class SpooledTickets:
    """Reads the records of one segment, in order, and knows up to where its tickets are complete.

    Attributes:
        safe_offset: where reading may begin again; 0 before the first record.
        cut_ordinals: which of the tickets so far were cut by the end of their connection.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        framing = model.framing
        is_of_lines = framing.kind not in WHOLE_RECORD_KINDS and framing.record_end is None
        self._plain_lines = PlainLines(model) if is_of_lines else None
        self._joiners: dict[int, _Joiner] = {}
        self._holding: set[int] = set()
        self._next_offset = 0
        self.safe_offset = 0
        self.cut_ordinals: list[int] = []

    def tickets(self, records: Iterable[SpoolRecord]) -> Iterator[Ticket]:
        """Take the next records and yield the tickets that they complete."""
        for record in records:
            connection = record.connection
            if record.flags & LAST_OF_CONNECTION:
                yield from self._end(connection) if record.flags == ENDED else self._cut(record)
                continue
            joiner = self._joiners.get(connection) or self._new_joiner(connection)
            self._next_offset = record.next_offset
            whole = joiner.whole_ticket(record)
            if whole is not None:
                yield whole
            else:
                yield from joiner.tickets(record)
                self._note_held(connection, joiner)
            if not self._holding:
                self.safe_offset = record.next_offset

    def bundles(self, groups: Iterable[list[SpoolRecord]]) -> Iterator[Bundle]:
        """Take the next records in groups and yield the tickets that they complete in bundles."""
        for records in groups:
            bundle = None
            if self._plain_lines is not None and not self._holding:
                bundle = self._plain_lines.bundle(records)
            if bundle is None:
                yield from bundled(self.tickets(records))
            else:
                # Each record is a ticket whatever its connection said before: nobody holds any.
                self._next_offset = self.safe_offset = records[-1].next_offset
                yield bundle

    def release_complete(self, now: datetime) -> Iterator[Ticket]:
        """Yield what is held and so old that nothing can continue it."""
        for connection in sorted(self._holding):
            joiner = self._joiners[connection]
            # Far ahead is old too: the clock was set back since.
            if joiner.held_since and abs(now - joiner.held_since) > joiner.complete_after:
                yield from self._release(connection)

    def _new_joiner(self, connection: int) -> _Joiner:
        joiner = self._joiners[connection] = _joiner_of(self._model)
        return joiner

    def _cut(self, record: SpoolRecord) -> Iterator[Ticket]:
        """Take the record in which a connection ended, and note which tickets that cut."""
        connection = record.connection
        joiner = self._joiners.get(connection) or self._new_joiner(connection)
        self._next_offset = record.next_offset
        whole, cut = joiner.cut(record)
        self.cut_ordinals += [ticket.ordinal for ticket in cut]
        yield from whole
        yield from cut
        self._note_held(connection, joiner)

    def _end(self, connection: int) -> Iterator[Ticket]:
        """Release what an ended connection was in the middle of; connection 0 stands for all."""
        for ended in [connection] if connection else sorted(self._joiners):
            yield from self._release(ended)
            self._joiners.pop(ended, None)

    def _release(self, connection: int) -> Iterator[Ticket]:
        if connection in self._holding:
            joiner = self._joiners[connection]
            yield from joiner.release()
            self._note_held(connection, joiner)

    def _note_held(self, connection: int, joiner: _Joiner) -> None:
        if joiner.held_since is None:
            self._holding.discard(connection)
        else:
            self._holding.add(connection)
        if not self._holding:
            self.safe_offset = self._next_offset


def _joiner_of(model: Model) -> _Joiner:
    if model.framing.kind in WHOLE_RECORD_KINDS:
        return _Pieces(model)
    record_end = model.framing.record_end
    return _Lines(model) if record_end is None else _Records(model, record_end)


class _Lines:
    """Physical lines; those of a port that wraps are joined, and those of a quoted value."""

    complete_after = LINE_COMPLETE_AFTER

    def __init__(self, model: Model) -> None:
        self._joiner = line_joiner(model.framing, model.encoding)
        self._encoding = model.encoding
        self._maximum_bytes = model.framing.maximum_bytes

    @property
    def held_since(self) -> datetime | None:
        held = self._joiner.held
        return None if held is None else held.received_at

    def whole_ticket(self, record: SpoolRecord) -> Ticket | None:
        data = self._content(record.data)
        if not self._is_one_line(data) or not self._joiner.is_whole(data):
            return None
        return Ticket(record.offset, decode(data, self._encoding), record.arrived_at)

    def tickets(self, record: SpoolRecord) -> Iterator[Ticket]:
        return self._joiner.tickets(self._lines_of(record))

    def cut(self, record: SpoolRecord) -> tuple[list[Ticket], list[Ticket]]:
        """Take the last record; its last line is cut unless it is blank or its line end began."""
        tickets = [*self.tickets(record), *self.release()]
        if not self._behind_last_end(record.data).strip():
            return tickets, []
        return tickets[:-1], tickets[-1:]

    def release(self) -> Iterator[Ticket]:
        return self._joiner.release()

    def _content(self, data: bytes) -> bytes:
        """Return what a record says, without what ends it."""
        return data.rstrip(b"\r\n")

    def _behind_last_end(self, data: bytes) -> bytes:
        return data.replace(b"\r", b"\n").rpartition(b"\n")[2]

    def _is_one_line(self, data: bytes) -> bool:
        return (
            0 < len(data) <= self._maximum_bytes
            and b"\r" not in data
            and b"\n" not in data
            and not data.isspace()
        )

    def _lines_of(self, record: SpoolRecord) -> Iterator[PhysicalLine]:
        """Yield the lines of a record: none if it is blank, pieces if it is too long.

        A record takes more room in its segment than its data, so the offsets stay unique.
        """
        offset = record.offset
        for piece in record.data.splitlines(keepends=True):
            yield from cut_line(PhysicalLine(offset, piece, record.arrived_at), self._maximum_bytes)
            offset += len(piece)


class _Records(_Lines):
    """Records that another byte than a line end ends; line ends may stand within."""

    def __init__(self, model: Model, record_end: bytes) -> None:
        super().__init__(model)
        self._record_end = record_end

    def _content(self, data: bytes) -> bytes:
        return record_of(data, self._record_end)

    def _behind_last_end(self, data: bytes) -> bytes:
        return data.rpartition(self._record_end)[2]

    def _is_one_line(self, data: bytes) -> bool:
        return 0 < len(data) <= self._maximum_bytes and not data.isspace()

    def _lines_of(self, record: SpoolRecord) -> Iterator[PhysicalLine]:
        data = self._content(record.data)
        return cut_line(PhysicalLine(record.offset, data, record.arrived_at), self._maximum_bytes)


class _Pieces:
    """Blocks and documents: a record each, or several pieces of one."""

    complete_after = PIECES_COMPLETE_AFTER

    def __init__(self, model: Model) -> None:
        self._model = model
        self._pieces: list[SpoolRecord] = []
        self._byte_count = 0

    @property
    def held_since(self) -> datetime | None:
        return self._pieces[-1].arrived_at if self._pieces else None

    def whole_ticket(self, _: SpoolRecord) -> Ticket | None:
        return None

    def tickets(self, record: SpoolRecord) -> Iterator[Ticket]:
        if self._pieces and not self._goes_on_with(record):
            yield from self.release()
        self._pieces.append(record)
        self._byte_count += len(record.data)
        if not record.flags & PIECE:
            yield from self.release()

    def cut(self, record: SpoolRecord) -> tuple[list[Ticket], list[Ticket]]:
        """Take the last record: every leg of a document that is not whole is cut.

        A PBX that sends the document again sends all of its legs again, in the same delivery.
        """
        whole = list(self.release()) if self._pieces and not self._goes_on_with(record) else []
        return whole, list(self.tickets(record))

    def release(self) -> Iterator[Ticket]:
        pieces, self._pieces = self._pieces, []
        self._byte_count = 0
        starts = [0]
        for piece in pieces[:-1]:
            starts.append(starts[-1] + len(piece.data))
        data = b"".join(piece.data for piece in pieces)
        for ticket in frame_record(data, self._model):
            # Other connections may stand between two pieces: each keeps its own place.
            number = bisect_right(starts, ticket.ordinal) - 1
            offset = pieces[number].offset + ticket.ordinal - starts[number]
            yield Ticket(offset, ticket.body, pieces[0].arrived_at)

    def _goes_on_with(self, record: SpoolRecord) -> bool:
        # Decided by arrival and size alone, so that the same pieces join alike whenever read.
        return (
            record.arrived_at - self._pieces[-1].arrived_at <= PIECE_WINDOW
            and self._byte_count + len(record.data) <= self._model.framing.maximum_bytes
        )
