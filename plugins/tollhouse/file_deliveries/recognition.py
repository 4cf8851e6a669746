"""What a file is, told by its content and by what raw knows: new, repeated, grown or replaced."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from tollhouse.landing import KnownDelivery

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK_BYTES = 1 << 20
#: So much of an end shows whether a line ends there, whatever ends lines.
TAIL_BYTES = 8
#: A number or a date that a log got at its end, or before its suffix.
ROTATED = re.compile(r"(?P<name>.+?)[-._~]\d[-._\dT]*(?P<suffix>\.[A-Za-z]+)?$")


class Beginning(NamedTuple):
    """The first bytes of a file, as many as another state of it had."""

    sha256: str
    ends_a_line: bool


@dataclass(frozen=True)
class Content:
    """What is looked at of a file before it is read.

    Attributes:
        size_bytes: of all of it.
        sha256: digest of all of it.
        beginnings: by their size.
        ends_a_line: whether its last byte does; an empty file has no line that could be cut.
    """

    size_bytes: int
    sha256: str
    beginnings: Mapping[int, Beginning]
    ends_a_line: bool = True

    def goes_on_from(self, before: KnownDelivery, *, at_line_end: bool = True) -> bool:
        """Whether the file is what a delivery was and more.

        If what that was ended in the middle of a line, that line landed cut: the file is then read
        again as a new generation, where the whole line is a ticket and the others are recognised.
        Formats that see to that themselves may go on anywhere.
        """
        beginning = self.beginnings.get(before.size_bytes or 0)
        return (
            beginning is not None
            and (beginning.ends_a_line or not at_line_end)
            and beginning.sha256 == before.content_sha256
        )


@dataclass(frozen=True)
class Reading:
    """How a file is to be read.

    Attributes:
        generation: of its delivery.
        start_offset: where its tickets that may be new begin.
        repeated_bytes: so many of its first bytes are another delivery's.
        header: the line that names the columns, if it stands before the start.
        repeats: the unit that has the same content, if the file lands nothing for that.
        is_replaced: whether it had another content under its name before.
    """

    generation: int
    start_offset: int = 0
    repeated_bytes: int = 0
    header: str | None = None
    repeats: str | None = None
    is_replaced: bool = False


def digest(
    stream: BinaryIO,
    size_bytes: int,
    earlier: Iterable[KnownDelivery],
    ends_a_line: Callable[[bytes, int], bool],
) -> Content:
    """Read a file to its end for its digests; it stands at its beginning again afterwards.

    Args:
        stream: the file, at its beginning.
        size_bytes: its size; a file that holds less has been cut since, which its content tells.
        earlier: deliveries that it may go on from.
        ends_a_line: tells by the last bytes of a file, and its size, whether it ends with a line.
    """
    whole = hashlib.sha256()
    beginnings: dict[int, Beginning] = {}
    read_bytes, tail = 0, b""
    sizes = {one.size_bytes for one in earlier if one.size_bytes}
    for size in sorted(size for size in sizes if size < size_bytes):
        count, tail = _read_into(whole, stream, size - read_bytes, tail)
        read_bytes += count
        if read_bytes == size:
            beginnings[size] = Beginning(whole.hexdigest(), ends_a_line(tail, size))
    count, tail = _read_into(whole, stream, size_bytes - read_bytes, tail)
    stream.seek(0)
    read_bytes += count
    is_at_end = not count or ends_a_line(tail, read_bytes)
    return Content(read_bytes, whole.hexdigest(), beginnings, is_at_end)


def _read_into(digest: _Hash, stream: BinaryIO, size_bytes: int, tail: bytes) -> tuple[int, bytes]:
    """Feed so many bytes to a digest; return how many there were, and the last few so far."""
    left = size_bytes
    while left > 0 and (block := stream.read(min(left, BLOCK_BYTES))):
        digest.update(block)
        left -= len(block)
        tail = (tail + block[-TAIL_BYTES:])[-TAIL_BYTES:]
    return size_bytes - left, tail


def rotated_from(unit: str) -> str | None:
    """Return what a file may have been called before it was rotated: ``cdr.log`` of ``cdr.log.1``.

    A log that is renamed when a new one begins holds what was read of it and what was written
    since the last pull.
    """
    found = ROTATED.match(unit)
    return found["name"] + (found["suffix"] or "") if found else None


def former_names(unit: str) -> list[str]:
    """Return what a file may have been called before: as it was rotated, or put in an archive.

    ``Master.csv.1.gz/Master.csv.1`` is what a rotation that compresses makes of ``Master.csv``.
    """
    name = unit.rpartition("/")[2]
    candidates = [rotated_from(unit), name if name != unit else None, rotated_from(name)]
    return list(dict.fromkeys(filter(None, candidates)))


def recognise(
    unit: str,
    content: Content,
    before: KnownDelivery | None,
    same: Sequence[KnownDelivery],
    rotated: Sequence[KnownDelivery] = (),
    *,
    idlast: str | None,
    is_interval: bool,
    at_line_end: bool = True,
) -> Reading:
    """Tell how a file is to be read.

    Args:
        unit: its name.
        content: what is in it.
        before: the newest generation of that name.
        same: the deliveries of this very content, of any name.
        rotated: the deliveries of the names that it may have had before.
        idlast: where IDLAST stands.
        is_interval: whether a stretch of time is read again, old generations too.
        at_line_end: whether a file that has grown must have ended with a line.
    """
    generation = before.generation if before else 0
    own = next((known for known in same if known.unit == unit), None)
    if own is not None and (own == before or is_interval):
        # The same file again: everything that it landed is compared.
        return Reading(own.generation, own.repeated_bytes, own.repeated_bytes, own.header)
    if same:
        return Reading(generation + 1, repeated_bytes=content.size_bytes, repeats=same[0].unit)
    if before is not None and content.goes_on_from(before, at_line_end=at_line_end):
        was_read = idlast is not None and before.delivery_id <= int(idlast)
        return Reading(
            generation,
            (before.size_bytes or 0) if was_read else before.repeated_bytes,
            before.repeated_bytes,
            before.header,
        )
    origin = next((known for known in rotated if content.goes_on_from(known)), None)
    if origin is not None:
        size = origin.size_bytes or 0
        return Reading(generation + 1, size, size, origin.header)
    return Reading(generation + 1, is_replaced=before is not None)
