"""Tickets from the web API of a PBX, over HTTPS.

Wazo numbers its calls, and so does a list that a layout describes: IDLAST is the highest id that
was looked at. A Grandstream UCM is asked by time: IDLAST is the start of the newest call. Either
way each pull reads a stretch below IDLAST again, where a ticket may have appeared since, and lands
what was not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import DeliveryTickets
from tollhouse.pbx import ApiDefaults
from tollhouse.settings import Settings
from tollhouse.transports import FetchRequest, Progress, SourceError
from tollhouse.transports.http_api import by_id, by_time
from tollhouse.transports.http_api.client import HttpsClient
from tollhouse.transports.http_api.entry_settings import patience_of
from tollhouse.transports.http_api.grandstream import OLD_PORT, CdrApi, DigestApi, SessionApi
from tollhouse.transports.http_api.list_api import ListApi
from tollhouse.transports.http_api.reach import find_reach
from tollhouse.transports.http_api.wazo import Wazo

#: The two forms of a UCM's API; the newer one by default.
CDR_APIS = ("new", "old")


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number: the id of a call, or the second in which it began."""
    if idlast.isascii() and idlast.isdecimal():
        return (int(idlast),)
    try:
        instant = datetime.fromisoformat(idlast)
    except ValueError:
        raise ValueError("it is an id, or a time such as 2026-10-01T08:00:00+00:00") from None
    if instant.tzinfo is None:
        raise ValueError("the time has no zone; write it as 2026-10-01T08:00:00+00:00")
    return (int(instant.timestamp()),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield what the API has beyond IDLAST, or of an interval."""
    pbx, connection = request.pbx, request.find_connection()
    with closing(open_client(pbx, connection, request.settings)) as client:
        api = api_defaults(pbx).api
        if api == "wazo":
            yield from by_id.fetch(request, progress, Wazo(client, pbx, connection))
        elif api == "list":
            yield from by_id.fetch(request, progress, ListApi(client, pbx, connection))
        else:
            yield from by_time.fetch(request, progress, open_cdr_api(client, pbx, connection))


def open_client(pbx: Pbx, connection: PbxConnection, settings: Settings) -> HttpsClient:
    """Return a connection to the API of a PBX; nothing is asked yet.

    Raises:
        SourceError: the connection or the entry's settings do not hold.
    """
    is_old = api_defaults(pbx).api == "grandstream" and _cdr_api(pbx) == "old"
    port = OLD_PORT if is_old else api_defaults(pbx).port
    reach = find_reach(pbx, connection, settings, default_port=port)
    return HttpsClient(pbx.id, reach, patience_of(pbx))


def open_cdr_api(client: HttpsClient, pbx: Pbx, connection: PbxConnection) -> CdrApi:
    """Return the form of a UCM's API that its entry names."""
    if _cdr_api(pbx) == "old":
        return DigestApi(client, connection)
    return SessionApi(client, connection)


def api_defaults(pbx: Pbx) -> ApiDefaults:
    """Return which API a PBX has."""
    if pbx.known_model.api is None:
        raise SourceError(f"{pbx.id}: model {pbx.model} is not read from an API.")
    return pbx.known_model.api


def _cdr_api(pbx: Pbx) -> str:
    named = str(pbx.settings.get("cdr_api", CDR_APIS[0]))
    if named not in CDR_APIS:
        raise SourceError(f"{pbx.id}: settings.cdr_api is {named!r}; it can be new or old.")
    return named
