"""Pulling from an API that numbers its calls and hands them out by number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tollhouse.bundles import bundled
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import Delivery, DeliveryTickets
from tollhouse.transports import FetchRequest, Progress
from tollhouse.transports.growing_ids import NumberedSource, find_beginning, looked_at
from tollhouse.transports.http_api.entry_settings import whole_number
from tollhouse.transports.http_api.wazo import CHANGED_LATER, UNIT, Wazo, is_same_call


def fetch(request: FetchRequest, progress: Progress, api: Wazo) -> Iterator[DeliveryTickets]:
    """Yield the calls above IDLAST and those of the overlap, or those of an interval."""
    pbx = request.pbx
    page_rows = rows_of_page(pbx)
    known = request.known.current([UNIT]).get(UNIT)
    if request.interval is not None:
        pages = api.pages(after=-1, interval=request.interval, page_rows=page_rows)
        delivery = Delivery(UNIT, known.generation if known else 1)
        yield DeliveryTickets(delivery, pages, ignored_fields=CHANGED_LATER)
        return

    def read_again(after: int, until: int) -> Iterator[Ticket]:
        rows = max(1, min(page_rows, until - after))
        for page in api.pages(after=after, until=until, page_rows=rows):
            yield from page.tickets()

    defaults = pbx.known_model.api
    source = NumberedSource(
        unit=UNIT,
        known=known,
        highest=api.highest_id(),
        overlap_ids=whole_number(
            pbx, "overlap_ids", defaults.overlap_ids if defaults else 0, highest=1_000_000
        ),
        read_again=read_again,
        says_the_same=is_same_call,
    )
    beginning = find_beginning(request, progress, source)
    if beginning is None:
        return
    pages = api.pages(after=beginning.after, page_rows=page_rows)
    yield DeliveryTickets(
        Delivery(UNIT, beginning.generation),
        looked_at(chain(bundled(beginning.overlap), pages), progress),
        ignored_fields=CHANGED_LATER,
    )


def rows_of_page(pbx: Pbx) -> int:
    """Return how many calls a request asks for."""
    defaults = pbx.known_model.api
    return whole_number(
        pbx, "page_rows", defaults.page_rows if defaults else 1, lowest=1, highest=100_000
    )
