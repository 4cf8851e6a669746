"""A simulated Mitel 3300: a TCP server that hands SMDR lines of 131 columns to who connects.

Like the real one it asks for no login and waits for no answer: it sends what it has buffered to the
first client and forgets it, then each new line as the call ends.
"""

from __future__ import annotations

from datetime import UTC, timedelta

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

COLUMNS = 131
SYSTEM_ID = "010"
TRUNKS = 12
OUTSIDE_LINE = "0"


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the one SMDR line that the PBX writes for a call, with its truth."""
    source_call_id = f"M{SYSTEM_ID}{number % 10_000:04d}"
    trunk = f"T{number % TRUNKS + 1:03d}"
    wall = call.started_at.astimezone(site.time_zone)
    columns = {
        1: _long_call_mark(call.talk_seconds),
        2: f"{wall:%m/%d}",
        8: f"{wall:%H:%M}",
        15: _duration(call.talk_seconds),
        73: call.account_code,
        86: SYSTEM_ID,
        114: f"{source_call_id}A",
    }
    is_answered = call.outcome == "answered"
    time_to_answer = f"{call.ring_seconds:03d}" if is_answered else "***"
    extension, outcome = call.extension, call.outcome
    ring_seconds = call.ring_seconds if is_answered else None
    if call.direction == "outgoing":
        # The time to answer is blank on outgoing calls; A says that the exchange told of the
        # answer, and nothing says why there was none, here and between extensions.
        ring_seconds = None
        outcome = "answered" if is_answered else "no_answer"
        dialled = f"{call.extension} {OUTSIDE_LINE}{call.outside_number}"
        columns |= {24: call.extension, 34: dialled, 60: "A" if is_answered else "", 62: trunk}
    elif call.direction == "incoming":
        received = f"{call.outside_number} {call.extension}".strip()
        columns |= {
            24: trunk,
            30: time_to_answer,
            34: received,
            60: "B" if call.outcome == "busy" else "",
            62: call.extension,
            92: call.outside_number,
            103: call.extension,
        }
        if call.transferred_to:
            columns |= {66: "T", 68: call.transferred_to}
            extension = call.transferred_to
    else:
        outcome = "answered" if is_answered else "no_answer"
        columns |= {
            24: call.extension,
            30: time_to_answer,
            34: call.other_extension,
            60: "I",
            62: call.other_extension,
        }
    # The ticket tells minutes only.
    started_at = call.started_at.astimezone(UTC).replace(second=0)
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=source_call_id,
            state="ticket",
            direction=call.direction,
            outcome=outcome,
            started_at=started_at.isoformat(),
            ring_seconds=ring_seconds,
            talk_seconds=call.talk_seconds,
            extension=extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=call.ended_at.isoformat(),
            ticket=lay_out(columns),
        )
    ]


def lay_out(columns: dict[int, str]) -> str:
    """Put texts at their columns (counted from 1) of a line of 131."""
    line = [" "] * COLUMNS
    for column, text in columns.items():
        line[column - 1 : column - 1 + len(text)] = text
    return "".join(line)


def _long_call_mark(talk_seconds: int) -> str:
    talk = timedelta(seconds=talk_seconds)
    if talk >= timedelta(minutes=30):
        return "+"
    if talk >= timedelta(minutes=10):
        return "%"
    return "-" if talk >= timedelta(minutes=5) else " "


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


SIMULATOR = StreamSimulator(
    model_id="mitel_3300",
    tickets_of=tickets_of,
    role="server",
    encode=lambda text: text.encode("latin-1") + b"\r\n",
)
