"""Sources that number their tickets: where a pull begins, and how a new beginning is noticed.

IDLAST is the highest id that was looked at. Ids are given out when a ticket is begun and seen when
it is committed, so one may appear below IDLAST: each pull reads a stretch of ids below it again and
lands what was not there. A source that was emptied, restored or replaced counts anew; it is read
from its beginning, as a new generation, and the operator is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tollhouse.bundles import Bundle
from tollhouse.framing import Ticket
from tollhouse.landing import KnownDelivery, says_the_same
from tollhouse.transports import FetchRequest, Progress


@dataclass(frozen=True)
class NumberedSource:
    """A source as a pull finds it.

    Attributes:
        unit: the delivery's name.
        known: the delivery that raw has of it, if any.
        highest: its highest id; None when it is empty.
        overlap_ids: so many ids below IDLAST are read again.
        read_again: yields its tickets with ids above the first number, up to the second.
        says_the_same: whether the body in raw and the one that was read are the same ticket.
    """

    unit: str
    known: KnownDelivery | None
    highest: int | None
    overlap_ids: int
    read_again: Callable[[int, int], Iterable[Ticket]]
    says_the_same: Callable[[str, str], bool] = says_the_same


@dataclass(frozen=True)
class Beginning:
    """Where a pull begins.

    Attributes:
        generation: of the delivery.
        after: what has a higher id is new.
        overlap: the tickets that were read again.
    """

    generation: int
    after: int = -1
    overlap: tuple[Ticket, ...] = ()


def find_beginning(
    request: FetchRequest, progress: Progress, source: NumberedSource
) -> Beginning | None:
    """Return where to begin, or None when the source holds nothing.

    Where the source began anew, or lost its last tickets, IDLAST is taken back and a warning says
    so.
    """
    pbx_id, unit, known = request.pbx.id, source.unit, source.known
    idlast = None if request.idlast is None else int(request.idlast)
    if source.highest is None:
        if idlast:
            progress.warnings.append(
                f"{pbx_id}: {unit} is empty, though it was read up to id {idlast} before."
            )
        return None
    generation = known.generation if known else 1
    if idlast is None:
        return Beginning(generation)
    top = min(idlast, source.highest)
    overlap = tuple(source.read_again(max(top - source.overlap_ids, 0) - 1, top))
    same_count, other_count = _compared(request, source, overlap)
    if source.highest < idlast and same_count:
        # A new beginning would land, and bill, every ticket a second time.
        progress.warnings.append(
            f"{pbx_id}: the highest id of {unit} is {source.highest} and IDLAST was {idlast}, but "
            "the tickets below are those of before: somebody deleted the last ones. They stay in "
            f"raw, and IDLAST goes back to {source.highest}."
        )
        progress.idlast = str(source.highest)
        return Beginning(generation, source.highest, overlap)
    # A single one that differs may have been edited: that is a conflict and no new beginning.
    are_others = not same_count and other_count > 1
    if known is None or not (source.highest < idlast or are_others):
        return Beginning(generation, idlast, overlap)
    progress.warnings.append(
        f"{pbx_id}: {unit} began anew: its highest id is {source.highest} and IDLAST was {idlast}, "
        "or its rows are others now. It was emptied or replaced; everything in it is read, as "
        f"generation {generation + 1}."
    )
    progress.idlast = None
    return Beginning(generation + 1)


def looked_at(pages: Iterable[Bundle], progress: Progress) -> Iterator[Bundle]:
    """Yield the tickets and move IDLAST over each page."""
    highest = int(progress.idlast or -1)
    for page in pages:
        yield page
        highest = max(highest, *page.ordinals)
        if highest >= 0:
            progress.idlast = str(highest)


def _compared(
    request: FetchRequest, source: NumberedSource, overlap: Iterable[Ticket]
) -> tuple[int, int]:
    """Return how many tickets read again are those that raw has under their ids, and are not."""
    if source.known is None:
        return 0, 0
    read_again = {ticket.ordinal: ticket.body for ticket in overlap}
    kept = request.known.bodies(source.known.delivery_id, list(read_again))
    same_count = sum(
        source.says_the_same(body, read_again[ordinal]) for ordinal, body in kept.items()
    )
    return same_count, len(kept) - same_count
