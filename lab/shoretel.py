"""A simulated ShoreTel server: a log a day, and a COM port behind a serial device server.

Lines of release 7.5, one per call over a trunk, with the extension that had the call last. Calls
within the house are not recorded.
"""

from __future__ import annotations

from datetime import UTC
from functools import partial

from lab.file_drops import FileSimulator, day_files
from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

FIRST_CALL_NUMBER = 100_000
TRUNK_GROUP = 3
TRUNKS = 24
#: What stands for a number that the caller hid.
HIDDEN = "blocked"

DIRECTION_CODES = {"incoming": "0", "outgoing": "1"}


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the one line that the PBX writes for a call over a trunk, with its truth."""
    if call.direction == "internal":
        return []
    call_number = str(FIRST_CALL_NUMBER + number)
    extension = call.transferred_to or call.extension
    is_outgoing = call.direction == "outgoing"
    line = " ".join(
        (
            f"{call_number:>10}",
            f"{call.started_at.astimezone(site.time_zone):%m/%d/%Y %H:%M:%S}",
            f"{extension:<16}",
            _duration(call.talk_seconds),
            DIRECTION_CODES[call.direction],
            f"{call.outside_number if is_outgoing else '':<16}",
            f"{'' if is_outgoing else call.outside_number or HIDDEN:<16}",
            f"{number % TRUNKS + 1:>4}",
            f"{TRUNK_GROUP:>3}",
            f"{call.account_code:<20}",
        )
    )
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=call_number,
            state="ticket",
            direction=call.direction,
            # Nothing tells why there was no answer, nor how long it rang.
            outcome="answered" if call.talk_seconds else "no_answer",
            started_at=call.started_at.astimezone(UTC).isoformat(),
            ring_seconds=None,
            talk_seconds=call.talk_seconds,
            extension=extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=call.ended_at.isoformat(),
            ticket=line,
        )
    ]


def encode(text: str) -> bytes:
    """Return a line as it goes over the wire."""
    return text.encode("latin-1") + b"\r\n"


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


SIMULATOR = StreamSimulator(
    model_id="shoretel", tickets_of=tickets_of, role="client", encode=encode
)
#: A call is in the log of the day on which it ended.
FILES = FileSimulator(deliver=partial(day_files, name_pattern="CDR-%m%d%y.log", encode=encode))
