"""Listings made for people: sizes are rounded, and times bear no zone.

``ls -l`` in the answer of an FTP server and the page of a web server are such. They tell what may
have changed; only of that is the server asked for exact values, one file at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from tollhouse.transports.remote_files.folder import Kind, RemoteFile

ONE_DAY = timedelta(days=1)
#: Offsets from UTC are whole numbers of these.
OFFSET_STEP = timedelta(minutes=15)
FURTHEST_OFFSET = timedelta(hours=14)


@dataclass(frozen=True)
class RoughFile:
    """An entry as a listing shows it.

    Attributes:
        sizes: the smallest and largest size that it may have; equal where the listing is exact.
        written: when, by a clock of unknown zone.
        step: how exact that time is.
    """

    name: str
    kind: Kind
    sizes: tuple[int, int] | None
    written: datetime | None
    step: timedelta = timedelta(minutes=1)


@dataclass(frozen=True)
class Exact:
    """What a server tells of one file; None where it does not."""

    size_bytes: int | None
    modified_at: datetime | None


def clock_of(written: datetime, instant: datetime, expected: tzinfo) -> tzinfo:
    """Return the zone of a listing, told by one file whose time is known both ways.

    Args:
        written: as listed.
        instant: the same time as the server tells it in UTC.
        expected: the zone that the server is said to be in; kept if it agrees, since it knows
            about daylight saving time.
    """
    offset = round((written - instant.replace(tzinfo=None)) / OFFSET_STEP) * OFFSET_STEP
    if abs(offset) > FURTHEST_OFFSET or instant.astimezone(expected).utcoffset() == offset:
        return expected
    return timezone(offset)


def settle(
    rough: Iterable[RoughFile],
    fetched: Callable[[str], RemoteFile | None],
    ask: Callable[[str], Exact | None],
    zone: tzinfo,
) -> list[RemoteFile]:
    """Return the files with exact sizes and times, asking the server for as few as possible.

    Args:
        rough: as listed.
        fetched: the copy that is here of a file.
        ask: asks the server for exact values; None if the file is gone.
        zone: the zone that the server is said to be in.
    """
    files = list(rough)
    settled = [
        RemoteFile(file.name, 0, datetime.fromtimestamp(0, UTC), file.kind)
        for file in files
        if file.kind != "file"
    ]
    files = [file for file in files if file.kind == "file"]
    asked: dict[str, Exact | None] = {}
    dated = [file for file in files if file.written is not None]
    if dated:
        newest = max(dated, key=lambda file: (file.written, file.name))
        exact = asked[newest.name] = ask(newest.name)
        if exact is not None and exact.modified_at is not None and newest.written is not None:
            zone = clock_of(newest.written, exact.modified_at, zone)
    for file in files:
        copy = fetched(file.name)
        if copy is not None and file.name not in asked and _agree(file, copy, zone):
            settled.append(copy)
            continue
        exact = asked[file.name] if file.name in asked else ask(file.name)
        if exact is not None:
            settled.append(_settled(file, exact, copy, zone))
    return settled


def _agree(file: RoughFile, copy: RemoteFile, zone: tzinfo) -> bool:
    """Whether a listing shows nothing else than the copy has."""
    if file.sizes is None or file.written is None:
        return False
    smallest, largest = file.sizes
    since = copy.modified_at - file.written.replace(tzinfo=zone)
    return smallest <= copy.size_bytes <= largest and timedelta(0) <= since < file.step


def _settled(file: RoughFile, exact: Exact, copy: RemoteFile | None, zone: tzinfo) -> RemoteFile:
    size = exact.size_bytes
    if size is None and file.sizes is not None and file.sizes[0] == file.sizes[1]:
        size = file.sizes[0]
    modified_at, step = exact.modified_at, timedelta(seconds=1)
    if modified_at is None and file.written is not None:
        modified_at, step = file.written.replace(tzinfo=zone).astimezone(UTC), file.step
    if modified_at is None:
        # Nobody tells: as long as the size stays, the file counts as unchanged.
        same = copy is not None and copy.size_bytes == size
        modified_at = (
            copy.modified_at if copy and same else datetime.now(UTC).replace(microsecond=0)
        )
        step = timedelta.max
    if size is None:
        return RemoteFile(file.name, 0, modified_at, "unmeasured", step)
    return RemoteFile(file.name, size, modified_at, "file", step)
