"""Checking a PBX that is asked over HTTPS: the way to its API, and the last calls that it tells."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice

from tollhouse.connections import PbxConnection, find_connection
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.network import check_name, check_port
from tollhouse.pbx_check.report import (
    SHOWN_TICKETS,
    Landed,
    LastTickets,
    Report,
    StepFailedError,
    age_step,
)
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.http_api import api_defaults, by_time, open_cdr_api, open_client
from tollhouse.transports.http_api.client import Answer, Ask, HttpsClient
from tollhouse.transports.http_api.failures import ApiError
from tollhouse.transports.http_api.list_api import ListApi
from tollhouse.transports.http_api.reach import Reach
from tollhouse.transports.http_api.wazo import Wazo, started_at

#: Ids have gaps: the last calls are sought among this many ids.
LAST_IDS = 200
#: Of an API that is asked by time, the last calls are sought in these stretches.
LAST_DAYS = (1, 31)
#: So many records at the most are looked at for the last ones.
MOST_RECORDS = 100_000

NO_CALL = (
    "Make a call, hang up, and look again after a minute: a call is told when it has ended. If it "
    "does not appear in the call log of the PBX's own web page either, look there first."
)


def check_api(report: Report, pbx: Pbx, settings: Settings, landed: Landed) -> None:
    """Go from the connection to the last calls of the API.

    Raises:
        StepFailedError: a step failed and the next ones need it.
        ConnectionMissingError: the connection is not visible here.
    """
    connection = find_connection(pbx.connection, settings)
    if not connection.host:
        check_name(report, connection.host, connection.connection_id)
    try:
        with closing(open_client(pbx, connection, settings)) as client:
            _check_way(report, client.reach, connection)
            _check_certificate(report, client)
            api = api_defaults(pbx).api
            if api == "wazo":
                _check_wazo(report, pbx, Wazo(client, pbx, connection), connection, landed)
            elif api == "list":
                _check_list(report, pbx, ListApi(client, pbx, connection), landed)
            else:
                _check_cdr_api(report, pbx, client, connection, landed)
    except ApiError as error:
        fault = error.fault
        raise StepFailedError(fault.step, fault.found, fault.remedy) from None
    except SourceError as error:
        raise StepFailedError("connection", str(error), "Correct it there.") from error


def _check_way(report: Report, reach: Reach, connection: PbxConnection) -> None:
    """Look for the PBX, or for the proxy that leads to it."""
    host, port = reach.proxy_address or (reach.host, reach.port)
    service = "the proxy" if reach.proxy_address else "the HTTPS service of the PBX"
    if reach.proxy_address:
        report.ok("proxy", f"{reach.place} is asked through {reach.proxy_place}")
    check_name(report, host, connection.connection_id)
    check_port(report, host, port, service=service)


def _check_certificate(report: Report, client: HttpsClient) -> None:
    """Shake hands: whatever is answered, the certificate was looked at before."""

    def nothing(answer: Answer) -> None:
        del answer

    client.ask_once(Ask("GET", "/"), nothing)
    if client.reach.fingerprint:
        report.ok("TLS", f"the certificate of {client.reach.place} bears the fingerprint asked for")
    elif client.reach.ca_file is None:
        report.warn(
            "TLS",
            f"{client.reach.place} is not verified: whoever stands in between can read along",
            "Save the certificate of its authority as a PEM file, name the file in the "
            "connection's extra tls_ca (or its fingerprint as tls_fingerprint), and take verify "
            "out.",
        )
    else:
        report.ok("TLS", f"the certificate of {client.reach.place} is trusted")


def _check_wazo(
    report: Report, pbx: Pbx, api: Wazo, connection: PbxConnection, landed: Landed
) -> None:
    api.log_in()
    report.ok("login", f"a token for {connection.login!r}")
    highest = api.highest_id()
    report.ok("rights", f"{connection.login!r} may read call records")
    if highest is None:
        raise StepFailedError("tickets", "there is no call", NO_CALL)
    pages = api.pages(after=max(highest - LAST_IDS, 0) - 1, page_rows=LAST_IDS)
    calls = [call for page in pages for call in page.tickets()]
    report.ok("tickets", f"the highest id is {highest}")
    _check_idlast(report, highest, landed.idlast)
    _show_last(report, pbx, calls, lambda call: started_at(call.body))


def _check_list(report: Report, pbx: Pbx, api: ListApi, landed: Landed) -> None:
    """Look at the list that a layout describes; when its tickets were, only their SQL can say."""
    newest = api.newest_id(LAST_IDS)
    report.ok("login", f"{api.path} may be read")
    if newest is None:
        raise StepFailedError("tickets", f"{api.path} lists no ticket", NO_CALL)
    pages = api.pages(after=max(newest - LAST_IDS, 0), page_rows=LAST_IDS)
    tickets = [ticket for page in pages for ticket in page.tickets()]
    report.ok("tickets", f"the highest id is {newest}")
    _check_idlast(report, newest, landed.idlast)
    report.last = LastTickets(tuple(tickets[-SHOWN_TICKETS:]))


def _check_idlast(report: Report, highest: int, idlast: str | None) -> None:
    if idlast is None or not idlast.isdecimal():
        return
    if highest < int(idlast):
        report.warn(
            "new",
            f"IDLAST is {idlast}, above the highest id {highest}",
            "The PBX was restored or replaced; the next pull reads it from its beginning.",
        )
        return
    news = "nothing" if highest == int(idlast) else f"ids up to {highest}"
    report.ok("new", f"{news} since IDLAST {idlast}")


def _check_cdr_api(
    report: Report, pbx: Pbx, client: HttpsClient, connection: PbxConnection, landed: Landed
) -> None:
    api = open_cdr_api(client, pbx, connection)
    api.log_in()
    report.ok("login", f"logged in as {connection.login!r}")
    now = datetime.now(UTC)
    calls: list[Ticket] = []
    for days in LAST_DAYS:
        records = by_time.read_records(pbx, api, now - timedelta(days=days))
        calls = list(islice(records, MOST_RECORDS))
        if calls:
            break
    report.ok("rights", f"{connection.login!r} may read call records")
    if not calls:
        raise StepFailedError("tickets", f"no call of the last {LAST_DAYS[-1]} days", NO_CALL)
    report.ok("tickets", f"{len(calls)} records of the last days")
    if landed.idlast is not None:
        report.ok("new", f"read up to calls of {landed.idlast}")
    calls.sort()
    _show_last(report, pbx, calls, lambda call: by_time.started_at(pbx, call.body))


def _show_last(
    report: Report,
    pbx: Pbx,
    calls: list[Ticket],
    start_of: Callable[[Ticket], datetime | None],
) -> None:
    report.last = LastTickets(tuple(calls[-SHOWN_TICKETS:]))
    starts = [start for start in map(start_of, calls) if start is not None]
    if starts:
        report.add(age_step(pbx, max(starts), NO_CALL))
