"""Lines whose values may hold line ends between quotation marks: one ticket then has several.

A mark begins a value only at the head of a ticket or right behind a separator, blanks aside, as
RFC 4180 has it; elsewhere it is text. A value that is never closed is damage: its lines are tickets
of their own then, so that one stray mark takes no other ticket with it for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tollhouse.pbx import Framing, Quoting
from tollhouse.physical_lines import JOIN_WINDOW, PhysicalLine, Ticket, decode


class OpenValues:
    """Tells of a line whether a value is still open at its end."""

    def __init__(self, quoting: Quoting) -> None:
        mark, separator = re.escape(quoting.mark), re.escape(quoting.separator)
        blanks = rb"[%b]*+" % b" \t".replace(quoting.separator, b"")
        inside = rb"(?:[^%b]|%b%b)*+" % (mark, mark, mark)
        rest = rb"[^%b]*+" % separator
        quoted = b"".join((blanks, mark, inside, mark, rest))
        value = rb"(?:%b|(?!%b%b)%b)" % (quoted, blanks, mark, rest)
        opened = rb"(?:%b%b)*+%b%b%b" % (value, separator, blanks, mark, inside)
        self._mark = quoting.mark
        self._opened = re.compile(opened, re.DOTALL)
        self._left_open = re.compile(
            rb"%b(?:%b%b%b%b)?+" % (inside, mark, rest, separator, opened), re.DOTALL
        )
        before = rb"[%b \t\r\n]" % separator
        no_end = rb"[^%b\r\n]*+" % mark
        # The mark stands first, so that the search leaps from one to the next.
        self._may_be_open = re.compile(
            rb"%b(?<=%b%b)%b(?:%b%b%b)*+(?:[\r\n]|\Z)"
            % (mark, before, mark, no_end, mark, mark, no_end)
        )

    def opens(self, line: bytes) -> bool:
        """Whether a line that begins a ticket leaves a value open."""
        return self._mark in line and self._opened.fullmatch(line) is not None

    def stays_open(self, line: bytes) -> bool:
        """Whether a line that begins within a value leaves that, or another one, open."""
        return self._mark not in line or self._left_open.fullmatch(line) is not None

    def may_open(self, lines: bytes) -> bool:
        """Whether one of the lines of a block might leave a value open; no is certain."""
        return self._mark in lines and self._may_be_open.search(b"\n" + lines) is not None


class QuotedLines:
    """Joins the lines of a ticket: of the same shape as ``framing.WrappedLines``."""

    def __init__(self, framing: Framing, quoting: Quoting, encoding: str) -> None:
        self._joint = framing.record_end or b"\n"
        self._values = OpenValues(quoting)
        self._maximum_bytes = framing.maximum_bytes
        self._encoding = encoding
        self._lines: list[PhysicalLine] = []
        self._size_bytes = 0

    @property
    def held(self) -> PhysicalLine | None:
        """The first line of a ticket that is not complete."""
        return self._lines[0] if self._lines else None

    def is_whole(self, data: bytes) -> bool:
        """Whether a line is a ticket of its own: it continues none, and none can continue it."""
        return not self._lines and not self._values.opens(data)

    def are_whole(self, lines: bytes) -> bool:
        """Whether every line of a block is a ticket of its own, for certain."""
        return not self._lines and not self._values.may_open(lines)

    def tickets(self, lines: Iterable[PhysicalLine]) -> Iterator[Ticket]:
        """Yield the tickets that are complete; afterwards ``held`` begins one that may go on."""
        for line in lines:
            if self._lines and not self._goes_on_with(line):
                yield from self.release()
            if self._lines:
                self._hold(line)
                if not self._values.stays_open(line.data):
                    yield self._joined()
            elif self._values.opens(line.data):
                self._hold(line)
            else:
                yield Ticket(line.offset, decode(line.data, self._encoding), line.received_at)

    def release(self) -> Iterator[Ticket]:
        """Yield what is held, line by line: the value that was open is never closed."""
        lines, self._lines, self._size_bytes = self._lines, [], 0
        for line in lines:
            yield Ticket(line.offset, decode(line.data, self._encoding), line.received_at)

    def _joined(self) -> Ticket:
        lines, self._lines, self._size_bytes = self._lines, [], 0
        data = self._joint.join(line.data for line in lines)
        return Ticket(lines[0].offset, decode(data, self._encoding), lines[0].received_at)

    def _hold(self, line: PhysicalLine) -> None:
        self._lines.append(line)
        self._size_bytes += len(line.data) + len(self._joint)

    def _goes_on_with(self, line: PhysicalLine) -> bool:
        if self._size_bytes + len(line.data) > self._maximum_bytes:
            return False
        first, then = self._lines[0].received_at, line.received_at
        # Decided by arrival alone, so that the same lines join alike whenever they are read.
        return not (first and then and then - first > JOIN_WINDOW)
