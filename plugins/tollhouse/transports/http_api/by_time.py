"""Pulling from an API that is asked by time: the CDR API of a Grandstream UCM.

IDLAST is the start of the newest call that was looked at, in UTC. A record appears when its call
ends, and is found by its start: each pull reads the last hours before IDLAST again. The number of a
record begins anew each month, so its ordinal is made of its start and its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tollhouse.bundles import Bundle, bundled
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.json_items import loaded, stable_ordinal
from tollhouse.landing import Delivery, DeliveryTickets
from tollhouse.transports import FetchRequest, Progress, SourceError
from tollhouse.transports.http_api.entry_settings import number, whole_number
from tollhouse.transports.http_api.grandstream import CdrApi, legs_of

UNIT = "cdrapi"
#: The most that the PBX hands out at once.
HIGHEST_PAGE_ROWS = 1_000
#: The clock of the PBX follows rules of its own and may be an hour off its zone.
INTERVAL_MARGIN = timedelta(hours=1)
#: Bits of an ordinal that hold the number of the record; those above, the second of its start.
NUMBER_BITS = 31


def fetch(request: FetchRequest, progress: Progress, api: CdrApi) -> Iterator[DeliveryTickets]:
    """Yield the records since IDLAST and those of the overlap, or those of an interval."""
    known = request.known.current([UNIT]).get(UNIT)
    delivery = Delivery(UNIT, known.generation if known else 1)
    interval = request.interval
    if interval is not None:
        records = read_records(
            request.pbx, api, interval.start - INTERVAL_MARGIN, interval.end + INTERVAL_MARGIN
        )
        yield DeliveryTickets(delivery, bundled(records))
        return
    yield DeliveryTickets(delivery, _news(request.pbx, progress, api, _idlast(request)))


def read_records(
    pbx: Pbx, api: CdrApi, start: datetime | None = None, end: datetime | None = None
) -> Iterator[Ticket]:
    """Yield the records of calls that began in a stretch of time, page by page.

    Each page begins where the one before it ended, counted in what was handed out: groups are
    counted by the PBX in one way or the other, and reading some twice loses none.
    """
    zone = ZoneInfo(pbx.time_zone)
    parameters = {"numRecords": str(rows_of_page(pbx))}
    if start is not None:
        parameters["startTime"] = start.astimezone(zone).isoformat(timespec="seconds")
    if end is not None:
        parameters["endTime"] = end.astimezone(zone).isoformat(timespec="seconds")
    offset = 0
    before: list[str] = []
    while items := api.page(parameters | {"offset": str(offset)}):
        if items == before:
            if len(items) < rows_of_page(pbx):
                # It does not page, and had no more than that.
                return
            raise SourceError(
                f"{pbx.id}: the PBX hands out the same page again from record {offset} on. Its "
                "firmware does not page: install a newer one, or set settings.page_rows to 1000 "
                "and settings.overlap_hours to less."
            )
        received_at = datetime.now(UTC)
        maximum_bytes = pbx.known_model.framing.maximum_bytes
        legs = [leg for item in items for leg in legs_of(item, maximum_bytes=maximum_bytes)]
        yield from sorted(Ticket(ordinal_of(leg), leg, received_at) for leg in legs)
        offset += len(items)
        before = items


def rows_of_page(pbx: Pbx) -> int:
    """Return how many records a request asks for."""
    defaults = pbx.known_model.api
    rows = defaults.page_rows if defaults else HIGHEST_PAGE_ROWS
    return whole_number(pbx, "page_rows", rows, lowest=1, highest=HIGHEST_PAGE_ROWS)


def started_at(pbx: Pbx, leg: str) -> datetime | None:
    """Return the start of a record by the clock of the PBX; None when it does not say."""
    local = _local_start(loaded(leg))
    return None if local is None else local.replace(tzinfo=ZoneInfo(pbx.time_zone)).astimezone(UTC)


def ordinal_of(leg: str) -> int:
    """Return the place of a record: by its start, then by its number."""
    record = loaded(leg)
    local = _local_start(record)
    record_number = str(record.get("AcctId", "")) if local is not None else ""
    if local is None or not (record_number.isascii() and record_number.isdecimal()):
        return stable_ordinal(leg)
    second = int(local.replace(tzinfo=UTC).timestamp())
    if second < 0 or len(record_number) > NUMBER_BITS or int(record_number) >> NUMBER_BITS:
        return stable_ordinal(leg)
    return second << NUMBER_BITS | int(record_number)


def _news(pbx: Pbx, progress: Progress, api: CdrApi, idlast: datetime | None) -> Iterator[Bundle]:
    defaults = pbx.known_model.api
    hours = number(
        pbx, "overlap_hours", defaults.overlap_hours if defaults else 0, lowest=0, highest=24 * 366
    )
    newest = idlast
    start = None if idlast is None else idlast - timedelta(hours=hours)
    for bundle in bundled(read_records(pbx, api, start)):
        yield bundle
        starts = (started_at(pbx, body) for body in bundle.bodies)
        newest = max(
            (instant for instant in (newest, *starts) if instant is not None), default=None
        )
    if newest is not None:
        # A clock that once stood in the future must not hide the calls until then.
        newest = min(newest, datetime.now(UTC))
        if idlast is not None:
            newest = max(newest, idlast)
        progress.idlast = newest.astimezone(UTC).isoformat(timespec="seconds")


def _idlast(request: FetchRequest) -> datetime | None:
    if request.idlast is None:
        return None
    try:
        return datetime.fromisoformat(request.idlast)
    except ValueError:
        raise SourceError(
            f"{request.pbx.id}: IDLAST is {request.idlast!r}, an id and no time. Delete its "
            "Variable: what the PBX still holds is read again, and nothing doubles."
        ) from None


def _local_start(record: object) -> datetime | None:
    if not isinstance(record, dict):
        return None
    text = record.get("start")
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
