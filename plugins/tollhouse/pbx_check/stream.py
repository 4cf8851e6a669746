"""Checking a PBX that speaks over TCP to the collector, whichever of the two connects."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from tollhouse.collector.health import health_port, read_health
from tollhouse.collector.spool import SpoolError, SpoolRecord, last_records
from tollhouse.collector.spooled_tickets import SpooledTickets
from tollhouse.collector.stream_settings import (
    LOOPBACK,
    StreamSettings,
    StreamSettingsError,
    port_of,
    stream_of,
    stream_settings,
)
from tollhouse.collector.tls import TlsSettingsError, dialling_context, listening_context
from tollhouse.connections import PbxConnection, find_connection
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.dialling import REFUSAL_REMEDY, STEPS, TLS_REMEDY, dial_once
from tollhouse.pbx_check.network import check_name
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

#: Two lines may make one ticket, and the first record found may be the end of one.
SHOWN_RECORDS = 4 * SHOWN_TICKETS + 1

_REMEDIES = {
    "connecting": "It is being dialled or logged into at this moment: ask again in a minute.",
    "locked": "Stop the other collector: a PBX has exactly one.",
    "disk_full": "Make room on the spool's disk: reading goes on by itself.",
    "failed": "The collector tries again by itself; its log has the whole story.",
    "misconfigured": "docs/configuration.md lists the settings of an entry and of a connection. "
    "A corrected connection is taken up by itself; for a corrected entry restart the collector.",
    "retrying": "Is the PBX up, its SMDR output switched on, and the port open in the firewalls? "
    "The collector dials again by itself.",
}


def check_stream(
    report: Report, pbx: Pbx, settings: Settings, landed: Landed, *, dial: bool = False
) -> None:
    """Go from the settings over the collector to the last spooled tickets.

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
    stream = _settings(pbx)
    connection = find_connection(pbx.connection, settings)
    tls = _tls(report, stream, connection, settings)
    port = _port(connection, stream)
    if stream.direction == "dial":
        check_name(report, connection.host, connection.connection_id)
    else:
        _say_what_to_enter(report, stream, connection.host, port)
    entry = (read_health(settings) or {}).get(pbx.id)
    if entry is not None:
        _check_collected(report, pbx, stream, entry)
    else:
        if dial and stream.direction == "dial":
            dial_once(report, pbx, connection, port, tls)
        _miss_collector(report, settings)
    _show_spooled(report, pbx, settings, landed.idlast)


def _settings(pbx: Pbx) -> StreamSettings:
    try:
        return stream_settings(pbx)
    except StreamSettingsError as error:
        raise StepFailedError("settings", str(error), "Correct include/pbx.yml.") from error


def _port(connection: PbxConnection, stream: StreamSettings) -> int:
    try:
        return port_of(connection, stream)
    except StreamSettingsError as error:
        raise StepFailedError("connection", str(error), "Put the port into it.") from error


def _tls(
    report: Report, stream: StreamSettings, connection: PbxConnection, settings: Settings
) -> ssl.SSLContext | None:
    make = dialling_context if stream.direction == "dial" else listening_context
    try:
        tls = make(connection, settings.var)
    except TlsSettingsError as error:
        raise StepFailedError("TLS", str(error), TLS_REMEDY) from error
    if tls is not None and tls.verify_mode == ssl.CERT_NONE and stream.direction == "dial":
        report.warn(
            "TLS",
            "the PBX's certificate is not verified (tls_verify)",
            "Whoever stands in between can read the tickets: name its authority in ca_file.",
        )
    return tls


def _say_what_to_enter(report: Report, stream: StreamSettings, host: str, port: int) -> None:
    """Say which address belongs into the PBX, and who will be let in."""
    own = _own_address(host or "127.0.0.1")
    if own is None:
        report.warn(
            "address",
            f"the collector listens on {host or '127.0.0.1'}, TCP port {port}: only programs of "
            "this machine can reach it",
            "For a PBX elsewhere put this machine's address, or 0.0.0.0 for all it has, in the "
            "host of the connection, and the PBX's address in settings.allowed_peers.",
        )
        return
    report.ok("address", f"enter in the PBX: {own}, TCP port {port}")
    if stream.allowed_peers == LOOPBACK:
        report.warn(
            "peers",
            "the entry has no settings.allowed_peers: only this machine may connect",
            'Add the PBX\'s address to the entry: allowed_peers: ["192.0.2.10"].',
        )
    else:
        report.ok("peers", f"admitted are {', '.join(map(str, stream.allowed_peers))}")


def _own_address(host: str) -> str | None:
    """Return what to enter in the PBX for the address listened on; None when it is loopback."""
    try:
        address = ip_address(host)
    except ValueError:
        return None if host == "localhost" else host
    if address.is_loopback:
        return None
    if not address.is_unspecified:
        return host
    # No packet is sent: the system only says which address it would send from.
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "this machine's address"
        return str(probe.getsockname()[0])


def _check_collected(
    report: Report, pbx: Pbx, stream: StreamSettings, entry: dict[str, Any]
) -> None:
    """Ask the collector: a second connection would take a part of the tickets."""
    state, detail = str(entry["state"]), str(entry["detail"])
    if state == "connected":
        if stream.direction == "dial":
            how = f"the collector is connected to {entry['peer']}, not dialled again here"
        else:
            how = f"listens on {entry['listening_at']}, {entry['peer']} is connected"
        report.ok("port", how)
        report.ok("collector", f"connected since {entry['connected_since']}")
    elif state == "listening":
        _check_awaited(report, stream, entry)
    elif state == "refused":
        is_about_tls = "certificate" in detail or "TLS" in detail
        step = "TLS" if is_about_tls else STEPS.get(stream_of(pbx).dialogue, "dialogue")
        raise StepFailedError(step, detail, TLS_REMEDY if is_about_tls else REFUSAL_REMEDY)
    else:
        # Not tried from here: a PBX that comes back this instant would hand its tickets to a probe.
        raise StepFailedError(
            "port" if "cannot be reached" in detail or "cannot listen" in detail else "collector",
            f"{state}: {detail}",
            _REMEDIES.get(state, f"See the collector's log for {pbx.id}."),
        )
    _tell_losses(report, entry)


def _check_awaited(report: Report, stream: StreamSettings, entry: dict[str, Any]) -> None:
    """Judge a collector that listens and has no connection at this moment."""
    refused = ""
    if entry["refused_peer_count"]:
        refused = (
            f" {entry['refused_peer_count']} connections were refused, the last of "
            f"{entry['last_refusal']}. If that is the PBX, correct the entry."
        )
    if entry["last_ticket_at"] is None:
        raise StepFailedError(
            "collector",
            f"listens on {entry['listening_at']}, and the PBX has not connected",
            "Tell the PBX this machine's address and that port, and open the port towards here."
            + refused,
        )
    report.ok("port", f"the collector listens on {entry['listening_at']}")
    if stream.connections == "many":
        report.ok("collector", "no connection at this moment: the PBX makes one when it has news")
    else:
        report.warn(
            "collector",
            f"the PBX is not connected: {entry['detail'] or 'not since the collector started'}",
            "It was heard before, so it connects again by itself if the network lets it." + refused,
        )


def _tell_losses(report: Report, entry: dict[str, Any]) -> None:
    if entry["lost_ticket_count"]:
        report.warn(
            "lost tickets",
            f"{entry['lost_ticket_count']} since the collector started, by the PBX's own numbers; "
            f"the last news of them: {entry['last_gap']}",
            "They were lost before they came here: the PBX's buffer ran over while no collector "
            "was connected, or another program took them.",
        )
    if entry["throttled_count"]:
        report.warn(
            "rate",
            f"reading was held back {entry['throttled_count']} times, last at "
            f"{entry['throttled_at']}: tickets come too fast",
            "Nothing is lost by that. If the PBX really is that busy, raise "
            "settings.max_tickets_per_second.",
        )


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
        records = last_records(settings.spool / pbx.id, SHOWN_RECORDS)
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
    reader = SpooledTickets(pbx.known_model)
    return (
        *reader.tickets(records),
        # What may still go on is shown as well: somebody waits for the call just made.
        *reader.release_complete(datetime.max.replace(tzinfo=UTC)),
    )
