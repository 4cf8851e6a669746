"""Cutting a stream of bytes into physical lines, each with its terminator, in bounded memory."""

from __future__ import annotations

from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE, TERMINATED

Piece = tuple[bytes, int]


class LineSplitter:
    """The bytes of one connection that do not end a line yet.

    A line longer than ``maximum_bytes`` comes in pieces of that size, all but the last marked
    PIECE, so that an endless line costs bounded memory and no byte is lost.
    """

    def __init__(self, maximum_bytes: int, line_end: bytes = b"\n") -> None:
        self._maximum_bytes = maximum_bytes
        self._line_end = line_end
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """What stands behind the last line end."""
        return self._rest

    def feed(self, data: bytes) -> list[Piece]:
        """Take what arrived and return the pieces that are complete now, in order."""
        line_end, size = self._line_end, self._maximum_bytes
        *lines, rest = (self._rest + data).split(line_end)
        if lines and len(max(lines, key=len)) > size:
            pieces: list[Piece] = []
            for line in lines:
                pieces.append((self._cut(line, pieces) + line_end, TERMINATED))
        else:
            pieces = [(line + line_end, TERMINATED) for line in lines]
        self._rest = self._cut(rest, pieces) if len(rest) > size else rest
        return pieces

    def remainder(self) -> list[Piece]:
        """Return what the end of the connection leaves without a terminator."""
        rest, self._rest = self._rest, b""
        return [(rest, CUT_BY_DISCONNECT)] if rest else []

    def _cut(self, line: bytes, pieces: list[Piece]) -> bytes:
        """Move the front of an overlong line to ``pieces``; return what is left of it."""
        size = self._maximum_bytes
        start = 0
        while len(line) - start > size:
            pieces.append((line[start : start + size], PIECE))
            start += size
        return line[start:]
