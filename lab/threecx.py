"""A simulated 3CX (V20): a record of 27 fields per call, in a file of its own or in one log.

All times are UTC. Users are named as their company writes them, which is *Last, First* for some:
3CX puts no quotes around the comma. Some callers come through a queue, which answers at once, and
some who waited in vain talk to the voicemail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.traffic import Call, Site
from lab.truth import TicketTruth

LOG_NAME = "cdr.log"
FIRST_HISTORY_ID = 288_800
QUEUE = "80001"
VOICEMAIL = "999"
TRUNK_IN, TRUNK_OUT = "10000", "10001"
#: Every so-many-th incoming call goes through the queue, or to the voicemail if nobody takes it.
CALLS_PER_QUEUED, CALLS_PER_RECORDED = 4, 3
#: Every so-many-th user is named last name first.
USERS_PER_COMMA = 5

#: Codes of V20 and those from before stand side by side on one PBX.
REASONS = {
    "answered": ("TerminatedBySrc", "dst_participant_terminated"),
    "no_answer": ("Failed_Cancelled", "cancelled"),
    "busy": ("TargetBusy", "busy"),
    "failed": ("NoRouteExists", "no_route"),
}


@dataclass(frozen=True)
class _Party:
    """One end of a call as a record shows it: number, DN, type and name."""

    number: str
    dn: str
    kind: str
    name: str


NOBODY = _Party("", "", "", "")


@dataclass(frozen=True)
class _Record:
    """What a record tells of a call.

    Attributes:
        final: who had the call in the end.
        changed: why that is another party than the one called, if it is.
        outcome: as the contract calls it.
        extension: the party inside that the call belongs to.
    """

    source: _Party
    called: _Party
    final: _Party
    changed: str
    outcome: str
    ring_seconds: int
    talk_seconds: int
    extension: str


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the record that the PBX writes for a call, with its truth."""
    record = _record(call, site, number)
    history_id, call_id = FIRST_HISTORY_ID + number, _call_id(call.started_at, number)
    seconds = record.ring_seconds + record.talk_seconds
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=f"{history_id}/{call_id}",
            state="ticket",
            direction=call.direction,
            outcome=record.outcome,
            started_at=call.started_at.isoformat(),
            ring_seconds=record.ring_seconds,
            talk_seconds=record.talk_seconds,
            extension=record.extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=(call.started_at + timedelta(seconds=seconds)).isoformat(),
            ticket=_line(record, call, history_id, call_id, number),
        )
    ]


def drop_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a file for each call since the last time."""
    for ticket in tickets[place.delivered :]:
        history_id = ticket.source_call_id.split("/")[0]
        started_at = datetime.fromisoformat(ticket.started_at).astimezone(UTC)
        name = f"cdr-{started_at:%y%m%d%H%M%S}.{history_id}.log"
        place.put(name, encode(ticket.ticket), writing_time(ticket))
    place.remember(len(tickets))


def grow_log(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Add what was written since the last time to the one log."""
    if tickets:
        content = b"".join(encode(ticket.ticket) for ticket in tickets)
        place.grow(LOG_NAME, content, writing_time(tickets[-1]))


def encode(line: str) -> bytes:
    """A record as it stands in a file, and as it goes over a socket."""
    return line.encode("utf-8") + b"\r\n"


def _record(call: Call, site: Site, number: int) -> _Record:
    extension = _user(call.extension, site)
    outside = _Party(call.outside_number, TRUNK_OUT, "Line", call.outside_number)
    ring_seconds, talk_seconds = call.ring_seconds, call.talk_seconds
    if call.direction == "outgoing":
        if call.outcome == "failed":
            # No trunk was reached: the number stands where its DN would.
            outside = _Party(call.outside_number, call.outside_number, "Line", "")
        final = outside if talk_seconds else NOBODY
        return _Record(
            extension, outside, final, "", call.outcome, ring_seconds, talk_seconds, call.extension
        )
    if call.direction == "internal":
        other = _user(call.other_extension, site)
        final = other if talk_seconds else NOBODY
        return _Record(
            extension, other, final, "", call.outcome, ring_seconds, talk_seconds, call.extension
        )
    caller = _Party(call.outside_number, TRUNK_IN, "Line", call.outside_number)
    called, final, changed = extension, extension if talk_seconds else NOBODY, ""
    outcome: str = call.outcome
    owner = call.extension
    if call.transferred_to:
        owner = call.transferred_to
        final, changed = _user(owner, site), "ReplacedDst"
    elif talk_seconds and number % CALLS_PER_QUEUED == 0:
        called, changed = _Party(f"Ext.{QUEUE}", QUEUE, "Queue", "Accueil"), "ReplacedDst"
        ring_seconds, talk_seconds = 0, ring_seconds + talk_seconds
    elif call.outcome == "no_answer" and number % CALLS_PER_RECORDED == 0:
        final, changed = (
            _Party(f"Ext.{VOICEMAIL}", VOICEMAIL, "VMail", "Messagerie"),
            "Fwd_NoAnswer",
        )
        outcome, talk_seconds = "answered_by_machine", 5 + number % 20
    return _Record(caller, called, final, changed, outcome, ring_seconds, talk_seconds, owner)


def _user(extension: str, site: Site) -> _Party:
    place = int(extension) - site.first_extension
    name = f"Exemple, Anne {place}" if place % USERS_PER_COMMA == 0 else f"Éric Modèle {place}"
    return _Party(f"Ext.{extension}", extension, "Extension", name)


def _line(record: _Record, call: Call, history_id: int, call_id: str, number: int) -> str:
    answered_at = call.started_at + timedelta(seconds=record.ring_seconds)
    ended_at = answered_at + timedelta(seconds=record.talk_seconds)
    is_answered = record.outcome in ("answered", "answered_by_machine")
    parties = (record.source, record.called, record.final)
    chain = "".join(f"{number};" for number in dict.fromkeys(party.number for party in parties))
    is_charged = call.direction == "outgoing" and is_answered
    reasons = REASONS["answered" if is_answered else record.outcome]
    fields = [
        f"Call {history_id}",
        call_id,
        _clock_length(record.talk_seconds) if is_answered else "",
        _clock(call.started_at),
        _clock(answered_at) if is_answered else "",
        _clock(ended_at),
        reasons[number % len(reasons)],
        record.source.number,
        record.called.number,
        record.source.dn,
        record.called.dn,
        record.called.number.removeprefix("Ext."),
        record.changed,
        record.final.number,
        record.final.dn,
        call.account_code,
        "1" if is_charged else "",
        f"{record.talk_seconds / 60:.2f}" if is_charged else "",
        "default" if is_charged else "",
        f"Chain: {chain}" if is_answered else "",
        *(party.kind for party in parties),
        *(party.name for party in parties),
        "",
    ]
    return ",".join(fields)


def _call_id(started_at: datetime, number: int) -> str:
    """Milliseconds since 1970, the lowest byte first, and a counter."""
    milliseconds = int(started_at.timestamp()) * 1000 + 137 * number % 1000
    return f"{milliseconds.to_bytes(8, 'little').hex()}_{number}"


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y/%m/%d %H:%M:%S}"


def _clock_length(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


FILES = FileSimulator(deliver=drop_files)
