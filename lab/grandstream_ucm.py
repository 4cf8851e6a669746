"""A simulated Grandstream UCM: it dials the collector anew for each record it pushes.

A record is a leg: a transferred call is two of them, tied by the session, and a ring group leaves a
leg of no length before the call. Records are JSON; XML and CSV say the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from xml.sax.saxutils import escape

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

TRUNK = "carrier"
TRUNK_CHANNEL = "trunk_2"
RING_GROUP = "RINGGROUP[6400]"
#: Every so-many-th incoming call comes by a ring group.
CALLS_PER_RING_GROUP = 12
LEGS_PER_CALL = 3
DISPOSITIONS = {
    "answered": "ANSWERED",
    "no_answer": "NO ANSWER",
    "busy": "BUSY",
    "failed": "FAILED",
}
USERFIELDS = {"outgoing": "Outbound", "incoming": "Inbound", "internal": "Internal"}

Record = dict[str, str]
Form = Callable[[Record], str]


def as_json(record: Record) -> str:
    """A record as firmware with a choice of formats writes it."""
    return json.dumps(record, ensure_ascii=False)


def as_xml(record: Record) -> str:
    """The same as one element."""
    return (
        f"<cdr>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in record.items())}</cdr>"
    )


def as_csv(record: Record) -> str:
    """The same as older firmware writes it: in single quotes, without names."""
    return ",".join(f"'{text}'" for text in record.values())


def tickets_of(call: Call, site: Site, number: int, form: Form = as_json) -> list[TicketTruth]:
    """Return the records that the PBX pushes for a call, with their truth."""
    legs = _Legs(call, site, number, form)
    if call.direction != "incoming":
        return [legs.leg()]
    action = "DIAL"
    before = []
    if number % CALLS_PER_RING_GROUP == 0:
        # The dial plan takes the call before the group rings, for no time at all.
        action = RING_GROUP
        before = [legs.leg(application="ForkCDR", action=action, ring_seconds=0, talk_seconds=0)]
    if not call.transferred_to:
        return [*before, legs.leg(action=action)]
    first_part = call.transferred_after_seconds
    taken_over_at = call.started_at + timedelta(seconds=call.ring_seconds + first_part)
    return [
        *before,
        legs.leg(action=action, talk_seconds=first_part),
        legs.leg(
            action="TRANSFER",
            started_at=taken_over_at,
            extension=call.transferred_to,
            ring_seconds=0,
            talk_seconds=call.talk_seconds - first_part,
        ),
    ]


class _Legs:
    """The legs of one call, in the order in which they end."""

    def __init__(self, call: Call, site: Site, number: int, form: Form) -> None:
        self._call = call
        self._site = site
        self._form = form
        self._next_record = number * LEGS_PER_CALL + 1
        epoch = int(call.started_at.timestamp())
        self._uniqueid = f"{epoch}.{number}"
        self._caller = {
            "incoming": call.outside_number,
            "outgoing": call.extension,
            "internal": call.extension,
        }[call.direction]
        # Microseconds without leading zeros, as the PBX writes them.
        self._session = f"{epoch}{number % 1_000_000}-{self._caller}"

    def leg(
        self,
        *,
        application: str = "Dial",
        action: str = "DIAL",
        started_at: datetime | None = None,
        extension: str | None = None,
        ring_seconds: int | None = None,
        talk_seconds: int | None = None,
    ) -> TicketTruth:
        """Return one record and its truth."""
        call = self._call
        started_at = started_at or call.started_at
        extension = extension or call.extension
        ring_seconds = call.ring_seconds if ring_seconds is None else ring_seconds
        talk_seconds = call.talk_seconds if talk_seconds is None else talk_seconds
        answered_at = started_at + timedelta(seconds=ring_seconds)
        ended_at = answered_at + timedelta(seconds=talk_seconds)
        outcome = "answered" if application == "ForkCDR" else call.outcome
        has_end = outcome in ("answered", "no_answer")
        called = {
            "incoming": extension,
            "outgoing": call.outside_number,
            "internal": call.other_extension,
        }[call.direction]
        is_incoming, is_outgoing = call.direction == "incoming", call.direction == "outgoing"
        calling_side = TRUNK_CHANNEL if is_incoming else self._caller
        called_side = TRUNK_CHANNEL if is_outgoing else called
        record = {
            "AcctId": str(self._next_record),
            "accountcode": call.account_code,
            "src": self._caller,
            "dst": called,
            "dcontext": "outbound-route-1" if is_outgoing else "from-internal",
            "clid": f'"" <{self._caller}>',
            "channel": f"PJSIP/{calling_side}-{self._next_record:08x}",
            "dstchannel": f"PJSIP/{called_side}-{self._next_record:08x}",
            "lastapp": application,
            "lastdata": f"PJSIP/{called},60,zb(callee-handler^s^1)",
            "start": self._clock(started_at),
            # Filled on calls that nobody answered, empty on busy and failed ones.
            "answer": self._clock(answered_at) if has_end else "",
            "end": self._clock(ended_at) if has_end else "",
            "duration": str(ring_seconds + talk_seconds),
            "billsec": str(talk_seconds),
            "disposition": DISPOSITIONS[outcome],
            "amaflags": "DOCUMENTATION",
            "uniqueid": self._uniqueid,
            "userfield": USERFIELDS[call.direction],
            "channel_ext": calling_side,
            "dstchannel_ext": called_side,
            "service": "s",
            "caller_name": "",
            "recordfiles": "",
            "dstanswer": called if outcome == "answered" else "",
            "chanext": "",
            "dstchanext": "",
            "session": self._session,
            "action_owner": self._caller,
            "action_type": action,
            "src_trunk_name": TRUNK if is_incoming else "",
            "dst_trunk_name": TRUNK if is_outgoing else "",
        }
        self._next_record += 1
        return TicketTruth(
            call_id=call.call_id,
            source_call_id=self._session,
            state="ticket",
            direction=call.direction,
            outcome=outcome,
            started_at=started_at.astimezone(UTC).isoformat(),
            # The duration of a busy leg may run to the end of the voicemail after it.
            ring_seconds=None if outcome == "busy" else ring_seconds,
            talk_seconds=talk_seconds,
            extension=extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=ended_at.isoformat(),
            ticket=self._form(record),
        )

    def _clock(self, instant: datetime) -> str:
        return f"{instant.astimezone(self._site.time_zone):%Y-%m-%d %H:%M:%S}"


def simulator(form: Form) -> StreamSimulator:
    """Return a UCM that is set to one of the formats."""
    return StreamSimulator(
        model_id="grandstream_ucm",
        tickets_of=partial(tickets_of, form=form),
        role="client",
        encode=lambda text: text.encode(),
        connection_per_ticket=True,
    )


SIMULATOR = simulator(as_json)
