"""The files of a folder that are tickets by their names, and none that is no plain file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, cast

from tollhouse.decompression import uncompressed_name
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import FileDefaults
from tollhouse.transports import FetchRequest, SourceError

#: What a file that has landed is called, if it is to be renamed: as the product that Tollhouse
#: replaces did it.
READ_SUFFIX = ".old"
#: Seconds since 1970 from the year 1 to 9999; a share may say more of a file that it keeps.
POSSIBLE_TIMES = range(-62_135_596_800, 253_402_300_800)
#: So many entries that are refused are named; whoever drops one may drop a hundred thousand.
TOLD_REFUSALS = 20
#: Names that a file bears while it is written, by those who rename it when it is complete.
UNFINISHED_SUFFIXES = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".upload",
    ".writing",
)
UNFINISHED_PREFIXES = (".", "~")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A plain file with an acceptable name, as it stood when it was looked at.

    Attributes:
        folder: where it lies.
        name: what it is called there.
        unit: what it was called when it was dropped: the unit of its delivery.
        size_bytes: its size, or up to where a log that is written to all the time is read.
        modified_ns: when it was written last, in nanoseconds.
        is_growing: whether it is such a log.
    """

    folder: str
    name: str
    unit: str
    size_bytes: int
    modified_ns: int
    is_growing: bool = False

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{self.folder}/{self.name}"

    @property
    def modified_at(self) -> datetime:
        """When it was written last."""
        return _EPOCH + timedelta(microseconds=self.modified_ns // 1000)

    def open(self) -> BinaryIO:
        """Open it, if it still is a plain file; a pipe put in its place would not end."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        stream = os.fdopen(os.open(self.path, flags), "rb")
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.close()
            raise OSError(f"{self.path} is no plain file any more")
        return cast("BinaryIO", stream)

    def is_unchanged(self) -> bool:
        """Whether it has the size and time that it had; a log that grows has not shrunk."""
        try:
            state = os.lstat(self.path)
        except FileNotFoundError:
            return False
        if self.is_growing:
            return state.st_size >= self.size_bytes
        return (state.st_size, state.st_mtime_ns) == (self.size_bytes, self.modified_ns)


def list_files(request: FetchRequest, folder: Path, warnings: list[str]) -> list[DroppedFile]:
    """Return the plain files of a folder whose names the model reads; the rest stays untouched.

    Args:
        request: whose folder it is.
        folder: the folder; one that does not exist holds nothing.
        warnings: gets a line for each entry that looks like tickets and is refused.
    """
    pbx = request.pbx
    is_named = names_to_read(pbx, file_defaults(request))
    place, files, refused = str(folder), [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_named(entry.name):
                    continue
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # taken away since
                reason = refusal(entry.name, state)
                if reason:
                    refused += 1
                    if refused <= TOLD_REFUSALS:
                        told = f"{entry.name!r} in {folder} is not read: {reason}"
                        warnings.append(f"{pbx.id}: {told}")
                elif stat.S_ISREG(state.st_mode):
                    size, modified_ns = state.st_size, state.st_mtime_ns
                    files.append(DroppedFile(place, entry.name, entry.name, size, modified_ns))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(f"{pbx.id}: the folder {folder} cannot be listed: {error}") from error
    if refused > TOLD_REFUSALS:
        more = refused - TOLD_REFUSALS
        warnings.append(f"{pbx.id}: {more} more entries in {folder} are not read")
    return files


def names_to_read(pbx: Pbx, defaults: FileDefaults) -> Callable[[str], bool]:
    """Return what tells by a name whether a file is read.

    A name that matches without the suffix of its compression, or without that of a file that was
    renamed after it had landed, matches too.
    """
    pattern = str(pbx.settings.get("pattern", defaults.pattern))
    ignored_pattern = defaults.ignored_pattern

    def is_named(name: str) -> bool:
        if ignored_pattern and fnmatchcase(name, ignored_pattern):
            return False
        if name.startswith(UNFINISHED_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES):
            return False
        return fnmatchcase(name, pattern) or fnmatchcase(
            uncompressed_name(name.removesuffix(READ_SUFFIX)), pattern
        )

    return is_named


def refusal(name: str, state: os.stat_result) -> str | None:
    """Return why an entry that is named like tickets is not read, if it looks like some."""
    if not name.isprintable():
        return "its name holds characters that cannot be printed"
    if stat.S_ISDIR(state.st_mode):
        return None
    if stat.S_ISREG(state.st_mode):
        return None if int(state.st_mtime) in POSSIBLE_TIMES else "its time is no date"
    return "it is a link" if stat.S_ISLNK(state.st_mode) else "it is no plain file"


def file_defaults(request: FetchRequest) -> FileDefaults:
    """Return what the model says of its files."""
    files = request.pbx.known_model.files
    if files is None:
        raise SourceError(f"{request.pbx.id}: model {request.pbx.model} drops no files.")
    return files
