"""A simulated OpenScape Business: elements between bars, over TCP or in a file a day.

The clock on a ticket is the end of its part of the call. Internal calls leave no ticket; a
transferred call leaves one per extension, which nothing ties together. Now and then a set that
begins to ring is reported too, as where the option *on ringing* was left on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from lab.file_drops import FileSimulator, day_files
from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

FIRST_TRUNK = 201
TRUNKS = 8
RINGING, INCOMING, OUTGOING, INCOMING_TAKEN_OVER = 0, 1, 2, 35
#: Every so-many-th incoming call is announced by the set that it rings at.
CALLS_PER_ANNOUNCEMENT = 10


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the lines that the PBX writes for a call, with their truth."""
    if call.direction == "internal":
        return []
    if call.direction == "outgoing":
        # The ringing of an outgoing call is not shown; 00:00:00 is a call that nobody took.
        return [_ticket(call, site, number, code=OUTGOING, duration=_duration(call.talk_seconds))]
    tickets = []
    if number % CALLS_PER_ANNOUNCEMENT == 0:
        tickets.append(_ticket(call, site, number, code=RINGING, ended_at=call.started_at))
    answered_at = call.started_at + timedelta(seconds=call.ring_seconds)
    first_part = call.transferred_after_seconds if call.transferred_to else call.talk_seconds
    tickets.append(
        _ticket(
            call,
            site,
            number,
            code=INCOMING,
            ended_at=answered_at + timedelta(seconds=first_part),
            ring_seconds=call.ring_seconds,
            duration=_duration(first_part) if first_part else "",
            talk_seconds=first_part,
        )
    )
    if call.transferred_to:
        rest = call.talk_seconds - first_part
        tickets.append(
            _ticket(
                call,
                site,
                number,
                code=INCOMING_TAKEN_OVER,
                extension=call.transferred_to,
                duration=_duration(rest),
                talk_seconds=rest,
            )
        )
    return tickets


def _ticket(
    call: Call,
    site: Site,
    number: int,
    *,
    code: int,
    ended_at: datetime | None = None,
    extension: str | None = None,
    ring_seconds: int | None = None,
    duration: str = "",
    talk_seconds: int | None = None,
) -> TicketTruth:
    ended_at = ended_at or call.ended_at
    extension = extension or call.extension
    talk_seconds = call.talk_seconds if talk_seconds is None else talk_seconds
    if code == RINGING:
        talk_seconds = 0
    wall = ended_at.astimezone(site.time_zone)
    elements = [
        f"{wall:%d.%m.%y}",
        f"{wall:%H:%M:%S}",
        str(FIRST_TRUNK + number % TRUNKS),
        extension,
        "" if ring_seconds is None else f"{ring_seconds // 60:02d}:{ring_seconds % 60:02d}",
        duration,
        call.outside_number,
        "",  # charge
        str(code),
        call.account_code,
        "" if code == RINGING else site.public_number(call.extension),
        *("", ""),  # seizure code and route
        "",  # what follows the last separator
    ]
    started_at = ended_at - timedelta(seconds=talk_seconds + (ring_seconds or 0))
    return TicketTruth(
        call_id=call.call_id,
        # No identity is written: each line is a call of its own.
        source_call_id=f"{call.call_id}/{code}",
        state="ignored" if code == RINGING else "ticket",
        direction=call.direction,
        outcome="answered" if talk_seconds else "no_answer",
        started_at=started_at.astimezone(UTC).isoformat(),
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        extension=extension,
        outside_number=call.outside_number,
        destination=call.destination,
        account_code=call.account_code,
        written_at=ended_at.isoformat(),
        ticket="|".join(elements),
    )


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


SIMULATOR = StreamSimulator(
    model_id="unify_openscape",
    tickets_of=tickets_of,
    role="client",
    encode=lambda text: text.encode("latin-1") + b"\r\n",
)
FILES = FileSimulator(
    deliver=partial(day_files, name_pattern="calls-%Y%m%d.txt", encode=SIMULATOR.encode),
    fetched_by="ftps",
    remote_folder="/calls",
)
