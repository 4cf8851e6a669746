"""A simulated Asterisk (FreePBX): writes rows into ``cdr`` of a real MariaDB as calls end.

The table has FreePBX's columns and the id that an administrator adds for billing. A call makes as
many rows as on a real system: one per member of a ring group that rang, two for a blind transfer, a
closing row of the dial plan after a dial that failed, and a row between two halves of a local
channel where a group forwards.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lab.tables import PbxTables
from lab.traffic import Call, Site
from lab.truth import TicketTruth

TRUNK = "PJSIP/carrier"
RING_GROUP = "6600"

TABLE = """
create table if not exists cdr (
    calldate datetime not null, clid varchar(80) not null default '',
    src varchar(80) not null default '', dst varchar(80) not null default '',
    dcontext varchar(80) not null default '',
    channel varchar(80) not null default '', dstchannel varchar(80) not null default '',
    lastapp varchar(80) not null default '', lastdata varchar(80) not null default '',
    duration int not null default 0, billsec int not null default 0,
    disposition varchar(45) not null default '', amaflags int not null default 0,
    accountcode varchar(20) not null default '', uniqueid varchar(32) not null default '',
    userfield varchar(255) not null default '', did varchar(50) not null default '',
    recordingfile varchar(255) not null default '', cnum varchar(80) not null default '',
    cnam varchar(80) not null default '', outbound_cnum varchar(80) not null default '',
    outbound_cnam varchar(80) not null default '', dst_cnam varchar(80) not null default '',
    linkedid varchar(32) not null default '', peeraccount varchar(80) not null default '',
    sequence int not null default 0,
    id int unsigned not null auto_increment primary key
)
"""

#: What the lab writes; the other columns keep their defaults.
COLUMNS = (
    "calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "did", "cnum",
    "outbound_cnum", "linkedid", "sequence",
)  # fmt: skip

TABLES = PbxTables(
    database="asteriskcdrdb",
    definitions={"cdr": TABLE},
    columns=COLUMNS,
    readable=("cdr",),
)

DISPOSITIONS = {
    "answered": "ANSWERED",
    "no_answer": "NO ANSWER",
    "busy": "BUSY",
    "failed": "FAILED",
}


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the rows that the PBX writes for a call, with their truth, in order."""
    writer = _RowWriter(call, site, number)
    if call.direction == "outgoing":
        writer.write_outgoing()
    elif call.direction == "internal":
        writer.write_internal()
    elif number % 10 == 0 and call.outcome != "busy" and not call.transferred_to:
        writer.write_ring_group()
    else:
        writer.write_incoming()
    return writer.tickets


@dataclass
class _RowWriter:
    """Writes the rows of one call; they share its linkedid and count on in sequence."""

    call: Call
    site: Site
    number: int
    tickets: list[TicketTruth] = field(default_factory=list)

    @property
    def unique_id(self) -> str:
        # The integer part is the instant at which the first channel was made.
        return f"{int(self.call.started_at.timestamp())}.{self.number * 4}"

    def channel(self, peer: str, offset: int = 0) -> str:
        return f"{peer}-{(self.number * 4 + offset) % 2**32:08x}"

    def write_outgoing(self) -> None:
        call = self.call
        dialled = {
            "src": call.extension,
            "clid": f'"" <{call.extension}>',
            "dst": call.outside_number,
            "dcontext": "from-internal",
            "channel": self.channel(f"PJSIP/{call.extension}"),
            "cnum": call.extension,
            "outbound_cnum": self.site.public_number(call.extension),
            "accountcode": call.account_code,
        }
        self._add(
            call.outcome,
            call.talk_seconds,
            {
                **dialled,
                "dstchannel": self.channel(TRUNK, 1),
                "lastapp": "Dial",
                "lastdata": f"PJSIP/{call.outside_number}@carrier,300,T",
            },
        )
        if call.outcome == "failed":
            # After a dial that failed the dial plan goes on and closes with a row of its own.
            closing = {**dialled, "dst": "h", "lastapp": "Hangup", "lastdata": ""}
            self._add("no_answer", 0, closing, direction="internal", ring_seconds=0)

    def write_internal(self) -> None:
        call = self.call
        self._add(
            call.outcome,
            call.talk_seconds,
            {
                "src": call.extension,
                "clid": f'"" <{call.extension}>',
                "dst": call.other_extension,
                "dcontext": "from-internal",
                "channel": self.channel(f"PJSIP/{call.extension}"),
                "dstchannel": self.channel(f"PJSIP/{call.other_extension}", 1),
                "lastapp": "Dial",
                "lastdata": f"PJSIP/{call.other_extension}/sip:{call.other_extension},20,Ttr",
                "cnum": call.extension,
            },
        )

    def write_incoming(self) -> None:
        call = self.call
        first_part = call.transferred_after_seconds if call.transferred_to else call.talk_seconds
        self._add(call.outcome, first_part, self._received(call.extension, 1))
        if call.transferred_to:
            # A blind transfer: the caller's channel goes on with another extension.
            self._add(
                "answered",
                call.talk_seconds - first_part,
                self._received(call.transferred_to, 2),
                extension=call.transferred_to,
                started_at=call.started_at + timedelta(seconds=call.ring_seconds + first_part),
                ring_seconds=0,
            )

    def write_ring_group(self) -> None:
        call = self.call
        members = [call.extension, *self._neighbours(call.extension)]
        for position, member in enumerate(members, start=1):
            is_taker = member == call.extension and call.outcome == "answered"
            self._add(
                "answered" if is_taker else "no_answer",
                call.talk_seconds if is_taker else 0,
                {
                    **self._received(member, position),
                    "dst": RING_GROUP,
                    "dcontext": "ext-group",
                },
                extension=member,
            )
        if call.outcome == "answered" and self.number % 3 == 0:
            # Where the group forwards, both halves of a local channel repeat the talk.
            local = f"Local/{call.extension}@from-internal-{self.number % 2**32:08x}"
            forwarded = {
                **self._received(call.extension, 4),
                "channel": f"{local};1",
                "dstchannel": f"{local};2",
            }
            self._add("answered", call.talk_seconds, forwarded, state="ignored")

    def _neighbours(self, extension: str) -> list[str]:
        span = self.site.last_extension - self.site.first_extension + 1
        offset = int(extension) - self.site.first_extension
        return [str(self.site.first_extension + (offset + step) % span) for step in (1, 2)]

    def _received(self, extension: str, offset: int) -> dict[str, Any]:
        """What a row of an incoming call says when it rang at an extension."""
        call = self.call
        return {
            "src": call.outside_number,
            "clid": f'"{call.outside_number}" <{call.outside_number}>',
            "dst": extension,
            "dcontext": "ext-local",
            "channel": self.channel(TRUNK),
            "dstchannel": self.channel(f"PJSIP/{extension}", offset),
            "lastapp": "Dial",
            "lastdata": f"PJSIP/{extension}/sip:{extension},20,Ttr",
            "did": self.site.public_number(call.extension),
            "cnum": call.outside_number,
        }

    def _add(
        self,
        outcome: str,
        talk_seconds: int,
        columns: dict[str, Any],
        *,
        state: str = "ticket",
        direction: str | None = None,
        extension: str | None = None,
        started_at: datetime | None = None,
        ring_seconds: int | None = None,
    ) -> None:
        call = self.call
        started_at = started_at or call.started_at
        ring_seconds = call.ring_seconds if ring_seconds is None else ring_seconds
        row = {
            "calldate": started_at.astimezone(self.site.time_zone).strftime("%Y-%m-%d %H:%M:%S"),
            **columns,
            "duration": ring_seconds + talk_seconds,
            "billsec": talk_seconds,
            "disposition": DISPOSITIONS[outcome],
            # The engine's default on every row: it says nothing of the direction.
            "amaflags": 3,
            "uniqueid": self.unique_id,
            "linkedid": self.unique_id,
            "sequence": self.number * 4 + len(self.tickets),
        }
        self.tickets.append(
            TicketTruth(
                call_id=call.call_id,
                source_call_id=self.unique_id,
                state=state,
                direction=direction or call.direction,
                outcome=outcome,
                started_at=started_at.isoformat(),
                ring_seconds=ring_seconds,
                talk_seconds=talk_seconds,
                extension=extension or call.extension,
                outside_number=call.outside_number,
                destination=call.destination,
                account_code=call.account_code,
                written_at=call.ended_at.isoformat(),
                ticket=json.dumps(row),
            )
        )
