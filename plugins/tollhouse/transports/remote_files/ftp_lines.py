"""Lines of an FTP server's listing, of servers that have no listing for programs (MLSD)."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tollhouse.transports.remote_files.folder import Kind
from tollhouse.transports.remote_files.rough_listing import ONE_DAY, RoughFile

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

#: As ``ls -l`` writes: rights, links, owner, group, size, time of this year or day of another.
UNIX_LINE = re.compile(
    r"(?P<kind>[-bcdlps])[-rwxsStTlL]{9}[.+@]?\s+(?:\d+\s+)?(?:\S+\s+){1,2}?(?P<size>\d+|\d+,\s*\d+)"
    r"\s+(?P<month>[A-Za-z]{3})\s+(?P<day>\d{1,2})"
    r"\s+(?:(?P<hour>\d{1,2}):(?P<minute>\d\d)|(?P<year>\d{4})) (?P<name>.+)"
)
#: As Windows writes.
DOS_LINE = re.compile(
    r"(?P<month>\d\d)-(?P<day>\d\d)-(?P<year>\d{4}|\d\d)\s+(?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?P<half>[AaPp][Mm])?\s+(?:(?P<folder><DIR>|<JUNCTION>)|(?P<size>\d+)) (?P<name>.+)"
)
UNIX_KINDS: dict[str, Kind] = {"-": "file", "d": "folder", "l": "link"}


def rough_file(line: str, now: datetime) -> RoughFile | None:
    """Return what a line of a listing shows; None if it shows no file.

    Args:
        line: without its end.
        now: the time, for lines that name no year.
    """
    unix = UNIX_LINE.fullmatch(line)
    if unix:
        kind = UNIX_KINDS.get(unix["kind"], "other")
        name = unix["name"].split(" -> ")[0] if kind == "link" else unix["name"]
        sizes = (int(unix["size"]),) * 2 if unix["size"].isdecimal() else None
        written, step = _unix_time(unix, now)
        return RoughFile(name, kind, sizes, written, step)
    dos = DOS_LINE.fullmatch(line)
    if dos:
        kind = "folder" if dos["folder"] else "file"
        sizes = (int(dos["size"]),) * 2 if dos["size"] else None
        return RoughFile(dos["name"].lstrip(), kind, sizes, _dos_time(dos))
    return None


def _unix_time(line: re.Match[str], now: datetime) -> tuple[datetime | None, timedelta]:
    month = line["month"].lower()
    if month not in MONTHS:
        return None, ONE_DAY
    day = (MONTHS.index(month) + 1, int(line["day"]))
    with suppress(ValueError):
        if line["year"]:
            return datetime(int(line["year"]), *day), ONE_DAY  # noqa: DTZ001 - of unknown zone
        clock = (int(line["hour"]), int(line["minute"]))
        # A time of day stands there for the last months; a clock may be a little ahead of ours.
        today = now.astimezone(UTC).replace(tzinfo=None)
        for year in (today.year + 1, today.year, today.year - 1):
            with suppress(ValueError):
                written = datetime(year, *day, *clock)  # noqa: DTZ001 - of unknown zone
                if written <= today + 2 * ONE_DAY:
                    return written, timedelta(minutes=1)
    return None, ONE_DAY


def _dos_time(line: re.Match[str]) -> datetime | None:
    year = int(line["year"]) + (2000 if len(line["year"]) == 2 else 0)
    hour = int(line["hour"])
    if line["half"]:
        hour = hour % 12 + (12 if line["half"].lower() == "pm" else 0)
    with suppress(ValueError):
        return datetime(  # noqa: DTZ001 - of unknown zone
            year, int(line["month"]), int(line["day"]), hour, int(line["minute"])
        )
    return None
