"""Lines of a file as they stand there, and the tickets that become of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 1 << 20
#: A line that arrives later than this after the one before is no continuation of it.
JOIN_WINDOW = timedelta(seconds=5)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


# A tuple and no dataclass: a frozen dataclass costs 0.7 s more per million tickets.
class Ticket(NamedTuple):
    r"""One ticket, verbatim.

    Attributes:
        ordinal: its place in the delivery: byte offset, or the row's key; rises along a delivery.
        body: its text; bytes that do not decode, and NUL, stand as ``\xNN``.
        received_at: when it reached this installation, where its transport knows.
    """

    ordinal: int
    body: str
    received_at: datetime | None = None


class PhysicalLine(NamedTuple):
    """A line as it came, without its line end, and where it stood."""

    offset: int
    data: bytes
    received_at: datetime | None = None


def decode(data: bytes, encoding: str) -> str:
    r"""Return the text of a ticket; bytes that do not decode, and NUL, become a literal ``\xNN``.

    PostgreSQL stores no NUL in a text.
    """
    text = data.decode(encoding, "backslashreplace")
    return text.replace("\0", "\\x00") if "\0" in text else text


def split_lines(
    stream: BinaryIO,
    *,
    start_offset: int = 0,
    maximum_bytes: int = 65_536,
    keep_blank: bool = False,
) -> Iterator[PhysicalLine]:
    """Yield the lines of a stream that are not blank; CR LF, LF and CR all end a line.

    A line longer than ``maximum_bytes`` comes in pieces of that size, so that a file without a
    single line end does not fill the memory; no byte is lost. A byte order mark at the head of the
    file belongs to no line. Blank lines are yielded too where they are to be kept.
    """
    offset = start_offset
    rest = b""
    if not start_offset:
        rest = stream.read(len(BYTE_ORDER_MARK))
        if rest == BYTE_ORDER_MARK:
            rest, offset = b"", len(BYTE_ORDER_MARK)
    while block := stream.read(BLOCK_BYTES):
        lines = (rest + block).splitlines(keepends=True)
        # The last line may go on in the next block; a CR at its very end may be half of a CR LF.
        rest = lines.pop() if not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield from cut_line(PhysicalLine(offset, line), maximum_bytes, keep_blank=keep_blank)
            offset += len(line)
        while len(rest) > maximum_bytes + 1:
            yield PhysicalLine(offset, rest[:maximum_bytes])
            offset += maximum_bytes
            rest = rest[maximum_bytes:]
    # Several lines only where the whole file is no longer than a byte order mark.
    for line in rest.splitlines(keepends=True):
        yield from cut_line(PhysicalLine(offset, line), maximum_bytes, keep_blank=keep_blank)
        offset += len(line)


def cut_line(
    line: PhysicalLine, maximum_bytes: int, *, keep_blank: bool = False
) -> Iterator[PhysicalLine]:
    """Yield a line without its line end: nothing if it is blank, in pieces if it is too long."""
    data = line.data.rstrip(b"\r\n")
    if len(data) <= maximum_bytes:
        if (data and not data.isspace()) or keep_blank:
            yield line._replace(data=data)
        return
    for start in range(0, len(data), maximum_bytes):
        piece = data[start : start + maximum_bytes]
        yield PhysicalLine(line.offset + start, piece, line.received_at)
