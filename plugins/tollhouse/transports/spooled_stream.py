"""Tickets that the collector spooled: PBXs that speak over TCP and keep nothing for later.

IDLAST is the place in the spool, ``segment:offset``, of the first record that is not landed. A
segment is a delivery; it holds one connection, or those of a PBX that opens several, and the
ordinal of a ticket is the offset at which it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, dropwhile, groupby, takewhile
from pathlib import Path

from tollhouse.bundles import Bundle, bundled, chosen
from tollhouse.collector.segment import ENDED
from tollhouse.collector.spool import (
    SegmentState,
    SpoolError,
    SpoolRecord,
    read_groups,
    read_landed,
    read_pruned,
    segment_states,
    spool_identity,
    write_landed,
)
from tollhouse.collector.spooled_tickets import SpooledTickets
from tollhouse.framing import Ticket
from tollhouse.landing import Delivery, DeliveryTickets
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError

#: The time of a file comes from a coarser clock than the arrival of its lines.
CLOCK_SLACK = timedelta(seconds=1)


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as (segment, offset)."""
    segment, separator, offset = idlast.partition(":")
    if not (separator and segment.isdecimal() and offset.isdecimal()):
        raise ValueError("a place in the spool is written segment:offset, as in 12:3456")
    return int(segment), int(offset)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield the segments and their tickets: from IDLAST to what is on disk, or of an interval."""
    folder = request.settings.spool / request.pbx.id
    try:
        if request.interval is not None:
            yield from _fetch_interval(request, folder, request.interval, progress)
        else:
            yield from _fetch_new(request, folder, progress)
    except SpoolError as error:
        raise SourceError(
            f"{request.pbx.id}: {error} (Behind a place that is ahead of what is landed, write "
            "' confirmed': it leaves out what lies between.)"
        ) from error


def _fetch_new(
    request: FetchRequest, folder: Path, progress: Progress
) -> Iterator[DeliveryTickets]:
    identity = spool_identity(folder)
    if identity is None:
        if request.idlast is not None and any(position(request.idlast)):
            raise SourceError(
                f"{request.pbx.id}: IDLAST is {request.idlast}, but {folder} holds no spool. Is "
                "the volume mounted? If the spool is lost, start the collector: it makes a new one."
            )
        return
    segment, offset = position(request.idlast or "0:0")
    newest = request.known.newest()
    if newest is not None and newest.source_identity not in (None, str(identity)):
        progress.warnings.append(
            f"{request.pbx.id}: the spool was built anew since the last pull; it is read from its "
            "beginning, and its segments are new generations."
        )
        segment, offset = 0, 0
    groups = read_groups(folder, segment=segment, offset=offset)
    for number, of_segment in _by_segment(groups):
        reader = SpooledTickets(request.pbx.known_model)
        bundles = _bundles(reader, number, of_segment, progress)
        delivery = _delivery(request, number, str(identity))
        yield DeliveryTickets(delivery, bundles, reader.cut_ordinals)
    if progress.idlast is not None and read_landed(folder) != position(progress.idlast):
        segment, offset = position(progress.idlast)
        progress.after_commit.append(lambda: write_landed(folder, segment=segment, offset=offset))


def _fetch_interval(
    request: FetchRequest, folder: Path, interval: Interval, progress: Progress
) -> Iterator[DeliveryTickets]:
    """Yield the tickets of which the first line arrived in the interval."""
    _look_for_pruned(request, folder, interval, progress)
    identity = spool_identity(folder)
    touched = _touched(segment_states(folder), interval)
    if identity is None or not touched:
        return
    groups = takewhile(
        lambda records: records[0].segment <= touched[-1],
        read_groups(folder, segment=touched[0], offset=0),
    )
    for number, of_segment in _by_segment(groups):
        reader = SpooledTickets(request.pbx.known_model)
        bundles = _bundles(reader, number, of_segment, Progress())
        yield DeliveryTickets(
            _delivery(request, number, str(identity)),
            chosen(bundles, lambda ticket: _arrived_in(interval, ticket)),
            reader.cut_ordinals,
        )


def _arrived_in(interval: Interval, ticket: Ticket) -> bool:
    return ticket.received_at is not None and (interval.start <= ticket.received_at < interval.end)


def _look_for_pruned(
    request: FetchRequest, folder: Path, interval: Interval, progress: Progress
) -> None:
    """Say so when an interval, or the beginning of it, is no longer in the spool."""
    pruned = read_pruned(folder)
    if pruned is None or interval.start >= pruned[1]:
        return
    _, until = pruned
    explanation = (
        f"{request.pbx.id}: what arrived before {until:%Y-%m-%d %H:%M} UTC is pruned from the "
        f"spool: it was landed and older than {request.pbx.spool_keep_days} days (spool_keep_days "
        "of the entry)."
    )
    if interval.end <= until:
        raise SourceError(
            f"{explanation} The interval ends before that, so nothing of it can be read again; its "
            "tickets are in raw since they were landed."
        )
    progress.warnings.append(
        f"{explanation} The interval begins before that: only its rest is read again."
    )


def _touched(states: list[SegmentState], interval: Interval) -> list[int]:
    """Return the segments in which something can have arrived in the interval."""
    return [
        state.header.number
        for state in states
        if state.header.opened_at < interval.end
        and datetime.fromtimestamp(state.path.stat().st_mtime, UTC) + CLOCK_SLACK >= interval.start
    ]


def _delivery(request: FetchRequest, number: int, identity: str) -> Delivery:
    unit = f"segment-{number:010d}"
    known = request.known.current([unit]).get(unit)
    generation = 1
    if known is not None:
        generation = known.generation + (known.source_identity != identity)
    return Delivery(unit, generation, source_identity=identity)


def _by_segment(
    groups: Iterator[list[SpoolRecord]],
) -> Iterator[tuple[int, Iterator[list[SpoolRecord]]]]:
    """Yield the segments with their records, from the first that bears data."""
    for number, of_segment in groupby(groups, key=lambda records: records[0].segment):
        from_data_on = dropwhile(_is_without_data, of_segment)
        first = next(from_data_on, None)
        if first is not None:
            first = list(dropwhile(lambda record: record.flags == ENDED, first))
            yield number, chain([first], from_data_on)


def _is_without_data(records: list[SpoolRecord]) -> bool:
    return all(record.flags == ENDED for record in records)


def _bundles(
    reader: SpooledTickets,
    number: int,
    groups: Iterator[list[SpoolRecord]],
    progress: Progress,
) -> Iterator[Bundle]:
    """Yield the complete tickets; IDLAST then stands before what may still go on."""
    first = next(groups)
    yield from reader.bundles(chain([first], groups))
    yield from bundled(reader.release_complete(datetime.now(UTC)))
    progress.idlast = f"{number}:{reader.safe_offset or first[0].offset}"
