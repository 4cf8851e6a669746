"""Fetching files into their copies, from where an earlier attempt stood.

Whatever was fetched before a connection was cut is kept. It is continued only if the server still
shows the same size and time, and if the last bytes that are here are the same there.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tollhouse.file_deliveries.growing import end_of_last_ticket
from tollhouse.pbx import Model
from tollhouse.transports.http_api.failures import Fault
from tollhouse.transports.remote_files.copies import Copies, FetchedFile
from tollhouse.transports.remote_files.faults import GONE, NOTHING_LOST
from tollhouse.transports.remote_files.folder import (
    RemoteError,
    RemoteFile,
    RemoteFileError,
    RemoteFolder,
    ResumeRefusedError,
)
from tollhouse.transports.remote_files.session import Session

#: So many of the bytes that are here are read again and compared before a file is continued.
COMPARED_BYTES = 1 << 12
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
#: The step of a fault that stops no other file.
OF_ONE_FILE = "file"

logger = logging.getLogger(__name__)


class Fetching:
    """Fetches the files of one pull, one after the other."""

    def __init__(
        self,
        pbx_id: str,
        session: Session,
        copies: Copies,
        warnings: list[str],
        *,
        model: Model,
        reserve_bytes: int,
    ) -> None:
        self._pbx_id = pbx_id
        self._model = model
        self._session = session
        self._copies = copies
        self._warnings = warnings
        self._reserve_bytes = reserve_bytes

    def fetched(self, files: Iterable[RemoteFile]) -> Iterator[FetchedFile]:
        """Yield files as soon as their copies are here.

        A file that cannot be had is named in the warnings and left out. When the connection fails
        for good, so are all that follow: what was fetched lands, and the next pull goes on.
        """
        waiting = deque(files)
        self._copies.prepare()
        while waiting:
            file = waiting.popleft()
            try:
                yield self.fetch(file)
            except RemoteFileError as error:
                self._warnings.append(f"{self._pbx_id}: {file.name} is not fetched: {error}")
            except RemoteError as error:
                count = len(waiting) + 1
                names = f"{file.name} and {count - 1} more" if waiting else file.name
                self._warnings.append(f"{error} {count} files wait: {names}.")
                return

    def fetch(self, file: RemoteFile) -> FetchedFile:
        """Return the copy of a file, fetched if it is not here.

        Raises:
            RemoteFileError: it cannot be had, or is not what the listing said.
            RemoteError: the connection failed for good, or the disk of this machine is full.
        """
        copy = self._copies.find(file.name)
        if copy is not None and copy.is_as(file):
            return self._copies.copy_of(file)
        try:
            return self._copies.copy_of(self._fetch(file))
        except RemoteError as error:
            if error.fault.step != OF_ONE_FILE:
                raise
            raise RemoteFileError(f"{error.fault.found}. {error.fault.remedy}") from None
        except OSError as error:
            raise self._disk_error(error) from error

    def _fetch(self, file: RemoteFile) -> RemoteFile:
        partial = self._copies.partial_path(file)
        if not partial.exists():
            self._require_room(file.size_bytes)
            self._copies.begin(file, partial)
        self._session.attempt(
            lambda folder: self._continue(folder, file, partial), lambda: partial.stat().st_size
        )
        now = self._session.attempt(lambda folder: folder.look(file.name))
        # A file that is gone by now is whole all the same.
        if now is not None and not (now.is_as(file) or _has_only_grown(file, now)):
            partial.unlink()
            raise RemoteFileError("it changed while it was fetched; the next pull takes it.")
        if file.is_growing:
            file = _whole_tickets(file, partial, self._model)
        self._copies.keep(file, partial)
        return file

    def _continue(self, folder: RemoteFolder, file: RemoteFile, partial: Path) -> None:
        """Fetch what is missing of a file; a failure leaves what came."""
        with partial.open("r+b") as target:
            try:
                have = _append(folder, file, target)
            except (ResumeRefusedError, _OtherContentError):
                logger.info("%s: %s is fetched from its beginning", self._pbx_id, file.name)
                target.truncate(0)
                have = _append(folder, file, target)
        if have == file.size_bytes:
            return
        now = folder.look(file.name)
        if now is None:
            raise RemoteFileError(GONE)
        if now.size_bytes == file.size_bytes:
            raise RemoteError(self._pbx_id, _cut_short(file, have))
        raise RemoteFileError(
            f"the listing says {file.size_bytes} bytes, and there are {now.size_bytes}. It waits "
            "until both say the same; is it being written?"
        )

    def _require_room(self, wanted_bytes: int) -> None:
        free_bytes = shutil.disk_usage(self._copies.folder).free
        if free_bytes - wanted_bytes < self._reserve_bytes:
            raise RemoteError(self._pbx_id, _disk_full(self._copies.folder, free_bytes))

    def _disk_error(self, error: OSError) -> RemoteError:
        folder = self._copies.folder
        if error.errno in NO_ROOM:
            return RemoteError(self._pbx_id, _disk_full(folder, shutil.disk_usage(folder).free))
        found = f"{folder} cannot be written to: {error.strerror or error}"
        remedy = "Let the account that Airflow runs as write there."
        return RemoteError(self._pbx_id, Fault("disk", found, remedy))


class _OtherContentError(Exception):
    """What is here is not how the file begins."""


def _append(folder: RemoteFolder, file: RemoteFile, target: BinaryIO) -> int:
    """Fetch what follows on what is here, up to the size of the file; return how much there is.

    What is appended on the server meanwhile is left for the next pull.
    """
    have = target.seek(0, os.SEEK_END)
    start = target.seek(max(have - COMPARED_BYTES, 0))
    compared = target.read()
    if start == file.size_bytes:
        return start
    with closing(folder.blocks(file.name, start)) as blocks:
        for content in blocks:
            same = min(len(compared), len(content))
            if compared[:same] != content[:same]:
                raise _OtherContentError
            compared = compared[same:]
            missing = file.size_bytes - target.tell()
            target.write(content[same : same + missing])
            if len(content) - same >= missing and not compared:
                break
    if compared:
        raise _OtherContentError
    return target.tell()


def _has_only_grown(file: RemoteFile, now: RemoteFile) -> bool:
    return file.is_growing and now.size_bytes >= file.size_bytes


def _whole_tickets(file: RemoteFile, partial: Path, model: Model) -> RemoteFile:
    """Cut a log behind its last ticket that is whole; the next pull goes on there."""
    with partial.open("r+b") as target:
        size_bytes = target.truncate(end_of_last_ticket(target, model))
    return replace(file, size_bytes=size_bytes)


def _cut_short(file: RemoteFile, have: int) -> Fault:
    return Fault(
        OF_ONE_FILE,
        f"{have} of its {file.size_bytes} bytes came",
        f"They are kept. {NOTHING_LOST}",
        may_pass=True,
    )


def _disk_full(folder: Path, free_bytes: int) -> Fault:
    return Fault(
        "disk",
        f"the disk of {folder} has {free_bytes >> 20} MiB left, too few for what is to be fetched",
        "Make room there: TOLLHOUSE_SPOOL_RESERVE_MIB are kept free for the collector, and "
        f"spool_keep_days of the entries says how long copies stay. {NOTHING_LOST}",
    )
