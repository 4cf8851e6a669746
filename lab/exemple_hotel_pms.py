"""A simulated hotel PBX that no company makes, "Exemple PMS": printed lines of fixed columns.

It waits to be dialled and asks for no login. The clock of a line is that of the end, without any
separator, and pages have a head and a total, as on paper.
"""

from __future__ import annotations

from datetime import UTC

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

COLUMNS = 82
ENCODING = "cp850"
CALLS_A_PAGE = 40
HEAD = "DATE    HEURE  POST S NUMERO             DUREE  SONN UNITES ST CLIENT"
SECONDS_PER_UNIT = 45
#: Every so-many-th room has no account: its lines end before the name.
ROOMS_PER_ACCOUNT = 7

DIRECTIONS = {"outgoing": "D", "incoming": "A", "internal": "I"}
OUTCOMES = {"answered": "OK", "no_answer": "NR", "busy": "OC", "failed": "EC"}


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the line that the PBX writes for a call, with its truth, after what a page needs."""
    truth = TicketTruth(
        call_id=call.call_id,
        # No identity is written: each line is a call of its own.
        source_call_id=call.call_id,
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
        ticket=_line(call, site),
    )
    if number % CALLS_A_PAGE:
        return [truth]
    total = f"TOTAL {CALLS_A_PAGE:9d} APPELS"
    page = [total, HEAD] if number else [HEAD]
    return [*(truth.beside(ticket=text) for text in page), truth]


def encode(text: str) -> bytes:
    """A line as it goes over the wire."""
    return text.encode(ENCODING) + b"\r\n"


def _line(call: Call, site: Site) -> str:
    ended = call.ended_at.astimezone(site.time_zone)
    other = call.other_extension if call.direction == "internal" else call.outside_number
    is_charged = call.direction == "outgoing" and call.talk_seconds
    has_account = int(call.extension) % ROOMS_PER_ACCOUNT
    columns = {
        1: f"{ended:%d%m%Y%H%M%S}",
        16: f"{call.extension:>04}",
        21: DIRECTIONS[call.direction],
        23: other,
        42: f"{call.talk_seconds // 60}'{call.talk_seconds % 60:02d}".rjust(6),
        49: f"{call.ring_seconds:4d}",
        54: f"{-(-call.talk_seconds // SECONDS_PER_UNIT):5d}" if is_charged else "",
        60: OUTCOMES[call.outcome],
        63: f"Hôtel Modèle {call.extension}" if has_account else "",
    }
    line = [" "] * COLUMNS
    for column, text in columns.items():
        line[column - 1 : column - 1 + len(text)] = text
    return "".join(line).rstrip()


SIMULATOR = StreamSimulator(
    model_id="exemple_hotel_pms", tickets_of=tickets_of, role="server", encode=encode
)
