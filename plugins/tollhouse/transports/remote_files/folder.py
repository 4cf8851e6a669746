"""A folder on another machine, whatever protocol leads there, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from tollhouse.transports import SourceError
from tollhouse.transports.http_api.failures import Fault

Kind = Literal["file", "folder", "link", "other", "unmeasured"]

BLOCK_BYTES = 1 << 18
#: No folder of tickets holds more; a listing without end would fill the memory.
MOST_ENTRIES = 500_000


class RemoteError(SourceError):
    """A folder cannot be read; carries the fault for ``tollhouse pbx check``."""

    def __init__(self, pbx_id: str, fault: Fault) -> None:
        super().__init__(f"{pbx_id}: {fault.found}. {fault.remedy}")
        self.fault = fault


class RemoteFileError(Exception):
    """One file cannot be read, the others can; the message says why."""


class ResumeRefusedError(Exception):
    """The server gives files from their beginning only."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An entry of the folder, as the server shows it.

    Attributes:
        name: what it is called there; it may be anything.
        size_bytes: its exact size.
        modified_at: when it was written last, as the server says.
        time_step: how exact that time is.
        is_growing: whether it is a log that never rests: it is read to the end of its last line.
    """

    name: str
    size_bytes: int
    modified_at: datetime
    kind: Kind = "file"
    time_step: timedelta = timedelta(seconds=1)
    is_growing: bool = False

    def is_as(self, other: RemoteFile) -> bool:
        """Whether nothing tells that it was written to in between."""
        step = max(self.time_step, other.time_step)
        return (
            self.size_bytes == other.size_bytes and abs(self.modified_at - other.modified_at) < step
        )


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        files: those with a name that is wanted, of any kind.
        other_names: how the others are called.
        server_time: the time by the clock of the server, where it tells.
    """

    files: Sequence[RemoteFile]
    other_names: Sequence[str] = ()
    server_time: datetime | None = None


@dataclass(frozen=True)
class Protection:
    """How well a connection is protected; ``remedy`` says how it could be better."""

    step: str
    found: str
    remedy: str = ""


class RemoteFolder(Protocol):
    """A folder while the connection stands.

    Every method raises ``RemoteError`` when the connection or the folder fails, and
    ``RemoteFileError`` when one file does.
    """

    @property
    def protection(self) -> Protection:
        """How well the connection is protected."""

    def list_files(
        self, is_wanted: Callable[[str], bool], fetched: Callable[[str], RemoteFile | None]
    ) -> Listing:
        """Return what is there.

        Args:
            is_wanted: whether a name may be that of a file to read; of others nothing is asked.
            fetched: the copy that is here of a file, as the file was when it was fetched. Where a
                listing is rough and agrees with it, the server is not asked for exact values.
        """

    def look(self, name: str) -> RemoteFile | None:
        """Return a file as it is now; None if it is gone."""

    def blocks(self, name: str, offset: int) -> Generator[bytes]:
        """Yield the content of a file from an offset on.

        Raises:
            ResumeRefusedError: the server cannot begin there, and nothing was yielded.
        """

    def make_folder(self, name: str) -> None:
        """Make a folder in this one, unless it is there."""

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name, which may begin with that of a folder in this one."""

    def delete(self, name: str) -> None:
        """Delete a file."""

    def close(self) -> None:
        """Close the connection."""
