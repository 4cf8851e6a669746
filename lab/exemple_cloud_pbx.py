"""A simulated PBX as a service that nobody offers, "Exemple Cloud": nested JSON, odd units.

Durations are milliseconds and charges cents, directions and outcomes numbers; what is not
known is left out, and one name has a dot in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date
from typing import Any

from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.traffic import Call, Site, in_e164
from lab.truth import TicketTruth

FIRST_ID = 88_001
DIRECTIONS = {"outgoing": 1, "incoming": 2, "internal": 3}
OUTCOMES = {"answered": 16, "busy": 17, "no_answer": 19, "failed": 38}


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the one object of a call, with its truth."""
    item = _item(call, number)
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=str(item["id"]),
            state="ticket",
            direction=call.direction,
            outcome=call.outcome,
            started_at=call.started_at.astimezone(UTC).isoformat(),
            ring_seconds=call.ring_seconds,
            talk_seconds=call.talk_seconds,
            extension=call.extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code="",
            written_at=call.ended_at.isoformat(),
            ticket=json.dumps(item, ensure_ascii=False, separators=(",", ":")),
        )
    ]


def drop_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a document for each day's objects since the last time."""

    def day_of(ticket: TicketTruth) -> date:
        return writing_time(ticket).astimezone(UTC).date()

    for first, day, members in place.portions(tickets, day_of):
        calls = [json.loads(ticket.ticket) for ticket in members]
        content = json.dumps({"status": "ok", "data": {"calls": calls}}, ensure_ascii=False)
        name = f"calls-{day:%Y%m%d}-{first:06d}.json"
        place.put(name, content.encode(), writing_time(members[-1]))


def _item(call: Call, number: int) -> dict[str, Any]:
    is_internal = call.direction == "internal"
    outside = call.other_extension if is_internal else in_e164(call.outside_number)
    item: dict[str, Any] = {
        "id": FIRST_ID + number,
        "dir": DIRECTIONS[call.direction],
        "time": {
            "start": int(call.started_at.timestamp()) * 1000,
            "ring_ms": _milliseconds(call.ring_seconds, number),
            "talk_ms": _milliseconds(call.talk_seconds, number),
        },
        "inside": {"ext": call.extension, "user": {"name": f"Éric Exemple {call.extension}"}},
        # Whoever hid their number is nobody.
        "outside": {"number": outside} if outside else {},
        "result": {"code": OUTCOMES[call.outcome]},
        "labels": {"cost.centre": "SCIERIE"},
    }
    if call.direction == "outgoing" and call.talk_seconds:
        hundredths = call.talk_seconds * 125 // 60
        item["charge"] = {"cents": hundredths / 100, "currency": "EUR"}
    return item


def _milliseconds(seconds: int, number: int) -> int:
    """A duration that is so many seconds when its last one, begun, counts as whole."""
    return seconds * 1000 - 137 * number % 1000 if seconds else 0


FILES = FileSimulator(deliver=drop_files)
