"""Checking a PBX that speaks over TCP to the collector."""

from __future__ import annotations

from typing import Any

from tollhouse.collector.health import health_port, read_health
from tollhouse.collector.spool import SpoolError, SpoolRecord, last_records
from tollhouse.connections import find_connection
from tollhouse.framing import PhysicalLine, Ticket, WrappedLines
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.network import check_name, check_port
from tollhouse.pbx_check.report import (
    SHOWN_TICKETS,
    Landed,
    LastTickets,
    Report,
    Step,
    StepFailedError,
    age_step,
)
from tollhouse.settings import Settings

NOTHING_NEW = (
    "Make an outgoing call, hang up, and look again: a ticket comes when the call ends. If none "
    "comes, the PBX is not told to send them (the set-up guide in docs/pbx.md lists the options), "
    "or another program drains its port."
)

_REMEDIES = {
    "locked": "Stop the other collector: a PBX has exactly one.",
    "disk_full": "Make room on the spool's disk: reading goes on by itself.",
    "failed": "The collector tries again by itself; its log has the whole story.",
    "retrying": "Is the PBX up, its SMDR output switched on, and the port open in the firewalls? "
    "The collector dials again by itself.",
}


def check_stream(
    report: Report, pbx: Pbx, settings: Settings, landed: Landed, *, dial: bool = False
) -> None:
    """Go from the collector to the last spooled tickets.

    Args:
        report: gets the steps.
        pbx: to check.
        settings: of this installation.
        landed: what raw has of it.
        dial: connect to the PBX when no collector runs, at the price of what it then hands over.

    Raises:
        StepFailedError: a step failed and the next ones need it.
        ConnectionMissingError: the connection is not visible here.
    """
    health = read_health(settings)
    connection = find_connection(pbx.connection, settings)
    default = pbx.known_model.stream
    port = connection.port or (default.port if default else 0)
    listens = (default is not None and default.direction == "listen") or pbx.settings.get(
        "direction"
    ) == "listen"
    if not listens:
        check_name(report, connection.host, connection.connection_id)
    entry = None if health is None else health.get(pbx.id)
    if entry is not None:
        _check_collected(report, pbx, entry, port)
    else:
        if dial and not listens:
            _dial(report, connection.host, port)
        _miss_collector(report, settings)
    _show_spooled(report, pbx, settings, landed.idlast)


def _check_collected(report: Report, pbx: Pbx, entry: dict[str, Any], port: int) -> None:
    """Ask the collector: a second connection would take a part of the tickets."""
    state, detail = str(entry["state"]), str(entry["detail"])
    if state == "connected":
        report.ok("port", f"the collector is connected to {entry['peer']}, not dialled again here")
        report.ok("collector", f"connected since {entry['connected_since']}")
    elif state == "listening":
        raise StepFailedError(
            "collector",
            f"listens on port {port}, and the PBX has not connected",
            "Tell the PBX this machine's address and that port, and open the port towards here.",
        )
    else:
        # Not tried from here: a PBX that comes back this instant would hand its tickets to a probe.
        raise StepFailedError(
            "port" if "cannot be reached" in detail else "collector",
            f"{state}: {detail}",
            _REMEDIES.get(state, f"See the collector's log for {pbx.id}."),
        )


def _dial(report: Report, host: str, port: int) -> None:
    report.warn(
        "one reader",
        "connecting and closing at once, to see whether the port answers",
        "On connect some PBXs hand over what they kept and forget it: what they send in that "
        "instant is lost. Without --dial nothing is dialled.",
    )
    check_port(report, host, port, service="the PBX's ticket port")


def _miss_collector(report: Report, settings: Settings) -> None:
    report.add(
        Step(
            "collector",
            "failed",
            f"not running: none answers on 127.0.0.1:{health_port(settings)} for this PBX",
            "Start it: `make up`, or `tollhouse collector run`. If it runs, restart it so that it "
            "reads include/pbx.yml again. Only --dial tries the port from here: a PBX may hand its "
            "tickets to whoever connects.",
        )
    )


def _show_spooled(report: Report, pbx: Pbx, settings: Settings, idlast: str | None) -> None:
    try:
        # Two lines may make one ticket, and the first line found may be the end of one.
        records = last_records(settings.spool / pbx.id, 2 * SHOWN_TICKETS + 1)
    except (OSError, SpoolError) as error:
        raise StepFailedError("spool", str(error), "The message says what can be done.") from error
    if not records:
        raise StepFailedError("tickets", "nothing was ever spooled", NOTHING_NEW)
    report.last = LastTickets(_tickets(pbx, records)[-SHOWN_TICKETS:])
    last = records[-1]
    report.ok("tickets", f"spooled up to {last.segment}:{last.next_offset}")
    if idlast is not None:
        segment, _, offset = idlast.partition(":")
        if segment.isdecimal() and offset.isdecimal():
            is_landed = (int(segment), int(offset)) >= (last.segment, last.next_offset)
            news = "nothing" if is_landed else "tickets"
            report.ok("new", f"{news} since IDLAST {idlast}")
    report.add(age_step(pbx, last.arrived_at, NOTHING_NEW))


def _tickets(pbx: Pbx, records: list[SpoolRecord]) -> tuple[Ticket, ...]:
    model = pbx.known_model
    wrapped = WrappedLines(model.framing, model.encoding)
    lines = (
        PhysicalLine(record.offset, record.data.rstrip(b"\r\n"), record.arrived_at)
        for record in records
        if record.data.strip()
    )
    return (*wrapped.tickets(lines), *wrapped.release())
