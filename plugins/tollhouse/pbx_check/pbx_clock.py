"""Whether a PBX of the Asterisk family writes its clock in the zone that its entry names.

The head of ``uniqueid`` is the instant at which a call's first channel was made, in seconds since
1970: a true time beside a clock without a zone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.report import Report

#: ``[system-]epoch.counter``, since Asterisk 1.2.
UNIQUE_ID = re.compile(r"(?:.*-)?(\d{9,10})\.\d+", re.ASCII)
#: Zones differ by quarter hours; the channel is made a moment before the call is stamped.
QUARTER = timedelta(minutes=15)
TOLERANCE = timedelta(seconds=5)
WIDEST = timedelta(hours=14)


def check_clock(
    report: Report, pbx: Pbx, rows: Sequence[Mapping[str, Any]], time_column: str | None
) -> None:
    """Compare the clock of the last rows with their epochs; rows that have none are left out."""
    offsets = Counter(offset for row in rows if (offset := _offset(row, time_column)) is not None)
    if not offsets:
        return
    offset, row_count = offsets.most_common(1)[0]
    written = f"UTC{_spelled(offset)}"
    instants = [instant for row in rows if (instant := _epoch(row)) is not None]
    # Around a change to summer time the last rows may be of either side.
    allowed = [
        instant.astimezone(ZoneInfo(pbx.time_zone)).utcoffset() or timedelta()
        for instant in instants
    ]
    if offset in allowed:
        report.ok("time zone", f"the clock of the rows is {written}, as in {pbx.time_zone}")
        return
    zone = "UTC" if not offset else f"the zone of that machine, which was at {written} then"
    report.warn(
        "time zone",
        f"the clock of the last {row_count} rows is {written} by their uniqueid; "
        f"{pbx.time_zone} was at UTC{_spelled(allowed[-1])}",
        f"Set time_zone of the entry to {zone}.",
    )


def _offset(row: Mapping[str, Any], time_column: str | None) -> timedelta | None:
    """Return how far the clock of a call's first leg is from UTC; None if it does not say."""
    epoch = _epoch(row)
    if epoch is None or row.get("linkedid") not in (None, "", row.get("uniqueid")):
        return None
    with suppress(ValueError, TypeError):
        clock = datetime.fromisoformat(row.get(time_column or "", "")).replace(tzinfo=UTC)
        quarters = round((clock - epoch) / QUARTER)
        offset = quarters * QUARTER
        if abs(clock - epoch - offset) <= TOLERANCE and abs(offset) <= WIDEST:
            return offset
    return None


def _epoch(row: Mapping[str, Any]) -> datetime | None:
    found = UNIQUE_ID.fullmatch(str(row.get("uniqueid") or ""))
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _spelled(offset: timedelta) -> str:
    """Return an offset as ``+02:00``."""
    return datetime(2000, 1, 1, tzinfo=timezone(offset)).isoformat()[-6:]
