"""Lines of a text in UTF-16, handed on as UTF-8.

A file is read in blocks of code units. What is half of a character is carried along as it stands
until its line is whole: whether it is damage shows only then, and damage is kept, escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tollhouse.pbx import Framing
from tollhouse.physical_lines import BLOCK_BYTES, PhysicalLine

UTF_16 = "utf-16"
BYTE_ORDERS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
#: Without a mark it is what Windows writes.
DEFAULT_ORDER = "utf-16-le"
UNIT_BYTES = 2
LINE_ENDS = "\r\n"
#: What makes a line blank, in every encoding.
BLANKS = " \t\r\n\v\f"

#: A line with its end; a CR at the end of a block may be half of a CR LF.
LINE = re.compile(r"[^\r\n]*+(?:\r\n|\n|\r(?!\Z))")
LINE_AT_END = re.compile(r"[^\r\n]*+(?:\r\n|\n|\r)|[^\r\n]++\Z")


def split_utf_16(
    stream: BinaryIO, framing: Framing, *, start_offset: int = 0, keep_blank: bool = False
) -> Iterator[PhysicalLine]:
    """Yield the lines of a stream that are not blank, or all of them; as ``split_lines``.

    Args:
        stream: a file; where a mark at its head says so its high bytes come first.
        framing: what ends a line, and how long one may be.
        start_offset: in bytes, as the offsets of the lines are.
        keep_blank: whether blank lines are lines too.
    """
    offset = start_offset
    if start_offset:
        stream.seek(0)
    rest = stream.read(UNIT_BYTES)
    order = BYTE_ORDERS.get(rest, DEFAULT_ORDER)
    if start_offset:
        rest = b""
        stream.seek(start_offset)
    elif rest in BYTE_ORDERS:
        offset, rest = len(rest), b""
    cutter = _Cutter(framing, order, keep_blank)
    for block in iter(lambda: stream.read(BLOCK_BYTES), b""):
        data = rest + block
        yield from cutter.whole_lines(offset, data)
        offset += cutter.done_bytes
        rest = data[cutter.done_bytes :]
    yield from cutter.last_lines(offset, rest)


class _Cutter:
    """Cuts blocks into lines.

    Attributes:
        done_bytes: so many bytes of the last block are told.
    """

    def __init__(self, framing: Framing, order: str, keep_blank: bool) -> None:
        self._order = order
        self._keep_blank = keep_blank
        self._largest_bytes = max(framing.maximum_bytes & ~1, UNIT_BYTES)
        self._line, self._line_at_end = LINE, LINE_AT_END
        self._record_end = (framing.record_end or b"").decode("ascii")
        if self._record_end:
            end = re.escape(self._record_end)
            self._line = re.compile(rf"[^{end}]*+{end}")
            self._line_at_end = re.compile(rf"[^{end}]*+{end}|[^{end}]++\Z")
        self.done_bytes = 0

    def whole_lines(self, offset: int, data: bytes) -> Iterator[PhysicalLine]:
        """Yield the lines that end in a block, and what is too long of the one that does not."""
        self.done_bytes = 0
        for line in self._line.finditer(self._units(data)):
            yield from self._cut(offset, line.group(), b"")
        # A line may go on: its end of one or two units is not known to be none.
        while len(data) - self.done_bytes > self._largest_bytes + 2 * UNIT_BYTES:
            piece = data[self.done_bytes : self.done_bytes + self._largest_bytes]
            yield self._as_line(offset + self.done_bytes, piece)
            self.done_bytes += len(piece)

    def last_lines(self, offset: int, data: bytes) -> Iterator[PhysicalLine]:
        """Yield the lines of the end of a file, which may break off within a character."""
        self.done_bytes = 0
        half = data[len(data) & ~1 :]
        lines = [line.group() for line in self._line_at_end.finditer(self._units(data))]
        if half and not (lines and self._is_open(lines[-1])):
            lines.append("")
        for number, line in enumerate(lines, start=1):
            yield from self._cut(offset, line, half if number == len(lines) else b"")

    def _units(self, data: bytes) -> str:
        """Return the whole units of a stretch; halves of characters stand for themselves."""
        return data[: len(data) & ~1].decode(self._order, "surrogatepass")

    def _is_open(self, line: str) -> bool:
        return not line.endswith(self._record_end or ("\r", "\n"))

    def _cut(self, offset: int, line: str, half: bytes) -> Iterator[PhysicalLine]:
        """Yield a line without its end: nothing if it is blank, in pieces if it is too long."""
        offset += self.done_bytes
        self.done_bytes += UNIT_BYTES * _unit_count(line) + len(half)
        content = line.removesuffix(self._record_end).rstrip(LINE_ENDS)
        if self._record_end:
            offset += UNIT_BYTES * (len(content) - len(content.lstrip(LINE_ENDS)))
            content = content.lstrip(LINE_ENDS)
        if not (content.strip(BLANKS) or half or self._keep_blank):
            return
        data = content.encode(self._order, "surrogatepass") + half
        for start in range(0, len(data) or 1, self._largest_bytes):
            yield self._as_line(offset + start, data[start : start + self._largest_bytes])

    def _as_line(self, offset: int, data: bytes) -> PhysicalLine:
        return PhysicalLine(offset, data.decode(self._order, "backslashreplace").encode())


def _unit_count(text: str) -> int:
    """Return how many units of UTF-16 a text has: two for what lies beyond the first 65,536."""
    return len(text) + sum(character > "\uffff" for character in text)
