"""Sources that number their tickets: where a pull begins, and how a new beginning is noticed.

IDLAST is the highest id that was looked at. Ids are given out when a ticket is begun and seen when
it is committed, so one may appear below IDLAST: each pull reads a stretch of ids below it again and
lands what was not there. A source that was emptied, restored or replaced counts anew, and some
servers give the ids of deleted tickets to new ones. From the first id that names another ticket now
everything is read, as a new generation, and the operator is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tollhouse.bundles import Bundle
from tollhouse.framing import Ticket
from tollhouse.landing import KnownDelivery, says_the_same
from tollhouse.transports import FetchRequest, Progress


@dataclass(frozen=True)
class NumberedSource:
    """A source as a pull finds it.

    Attributes:
        unit: the delivery's name.
        known: the delivery that raw has of it, if any: its newest generation.
        highest: its highest id; None when it is empty.
        overlap_ids: so many ids below IDLAST are read again.
        read_again: yields its tickets with ids above the first number, up to the second.
        says_the_same: whether the body in raw and the one that was read are the same ticket, though
            it may have been edited.
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
        is_new: whether raw has nothing of this generation.
        after: what has a higher id is new.
        overlap: the tickets that were read again and belong to this generation.
        kept: what raw has of those, by id.
    """

    generation: int
    is_new: bool = False
    after: int = -1
    overlap: tuple[Ticket, ...] = ()
    kept: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Compared:
    """Tickets that were read again, beside what raw has under their ids.

    Attributes:
        same: raw has the same ticket, in any generation: its body there, by id.
        others: ids under which the newest generation has another ticket.
        of_older: ids in ``same`` that only an older generation has.
    """

    same: dict[int, str]
    others: list[int]
    of_older: set[int]


def find_beginning(
    request: FetchRequest, progress: Progress, source: NumberedSource
) -> Beginning | None:
    """Return where to begin, or None when the source holds nothing.

    Where the source began anew, lost its last tickets or used their ids again, IDLAST is taken back
    and a warning says so.
    """
    pbx_id, unit, known = request.pbx.id, source.unit, source.known
    idlast = -1 if request.idlast is None else int(request.idlast)
    if source.highest is None:
        if idlast > 0:
            progress.warnings.append(
                f"{pbx_id}: {unit} is empty, though it was read up to id {idlast} before."
            )
        return None
    generation = known.generation if known else 1
    # Raw still has the ids above IDLAST where it went back, because the last tickets were deleted.
    top = min(max(idlast, _highest_in_raw(request, known)), source.highest)
    overlap = _read_below(source, top)
    compared = _compared(request, source, overlap)
    last_same = max(compared.same, default=-1)
    if known is not None and compared.others and compared.others[-1] > last_same:
        after = compared.others[0] - 1
        if not compared.same:
            after = _last_same(request, source, after)
        progress.warnings.append(_told_of_others(request, source, after, generation + 1))
        progress.idlast = str(after) if after >= 0 else None
        return Beginning(generation + 1, is_new=True, after=after)
    if source.highest < idlast:
        if known is not None and not compared.same:
            progress.warnings.append(_told_of_others(request, source, -1, generation + 1))
            progress.idlast = None
            return Beginning(generation + 1, is_new=True)
        # A new beginning would land, and bill, every ticket a second time.
        progress.warnings.append(
            f"{pbx_id}: the highest id of {unit} is {source.highest} and IDLAST was {idlast}, but "
            "the tickets below are those of before: somebody deleted the last ones. They stay in "
            f"raw, and IDLAST goes back to {source.highest}."
        )
        idlast = source.highest
        progress.idlast = str(idlast)
    elif idlast < top:
        overlap = _read_below(source, idlast)
        compared = _compared(request, source, overlap)
    own = tuple(ticket for ticket in overlap if ticket.ordinal not in compared.of_older)
    return Beginning(generation, known is None, idlast, own, compared.same)


def looked_at(pages: Iterable[Bundle], progress: Progress) -> Iterator[Bundle]:
    """Yield the tickets and move IDLAST over each page."""
    highest = int(progress.idlast or -1)
    for page in pages:
        yield page
        highest = max(highest, *page.ordinals)
        if highest >= 0:
            progress.idlast = str(highest)


def _told_of_others(
    request: FetchRequest, source: NumberedSource, after: int, generation: int
) -> str:
    """Say that ids of raw name other tickets now."""
    if after >= 0:
        return (
            f"{request.pbx.id}: the ids of {source.unit} above {after} were used again: they are "
            "other tickets now than those in raw. The last rows were deleted, and the server gave "
            "their ids out a second time, or the ids were given anew. The old tickets stay; "
            f"everything above {after} is read, as generation {generation}."
        )
    return (
        f"{request.pbx.id}: {source.unit} began anew: its highest id is {source.highest} and IDLAST"
        f" was {request.idlast}, or its rows are others now. It was emptied or replaced; everything"
        f" in it is read, as generation {generation}."
    )


def _last_same(request: FetchRequest, source: NumberedSource, until: int) -> int:
    """Return the highest id up to which the source is that of raw; -1 if no ticket is the same.

    It is sought by halves: where ids are used again, those are the last ones, and all of them.
    """
    stretch = max(source.overlap_ids, 1)
    same, other = -1, until + 1
    while other - same > stretch:
        middle = (same + other) // 2
        lowest = max(middle - stretch, same)
        found = _same_between(request, source, lowest, middle)
        if found is not None:
            same = found
        else:
            # Where nothing is left to compare, reading more than needed loses nothing.
            other = lowest + 1
    found = _same_between(request, source, same, other - 1)
    return same if found is None else found


def _same_between(
    request: FetchRequest, source: NumberedSource, after: int, until: int
) -> int | None:
    tickets = source.read_again(after, until) if after < until else ()
    return max(_compared(request, source, tickets).same, default=None)


def _read_below(source: NumberedSource, top: int) -> tuple[Ticket, ...]:
    return tuple(source.read_again(max(top - source.overlap_ids, 0) - 1, top)) if top >= 0 else ()


def _highest_in_raw(request: FetchRequest, known: KnownDelivery | None) -> int:
    if known is None:
        return -1
    _, highest = request.known.extent(known.delivery_id)
    return highest


def _compared(
    request: FetchRequest, source: NumberedSource, tickets: Iterable[Ticket]
) -> _Compared:
    """Compare tickets with what raw has under their ids, in the newest generation and before."""
    compared = _Compared({}, [], set())
    if source.known is None:
        return compared
    unsettled = {ticket.ordinal: ticket.body for ticket in tickets}
    for delivery in request.known.generations(source.unit):
        is_newest = delivery.delivery_id == source.known.delivery_id
        for ordinal, body in sorted(
            request.known.bodies(delivery.delivery_id, list(unsettled)).items()
        ):
            if source.says_the_same(body, unsettled[ordinal]):
                compared.same[ordinal] = body
                del unsettled[ordinal]
                if not is_newest:
                    compared.of_older.add(ordinal)
            elif is_newest:
                compared.others.append(ordinal)
    compared.others[:] = [ordinal for ordinal in compared.others if ordinal in unsettled]
    return compared
