"""What was fetched of a PBX, on this machine's disk: ``var/fetched/<pbx>/``.

A copy has the name, size and time of the file that it is one of. What is not whole yet lies in a
folder beside the copies, under a name made of the name, size and time of what is being fetched: a
file that has changed since is never continued with the bytes of what it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from tollhouse.settings import Settings
from tollhouse.transports.remote_files.folder import RemoteFile
from tollhouse.transports.remote_files.names import PARTIAL_FOLDER

FETCHED_FOLDER = "fetched"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class FetchedFile:
    """A file of a PBX, to be read from its copy: what ``tollhouse.file_deliveries`` delivers."""

    remote: RemoteFile
    path: Path

    @property
    def unit(self) -> str:
        """Its name on the PBX."""
        return self.remote.name

    @property
    def size_bytes(self) -> int:
        """Its size on the PBX."""
        return self.remote.size_bytes

    @property
    def modified_at(self) -> datetime:
        """When it was written last, as the PBX says."""
        return self.remote.modified_at

    def open(self) -> BinaryIO:
        """Open the copy."""
        return cast("BinaryIO", self.path.open("rb"))

    def is_unchanged(self) -> bool:
        """Whether the copy is still there; nothing but another fetch replaces it."""
        return self.path.is_file()


class Copies:
    """The copies of one PBX."""

    def __init__(self, settings: Settings, pbx_id: str) -> None:
        self.folder = settings.var / FETCHED_FOLDER / pbx_id
        self._partial_folder = self.folder / PARTIAL_FOLDER

    def prepare(self) -> None:
        """Make the folders; tickets are nobody else's business."""
        self._partial_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def copy_of(self, file: RemoteFile) -> FetchedFile:
        """Return where the copy of a file is, or will be."""
        return FetchedFile(file, self.folder / file.name)

    def find(self, name: str) -> RemoteFile | None:
        """Return the file that there is a copy of, as it was on the PBX."""
        if "/" in name or "\0" in name:
            return None
        try:
            state = (self.folder / name).lstat()
        except OSError:
            return None
        if not stat.S_ISREG(state.st_mode):
            return None
        modified_at = _EPOCH + timedelta(microseconds=state.st_mtime_ns // 1000)
        return RemoteFile(name, state.st_size, modified_at)

    def all(self) -> Iterator[RemoteFile]:
        """Yield the files that there are copies of."""
        if self.folder.is_dir():
            for path in sorted(self.folder.iterdir()):
                file = self.find(path.name)
                if file is not None:
                    yield file

    def partial_path(self, file: RemoteFile) -> Path:
        """Return where a file lies while it is fetched; what earlier states left there goes."""
        written = (file.modified_at - _EPOCH) // _MICROSECOND
        state = hashlib.sha256(f"{file.size_bytes} {written}".encode()).hexdigest()[:16]
        named = hashlib.sha256(file.name.encode()).hexdigest()[:32]
        path = self._partial_folder / f"{named}-{state}"
        for other in self._partial_folder.glob(f"{named}-*"):
            if other != path:
                other.unlink()
        return path

    def begin(self, file: RemoteFile, partial: Path) -> None:
        """Begin a file that may have grown with what is here of it."""
        copy = self.find(file.name)
        if copy is not None and 0 < copy.size_bytes < file.size_bytes:
            draft = partial.with_suffix(".draft")
            shutil.copyfile(self.folder / file.name, draft)
            draft.replace(partial)
        else:
            partial.touch(mode=0o600)

    def keep(self, file: RemoteFile, partial: Path) -> None:
        """Make a file that is whole the copy, in one step."""
        written_ns = (file.modified_at - _EPOCH) // _MICROSECOND * 1000
        os.utime(partial, ns=(written_ns, written_ns))
        partial.replace(self.folder / file.name)

    def drop_partials(self, before: datetime) -> int:
        """Delete what was not continued since a time; return how many."""
        count = 0
        if self._partial_folder.is_dir():
            for path in self._partial_folder.iterdir():
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    count += 1
        return count
