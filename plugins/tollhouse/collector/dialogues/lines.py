"""The plainest dialogue: whoever connects is sent lines, and nothing is ever answered."""

from __future__ import annotations

from tollhouse.collector.dialogues import Heard
from tollhouse.collector.lines import LineSplitter, Piece


class LineDialogue:
    """Every byte is part of a line; a quiet line is healthy, since a quiet site sends nothing."""

    longest_silence_seconds: float | None = None
    is_serving: bool = True

    def __init__(self, maximum_bytes: int, line_end: bytes = b"\n") -> None:
        self._splitter = LineSplitter(maximum_bytes, line_end)

    def greeting(self) -> bytes:
        """Say nothing: the PBX begins."""
        return b""

    def feed(self, data: bytes) -> Heard:
        """Return the lines that are complete now."""
        return Heard(self._splitter.feed(data))

    def pause(self) -> Heard:
        """Return nothing: a line is complete at its end and not before."""
        return Heard([])

    def remainder(self) -> list[Piece]:
        """Return the line that the end of the connection cut."""
        return self._splitter.remainder()
