"""Tickets in a table of the PBX's own database: MySQL and MariaDB.

A model has a query, or reads its table as it stands; an entry of include/pbx.yml may have a query
of its own. IDLAST is the highest id of the table that was looked at, kept or not. Ids are given out
when a row is inserted and seen when it is committed, so a row may appear below IDLAST: each pull
reads a stretch of ids below it again and lands what was not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from zoneinfo import ZoneInfo

from tollhouse.bundles import Bundle, bundled
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import Delivery, DeliveryTickets, says_the_same
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError
from tollhouse.transports.growing_ids import NumberedSource, find_beginning
from tollhouse.transports.sql_table.pages import Page, PageReader, Stretch
from tollhouse.transports.sql_table.session import Session, quoted_name, quoted_text
from tollhouse.transports.sql_table.source import (
    Source,
    find_source,
    highest_id,
    table_defaults,
)

#: Calls of an interval are sought with this margin: the clock of the PBX may be an hour off (DST).
INTERVAL_MARGIN = timedelta(hours=1)


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number."""
    if not idlast.isdecimal():
        raise ValueError("the id of a row is a whole number")
    return (int(idlast),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield the table and its new rows, or its rows of an interval."""
    pbx = request.pbx
    defaults = table_defaults(pbx)
    with Session(pbx, request.find_connection(), defaults.port) as session:
        source = find_source(session, pbx)
        page_rows = int(pbx.settings.get("page_rows", defaults.page_rows))
        reader = PageReader(session, source, page_rows, progress.warnings)
        known = request.known.current([source.unit]).get(source.unit)
        if request.interval is not None:
            generation = known.generation if known else 1
            pages = reader.pages(_stretch(session, source, pbx, request.interval))
            bundles = chain.from_iterable(page.bundles() for page in pages)
        else:
            beginning = find_beginning(
                request,
                progress,
                NumberedSource(
                    unit=source.unit,
                    known=known,
                    highest=highest_id(session, source),
                    overlap_ids=int(pbx.settings.get("overlap_ids", defaults.overlap_ids)),
                    read_again=partial(_read_again, reader),
                    says_the_same=partial(says_the_same, ignored_fields=defaults.joined_columns),
                ),
            )
            if beginning is None:
                return
            generation = beginning.generation
            pages = reader.pages(Stretch(after=beginning.after))
            bundles = chain(bundled(beginning.overlap), _looked_at(pages, progress))
        yield DeliveryTickets(
            Delivery(source.unit, generation), bundles, ignored_fields=defaults.joined_columns
        )


def _read_again(reader: PageReader, after: int, until: int) -> Iterator[Ticket]:
    for page in reader.pages(Stretch(after=after, until=until)):
        for bundle in page.bundles():
            yield from bundle.tickets()


def _looked_at(pages: Iterable[Page], progress: Progress) -> Iterator[Bundle]:
    """Yield the rows and move IDLAST over each page, also over ids that the query leaves out."""
    for page in pages:
        yield from page.bundles()
        progress.idlast = str(page.looked_at)


def _stretch(session: Session, source: Source, pbx: Pbx, interval: Interval) -> Stretch:
    """Return where the rows of an interval are: between which ids, and what tells them."""
    if source.time_column is None:
        columns = ", ".join(table_defaults(pbx).time_columns)
        raise SourceError(
            f"{pbx.id}: the rows of {source.unit} have none of the columns {columns}, so an "
            "interval cannot be read. Set IDLAST back instead; nothing doubles."
        )
    start, end = (
        quoted_text(_wall_clock(instant, pbx))
        for instant in (interval.start - INTERVAL_MARGIN, interval.end + INTERVAL_MARGIN)
    )
    column = f"t.{quoted_name(source.time_column)}"
    condition = f"{column} >= {start} and {column} < {end}"
    if source.uses_idlast:
        session.rows("set @IDLAST = -1")
    key = f"t.{source.quoted_key}"
    ((lowest, highest),) = session.rows(
        f"select min({key}), max({key}) from {source.relation} where {condition}"  # noqa: S608
    )
    if lowest is None:
        return Stretch(after=0, until=-1)
    return Stretch(int(lowest) - 1, int(highest), condition)


def _wall_clock(instant: datetime, pbx: Pbx) -> str:
    return instant.astimezone(ZoneInfo(pbx.time_zone)).strftime("%Y-%m-%d %H:%M:%S")
