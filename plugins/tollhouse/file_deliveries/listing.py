"""Files that a transport listed, and which of them raw has as they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO, Protocol, TypeVar

from tollhouse.transports import FetchRequest


class FileToDeliver(Protocol):
    """A file that a transport listed, not opened yet."""

    @property
    def unit(self) -> str:
        """The name of its delivery, the same whenever the file is listed."""

    @property
    def size_bytes(self) -> int:
        """Its size when it was listed; what is appended later waits for the next pull."""

    @property
    def modified_at(self) -> datetime:
        """When it was written last, with its zone, as whoever keeps it says."""

    def open(self) -> BinaryIO:
        """Open it at its beginning, seekable.

        Raises:
            OSError: it cannot be read; it is named in the warnings and waits.
        """

    def is_unchanged(self) -> bool:
        """Whether it still is as it was listed: asked once it was read and before it lands."""


File = TypeVar("File", bound=FileToDeliver)


def not_read(request: FetchRequest, files: Iterable[File]) -> tuple[list[File], list[File]]:
    """Return the files that are to be read, and those that raw has as they are.

    Raw has a file if its delivery is not beyond IDLAST and has its size and time. The content of
    such a file is not looked at again, so a file that stays where it is costs this comparison.
    """
    listed = list(files)
    if request.idlast is None:
        return listed, []
    last = int(request.idlast)
    states = request.known.states([file.unit for file in listed])
    waiting: list[File] = []
    read: list[File] = []
    for file in listed:
        state = states.get(file.unit)
        is_read = (
            state is not None
            and state.delivery_id <= last
            and state.size_bytes == file.size_bytes
            and state.modified_at == file.modified_at
        )
        (read if is_read else waiting).append(file)
    return waiting, read
