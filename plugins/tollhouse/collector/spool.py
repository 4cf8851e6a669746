"""Reading the collector's spool: a folder per PBX, records in the order in which they arrived.

A position is ``(segment number, byte offset)``; the extract DAG keeps it as IDLAST, ``12:34567``.
Readers see only what is safely on disk, cross from a closed segment to the next, and never pass
over damage or a missing segment in silence.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from tollhouse.collector.segment import (
    CLOSE,
    DATA,
    END,
    ENDED,
    HEADER_BYTES,
    MAXIMUM_DATA_BYTES,
    OPEN,
    RECORD,
    RECORD_BYTES,
    SYNC,
    SegmentHeader,
    instant,
    next_whole_record,
    record_end,
    record_is_whole,
    segment_numbers,
    segment_path,
    unpack_header,
)

IDENTITY_FILE = "spool.id"
LANDED_FILE = "spool.landed"
PRUNED_FILE = "spool.pruned"

#: So many records are handed over at a time to readers that can take several.
GROUP_RECORDS = 256

logger = logging.getLogger(__name__)


class SpoolError(Exception):
    """The spool cannot be read at this position; the message says what an operator can do."""


class SpoolDamagedError(SpoolError):
    """A record or a header does not hold its checksum.

    Attributes:
        segment: number of the segment.
        offset: where the damage begins.
        resume_offset: where the next whole record begins, or None when none follows in that
            segment.
    """

    def __init__(
        self, message: str, *, segment: int, offset: int, resume_offset: int | None
    ) -> None:
        super().__init__(message)
        self.segment = segment
        self.offset = offset
        self.resume_offset = resume_offset


class SpoolPositionError(SpoolError):
    """The position is ahead of the spool, or the segment that follows it is missing."""


class SpoolRecord(NamedTuple):
    """One piece of what a PBX sent: as a rule one physical line with its terminator.

    ``flags`` is a sum of ``segment.TERMINATED``, ``segment.PIECE`` and
    ``segment.CUT_BY_DISCONNECT``; or it is ``segment.ENDED``, without data, for a reader that asks
    for the ends of connections.
    """

    segment: int
    offset: int
    next_offset: int
    arrived_at: datetime
    connection: int
    ordinal: int
    data: bytes
    flags: int


@dataclass(frozen=True)
class SegmentState:
    """One segment file as it stands now."""

    header: SegmentHeader
    path: Path
    size_bytes: int
    is_closed: bool


def spool_identity(folder: Path) -> uuid.UUID | None:
    """Return the identity of a spool, or None when nothing was ever spooled.

    Another identity than last time means that the spool was rebuilt: its segments count from 1
    again, and the same segment number is a new generation of the delivery.
    """
    path = folder / IDENTITY_FILE
    try:
        return uuid.UUID(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SpoolError(
            f"{path} holds no identity. Stop the collector, remove the file and start it: "
            "it takes the identity from the last segment."
        ) from error


def read_header(folder: Path, number: int) -> SegmentHeader:
    """Return the header of a segment.

    Raises:
        SpoolDamagedError: the header is torn or damaged.
    """
    path = segment_path(folder, number)
    with path.open("rb") as file:
        header = unpack_header(file.read(HEADER_BYTES))
    if header is None:
        raise SpoolDamagedError(
            f"{path}: the header is torn or damaged. Starting the collector repairs a torn one.",
            segment=number,
            offset=0,
            resume_offset=None,
        )
    return header


def segment_states(folder: Path) -> list[SegmentState]:
    """Return the segments of a spool in order."""
    states = []
    for number in segment_numbers(folder):
        path = segment_path(folder, number)
        states.append(
            SegmentState(
                header=read_header(folder, number),
                path=path,
                size_bytes=path.stat().st_size,
                is_closed=is_closed(path),
            )
        )
    return states


def is_closed(path: Path) -> bool:
    """Whether a segment ends with its footer: nothing will be added to it."""
    return highest_connection(path) is not None


def highest_connection(path: Path) -> int | None:
    """Return the highest connection so far, as a segment's footer bears it; None without footer."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < HEADER_BYTES + RECORD_BYTES:
            return None
        file.seek(size - RECORD_BYTES)
        tail = file.read(RECORD_BYTES)
    mark, _, _, connection, _, _, _ = RECORD.unpack(tail)
    return connection if mark == CLOSE and record_end(tail, 0) == RECORD_BYTES else None


def connection_peers(folder: Path, number: int) -> dict[int, str]:
    """Return the connections that speak in a segment, and the address of each one's other side."""
    header = read_header(folder, number)
    peers = {header.connection: header.peer}
    data = segment_path(folder, number).read_bytes()
    position: int | None = HEADER_BYTES
    while position is not None and (end := record_end(data, position)) is not None:
        mark, _, _, connection, _, _, _ = RECORD.unpack_from(data, position)
        if mark == OPEN:
            peers[connection] = data[position + RECORD_BYTES : end].decode("ascii", "replace")
        position = end
    return peers


def write_landed(folder: Path, *, segment: int, offset: int) -> None:
    """Note up to where the spool is landed in raw: the collector shows the backlog from there."""
    draft = folder / f"{LANDED_FILE}.draft"
    draft.write_text(f"{segment}:{offset} {spool_identity(folder)}\n", encoding="ascii")
    draft.replace(folder / LANDED_FILE)


def read_landed(folder: Path) -> tuple[int, int] | None:
    """Return the position up to which the spool is landed, or None when none was noted.

    A note about a spool that was rebuilt since says nothing about this one.
    """
    try:
        position, _, identity = (folder / LANDED_FILE).read_text(encoding="ascii").partition(" ")
        segment, _, offset = position.partition(":")
        if identity.strip() != str(spool_identity(folder)):
            return None
        return int(segment), int(offset)
    except (FileNotFoundError, ValueError):
        return None


def write_pruned(folder: Path, *, segment: int, until: datetime) -> None:
    """Note that the segments up to this one, of what arrived until then, are deleted."""
    draft = folder / f"{PRUNED_FILE}.draft"
    draft.write_text(f"{segment} {until.isoformat()}\n", encoding="ascii")
    draft.replace(folder / PRUNED_FILE)


def read_pruned(folder: Path) -> tuple[int, datetime] | None:
    """Return the last segment that was deleted as too old, and until when; None when none was."""
    try:
        segment, _, until = (folder / PRUNED_FILE).read_text(encoding="ascii").partition(" ")
        return int(segment), datetime.fromisoformat(until.strip())
    except (FileNotFoundError, ValueError):
        return None


def read_spool(
    folder: Path, *, segment: int, offset: int, with_ends: bool = False
) -> Iterator[SpoolRecord]:
    """Yield the records after a position, across segments, up to what is on disk now.

    Damage and gaps are raised only by the read that begins at them: one that meets them later ends
    there, so that what precedes is landed first, and an operator who steps over the damage loses
    nothing else.

    Args:
        folder: the pbx's spool folder.
        segment: number of the segment to go on with; 0 for the oldest that is kept.
        offset: byte offset of the next record, a ``next_offset`` read earlier; 0 for the first of
            the segment.
        with_ends: also yield where a connection ended whose segment goes on with others, and, as
            connection 0, where a segment is closed.

    Yields:
        The records in order of segment and offset.

    Raises:
        SpoolPositionError: the position lies ahead of the spool, or segments that were never read
            are missing.
        SpoolDamagedError: a record that was on disk does not hold its checksum.
    """
    for records in read_groups(folder, segment=segment, offset=offset):
        for record in records:
            if with_ends or record.flags != ENDED:
                yield record


def read_groups(folder: Path, *, segment: int, offset: int) -> Iterator[list[SpoolRecord]]:
    """Yield what ``read_spool`` yields with ends, a few hundred records of a segment at a time."""
    is_first = True
    try:
        for records in _read_segments(folder, segment, offset):
            is_first = is_first and all(record.flags == ENDED for record in records)
            yield records
    except SpoolError as error:
        if is_first:
            raise
        logger.error("Reading ends before a fault of the spool: %s", error)


def last_records(folder: Path, count: int) -> list[SpoolRecord]:
    """Return the last records on disk, oldest first; damage before them does not matter here."""
    records: deque[SpoolRecord] = deque()
    for number in reversed(segment_numbers(folder)):
        found: deque[SpoolRecord] = deque(maxlen=count - len(records))
        with contextlib.suppress(SpoolError):
            for group in _read_segment(folder, number, 0):
                found.extend(record for record in group if record.flags != ENDED)
        records.extendleft(reversed(found))
        if len(records) == count:
            break
    return list(records)


def _read_segments(folder: Path, segment: int, offset: int) -> Iterator[list[SpoolRecord]]:
    numbers = segment_numbers(folder)
    if not numbers and segment == 0:
        return
    if not numbers or segment > numbers[-1]:
        raise SpoolPositionError(
            f"{folder}: the position is in segment {segment}, but the last segment is "
            f"{numbers[-1] if numbers else 'none'}. Was the spool rebuilt or restored? "
            "Set IDLAST to 0:0 to read all of it again; nothing doubles."
        )
    expected = segment
    # A segment that was read to its end may have been pruned since; the one after it may not.
    if segment == 0 or numbers[0] == segment + 1:
        expected = numbers[0]
    for number in numbers:
        if number < expected:
            continue
        if number > expected:
            raise SpoolPositionError(_missing(folder, expected, number))
        is_to_end = yield from _read_segment(
            folder,
            number,
            offset if number == segment else 0,
            is_followed=number < numbers[-1],
        )
        if not is_to_end:
            return
        expected += 1


def _missing(folder: Path, expected: int, found: int) -> str:
    pruned = read_pruned(folder)
    if pruned is not None and found == pruned[0] + 1:
        return (
            f"{folder}: segment {expected} is pruned: it was landed and older than the entry's "
            f"spool_keep_days. Set IDLAST to {found}:0, the oldest that is kept."
        )
    return (
        f"{folder}: segment {expected} is missing though segment {found} is there. "
        f"Put the file back, or set IDLAST to {found}:0 to go on without its tickets."
    )


def _read_segment(
    folder: Path, number: int, start: int, *, is_followed: bool = False
) -> Generator[list[SpoolRecord], None, bool]:
    """Yield a segment's records that are on disk, in groups; return whether it is closed."""
    path = segment_path(folder, number)
    try:
        read_header(folder, number)
    except SpoolDamagedError:
        if path.stat().st_size < HEADER_BYTES:
            return False  # being made just now, or torn and repaired when the collector starts
        raise
    start = max(start, HEADER_BYTES)
    buffer = _read_from(path, number, start)
    # A closed segment that others follow is on disk as a whole; of another, what its marks say.
    synced_offset = start + len(buffer) if is_followed and is_closed(path) else 0
    held: list[SpoolRecord] = []
    position = _take_data(buffer, 0, start, number, held)
    while (end := record_end(buffer, position)) is not None:
        mark, _, _, connection, _, ordinal, arrived_at_us = RECORD.unpack_from(buffer, position)
        if mark in (END, CLOSE):
            whose = connection if mark == END else 0
            place = (number, start + position, start + end, instant(arrived_at_us))
            held.append(SpoolRecord(*place, whose, 0, b"", ENDED))
        if mark == CLOSE:
            yield from _groups(held)
            return True
        if mark == SYNC:
            synced_offset = max(synced_offset, ordinal)
        count = _count_on_disk(held, synced_offset)
        if count >= GROUP_RECORDS:
            yield from _groups(held[:count])
            del held[:count]
        position = _take_data(buffer, position if mark == DATA else end, start, number, held)
    is_damaged = position < len(buffer) and _was_on_disk(buffer, position, start)
    yield from _groups(held if is_damaged else held[: _count_on_disk(held, synced_offset)])
    if is_damaged:
        raise _damage(path, number, buffer, position, start)
    return False


def _take_data(
    buffer: bytes, position: int, base: int, number: int, taken: list[SpoolRecord]
) -> int:
    """Take a group of DATA records at most, and return where it ends or something else stands."""
    # Done for every record there is, so nothing is looked up twice.
    unpack, last, make = RECORD.unpack_from, len(buffer) - RECORD_BYTES, tuple.__new__
    arrived_at, arrived_us = None, None
    for _ in range(GROUP_RECORDS):
        if position > last:
            break
        mark, flags, length, connection, crc, ordinal, arrived_at_us = unpack(buffer, position)
        data_at = position + RECORD_BYTES
        end = data_at + length
        if mark != DATA or length > MAXIMUM_DATA_BYTES or end > len(buffer):
            break
        if not record_is_whole(buffer, position, length, crc):
            break
        if arrived_at_us != arrived_us:
            arrived_at, arrived_us = instant(arrived_at_us), arrived_at_us
        place = (number, base + position, base + end)
        data = buffer[data_at:end]
        record = (*place, arrived_at, connection, ordinal, data, flags)
        taken.append(make(SpoolRecord, record))
        position = end
    return position


def _count_on_disk(held: list[SpoolRecord], synced_offset: int) -> int:
    """Return how many records are on disk for sure, from the first."""
    count = bisect_right(held, synced_offset, key=attrgetter("next_offset"))
    # That a connection ended holds true even if a power cut takes this record back.
    while count < len(held) and held[count].flags == ENDED:
        count += 1
    return count


def _groups(records: list[SpoolRecord]) -> Iterator[list[SpoolRecord]]:
    for start in range(0, len(records), GROUP_RECORDS):
        yield records[start : start + GROUP_RECORDS]


def _read_from(path: Path, number: int, start: int) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if start > size:
            raise SpoolPositionError(
                f"{path}: the position {start} is behind its end, {size}. Set IDLAST to "
                f"{number}:{size} to go on there, or to {number}:0 to read the segment again; "
                "nothing doubles."
            )
        file.seek(start)
        return file.read()


def _was_on_disk(buffer: bytes, damage: int, base: int) -> bool:
    """Whether a sync mark or a footer behind the damage proves that it had been on disk.

    Without one the damage is a tail that a write under way or a crash left: the collector repairs
    it when it starts.
    """
    position = next_whole_record(buffer, damage + 1)
    while position is not None:
        mark, _, _, _, _, ordinal, _ = RECORD.unpack_from(buffer, position)
        if mark == CLOSE or (mark == SYNC and ordinal > base + damage):
            return True
        end = record_end(buffer, position)
        position = None if end is None else next_whole_record(buffer, end)
    return False


def _damage(path: Path, number: int, buffer: bytes, position: int, base: int) -> SpoolDamagedError:
    resume = next_whole_record(buffer, position + 1)
    resume_offset = None if resume is None else base + resume
    follows = (
        "No whole record follows in that segment."
        if resume_offset is None
        else f"The next one begins at {resume_offset}: set IDLAST to {number}:{resume_offset} "
        f"to go on there without the {resume_offset - base - position} bytes between."
    )
    return SpoolDamagedError(
        f"{path}: no whole record begins at offset {base + position}: the file is damaged there, "
        f"or IDLAST was mistyped. {follows}",
        segment=number,
        offset=base + position,
        resume_offset=resume_offset,
    )
