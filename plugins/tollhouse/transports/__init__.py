"""How tickets reach this installation: one module per transport, all of one shape.

A transport reads from where IDLAST stands (or one interval of time), and hands over deliveries with
their tickets, in order and as they are asked for. It writes nothing: landing does, and only after
the commit are files put away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

from tollhouse.connections import PbxConnection
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import DeliveryTickets, KnownDeliveries, SmallDeliveries
from tollhouse.settings import Settings


class SourceError(Exception):
    """A PBX cannot be read; the message names the PBX, what was found and what to do."""


@dataclass(frozen=True)
class Interval:
    """A stretch of time, its end excluded; both ends carry their zone."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class FetchRequest:
    """What to read.

    Attributes:
        idlast: read what comes after it; None reads from the beginning.
        interval: read this stretch of time instead, whatever IDLAST says.
        known: what raw holds of this PBX.
    """

    pbx: Pbx
    settings: Settings
    find_connection: Callable[[], PbxConnection]
    known: KnownDeliveries
    idlast: str | None = None
    interval: Interval | None = None


@dataclass
class Progress:
    """What a transport reports besides tickets, filled in while they are read.

    Attributes:
        idlast: where IDLAST stands after everything handed over so far.
        warnings: what an operator should read in the log of the run.
        after_commit: what to do once the tickets are safe (put files away).
    """

    idlast: str | None = None
    warnings: list[str] = field(default_factory=list)
    after_commit: list[Callable[[], None]] = field(default_factory=list)


class Transport(Protocol):
    """The shape of a transport module."""

    def position(self, idlast: str) -> tuple[int, ...]:
        """Return IDLAST in a form that compares; ValueError if an operator mistyped it."""

    def fetch(
        self, request: FetchRequest, progress: Progress
    ) -> Iterator[DeliveryTickets | SmallDeliveries]:
        """Yield the deliveries and their tickets; raises SourceError."""


def find_transport(name: str) -> Transport:
    """Return the transport of that name (an entry of a model's ``transports``)."""
    return cast("Transport", import_module(f"{__name__}.{name}"))


__all__ = [
    "FetchRequest",
    "Interval",
    "Progress",
    "SourceError",
    "Ticket",
    "Transport",
    "find_transport",
]
