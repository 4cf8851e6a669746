"""What a file is, told by its content and by what raw knows: new, repeated, grown or replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from tollhouse.landing import KnownDelivery

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK_BYTES = 1 << 20
LINE_ENDS = (b"\n", b"\r")


@dataclass(frozen=True)
class Content:
    """What is looked at of a file before it is read.

    Attributes:
        size_bytes: of all of it.
        sha256: digest of all of it.
        earlier_sha256: digest of as many bytes as there were last time.
        earlier_ended_a_line: whether no line was cut there.
    """

    size_bytes: int
    sha256: str
    earlier_sha256: str | None = None
    earlier_ended_a_line: bool = True

    def has_grown_from(self, before: KnownDelivery) -> bool:
        """Whether the file is what it was and more.

        If what it was ended in the middle of a line, that line landed cut: the file is then read
        again as a new generation, where the whole line is a ticket and the others are recognised.
        """
        return (
            self.size_bytes > (before.size_bytes or 0)
            and self.earlier_sha256 == before.content_sha256
            and self.earlier_ended_a_line
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


def digest(stream: BinaryIO, size_bytes: int, before: KnownDelivery | None) -> Content:
    """Read a file to its end for its digests; it stands at its beginning again afterwards."""
    whole = hashlib.sha256()
    earlier_sha256, last = None, b"\n"
    if before is not None and before.size_bytes is not None and before.size_bytes < size_bytes:
        last = _read_into(whole, stream, before.size_bytes) or last
        earlier_sha256 = whole.hexdigest()
    _read_into(whole, stream, size_bytes)
    stream.seek(0)
    return Content(size_bytes, whole.hexdigest(), earlier_sha256, last in LINE_ENDS)


def _read_into(digest: _Hash, stream: BinaryIO, size_bytes: int) -> bytes:
    """Feed so many bytes to a digest and return the last one."""
    last = b""
    while size_bytes > 0 and (block := stream.read(min(size_bytes, BLOCK_BYTES))):
        digest.update(block)
        size_bytes -= len(block)
        last = block[-1:]
    return last


def recognise(
    unit: str,
    content: Content,
    before: KnownDelivery | None,
    same: Sequence[KnownDelivery],
    *,
    idlast: str | None,
    is_interval: bool,
) -> Reading:
    """Tell how a file is to be read.

    Args:
        unit: its name.
        content: what is in it.
        before: the newest generation of that name.
        same: the deliveries of this very content, of any name.
        idlast: where IDLAST stands.
        is_interval: whether a stretch of time is read again, old generations too.
    """
    generation = before.generation if before else 0
    own = next((known for known in same if known.unit == unit), None)
    if own is not None and (own == before or is_interval):
        # The same file again: everything that it landed is compared.
        return Reading(own.generation, own.repeated_bytes, own.repeated_bytes, own.header)
    if same:
        return Reading(generation + 1, repeated_bytes=content.size_bytes, repeats=same[0].unit)
    if before is not None and content.has_grown_from(before):
        was_read = idlast is not None and before.delivery_id <= int(idlast)
        return Reading(
            generation,
            (before.size_bytes or 0) if was_read else before.repeated_bytes,
            before.repeated_bytes,
            before.header,
        )
    return Reading(generation + 1, is_replaced=before is not None)
