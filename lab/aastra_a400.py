"""A simulated Aastra 400: it dials the collector and sends a PC5 line for each leg of a call.

A line is a tab, then 208 columns. The clock shows the start of the leg, to the minute. Legs of a
transferred call share their sequence number; each line has the next serial number, and a gap there
means a lost ticket. Calls within the house leave no ticket.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

#: Width of each field, in the order of the line; a blank stands between them.
WIDTHS = {
    "no": 12, "cc": 9, "sc": 3, "date": 6, "time": 5, "duration": 8, "charges": 10, "metpul": 5,
    "exch": 5, "id1": 20, "id2": 20, "dest1": 40, "dest2": 40, "tta": 3, "seq": 3, "serial": 4,
}  # fmt: skip
TRUNKS = 8
SERIALS = 10_000
SEQUENCES = 1_000

#: Call types: public network, purpose, manner.
SELF_DIALLED = "010"
ANSWERED, NOT_ANSWERED, TRANSFERRED = "321", "322", "320"


class SerialCounter:
    """The serial number of one PBX: it goes on from call to call and begins anew with the PBX.

    The lab's process is the PBX here. A call that is not the next one means that it was restarted.
    """

    def __init__(self) -> None:
        self._next_call: int | None = None
        self._last = 0

    def take(self, call_number: int, count: int) -> list[str]:
        """Return the next numbers, for the lines of a call."""
        if call_number != self._next_call:
            self._last = 0
        self._next_call = call_number + 1
        first = self._last + 1
        self._last += count
        return [f"{serial % SERIALS:04d}" for serial in range(first, first + count)]


_counters: dict[str, SerialCounter] = {}


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the lines that the PBX writes for a call, with their truth."""
    legs = _legs(call, site, number)
    serials = _counters.setdefault(site.pbx_id, SerialCounter()).take(number, len(legs))
    return [
        _ticket(call, site, leg | {"serial": serial}, started_at, talk_seconds)
        for (leg, started_at, talk_seconds), serial in zip(legs, serials, strict=True)
    ]


Leg = tuple[dict[str, str], datetime, int]


def _legs(call: Call, site: Site, number: int) -> list[Leg]:
    """Return the fields of each leg beside its times, its start and how long it lasted."""
    exchange = f"1{number % TRUNKS + 1:02d}01"
    if call.direction == "internal":
        return []
    if call.direction == "outgoing":
        fields = {
            "no": call.extension,
            "cc": call.account_code,
            "sc": SELF_DIALLED,
            "metpul": "00000",
            "exch": exchange,
            "dest1": call.outside_number,
            "dest2": call.outside_number,
        }
        return [(fields, call.started_at, call.talk_seconds)]
    fields = {
        "no": call.extension,
        "sc": ANSWERED if call.talk_seconds else NOT_ANSWERED,
        "exch": exchange,
        "id1": call.outside_number,
        "id2": call.outside_number,
        "dest2": site.public_number(call.extension),
        # A busy extension did not ring.
        "tta": "000" if call.outcome == "busy" else f"{call.ring_seconds:03d}",
        "seq": f"{number % SEQUENCES:03d}",
    }
    if not call.transferred_to:
        return [(fields, call.started_at, call.talk_seconds)]
    after = timedelta(seconds=call.ring_seconds + call.transferred_after_seconds)
    transferred = fields | {"no": call.transferred_to, "sc": TRANSFERRED, "tta": "000"}
    return [
        (fields, call.started_at, call.transferred_after_seconds),
        (transferred, call.started_at + after, call.talk_seconds - call.transferred_after_seconds),
    ]


def _ticket(
    call: Call, site: Site, fields: dict[str, str], started_at: datetime, talk_seconds: int
) -> TicketTruth:
    wall = started_at.astimezone(site.time_zone)
    ring_seconds = int(fields["tta"]) if "tta" in fields else None
    ended_at = started_at + timedelta(seconds=call.ring_seconds + talk_seconds)
    if fields["sc"] == TRANSFERRED:
        ended_at = call.ended_at
    fields = fields | {
        "date": f"{wall:%y%m%d}",
        "time": f"{wall:%H:%M}",
        "duration": _duration(talk_seconds),
    }
    return TicketTruth(
        call_id=call.call_id,
        source_call_id=call.call_id,
        state="ticket",
        direction=call.direction,
        outcome=_outcome(call, talk_seconds),
        started_at=started_at.astimezone(UTC).replace(second=0).isoformat(),
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        extension=fields["no"],
        outside_number=call.outside_number,
        destination=call.destination,
        account_code=call.account_code,
        written_at=ended_at.isoformat(),
        ticket=lay_out(fields),
    )


def _outcome(call: Call, talk_seconds: int) -> str:
    if talk_seconds:
        return "answered"
    return "busy" if call.direction == "incoming" and call.outcome == "busy" else "no_answer"


def _duration(seconds: int) -> str:
    return f"{seconds // 3600:02d}H{seconds // 60 % 60:02d}M{seconds % 60:02d}"


def lay_out(fields: dict[str, str]) -> str:
    """Put fields at the right of their columns, behind the tab that begins a record."""
    return "\t" + " ".join(fields.get(name, "").rjust(width) for name, width in WIDTHS.items())


def encode(ticket: str) -> bytes:
    """Return a ticket with its end of line."""
    return ticket.encode("latin-1") + b"\r\n"


SIMULATOR = StreamSimulator(
    model_id="aastra_a400", tickets_of=tickets_of, role="client", encode=encode
)
