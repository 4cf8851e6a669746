"""PBXs that speak over TCP, played from a feed: what one model adds, and nothing it shares.

A model's module says what its PBX writes and how it puts that on the wire. Connecting, buffering,
forgetting and misbehaving are the same for all of them and stand in ``lab.streams.engines``.

    python -m lab.streams --model mitel_3300 --port 17520 --feed FILE [--drop-after N] [--resend N]
        [--garbage-every N] [--slow BYTES_PER_SECOND] [--flood COUNT]
    python -m lab.streams --config FILE
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.traffic import Call, Site
from lab.truth import TicketTruth


@dataclass(frozen=True)
class StreamSimulator:
    """How the PBX of one model writes tickets and says them.

    Attributes:
        tickets_of: the tickets of a call, given the call's running number at the PBX. What a PBX
            writes beside tickets (page headers) is a ticket of state ignored here.
        role: ``server`` when the collector dials the PBX, ``client`` when the PBX dials it.
        encode: a ticket's text as it goes over the wire, with its end of line or marker.
        open_session: the PBX's side of a login or handshake; returns what the other side said
            beyond it, raises OSError when it is refused or does not come in time.
        keep_alive: said now and then on a quiet connection; raises OSError when unanswered.
        connection_per_ticket: the PBX dials anew for each ticket.
    """

    model_id: str
    tickets_of: Callable[[Call, Site, int], list[TicketTruth]]
    role: Literal["server", "client"]
    encode: Callable[[str], bytes]
    open_session: Callable[[socket.socket], bytes] | None = None
    keep_alive: Callable[[socket.socket], None] | None = None
    connection_per_ticket: bool = False
