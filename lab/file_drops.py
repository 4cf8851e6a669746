"""How simulated PBXs put tickets into files: whole ones, ones that grow, and uploads gone wrong.

A whole file appears under its name at once, with the time at which the PBX closed it; a file that
grows does so by whole tickets. The same tickets always make the same files, so a lab that was
killed while it wrote them doubles nothing.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from lab.traffic import PARIS
from lab.truth import TicketTruth

Key = TypeVar("Key")

Protocol = Literal["ftp", "ftps", "sftp", "http"]


@dataclass(frozen=True)
class Mishaps:
    """Uploads of whole files that go wrong: of so many files one; 0 is never.

    Attributes:
        halve_every: comes as its first half; the rest follows with ``bring_rests``.
        cut_every: breaks off in its middle, and the rest never comes.
        repeat_every: comes once more, under another name.
    """

    halve_every: int = 0
    cut_every: int = 0
    repeat_every: int = 0


@dataclass
class DropPlace:
    """Where one PBX puts its files, and how far it has.

    Attributes:
        folder: where the files go.
        memory: a file elsewhere that says how many tickets were delivered; whole files are drafted
            beside it.
        time_zone: of the days in the names of files.
        mishaps: what goes wrong here.
    """

    folder: Path
    memory: Path
    time_zone: ZoneInfo = PARIS
    mishaps: Mishaps = Mishaps()
    _files: int = field(default=0, init=False)
    _rests: list[tuple[Path, bytes, datetime]] = field(default_factory=list, init=False)

    @property
    def delivered(self) -> int:
        """How many tickets were delivered."""
        return int(self.memory.read_text()) if self.memory.exists() else 0

    def remember(self, count: int) -> None:
        """Note how many tickets were delivered by now."""
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        self.memory.write_text(str(count))

    def portions(
        self, tickets: Sequence[TicketTruth], key_of: Callable[[TicketTruth], Key]
    ) -> Iterator[tuple[int, Key, list[TicketTruth]]]:
        """Yield what was not delivered, a file's worth at a time, and note that it was.

        Args:
            tickets: all that were written so far.
            key_of: what the tickets of one file have in common.

        Yields:
            The number of the first ticket, the key, the tickets. The same tickets always come under
            the same number.
        """
        numbered = list(enumerate(tickets, start=1))[self.delivered :]
        for key, group in groupby(numbered, key=lambda item: key_of(item[1])):
            members = list(group)
            yield members[0][0], key, [ticket for _, ticket in members]
        self.remember(len(tickets))

    def put(self, name: str, content: bytes, written_at: datetime) -> None:
        """Deliver a whole file, or what the mishaps leave of it."""
        self._files += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        path, half = self.folder / name, len(content) // 2
        if self._is_turn(self.mishaps.halve_every):
            path.write_bytes(content[:half])
            self._rests.append((path, content[half:], written_at))
        elif self._is_turn(self.mishaps.cut_every):
            path.write_bytes(content[:half])
        else:
            self._put_whole(path, content, written_at)
        if self._is_turn(self.mishaps.repeat_every):
            again = path.with_name(f"{path.stem}-again{path.suffix}")
            self._put_whole(again, content, written_at)

    def bring_rests(self) -> None:
        """Deliver the second halves of what came as a first half."""
        for path, rest, written_at in self._rests:
            _append(path, rest, written_at)
        self._rests.clear()

    def grow(self, name: str, content: bytes, written_at: datetime) -> None:
        """Bring a file up to its content, of which it may have a beginning."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        already = path.stat().st_size if path.exists() else 0
        if len(content) > already:
            _append(path, content[already:], written_at)

    def forget(self, kept: timedelta, now: datetime) -> None:
        """Delete the files that were delivered longer ago than they are kept."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                # Their own time is that of the calls, which may all be played at one go.
                if path.stat().st_ctime < (now - kept).timestamp():
                    path.unlink()

    def _is_turn(self, every: int) -> bool:
        return every > 0 and self._files % every == 0

    def _put_whole(self, path: Path, content: bytes, written_at: datetime) -> None:
        draft = self.memory.with_name(f"{path.name}.draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        _date(draft, written_at)
        draft.rename(path)


@dataclass(frozen=True)
class FileSimulator:
    """How the PBX of one model keeps its tickets in files.

    Attributes:
        deliver: brings the files up to what was sent; asked again, it adds what is new.
        fetched_by: by what they are fetched from the PBX; None drops them on this machine.
        remote_folder: where they lie on the PBX.
    """

    deliver: Callable[[DropPlace, Sequence[TicketTruth]], None]
    fetched_by: Protocol | None = None
    remote_folder: str = ""


def day_files(
    place: DropPlace,
    tickets: Iterable[TicketTruth],
    *,
    name_pattern: str,
    encode: Callable[[str], bytes],
) -> None:
    """Keep a file for each day on which tickets were written; that of today grows.

    Args:
        place: where.
        tickets: all that were written so far.
        name_pattern: the name of a file, with the day in it as for strftime.
        encode: a ticket as it stands in the file, with its end of line.
    """
    days = grouped(tickets, lambda ticket: writing_time(ticket).astimezone(place.time_zone).date())
    for day, of_day in days:
        content = b"".join(encode(ticket.ticket) for ticket in of_day)
        place.grow(f"{day:{name_pattern}}", content, writing_time(of_day[-1]))


def grouped(
    tickets: Iterable[TicketTruth], key_of: Callable[[TicketTruth], Key]
) -> Iterator[tuple[Key, list[TicketTruth]]]:
    """Yield groups of tickets, each in the order in which it was begun."""
    groups: dict[Key, list[TicketTruth]] = defaultdict(list)
    for ticket in tickets:
        groups[key_of(ticket)].append(ticket)
    yield from groups.items()


def writing_time(ticket: TicketTruth) -> datetime:
    """Return when the PBX wrote a ticket."""
    return datetime.fromisoformat(ticket.written_at)


def _append(path: Path, content: bytes, written_at: datetime) -> None:
    with path.open("ab") as file:
        file.write(content)
    _date(path, written_at)


def _date(path: Path, written_at: datetime) -> None:
    seconds = min(written_at.timestamp(), time.time())
    os.utime(path, (seconds, seconds))
