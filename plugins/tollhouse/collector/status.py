"""How one PBX of the collector is, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: ``refused``: the other side answers and does not serve (login, certificate). ``misconfigured``:
#: nothing is tried before the entry or the connection is corrected.
State = Literal[
    "starting", "no_connection", "misconfigured", "locked", "connecting", "listening", "connected",
    "retrying", "refused", "disk_full", "failed", "stopped",
]  # fmt: skip


@dataclass
class StreamStatus:
    """How one PBX is, for people; times are UTC, counts are since the collector started.

    Attributes:
        listening_at: address and port on which the PBX is waited for.
        peer: of the connection that began last; ``connection`` is its number.
        connection_count: open now.
        overlong_count: pieces of lines longer than the model allows.
        throttled_count: how often reading was held back because tickets came too fast.
        refused_peer_count: connections closed unread; ``last_refusal`` says whose and why.
        full_count: how often as many connections were open as may be, so that the next one waited.
        lost_ticket_count: by the gaps in the PBX's own numbering; ``last_gap`` tells the last one.
    """

    pbx_id: str
    state: State = "starting"
    detail: str = ""
    listening_at: str = ""
    peer: str = ""
    connection: int = 0
    connection_count: int = 0
    connected_since: datetime | None = None
    last_ticket_at: datetime | None = None
    record_count: int = 0
    byte_count: int = 0
    overlong_count: int = 0
    throttled_count: int = 0
    throttled_at: datetime | None = None
    refused_peer_count: int = 0
    last_refusal: str = ""
    full_count: int = 0
    lost_ticket_count: int = 0
    last_gap: str = ""
    fault_count: int = 0
    segment: int = 0
    offset: int = 0
    unsynced_bytes: int = 0
