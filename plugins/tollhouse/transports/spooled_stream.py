"""Tickets that the collector spooled: PBXs that speak over TCP and keep nothing for later.

IDLAST is the place in the spool, ``segment:offset``, of the first line that is not landed. A
segment is a delivery; it holds one connection, and the ordinal of a ticket is the offset of its
first line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, takewhile
from pathlib import Path

from tollhouse.collector.segment import segment_path
from tollhouse.collector.spool import (
    SegmentState,
    SpoolError,
    SpoolRecord,
    is_closed,
    read_landed,
    read_spool,
    segment_states,
    spool_identity,
    write_landed,
)
from tollhouse.framing import PhysicalLine, Ticket, WrappedLines, cut_line, decode
from tollhouse.landing import Delivery, DeliveryTickets
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError

#: A line that may go on is complete at this age; more than the joining window, because what arrived
#: within the window reaches the disk a little later.
COMPLETE_AFTER = timedelta(seconds=10)
#: The time of a file comes from a coarser clock than the arrival of its lines.
CLOCK_SLACK = timedelta(seconds=1)


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as (segment, offset)."""
    segment, separator, offset = idlast.partition(":")
    if not (separator and segment.isdecimal() and offset.isdecimal()):
        raise ValueError("a place in the spool is written segment:offset, as in 12:3456")
    return int(segment), int(offset)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield the segments and their tickets: from IDLAST to what is on disk, or of an interval."""
    folder = request.settings.spool / request.pbx.id
    try:
        if request.interval is not None:
            yield from _fetch_interval(request, folder, request.interval)
        else:
            yield from _fetch_new(request, folder, progress)
    except SpoolError as error:
        raise SourceError(
            f"{request.pbx.id}: {error} (Behind a place that is ahead of what is landed, write "
            "' confirmed': it leaves out what lies between.)"
        ) from error


def _fetch_new(
    request: FetchRequest, folder: Path, progress: Progress
) -> Iterator[DeliveryTickets]:
    identity = spool_identity(folder)
    if identity is None:
        if request.idlast is not None and any(position(request.idlast)):
            raise SourceError(
                f"{request.pbx.id}: IDLAST is {request.idlast}, but {folder} holds no spool. Is "
                "the volume mounted? If the spool is lost, start the collector: it makes a new one."
            )
        return
    segment, offset = position(request.idlast or "0:0")
    newest = request.known.newest()
    if newest is not None and newest.source_identity not in (None, str(identity)):
        progress.warnings.append(
            f"{request.pbx.id}: the spool was built anew since the last pull; it is read from its "
            "beginning, and its segments are new generations."
        )
        segment, offset = 0, 0
    records = read_spool(folder, segment=segment, offset=offset)
    for number, of_segment in groupby(records, key=lambda record: record.segment):
        reader = _SegmentReader(request, folder, number, progress)
        yield DeliveryTickets(_delivery(request, number, str(identity)), reader.tickets(of_segment))
    if progress.idlast is not None and read_landed(folder) != position(progress.idlast):
        segment, offset = position(progress.idlast)
        progress.after_commit.append(lambda: write_landed(folder, segment=segment, offset=offset))


def _fetch_interval(
    request: FetchRequest, folder: Path, interval: Interval
) -> Iterator[DeliveryTickets]:
    """Yield the tickets of which the first line arrived in the interval."""
    identity = spool_identity(folder)
    touched = _touched(segment_states(folder), interval)
    if identity is None or not touched:
        return
    records = takewhile(
        lambda record: record.segment <= touched[-1],
        read_spool(folder, segment=touched[0], offset=0),
    )
    for number, of_segment in groupby(records, key=lambda record: record.segment):
        tickets = _SegmentReader(request, folder, number, Progress()).tickets(of_segment)
        yield DeliveryTickets(
            _delivery(request, number, str(identity)),
            (
                ticket
                for ticket in tickets
                if ticket.received_at and interval.start <= ticket.received_at < interval.end
            ),
        )


def _touched(states: list[SegmentState], interval: Interval) -> list[int]:
    """Return the segments in which something can have arrived in the interval."""
    return [
        state.header.number
        for state in states
        if state.header.opened_at < interval.end
        and datetime.fromtimestamp(state.path.stat().st_mtime, UTC) + CLOCK_SLACK >= interval.start
    ]


def _delivery(request: FetchRequest, number: int, identity: str) -> Delivery:
    unit = f"segment-{number:010d}"
    known = request.known.current([unit]).get(unit)
    generation = 1
    if known is not None:
        generation = known.generation + (known.source_identity != identity)
    return Delivery(unit, generation, source_identity=identity)


class _SegmentReader:
    """Reads one segment and knows up to where its tickets are complete."""

    def __init__(
        self, request: FetchRequest, folder: Path, number: int, progress: Progress
    ) -> None:
        model = request.pbx.known_model
        self._lines = WrappedLines(model.framing, model.encoding)
        self._encoding = model.encoding
        self._maximum_bytes = model.framing.maximum_bytes
        self._path = segment_path(folder, number)
        self._number = number
        self._progress = progress
        self._next_offset = 0
        self._record_offsets: dict[int, int] = {}

    def tickets(self, records: Iterator[SpoolRecord]) -> Iterator[Ticket]:
        """Yield the complete tickets; IDLAST then stands before what may still go on."""
        for record in records:
            _, offset, self._next_offset, arrived_at, _, _, line, _ = record
            data = line.rstrip(b"\r\n")
            if self._is_one_line(data):
                if self._lines.is_whole(data):
                    yield Ticket(offset, decode(data, self._encoding), arrived_at)
                else:
                    yield from self._lines.tickets([PhysicalLine(offset, data, arrived_at)])
            else:
                yield from self._lines.tickets(self._lines_of(record))
        held = self._lines.held
        if held is not None and self._is_complete(held):
            yield from self._lines.release()
        elif held is not None:
            self._next_offset = self._record_offsets.get(held.offset, held.offset)
        self._progress.idlast = f"{self._number}:{self._next_offset}"

    def _is_one_line(self, data: bytes) -> bool:
        return (
            0 < len(data) <= self._maximum_bytes
            and b"\r" not in data
            and b"\n" not in data
            and not data.isspace()
        )

    def _lines_of(self, record: SpoolRecord) -> Iterator[PhysicalLine]:
        """Yield the lines of a record that is blank, too long, or holds more than one.

        A record takes more room in its segment than its data, so the offsets stay unique.
        """
        if self._lines.held is None:
            self._record_offsets.clear()
        offset = record.offset
        for piece in record.data.splitlines(keepends=True):
            line = PhysicalLine(offset, piece, record.arrived_at)
            for cut in cut_line(line, self._maximum_bytes):
                self._record_offsets[cut.offset] = record.offset
                yield cut
            offset += len(piece)

    def _is_complete(self, held: PhysicalLine) -> bool:
        age = datetime.now(UTC) - (held.received_at or datetime.now(UTC))
        return age > COMPLETE_AFTER or is_closed(self._path)
