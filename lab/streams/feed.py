"""What a PBX of the lab is to hand out, and how far it has.

A feed is a file with a JSON text a line, so a ticket may hold line ends of its own; a file beside
it says how many of its bytes were handed out. A PBX that is restarted therefore sends nothing
twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FeedTicket:
    """A ticket of a feed; ``end`` is where the next one begins."""

    text: str
    end: int


@dataclass(frozen=True)
class Feed:
    """The feed of one PBX."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes in the feed."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def position(self) -> int:
        """Bytes handed out."""
        try:
            return int(self._position_file.read_text() or 0)
        except FileNotFoundError:
            return 0

    @property
    def _position_file(self) -> Path:
        return self.path.with_suffix(".sent")

    def write(self, tickets: Iterable[str]) -> None:
        """Make the feed hold exactly these: it grows, what was handed out stays where it is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".draft")
        draft.write_text("".join(json.dumps(ticket) + "\n" for ticket in tickets), encoding="ascii")
        draft.replace(self.path)

    def after(self, position: int) -> list[FeedTicket]:
        """Return the tickets from a position on."""
        if self.size <= position:
            return []
        with self.path.open("rb") as file:
            file.seek(position)
            lines = file.read().splitlines(keepends=True)
        tickets = []
        for line in lines:
            position += len(line)
            tickets.append(FeedTicket(json.loads(line), position))
        return tickets

    def mark_sent(self, position: int) -> None:
        """Remember that everything before a position was handed out."""
        self._position_file.write_text(str(position))
