"""Pulling from an API that numbers its calls and hands them out by number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Protocol

from tollhouse.bundles import Bundle, bundled
from tollhouse.framing import Ticket
from tollhouse.landing import Delivery, DeliveryTickets
from tollhouse.transports import FetchRequest, Interval, Progress
from tollhouse.transports.growing_ids import NumberedSource, find_beginning, looked_at
from tollhouse.transports.http_api.entry_settings import ids_read_again, rows_of_page


class NumberedApi(Protocol):
    """An API as a pull sees it.

    Attributes:
        unit: what its delivery is called.
        changed_later: fields that people change of a call that is over.
    """

    unit: str
    changed_later: tuple[str, ...]

    def highest_id(self, read_up_to: int) -> int | None:
        """Return its highest id, or any above what was read; None when there is no call."""

    def pages(
        self, *, after: int, until: int | None, interval: Interval | None, page_rows: int
    ) -> Iterator[Bundle]:
        """Yield the calls with an id above ``after``, up to ``until``, in order of id."""

    def is_same_call(self, kept: str, body: str) -> bool:
        """Whether two items under one id are the same call, whatever was changed of it."""


def fetch(request: FetchRequest, progress: Progress, api: NumberedApi) -> Iterator[DeliveryTickets]:
    """Yield the calls above IDLAST and those of the overlap, or those of an interval."""
    pbx = request.pbx
    page_rows = rows_of_page(pbx)
    known = request.known.current([api.unit]).get(api.unit)
    if request.interval is not None:
        pages = api.pages(after=-1, until=None, interval=request.interval, page_rows=page_rows)
        delivery = Delivery(api.unit, known.generation if known else 1)
        yield DeliveryTickets(delivery, pages, ignored_fields=api.changed_later)
        return

    def read_again(after: int, until: int) -> Iterator[Ticket]:
        rows = max(1, min(page_rows, until - after))
        for page in api.pages(after=after, until=until, interval=None, page_rows=rows):
            yield from page.tickets()

    source = NumberedSource(
        unit=api.unit,
        known=known,
        highest=api.highest_id(-1 if request.idlast is None else int(request.idlast)),
        overlap_ids=ids_read_again(pbx),
        read_again=read_again,
        says_the_same=api.is_same_call,
    )
    beginning = find_beginning(request, progress, source)
    if beginning is None:
        return
    pages = api.pages(after=beginning.after, until=None, interval=None, page_rows=page_rows)
    yield DeliveryTickets(
        Delivery(api.unit, beginning.generation),
        looked_at(chain(bundled(beginning.overlap), pages), progress),
        ignored_fields=api.changed_later,
    )
