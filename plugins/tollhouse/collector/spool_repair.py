"""Repairing a segment that no footer closes: what a killed collector or a power cut leaves.

Nothing is thrown away: the bytes that are cut off stay beside the segment, in a file that ends in
``.torn``. What had been on disk for sure is left where it is, even damaged, since IDLAST may point
into it: readers report it.
"""

from __future__ import annotations

import logging
import os
import uuid
from pathlib import Path

from tollhouse.collector.segment import (
    CLOSE,
    DATA,
    END,
    HEADER_BYTES,
    OPEN,
    RECORD,
    SYNC,
    SegmentHeader,
    next_whole_record,
    pack_header,
    pack_record,
    record_end,
    segment_path,
    unpack_header,
)

logger = logging.getLogger(__name__)


def close_torn_segment(folder: Path, number: int, pbx_id: str, spool_id: uuid.UUID) -> None:
    """Cut off a segment's torn tail, keep the whole records behind a hole, write the footer."""
    path = segment_path(folder, number)
    data = path.read_bytes()
    header = unpack_header(data)
    end_of_whole = _end_of_whole_records(data) if header else 0
    tail = data[end_of_whole:]
    salvaged = _whole_records(tail)
    if header and tail and _synced_offset(data) > end_of_whole:
        logger.error("%s: damaged at offset %d, in what was on disk", path, end_of_whole)
        end_of_whole = _end_of_last_whole_record(data)
        tail, salvaged = data[end_of_whole:], []
    if tail:
        logger.warning(
            "%s: %d bytes of a torn tail, %d whole records kept", path, len(tail), len(salvaged)
        )
        _write_durably(path.with_suffix(".torn"), tail)
    if salvaged or not header:
        header = header or _rebuilt_header(path, number, pbx_id, spool_id, salvaged)
        whole = data[:end_of_whole] or pack_header(header)
        draft = path.with_name(f"{path.name}.draft")
        whole += b"".join(salvaged)
        _write_durably(draft, whole + _footer(header, whole))
        draft.replace(path)
    else:
        with path.open("r+b") as file:
            file.truncate(end_of_whole)
            file.seek(end_of_whole)
            file.write(_footer(header, data[:end_of_whole]))
            file.flush()
            os.fsync(file.fileno())


def _end_of_whole_records(data: bytes) -> int:
    position = HEADER_BYTES
    while (end := record_end(data, position)) is not None:
        position = end
    return position


def _end_of_last_whole_record(data: bytes) -> int:
    last_end = HEADER_BYTES
    position = next_whole_record(data, HEADER_BYTES)
    while position is not None:
        last_end = record_end(data, position) or last_end
        position = next_whole_record(data, last_end)
    return last_end


def _synced_offset(data: bytes) -> int:
    """Return up to where the segment was on disk, by its last sync mark."""
    offset = HEADER_BYTES
    position = next_whole_record(data, HEADER_BYTES)
    while position is not None:
        mark, _, _, _, _, ordinal, _ = RECORD.unpack_from(data, position)
        if mark == SYNC:
            offset = max(offset, ordinal)
        position = next_whole_record(data, record_end(data, position) or len(data))
    return offset


def _whole_records(tail: bytes) -> list[bytes]:
    """Return the whole records of a tail: data, and whose it is; marks of places hold no more."""
    records = []
    position = next_whole_record(tail, 0)
    while position is not None:
        end = record_end(tail, position) or len(tail)
        if RECORD.unpack_from(tail, position)[0] in (DATA, OPEN, END):
            records.append(tail[position:end])
        position = next_whole_record(tail, end)
    return records


def _rebuilt_header(
    path: Path, number: int, pbx_id: str, spool_id: uuid.UUID, salvaged: list[bytes]
) -> SegmentHeader:
    """Return a header in place of one that never reached the disk."""
    connection, ordinal = 0, 0
    if salvaged:
        _, _, _, connection, _, ordinal, _ = RECORD.unpack_from(salvaged[0])
    return SegmentHeader(
        number=number,
        connection=connection,
        opened_at_us=path.stat().st_mtime_ns // 1000,
        first_ordinal=ordinal,
        spool_id=spool_id,
        pbx_id=pbx_id,
        peer="",
    )


def _footer(header: SegmentHeader, whole: bytes) -> bytes:
    """Return the footer of a segment: it bears the highest connection, so that none comes twice."""
    connection = header.connection
    position = next_whole_record(whole, HEADER_BYTES)
    while position is not None:
        connection = max(connection, RECORD.unpack_from(whole, position)[3])
        position = next_whole_record(whole, record_end(whole, position) or len(whole))
    return pack_record(
        CLOSE,
        flags=0,
        connection=connection,
        ordinal=0,
        arrived_at_us=header.opened_at_us,
    )


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
