"""Layout of a spool segment, version 2: the only place that knows its bytes.

A segment is a header, then records, all little-endian, only ever appended to. It holds one
connection of one PBX, or, for a PBX that opens several, whatever they said in the order in which it
arrived.

- header, 256 bytes: magic, version, length of the header, connection, number of the segment, when
  it was opened (microseconds since 1970), ordinal of its first record, identity of the spool, pbx
  id, peer, crc32.
- record, 32 bytes: mark, flags, length of the data, connection, crc32, ordinal within the
  connection, arrival (microseconds since 1970); then the data, exactly as received. The crc covers
  both.

Five kinds of record share that shape. DATA carries bytes of the PBX. SYNC says, in its ordinal, up
to which offset the file was on disk when it was written: readers hand out nothing beyond the last
one, so that no power cut can take back what they saw. CLOSE is the footer: nothing follows, the
reader may go on with the next segment; it bears the highest connection so far. In a segment that
connections share (the header then names the first of them), OPEN stands before the first DATA of
each and carries its peer, and END after its last.

Version 1 knew neither OPEN nor END; it is read as well.
"""

from __future__ import annotations

import re
import struct
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

MAGIC = b"TOLLSPOL"
VERSION = 2
READABLE_VERSIONS = (1, 2)

_HEADER = struct.Struct("<8sHHIQqQ16s40s64s92xI")
HEADER_BYTES = _HEADER.size
_CRC_BYTES = 4

#: mark, flags, length, connection, crc32, ordinal, arrival
RECORD = struct.Struct("<HHIIIQq")
RECORD_BYTES = RECORD.size
#: The crc covers this part of the record's head, what follows it, and the data.
_BEFORE_CRC = 12
_AFTER_CRC = 16
#: The head as the crc covers it: all but the crc.
_COVERED_HEAD = struct.Struct("<HHIIQq")

DATA = 0x4454
SYNC = 0x4E53
CLOSE = 0x4C43
OPEN = 0x504F
END = 0x4E45
MARKS = (DATA, SYNC, CLOSE, OPEN, END)
#: A peer's address is cut to so many bytes.
PEER_BYTES = 64

#: The data ends with its line terminator.
TERMINATED = 1
#: The data is a piece of a line longer than the model allows; the line goes on in the next record.
PIECE = 2
#: The connection ended in the middle of this line.
CUT_BY_DISCONNECT = 4
#: No data: the connection ended here, and the segment goes on with others.
ENDED = 8

#: A longer record is damage, not data.
MAXIMUM_DATA_BYTES = 16 * 1024 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FILE_NAME = re.compile(r"segment-(\d{10})\.spool")


@dataclass(frozen=True)
class SegmentHeader:
    """What the first bytes of a segment say; connections that share it have their own peers."""

    number: int
    connection: int
    opened_at_us: int
    first_ordinal: int
    spool_id: uuid.UUID
    pbx_id: str
    peer: str

    @property
    def opened_at(self) -> datetime:
        """When the segment was opened."""
        return instant(self.opened_at_us)


@lru_cache(maxsize=1)
def instant(microseconds: int) -> datetime:
    """Return the instant of a count of microseconds since 1970; lines read in one go share it."""
    return _EPOCH + timedelta(microseconds=microseconds)


def segment_path(folder: Path, number: int) -> Path:
    """Return the file of a segment; names sort like numbers."""
    return folder / f"segment-{number:010d}.spool"


def segment_numbers(folder: Path) -> list[int]:
    """Return the numbers of the segments in a spool folder, in order."""
    if not folder.is_dir():
        return []
    matches = (_FILE_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match.group(1)) for match in matches if match)


def pack_header(header: SegmentHeader) -> bytes:
    """Return the bytes of a segment's header."""
    packed = _HEADER.pack(
        MAGIC,
        VERSION,
        HEADER_BYTES,
        header.connection,
        header.number,
        header.opened_at_us,
        header.first_ordinal,
        header.spool_id.bytes,
        header.pbx_id.encode("ascii"),
        pack_peer(header.peer),
        0,
    )
    body = packed[:-_CRC_BYTES]
    return body + zlib.crc32(body).to_bytes(_CRC_BYTES, "little")


def pack_peer(peer: str) -> bytes:
    """Return a peer's address as a header or an OPEN record bears it."""
    return peer.encode("ascii", "replace")[:PEER_BYTES]


def unpack_header(data: bytes) -> SegmentHeader | None:
    """Return the header at the start of ``data``, or None when it is torn, damaged or foreign."""
    if len(data) < HEADER_BYTES:
        return None
    body = data[: HEADER_BYTES - _CRC_BYTES]
    (
        magic,
        version,
        length,
        connection,
        number,
        opened_at_us,
        first_ordinal,
        identity,
        pbx_id,
        peer,
        crc,
    ) = _HEADER.unpack_from(data)
    if (magic, length, crc) != (MAGIC, HEADER_BYTES, zlib.crc32(body)):
        return None
    if version not in READABLE_VERSIONS:
        return None
    return SegmentHeader(
        number=number,
        connection=connection,
        opened_at_us=opened_at_us,
        first_ordinal=first_ordinal,
        spool_id=uuid.UUID(bytes=identity),
        pbx_id=pbx_id.rstrip(b"\0").decode("ascii", "replace"),
        peer=peer.rstrip(b"\0").decode("ascii", "replace"),
    )


def pack_record(
    mark: int, *, flags: int, connection: int, ordinal: int, arrived_at_us: int, data: bytes = b""
) -> bytes:
    """Return the bytes of one record."""
    head = _COVERED_HEAD.pack(mark, flags, len(data), connection, ordinal, arrived_at_us)
    crc = zlib.crc32(data, zlib.crc32(head))
    return b"".join((head[:_BEFORE_CRC], crc.to_bytes(4, "little"), head[_BEFORE_CRC:], data))


def record_is_whole(buffer: bytes, position: int, length: int, crc: int) -> bool:
    """Whether the crc of the record at ``position``, all of it in the buffer, holds."""
    computed = zlib.crc32(buffer[position : position + _BEFORE_CRC])
    end = position + RECORD_BYTES + length
    return zlib.crc32(buffer[position + _AFTER_CRC : end], computed) == crc


def record_end(buffer: bytes, position: int) -> int | None:
    """Return where the whole record at ``position`` ends, or None when none stands there."""
    if position + RECORD_BYTES > len(buffer):
        return None
    mark, _, length, _, crc, _, _ = RECORD.unpack_from(buffer, position)
    end = position + RECORD_BYTES + length
    if mark not in MARKS or length > MAXIMUM_DATA_BYTES or end > len(buffer):
        return None
    return end if record_is_whole(buffer, position, length, crc) else None


def next_whole_record(buffer: bytes, position: int) -> int | None:
    """Return where the next whole record begins, at or after ``position``: the way on."""
    marks = re.compile(b"|".join(re.escape(mark.to_bytes(2, "little")) for mark in MARKS))
    for match in marks.finditer(buffer, position):
        if record_end(buffer, match.start()) is not None:
            return match.start()
    return None
