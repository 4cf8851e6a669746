"""Tickets in bundles: what a million of them cost is the steps that Python takes for each.

A transport hands tickets over in bundles, column by column, so that framing and landing can do most
of their work in a few steps a bundle. Whoever has tickets one by one bundles them here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import lt
from typing import NamedTuple

from tollhouse.framing import Ticket

#: So many tickets, or characters of them, make a bundle: few enough to be copied while they are
#: still in the processor's caches, and that one that must be taken apart costs little.
BUNDLE_TICKETS = 256
BUNDLE_CHARACTERS = 1_000_000


class Bundle(NamedTuple):
    """Some tickets of a delivery, in the order in which they come: the columns of ``Ticket``."""

    ordinals: Sequence[int]
    bodies: Sequence[str]
    received_at: Sequence[datetime | None]

    def tickets(self) -> Iterator[Ticket]:
        """Return the tickets one by one."""
        return map(Ticket._make, zip(*self, strict=True))

    def rises_beyond(self, ordinal: int) -> bool:
        """Whether each ordinal is higher than the one before it, and the first than this one."""
        ordinals = self.ordinals
        return ordinals[0] > ordinal and all(map(lt, ordinals, islice(ordinals, 1, None)))


def bundle_of(tickets: Sequence[Ticket]) -> Bundle:
    """Return tickets as one bundle; there must be one at least."""
    return Bundle(*zip(*tickets, strict=True))


def bundled(tickets: Iterable[Ticket]) -> Iterator[Bundle]:
    """Yield tickets in bundles; no more of them are in memory than make one."""
    waiting: list[Ticket] = []
    characters = 0
    for ticket in tickets:
        waiting.append(ticket)
        characters += len(ticket.body)
        if len(waiting) >= BUNDLE_TICKETS or characters >= BUNDLE_CHARACTERS:
            yield bundle_of(waiting)
            waiting, characters = [], 0
    if waiting:
        yield bundle_of(waiting)


def chosen(bundles: Iterable[Bundle], is_wanted: Callable[[Ticket], bool]) -> Iterator[Bundle]:
    """Yield those tickets of bundles that are wanted."""
    for bundle in bundles:
        if wanted := list(filter(is_wanted, bundle.tickets())):
            yield bundle_of(wanted)
