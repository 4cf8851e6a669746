"""Tickets in files that a PBX drops in a folder, by FTP, SFTP or a share.

A file is a delivery; the ordinal of a ticket is its byte offset. IDLAST is the number of the last
delivery: a file that is known up to there, of the same size and time, is not opened again. What
comes again is told by its content: the same bytes under any name land nothing, a file that begins
with what it was has grown, and another content under an old name is a new generation.

Whoever may drop files is not trusted further: nothing but plain files is opened, no link is
followed, and no name reaches a path or the database that could not be printed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, cast

from tollhouse.bundles import bundled
from tollhouse.framing import frame_file
from tollhouse.landing import Delivery, DeliveryTickets, KnownDelivery
from tollhouse.pbx import FileDefaults
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError

STABLE_SECONDS = 2.0
ARCHIVE_FOLDER = "archive"
BLOCK_BYTES = 1 << 20
LINE_ENDS = (b"\n", b"\r")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DroppedFile:
    """A plain file with an acceptable name, as it stood when it was looked at."""

    path: Path
    size_bytes: int
    modified_ns: int

    @property
    def name(self) -> str:
        """Its name without the folder: the unit of its delivery."""
        return self.path.name

    @property
    def modified_at(self) -> datetime:
        """When it was written last."""
        return _EPOCH + timedelta(microseconds=self.modified_ns // 1000)


@dataclass(frozen=True)
class _Content:
    """Digests of a file: of all of it, and of as many bytes as were there last time."""

    sha256: str
    earlier_sha256: str | None
    earlier_ended_a_line: bool


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number."""
    if not idlast.isdecimal():
        raise ValueError("the number of a delivery is a whole number")
    return (int(idlast),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield the files of the folder that are new or have grown, or those of an interval."""
    folder = drop_folder(request)
    files = list_files(request, folder, progress.warnings)
    files = _stable(files, float(request.pbx.settings.get("stable_seconds", STABLE_SECONDS)))
    if request.interval is not None:
        files += list_files(request, folder / ARCHIVE_FOLDER, [])
        files = [file for file in files if _is_of(request, file, request.interval)]
    known = request.known.current([file.name for file in files])
    for file in sorted(files, key=lambda file: file.name):
        if not _is_read(request, file, known.get(file.name)):
            yield from _deliver(request, file, progress)
        elif request.interval is None:
            progress.after_commit += _put_away(request, file)
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
    pbx, defaults = request.pbx, _defaults(request)
    pattern = str(pbx.settings.get("pattern", defaults.pattern))
    files = []
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(f"{pbx.id}: the folder {folder} cannot be listed: {error}") from error
    for entry in entries:
        if not fnmatchcase(entry.name, pattern):
            continue
        if defaults.ignored_pattern and fnmatchcase(entry.name, defaults.ignored_pattern):
            continue
        try:
            state = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # taken away since
        reason = _refusal(entry.name, state)
        if reason:
            warnings.append(f"{pbx.id}: {entry.name!r} in {folder} is not read: {reason}")
        elif stat.S_ISREG(state.st_mode):
            files.append(DroppedFile(folder / entry.name, state.st_size, state.st_mtime_ns))
    return files


def _refusal(name: str, state: os.stat_result) -> str | None:
    if not name.isprintable():
        return "its name holds characters that cannot be printed"
    if stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode):
        return None
    return "it is a link" if stat.S_ISLNK(state.st_mode) else "it is no plain file"


def _stable(files: list[DroppedFile], seconds: float) -> list[DroppedFile]:
    """Return the files that are not being written: older than this, or the same after a wait."""
    now_ns = time.time_ns()
    young = {file for file in files if (now_ns - file.modified_ns) / 1e9 < seconds}
    if young:
        time.sleep(seconds)
    return [file for file in files if file not in young or _is_unchanged(file)]


def _is_unchanged(file: DroppedFile) -> bool:
    try:
        state = file.path.lstat()
    except FileNotFoundError:
        return False
    return (state.st_size, state.st_mtime_ns) == (file.size_bytes, file.modified_ns)


def _is_of(request: FetchRequest, file: DroppedFile, interval: Interval) -> bool:
    """Whether a file is of the interval: by the time in its name, or by its own."""
    written_at = file.modified_at
    pattern = _defaults(request).name_time_pattern
    match = re.search(pattern, file.name) if pattern else None
    if match:
        try:
            written_at = datetime.strptime(match.group(1), "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            logger.warning("%s: %s holds no time", request.pbx.id, file.name)
    return interval.start <= written_at < interval.end


def _is_read(request: FetchRequest, file: DroppedFile, before: KnownDelivery | None) -> bool:
    """Whether IDLAST says that this very state of the file was read."""
    return (
        request.idlast is not None
        and before is not None
        and before.delivery_id <= int(request.idlast)
        and (before.size_bytes, before.modified_at) == (file.size_bytes, file.modified_at)
    )


def _deliver(
    request: FetchRequest, file: DroppedFile, progress: Progress
) -> Iterator[DeliveryTickets]:
    before = request.known.current([file.name]).get(file.name)
    try:
        with _opened(file) as stream:
            content = _digest(stream, file, before)
            if not _is_unchanged(file):
                return  # written to since: the next pull reads it
            yield _as_delivery(request, file, stream, content, before, progress)
        if request.interval is None:
            progress.after_commit += _put_away(request, file)
    except OSError as error:
        progress.warnings.append(f"{request.pbx.id}: {file.path} cannot be read: {error}")


def _as_delivery(
    request: FetchRequest,
    file: DroppedFile,
    stream: BinaryIO,
    content: _Content,
    before: KnownDelivery | None,
    progress: Progress,
) -> DeliveryTickets:
    """Tell what a file is by its content, and return the tickets that are to be landed."""
    generation = before.generation if before else 0
    start, repeated, header = 0, 0, None
    same = request.known.with_content(content.sha256)
    own = next((known for known in same if known.unit == file.name), None)
    if own is not None and (own == before or request.interval is not None):
        # The same file again: everything that it landed is compared.
        generation, repeated, header = own.generation, own.repeated_bytes, own.header
        start = repeated
    elif same:
        generation, repeated = generation + 1, file.size_bytes
        logger.info("%s: %s repeats %s", request.pbx.id, file.name, same[0].unit)
    elif before is not None and _has_grown(file, content, before):
        header, repeated = before.header, before.repeated_bytes
        was_read = request.idlast is not None and before.delivery_id <= int(request.idlast)
        start = (before.size_bytes or 0) if was_read else repeated
    else:
        generation += 1
        if before is not None:
            progress.warnings.append(
                f"{request.pbx.id}: {file.name} came again with other content; it is read as "
                f"generation {generation}."
            )
    framed = frame_file(stream, request.pbx.known_model, start_offset=start, header=header)
    received_at = min(file.modified_at, datetime.now(UTC))
    tickets = () if repeated == file.size_bytes else framed.tickets
    return DeliveryTickets(
        Delivery(
            unit=file.name,
            generation=max(generation, 1),
            header=framed.header,
            content_sha256=content.sha256,
            size_bytes=file.size_bytes,
            modified_at=file.modified_at,
            repeated_bytes=repeated,
        ),
        bundled(ticket._replace(received_at=received_at) for ticket in tickets),
    )


def _has_grown(file: DroppedFile, content: _Content, before: KnownDelivery) -> bool:
    """Whether a file is what it was and more.

    If what it was ended in the middle of a line, that line landed cut: the file is then read again
    as a new generation, where the whole line is a ticket and the others are recognised.
    """
    return (
        file.size_bytes > (before.size_bytes or 0)
        and content.earlier_sha256 == before.content_sha256
        and content.earlier_ended_a_line
    )


class _Window:
    """The bytes of a file that were there when it was looked at; what is appended since waits."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes

    def read(self, count: int) -> bytes:
        return self._file.read(min(count, self._size_bytes - self._file.tell()))

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)


@contextmanager
def _opened(file: DroppedFile) -> Iterator[BinaryIO]:
    """Open a file that is still the plain file that was listed; a pipe put there would not end."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(file.path, flags), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(f"{file.path} is no plain file any more")
        yield cast("BinaryIO", _Window(stream, file.size_bytes))


def _digest(stream: BinaryIO, file: DroppedFile, before: KnownDelivery | None) -> _Content:
    digest = hashlib.sha256()
    earlier_sha256, last = None, b"\n"
    if before is not None and before.size_bytes is not None and before.size_bytes < file.size_bytes:
        last = _read_into(digest, stream, before.size_bytes) or last
        earlier_sha256 = digest.hexdigest()
    _read_into(digest, stream, file.size_bytes)
    stream.seek(0)
    return _Content(digest.hexdigest(), earlier_sha256, last in LINE_ENDS)


def _read_into(digest: Any, stream: BinaryIO, size_bytes: int) -> bytes:
    """Feed so many bytes to a digest and return the last one."""
    last = b""
    while size_bytes > 0 and (block := stream.read(min(size_bytes, BLOCK_BYTES))):
        digest.update(block)
        size_bytes -= len(block)
        last = block[-1:]
    return last


def _put_away(request: FetchRequest, file: DroppedFile) -> list[Callable[[], None]]:
    """Return what is to be done with a file after the commit."""
    wish = str(request.pbx.settings.get("after_landing", "keep"))
    if wish == "keep":
        return []
    if wish == "delete":
        return [lambda: file.path.unlink() if _is_unchanged(file) else None]
    if wish == "archive":
        return [lambda: _archive(file) if _is_unchanged(file) else None]
    raise SourceError(
        f"{request.pbx.id}: settings.after_landing is {wish!r}; it can be keep, archive or delete."
    )


def _archive(file: DroppedFile) -> None:
    folder = file.path.parent / ARCHIVE_FOLDER
    folder.mkdir(exist_ok=True)
    target, number = folder / file.name, 1
    while target.exists():
        number += 1
        target = folder / f"{file.name}~{number}"
    file.path.rename(target)


def _defaults(request: FetchRequest) -> FileDefaults:
    files = request.pbx.known_model.files
    if files is None:
        raise SourceError(f"{request.pbx.id}: model {request.pbx.model} drops no files.")
    return files
