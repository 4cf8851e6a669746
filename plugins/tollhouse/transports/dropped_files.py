"""Tickets in files that a PBX drops in a folder, by FTP, SFTP or a share.

A file is a delivery; the ordinal of a ticket is its byte offset. IDLAST is the number of the last
delivery: a file that is known up to there, of the same size and time, is not opened again. What a
file is that was not read is told by its content, in ``tollhouse.file_deliveries``.

Whoever may drop files is not trusted further: nothing but plain files is opened, no link is
followed, and no name reaches a path or the database that could not be printed.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from tollhouse.decompression import uncompressed_name
from tollhouse.file_deliveries import deliver, not_read
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import DeliveryTickets, SmallDeliveries
from tollhouse.pbx import FileDefaults
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError

STABLE_SECONDS = 2.0
ARCHIVE_FOLDER = "archive"
#: What a file that has landed is called, if it is to be renamed: as the product that Tollhouse
#: replaces did it.
READ_SUFFIX = ".old"
#: Names that a file bears while it is written, where it is renamed when it is complete.
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
#: So many names of files that wait are told.
TOLD_NAMES = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A plain file with an acceptable name, as it stood when it was looked at.

    Attributes:
        folder: where it lies.
        name: what it is called there.
        unit: what it was called when it was dropped: the unit of its delivery.
        size_bytes: its size.
        modified_ns: when it was written last, in nanoseconds.
    """

    folder: str
    name: str
    unit: str
    size_bytes: int
    modified_ns: int

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
        """Whether it has the size and time that it had."""
        try:
            state = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (state.st_size, state.st_mtime_ns) == (self.size_bytes, self.modified_ns)


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number."""
    if not idlast.isdecimal():
        raise ValueError("the number of a delivery is a whole number")
    return (int(idlast),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets | SmallDeliveries]:
    """Yield the files of the folder that are new or have grown, or those of an interval."""
    pbx = request.pbx
    folder = drop_folder(request)
    in_order, put_away = _order(pbx), _put_away(pbx)
    files = list_files(request, folder, progress.warnings)
    if request.interval is not None:
        files += list_files(request, folder / ARCHIVE_FOLDER, [])
        files = [_as_dropped(file, put_away) for file in files]
        files = [file for file in files if _is_of(request, file, request.interval)]
    elif put_away is _rename:
        files = [file for file in files if not file.name.endswith(READ_SUFFIX)]
    waiting, read = not_read(request, files)
    if _defaults(request).complete == "stable":
        stable_seconds = float(pbx.settings.get("stable_seconds", STABLE_SECONDS))
        waiting = _stable(request, waiting, stable_seconds, progress)
    yield from deliver(request, sorted(waiting, key=in_order), progress, put_away=put_away)
    if put_away is not None and request.interval is None:
        progress.after_commit += [partial(put_away, file) for file in read]
    newest = request.known.newest()
    progress.idlast = str(newest.delivery_id) if newest else None


def drop_folder(request: FetchRequest) -> Path:
    """Return the folder where the PBX drops its files.

    Raises:
        SourceError: none is configured, or it is not there.
    """
    pbx = request.pbx
    name = pbx.settings.get("folder")
    if not name:
        raise SourceError(f"{pbx.id}: settings.folder of its entry in include/pbx.yml is missing.")
    folder = request.settings.var / str(name)
    if not folder.is_dir():
        raise SourceError(
            f"{pbx.id}: the folder {folder} does not exist. Make it, let the account that the PBX "
            "delivers with write to it, and the account that Airflow runs as read it."
        )
    return folder


def list_files(request: FetchRequest, folder: Path, warnings: list[str]) -> list[DroppedFile]:
    """Return the plain files of a folder whose names the model reads; the rest stays untouched.

    Args:
        request: whose folder it is.
        folder: the folder; one that does not exist holds nothing.
        warnings: gets a line for each entry that looks like tickets and is refused.
    """
    pbx = request.pbx
    is_named = names_to_read(pbx, _defaults(request))
    place, files = str(folder), []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_named(entry.name):
                    continue
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # taken away since
                reason = _refusal(entry.name, state)
                if reason:
                    warnings.append(f"{pbx.id}: {entry.name!r} in {folder} is not read: {reason}")
                elif stat.S_ISREG(state.st_mode):
                    size, modified_ns = state.st_size, state.st_mtime_ns
                    files.append(DroppedFile(place, entry.name, entry.name, size, modified_ns))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(f"{pbx.id}: the folder {folder} cannot be listed: {error}") from error
    return files


def names_to_read(pbx: Pbx, defaults: FileDefaults) -> Callable[[str], bool]:
    """Return what tells by a name whether a file is read.

    A name that matches without the suffix of its compression, or without that of a file that was
    renamed after it had landed, matches too.
    """
    pattern = str(pbx.settings.get("pattern", defaults.pattern))
    ignored_pattern = defaults.ignored_pattern
    is_renamed = defaults.complete == "renamed"

    def is_named(name: str) -> bool:
        if ignored_pattern and fnmatchcase(name, ignored_pattern):
            return False
        if is_renamed and (
            name.startswith(UNFINISHED_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES)
        ):
            return False
        return fnmatchcase(name, pattern) or fnmatchcase(
            uncompressed_name(name.removesuffix(READ_SUFFIX)), pattern
        )

    return is_named


def _refusal(name: str, state: os.stat_result) -> str | None:
    if not name.isprintable():
        return "its name holds characters that cannot be printed"
    if stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode):
        return None
    return "it is a link" if stat.S_ISLNK(state.st_mode) else "it is no plain file"


def _order(pbx: Pbx) -> Callable[[DroppedFile], tuple[str | int, ...]]:
    wish = str(pbx.settings.get("order", "name"))
    if wish == "name":
        return lambda file: (file.unit,)
    if wish == "modified":
        return lambda file: (file.modified_ns, file.unit)
    raise SourceError(f"{pbx.id}: settings.order is {wish!r}; it can be name or modified.")


def _stable(
    request: FetchRequest, files: list[DroppedFile], seconds: float, progress: Progress
) -> list[DroppedFile]:
    """Return the files that are not being written: older than this, or the same after a wait."""
    now_ns = time.time_ns()
    young = {file for file in files if (now_ns - file.modified_ns) / 1e9 < seconds}
    if young:
        time.sleep(seconds)
    waiting = {file for file in young if not file.is_unchanged()}
    if waiting:
        names = sorted(file.name for file in waiting)
        told = ", ".join(names[:TOLD_NAMES]) + (" …" if len(names) > TOLD_NAMES else "")
        progress.warnings.append(
            f"{request.pbx.id}: {len(names)} files are being written, and wait: {told}"
        )
    return [file for file in files if file not in waiting]


def _as_dropped(file: DroppedFile, put_away: Callable[[DroppedFile], None] | None) -> DroppedFile:
    """Return a file of an interval under the name that it had before it was put away."""
    if put_away is not _rename:
        return file
    return replace(file, unit=file.name.removesuffix(READ_SUFFIX))


def _is_of(request: FetchRequest, file: DroppedFile, interval: Interval) -> bool:
    """Whether a file is of the interval: by the time in its name, or by its own."""
    written_at = file.modified_at
    pattern = _defaults(request).name_time_pattern
    match = re.search(pattern, uncompressed_name(file.unit)) if pattern else None
    if match:
        try:
            written_at = datetime.strptime(match.group(1), "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            logger.warning("%s: %s holds no time", request.pbx.id, file.name)
    return interval.start <= written_at < interval.end


def _put_away(pbx: Pbx) -> Callable[[DroppedFile], None] | None:
    """Return what is to be done with a file after the commit."""
    wish = str(pbx.settings.get("after_landing", "keep"))
    if wish not in AFTER_LANDING:
        raise SourceError(
            f"{pbx.id}: settings.after_landing is {wish!r}; it can be {', '.join(AFTER_LANDING)}."
        )
    return AFTER_LANDING[wish]


def _delete(file: DroppedFile) -> None:
    if file.is_unchanged():
        Path(file.path).unlink()


def _archive(file: DroppedFile) -> None:
    if file.is_unchanged():
        folder = Path(file.folder) / ARCHIVE_FOLDER
        folder.mkdir(exist_ok=True)
        Path(file.path).rename(_free_path(folder, file.name))


def _rename(file: DroppedFile) -> None:
    if file.is_unchanged():
        Path(file.path).rename(_free_path(Path(file.folder), file.name, READ_SUFFIX))


def _free_path(folder: Path, name: str, suffix: str = "") -> Path:
    """Return a path that nothing has yet: an older file of that name is never overwritten."""
    path, number = folder / f"{name}{suffix}", 1
    while os.path.lexists(path):
        number += 1
        path = folder / f"{name}~{number}{suffix}"
    return path


AFTER_LANDING: dict[str, Callable[[DroppedFile], None] | None] = {
    "keep": None,
    "archive": _archive,
    "rename": _rename,
    "delete": _delete,
}


def _defaults(request: FetchRequest) -> FileDefaults:
    files = request.pbx.known_model.files
    if files is None:
        raise SourceError(f"{request.pbx.id}: model {request.pbx.model} drops no files.")
    return files
