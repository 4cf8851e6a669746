"""Tickets in a table of the PBX's own database: MySQL and MariaDB.

A model has a query, or reads its table as it stands; an entry of include/pbx.yml may have a query
of its own. IDLAST is the highest id of the table that was looked at, kept or not. Ids are given out
when a row is inserted and seen when it is committed, so a row may appear below IDLAST: each pull
reads a stretch of ids below it again and lands what was not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from zoneinfo import ZoneInfo

from tollhouse.bundles import Bundle, bundled
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import Delivery, DeliveryTickets
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError
from tollhouse.transports.growing_ids import Beginning, NumberedSource, find_beginning
from tollhouse.transports.sql_table.entry_settings import table_defaults, table_settings
from tollhouse.transports.sql_table.pages import PageReader, Stretch
from tollhouse.transports.sql_table.same_call import differing_columns, is_same_call
from tollhouse.transports.sql_table.session import Session, quoted_name, quoted_text
from tollhouse.transports.sql_table.source import Source, find_source, id_extent

#: Calls of an interval are sought with this margin: the clock of the PBX may be an hour off (DST).
INTERVAL_MARGIN = timedelta(hours=1)


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number."""
    if not idlast.isdecimal():
        raise ValueError("the id of a row is a whole number")
    return (int(idlast),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield the table and its new rows, or its rows of an interval."""
    pbx, defaults = request.pbx, table_defaults(request.pbx)
    page_rows = table_settings(pbx).page_rows
    with Session(pbx, request.find_connection(), defaults.port) as session:
        source = find_source(session, pbx)
        reader = PageReader(session, source, page_rows, progress.warnings)
        if request.interval is not None:
            stretch = _stretch(session, source, pbx, request.interval)
            for generation, part in _parts(request, source.unit, stretch):
                bundles = chain.from_iterable(page.bundles() for page in reader.pages(part))
                yield DeliveryTickets(
                    Delivery(source.unit, generation),
                    bundles,
                    ignored_fields=defaults.joined_columns,
                )
            return
        beginning = _beginning(request, progress, session, source, reader)
        if beginning is None:
            return
        above = Stretch(after=beginning.after)
        for generation, part in (
            [(beginning.generation, above)]
            if beginning.is_new
            else _parts(request, source.unit, above)
        ):
            overlap = bundled(beginning.overlap if part.until is None else ())
            yield DeliveryTickets(
                Delivery(source.unit, generation),
                chain(overlap, _looked_at(request, progress, reader, part)),
                ignored_fields=defaults.joined_columns,
            )


def _beginning(
    request: FetchRequest,
    progress: Progress,
    session: Session,
    source: Source,
    reader: PageReader,
) -> Beginning | None:
    """Return where the new rows begin, and tell what is odd about those before."""
    pbx = request.pbx
    lowest, highest = id_extent(session, source) or (0, None)
    if lowest < 0:
        progress.warnings.append(
            f"{pbx.id}: rows of {source.unit} have ids below zero, down to {lowest}; they are not "
            "read. An id must grow with each row, from 0 or 1."
        )
    known = request.known.current([source.unit]).get(source.unit)
    beginning = find_beginning(
        request,
        progress,
        NumberedSource(
            unit=source.unit,
            known=known,
            highest=highest,
            overlap_ids=table_settings(pbx).overlap_ids,
            read_again=partial(_read_again, reader),
            says_the_same=_same_call(pbx),
        ),
    )
    if beginning is not None and known is not None:
        progress.warnings += _told_otherwise(request, source, beginning, known.delivery_id)
    return beginning


def _told_otherwise(
    request: FetchRequest, source: Source, beginning: Beginning, delivery_id: int
) -> Iterator[str]:
    """Say so, once, when calls of raw have other values now: by another query, most likely."""
    joined_columns = table_defaults(request.pbx).joined_columns
    columns: Counter[str] = Counter()
    differing: list[int] = []
    for ticket in beginning.overlap:
        kept = beginning.kept.get(ticket.ordinal)
        found = differing_columns(kept, ticket.body, joined_columns) if kept else set()
        if found:
            columns.update(found)
            differing.append(ticket.ordinal)
    told = request.known.in_conflict(delivery_id, differing)
    if len(differing) > 1 and not told.issuperset(differing):
        names = ", ".join(name for name, _ in columns.most_common())
        yield (
            f"{request.pbx.id}: {len(differing)} rows of {source.unit} that raw has are the same "
            f"calls with other values now, in {names}: was settings.query of the entry changed, or "
            "a column? The first version stays, as it was billed, and rows to come have the new "
            "form. Only a warehouse that has none of them yet takes all rows in the new form."
        )


def _parts(request: FetchRequest, unit: str, stretch: Stretch) -> list[tuple[int, Stretch]]:
    """Split a stretch by the generations that its ids belong to, the oldest first.

    Where only the last ids were used again, the newest generation begins there: what lies below it
    is still the one before.
    """
    generations = request.known.generations(unit)
    parts: list[tuple[int, Stretch]] = []
    until = stretch.until
    for delivery in generations[:-1]:
        lowest, _ = request.known.extent(delivery.delivery_id)
        after = max(stretch.after, lowest - 1)
        if until is None or after < until:
            parts.append((delivery.generation, replace(stretch, after=after, until=until)))
            until = after
    if until is None or stretch.after < until:
        oldest = generations[-1].generation if generations else 1
        parts.append((oldest, replace(stretch, until=until)))
    return parts[::-1]


def _read_again(reader: PageReader, after: int, until: int) -> Iterator[Ticket]:
    for page in reader.pages(Stretch(after=after, until=until)):
        for bundle in page.bundles():
            yield from bundle.tickets()


def _looked_at(
    request: FetchRequest, progress: Progress, reader: PageReader, part: Stretch
) -> Iterator[Bundle]:
    """Yield the rows and move IDLAST over each page, also over ids that the query leaves out.

    Raises:
        SourceError: the table was replaced meanwhile: some of its rows would never be read.
    """
    first: Ticket | None = None
    is_long = False
    for page in reader.pages(part):
        is_long = first is not None
        for bundle in page.bundles():
            yield bundle
            first = first or next(iter(bundle.tickets()))
        progress.idlast = str(page.looked_at)
    if first is None or not is_long:
        return
    for again in _read_again(reader, first.ordinal - 1, first.ordinal):
        if not _same_call(request.pbx)(first.body, again.body):
            raise SourceError(
                f"{request.pbx.id}: the table was emptied or replaced while it was read: id "
                f"{first.ordinal} is another call now. Nothing of this pull was landed; the next "
                "one reads what is there."
            )


def _same_call(pbx: Pbx) -> Callable[[str, str], bool]:
    defaults = table_defaults(pbx)
    return partial(
        is_same_call,
        joined_columns=defaults.joined_columns,
        time_columns=(*defaults.time_columns, *defaults.identity_columns),
    )


def _stretch(session: Session, source: Source, pbx: Pbx, interval: Interval) -> Stretch:
    """Return where the rows of an interval are: between which ids, and what tells them."""
    if source.time_column is None:
        columns = ", ".join(table_defaults(pbx).time_columns) or "that a layout names time_columns"
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
