"""A simulated Cisco CUCM: drops cdr_* and cmr_* files into the folder that a billing server offers.

A cluster closes its files every so many minutes and pushes them. Each begins with the names and the
types of its columns, and appears under its name when it is whole. A transfer makes three records;
each answered phone adds one of call quality (CMR).
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.traffic import Call, Site
from lab.truth import TicketTruth

CLUSTER = "StandAloneCluster"
NODE = 1
GATEWAY = "S0/SU0/DS1-0@gateway-lille"
PARTITION = "internal-pt"
OUTSIDE_LINE = "0"
FILE_INTERVAL = timedelta(hours=2)
FIRST_CALL_NUMBER = 12_200_000

#: Q.850 causes.
NORMAL, BUSY, NO_ANSWER, FAILURE = 16, 17, 19, 41
#: A call that a transfer split.
SPLIT = 393_216
BY_TRANSFER, BY_DEVICE = 10, 12
REASON_TRANSFER = 4
ROUTE_PATTERN, DEVICE = 5, 2

CAUSES = {"no_answer": NO_ANSWER, "busy": BUSY, "failed": FAILURE}

CMR_COLUMNS = {
    "cdrRecordType": "INTEGER",
    "globalCallID_callManagerId": "INTEGER",
    "globalCallID_callId": "INTEGER",
    "nodeId": "INTEGER",
    "directoryNum": "VARCHAR(50)",
    "callIdentifier": "INTEGER",
    "dateTimeStamp": "INTEGER",
    "numberPacketsSent": "INTEGER",
    "numberOctetsSent": "INTEGER",
    "numberPacketsReceived": "INTEGER",
    "numberOctetsReceived": "INTEGER",
    "numberPacketsLost": "INTEGER",
    "jitter": "INTEGER",
    "latency": "INTEGER",
    "pkid": "UNIQUEIDENTIFIER",
    "directoryNumPartition": "VARCHAR(50)",
    "globalCallId_ClusterID": "VARCHAR(50)",
    "deviceName": "VARCHAR(129)",
    "varVQMetrics": "VARCHAR(600)",
}


@dataclass(frozen=True)
class Party:
    """One end of a leg: a phone inside, or the gateway with somebody outside."""

    number: str
    is_outside: bool = False

    @property
    def device(self) -> str:
        """Name of the phone or of the gateway's port."""
        return GATEWAY if self.is_outside else f"SEP0022907A{int(self.number):04d}"

    @property
    def partition(self) -> str:
        """Blank for whoever comes in through a gateway."""
        return "" if self.is_outside else PARTITION


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the records that the cluster writes for a call, with their truth."""
    writer = _RecordWriter(call, number)
    if call.direction == "outgoing":
        dialled = Party(OUTSIDE_LINE + call.outside_number, is_outside=True)
        writer.write_leg(Party(call.extension), dialled, outpulsed=call.outside_number)
    elif call.direction == "internal":
        writer.write_leg(Party(call.extension), Party(call.other_extension))
    elif call.transferred_to:
        writer.write_transfer()
    else:
        writer.write_leg(Party(call.outside_number, is_outside=True), Party(call.extension))
    return writer.tickets


@dataclass
class _RecordWriter:
    """Writes the records of one call.

    Attributes:
        number: of the call on its node; a consultation takes the number half a million above.
    """

    call: Call
    number: int
    tickets: list[TicketTruth] = field(default_factory=list)

    def write_leg(self, origin: Party, destination: Party, *, outpulsed: str = "") -> None:
        """A call without transfer."""
        call = self.call
        cause = {"origCause_value": 0, "destCause_value": CAUSES.get(call.outcome, 0)}
        if call.outcome == "answered":
            cause = {"origCause_value": NORMAL, "destCause_value": 0}
        pattern = ROUTE_PATTERN if destination.is_outside else DEVICE
        self._add(
            origin,
            destination,
            call.started_at,
            ring_seconds=call.ring_seconds,
            talk_seconds=call.talk_seconds,
            columns={
                **cause,
                "outpulsedCalledPartyNumber": outpulsed,
                "calledPartyPatternUsage": pattern,
                "clientMatterCode": call.account_code,
            },
        )

    def write_transfer(self) -> None:
        """A to B, B consults C, A to C: three records, the consultation under its own call id."""
        call = self.call
        caller = Party(call.outside_number, is_outside=True)
        first, second = Party(call.extension), Party(call.transferred_to)
        answered_at = call.started_at + timedelta(seconds=call.ring_seconds)
        split_at = answered_at + timedelta(seconds=call.transferred_after_seconds)
        rest = call.talk_seconds - call.transferred_after_seconds
        consultation = min(8, rest // 2)
        split = {"origCause_value": SPLIT, "destCause_value": SPLIT}
        by_transfer = {
            "origCallTerminationOnBehalfOf": BY_TRANSFER,
            "destCallTerminationOnBehalfOf": BY_TRANSFER,
        }
        self._add(
            caller,
            first,
            call.started_at,
            ring_seconds=call.ring_seconds,
            talk_seconds=call.transferred_after_seconds,
            columns={**split, **by_transfer, "calledPartyPatternUsage": DEVICE},
        )
        self._add(
            first,
            second,
            split_at,
            ring_seconds=0,
            talk_seconds=consultation,
            columns={**split, **by_transfer, "calledPartyPatternUsage": DEVICE},
            call_number=self.number + 500_000,
            leg=3,
            direction="internal",
        )
        self._add(
            caller,
            second,
            split_at + timedelta(seconds=consultation),
            ring_seconds=0,
            talk_seconds=rest - consultation,
            columns={
                "origCause_value": NORMAL,
                "destCause_value": 0,
                "calledPartyPatternUsage": DEVICE,
                "joinOnBehalfOf": BY_TRANSFER,
                "lastRedirectRedirectOnBehalfOf": BY_TRANSFER,
                "lastRedirectRedirectReason": REASON_TRANSFER,
                "lastRedirectDn": first.number,
                "lastRedirectDnPartition": PARTITION,
            },
            leg=3,
        )

    def _add(
        self,
        origin: Party,
        destination: Party,
        started_at: datetime,
        *,
        ring_seconds: int,
        talk_seconds: int,
        columns: dict[str, object],
        call_number: int | None = None,
        leg: int = 2,
        direction: str | None = None,
    ) -> None:
        call = self.call
        call_id = FIRST_CALL_NUMBER + (self.number if call_number is None else call_number)
        connect = int(started_at.timestamp()) + ring_seconds
        is_answered = call.outcome == "answered"
        record: dict[str, object] = {
            "cdrRecordType": 1,
            "globalCallID_callManagerId": NODE,
            "globalCallID_callId": call_id,
            "globalCallId_ClusterID": CLUSTER,
            "origLegCallIdentifier": call_id * 4 + 1,
            "destLegIdentifier": (FIRST_CALL_NUMBER + self.number) * 4 + leg,
            "dateTimeOrigination": int(started_at.timestamp()),
            "dateTimeConnect": connect if is_answered else 0,
            "dateTimeDisconnect": connect + talk_seconds,
            "duration": talk_seconds,
            "callingPartyNumber": origin.number,
            "callingPartyNumberPartition": origin.partition,
            "originalCalledPartyNumber": destination.number,
            "originalCalledPartyNumberPartition": destination.partition or "route-pt",
            "finalCalledPartyNumber": destination.number,
            "finalCalledPartyNumberPartition": destination.partition or "route-pt",
            "origNodeId": NODE,
            "destNodeId": NODE,
            "origSpan": 9 if origin.is_outside else 0,
            "destSpan": 9 if destination.is_outside else 0,
            "origDeviceName": origin.device,
            "destDeviceName": destination.device,
            "origCallTerminationOnBehalfOf": BY_DEVICE,
            "IncomingProtocolID": 4 if origin.is_outside else 0,
            "OutgoingProtocolID": 4 if destination.is_outside else 0,
            "pkid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{call.call_id}/{call_id}/{leg}")),
            **columns,
        }
        truth = TicketTruth(
            call_id=call.call_id,
            source_call_id=f"{CLUSTER}/{NODE}/{call_id}",
            state="ticket",
            direction=direction or call.direction,
            outcome=call.outcome,
            started_at=started_at.isoformat(),
            ring_seconds=ring_seconds,
            talk_seconds=talk_seconds,
            extension=origin.number if not origin.is_outside else destination.number,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=call.ended_at.isoformat(),
            ticket=_csv_line(record.get(name, _default(kind)) for name, kind in columns_of_cdr()),
        )
        self.tickets.append(truth)
        if is_answered:
            phone = destination if origin.is_outside else origin
            self._add_quality_record(truth, phone, call_id, leg, connect + talk_seconds)

    def _add_quality_record(
        self, leg: TicketTruth, phone: Party, call_id: int, leg_number: int, ended_epoch: int
    ) -> None:
        packets = leg.talk_seconds * 50
        identity = f"{leg.call_id}/{call_id}/{leg_number}/quality"
        record: dict[str, object] = {
            "cdrRecordType": 2,
            "globalCallID_callManagerId": NODE,
            "globalCallID_callId": call_id,
            "nodeId": NODE,
            "directoryNum": phone.number,
            "callIdentifier": call_id * 4 + 1,
            "dateTimeStamp": ended_epoch,
            "numberPacketsSent": packets,
            "numberOctetsSent": packets * 160,
            "numberPacketsReceived": packets,
            "numberOctetsReceived": packets * 160,
            "jitter": 1,
            "pkid": str(uuid.uuid5(uuid.NAMESPACE_OID, identity)),
            "directoryNumPartition": PARTITION,
            "globalCallId_ClusterID": CLUSTER,
            "deviceName": phone.device,
        }
        line = _csv_line(record.get(name, _default(kind)) for name, kind in CMR_COLUMNS.items())
        self.tickets.append(
            TicketTruth(
                call_id=leg.call_id,
                source_call_id=leg.source_call_id,
                state="ignored",
                direction=leg.direction,
                outcome=leg.outcome,
                started_at=leg.started_at,
                ring_seconds=None,
                talk_seconds=0,
                extension=phone.number,
                outside_number="",
                destination="",
                account_code="",
                written_at=leg.written_at,
                ticket=line,
            )
        )


def drop_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write the files of what was sent since the last time.

    A file's number is that of its first ticket: the same tickets always make the same names.
    """
    for first, closing, portion in place.portions(tickets, _closing):
        for kind, state in (("cdr", "ticket"), ("cmr", "ignored")):
            lines = [ticket.ticket for ticket in portion if ticket.state == state]
            name = f"{kind}_{CLUSTER}_{NODE:02d}_{closing:%Y%m%d%H%M}_{first}"
            if lines:
                place.put(name, _content(kind, lines), closing)


@cache
def columns_of_cdr() -> tuple[tuple[str, str], ...]:
    """Names and types of the columns of a CDR file."""
    with Path(__file__).with_name("cisco_cucm_columns.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple((row["name"], row["type"]) for row in rows)


def _content(kind: str, lines: Iterable[str]) -> bytes:
    columns = columns_of_cdr() if kind == "cdr" else tuple(CMR_COLUMNS.items())
    head = [
        ",".join(f'"{column}"' for column, _ in columns),
        ",".join(type_ for _, type_ in columns),
    ]
    return ("\n".join([*head, *lines]) + "\n").encode("utf-8")


def _closing(ticket: TicketTruth) -> datetime:
    """When the cluster closes the file that a ticket is in."""
    written = writing_time(ticket).astimezone(UTC)
    midnight = written.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((written - midnight) // FILE_INTERVAL + 1) * FILE_INTERVAL


def _default(kind: str) -> object:
    return 0 if kind == "INTEGER" else ""


def _csv_line(values: Iterator[object] | Iterable[object]) -> str:
    """Texts in quotes and numbers bare, as recent releases write them."""
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC, lineterminator="").writerow(values)
    return line.getvalue()


FILES = FileSimulator(deliver=drop_files)
