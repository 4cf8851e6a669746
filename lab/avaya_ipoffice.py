"""A simulated Avaya IP Office: it dials the collector and writes SMDR lines of 34 fields.

A transferred call is a line per segment, all with the start and the id of their call; only the last
one says that no other follows. Outside lines report no ringing. Call ids begin again now and then,
as they do when the PBX restarts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

FIRST_CALL_ID = 1_000_000
CALLS_BETWEEN_RESTARTS = 7_475
OUTSIDE_LINE = "0"
TRUNKS = 8
#: A call that gets no line ends at a tone.
TONE = ("V8000", "U1 0.0")
#: A SIP line writes the address of its provider after the number of the caller ...
SIP_PROVIDER = "192.0.2.7"
#: ... of every so-many-th call.
CALLS_PER_SIP_CALL = 5
SERVER = "192.0.2.20"

Party = tuple[str, str]


@dataclass(frozen=True)
class _Segment:
    """What differs from line to line.

    Attributes:
        parties: device and name of both.
        continues: another segment of the call follows.
        targeter: the user who transferred the call, if that is how it came here.
    """

    extension: str
    caller: str
    called: str
    dialled: str
    parties: tuple[Party, Party]
    ring_seconds: int
    talk_seconds: int
    continues: bool = False
    targeter: str = ""

    @property
    def outcome(self) -> str:
        """What the line tells: not why nobody answered, unless there was no line."""
        if self.talk_seconds:
            return "answered"
        return "failed" if self.parties[1] == TONE else "no_answer"


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the SMDR lines that the PBX writes for a call, with their truth."""
    call_id = FIRST_CALL_ID + number % CALLS_BETWEEN_RESTARTS
    start = f"{call.started_at.astimezone(site.time_zone):%Y/%m/%d %H:%M:%S}"
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=f"{call_id}@{start}",
            state="ticket",
            direction=call.direction,
            outcome=segment.outcome,
            # Each segment repeats the start of its call.
            started_at=call.started_at.astimezone(UTC).isoformat(),
            ring_seconds=segment.ring_seconds,
            talk_seconds=segment.talk_seconds,
            extension=segment.extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=_end_of(segment, call).isoformat(),
            ticket=_line(segment, call, start, call_id, number),
        )
        for segment in _segments(call, site, number)
    ]


def _segments(call: Call, site: Site, number: int) -> list[_Segment]:
    line = number % TRUNKS + 1
    trunk = (f"T{9000 + line}", f"Line {line}.1")
    if call.direction == "outgoing":
        target = TONE if call.outcome == "failed" else trunk
        return [
            _Segment(
                extension=call.extension,
                caller=call.extension,
                called=call.outside_number,
                dialled=OUTSIDE_LINE + call.outside_number,
                parties=(_user(call.extension), target),
                ring_seconds=0,
                talk_seconds=call.talk_seconds,
            )
        ]
    if call.direction == "internal":
        return [
            _Segment(
                extension=call.extension,
                caller=call.extension,
                called=call.other_extension,
                dialled=call.other_extension,
                parties=(_user(call.extension), _user(call.other_extension)),
                ring_seconds=call.ring_seconds,
                talk_seconds=call.talk_seconds,
            )
        ]
    return _incoming_segments(call, site, number, trunk)


def _incoming_segments(call: Call, site: Site, number: int, trunk: Party) -> list[_Segment]:
    caller = call.outside_number
    if caller and number % CALLS_PER_SIP_CALL == 0:
        caller = f"{caller}@{SIP_PROVIDER}"
    dialled = site.public_number(call.extension)
    first_part = call.transferred_after_seconds if call.transferred_to else call.talk_seconds
    first = _Segment(
        extension=call.extension,
        caller=caller,
        called=call.extension,
        dialled=dialled,
        parties=(_user(call.extension), trunk),
        ring_seconds=call.ring_seconds,
        talk_seconds=first_part,
        continues=bool(call.transferred_to),
    )
    if not call.transferred_to:
        return [first]
    second = _Segment(
        extension=call.transferred_to,
        caller=caller,
        called=call.transferred_to,
        dialled=dialled,
        parties=(_user(call.transferred_to), trunk),
        ring_seconds=0,
        talk_seconds=call.talk_seconds - first_part,
        targeter=_user(call.extension)[1],
    )
    return [first, second]


def _line(segment: _Segment, call: Call, start: str, call_id: int, number: int) -> str:
    hours, rest = divmod(segment.talk_seconds, 3600)
    (device, name), (other_device, other_name) = segment.parties
    fields = [
        start,
        f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}",
        str(segment.ring_seconds),
        segment.caller,
        "I" if call.direction == "incoming" else "O",
        segment.called,
        segment.dialled,
        call.account_code,
        "1" if call.direction == "internal" else "0",
        str(call_id),
        "1" if segment.continues else "0",
        *(device, name, other_device, other_name),
        *("0", "0"),  # hold, park
        *("", "n/a"),  # authorization
        *[""] * 8,  # advice of charge
        *(("U Xfd", segment.targeter) if segment.targeter else ("", "")),
        "",  # number outside that a call was sent to
        *(SERVER, str(2 * number), SERVER, str(2 * number + 1)),
    ]
    return ",".join(fields)


def _end_of(segment: _Segment, call: Call) -> datetime:
    if not segment.continues:
        return call.ended_at
    return call.started_at + timedelta(seconds=segment.ring_seconds + segment.talk_seconds)


def _user(extension: str) -> Party:
    """The device of an extension and the name of its user."""
    return f"E{extension}", f"Hôtel {extension}"


SIMULATOR = StreamSimulator(
    model_id="avaya_ipoffice",
    tickets_of=tickets_of,
    role="client",
    encode=lambda text: text.encode("utf-8") + b"\r\n",
)
