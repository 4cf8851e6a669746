"""PBXs whose tickets have no public layout, simulated: lines that claim none.

What these systems write is not known, so nothing is made up about it. A line a call goes over the
wire, is kept verbatim and must be rejected: no layout is confirmed.
"""

from __future__ import annotations

from datetime import UTC
from typing import Literal

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return one line for a call, which tells nothing of it."""
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id="",
            state="rejected",
            direction=call.direction,
            outcome=call.outcome,
            started_at=call.started_at.astimezone(UTC).isoformat(),
            ring_seconds=None,
            talk_seconds=call.talk_seconds,
            extension=call.extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=call.ended_at.isoformat(),
            ticket=f"INVENTED LINE {number + 1} OF {site.pbx_id}, IN NO LAYOUT",
        )
    ]


def captured(model_id: str, role: Literal["server", "client"]) -> StreamSimulator:
    """Return the simulator of a model of which only captures are kept."""
    return StreamSimulator(
        model_id=model_id,
        tickets_of=tickets_of,
        role=role,
        encode=lambda text: text.encode("latin-1") + b"\r\n",
    )
