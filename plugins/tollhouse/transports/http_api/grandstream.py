"""The CDR API of a Grandstream UCM, in its two forms: asked for call records by time.

The newer one (port 8089) takes a challenge, a login and a session for everything; the older one
(port 8443) has an address of its own and digest authentication. The records are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from tollhouse import documents
from tollhouse.connections import PbxConnection
from tollhouse.documents import Document
from tollhouse.framing import decode
from tollhouse.json_items import (
    CutShortError,
    NoListError,
    items_of,
    loaded,
)
from tollhouse.transports.http_api.client import Answer, Ask, HttpsClient, cut_short, no_json
from tollhouse.transports.http_api.digest import DigestLogin
from tollhouse.transports.http_api.failures import Fault

OLD_PATH = "/cdrapi"
NEW_PATH = "/api"
OLD_PORT = 8443

#: What the list of records is called, by newer and by the oldest firmware.
LIST_NAMES = ("cdr_root", "cdr")
#: How documents.legs names the legs of a group; the sum over them keeps its name.
LEG_NAME = '"sub_cdr_'

#: Codes of the newer API, after the vendor's guide to the HTTPS API.
SESSION_ENDED = {-5, -6}
LOGIN_REFUSED = {-37, -68, -70, -71}
NO_RIGHT = {-47}
#: Codes that pass, and how many seconds the PBX asks to wait.
BUSY: dict[int, float | None] = {-7: None, -8: None, -45: 15, -46: 15, -51: None, -57: 60}

ENABLE = (
    "In the web page of the PBX: API Configuration must be enabled, with this login and password, "
    "and admit the address of this machine."
)


class CdrApi(Protocol):
    """Either form of the API."""

    def log_in(self) -> None:
        """Try the login."""

    def page(self, parameters: dict[str, str]) -> list[str]:
        """Return the elements of a page: records, or groups of them, as they were sent."""


class SessionApi:
    """The newer form: everything is posted to one address, with a session in it."""

    def __init__(self, client: HttpsClient, connection: PbxConnection) -> None:
        self._client = client
        self._login = connection.login
        self._password = connection.password
        self._cookie = ""
        client.hide_login(connection.login, connection.password)

    def log_in(self) -> None:
        """Answer the challenge of the PBX and keep the session.

        Raises:
            ApiError: the login is refused, or the PBX does not answer.
        """
        self._cookie = self._post(self._answer_challenge, "cookie")
        self._client.hide(self._cookie)

    def page(self, parameters: dict[str, str]) -> list[str]:
        """Return the elements of a page, after a new login where the session has ended."""
        if not self._cookie:
            self.log_in()
        items = self._ask_for_page(parameters)
        if items is None:
            self.log_in()
            items = self._ask_for_page(parameters)
        if items is None:
            raise self._client.error(
                Fault(
                    "rights",
                    f"{self._client.reach.place} ends each session of {self._login!r} at once",
                    ENABLE,
                )
            )
        return items

    def _ask_for_page(self, parameters: dict[str, str]) -> list[str] | None:
        request = {"action": "cdrapi", "cookie": self._cookie, "format": "json", **parameters}
        return self._client.ask(_posted(request), self._read_page)

    def _read_page(self, answer: Answer) -> list[str] | None:
        _expect_ok(self._client, answer, "tickets")
        try:
            return _items(self._client, answer)
        except NoListError:
            found = self._judged(answer, "tickets")
            if found is None:
                return None
            said = self._client.said(answer.body)
            raise self._client.error(no_json(self._client.reach.place, said)) from None

    def _answer_challenge(self) -> Ask:
        """Return a login. Each challenge is answered once: one that was lost is asked for anew."""
        told = {"action": "challenge", "user": self._login, "version": "1.0"}
        challenge = self._post(lambda: _posted(told), "challenge")
        token = hashlib.md5((challenge + self._password).encode(), usedforsecurity=False)
        self._client.hide(token.hexdigest())
        return _posted(
            {
                "action": "login",
                "user": self._login,
                "token": token.hexdigest(),
                "url": self._client.reach.url + NEW_PATH,
            }
        )

    def _post(self, make: Callable[[], Ask], wanted: str) -> str:
        """Return one field of the answer to a step of the login."""

        def read(answer: Answer) -> str:
            _expect_ok(self._client, answer, "login")
            found = self._judged(answer, "login")
            response = found.get("response") if found else None
            value = response.get(wanted) if isinstance(response, dict) else None
            if not isinstance(value, str):
                fault = no_json(self._client.reach.place)._replace(step="login")
                raise self._client.error(fault)
            return value

        return self._client.ask(make, read)

    def _judged(self, answer: Answer, step: str) -> dict[str, Any] | None:
        """Return an answer without records; None if it says that the session has ended."""
        place = self._client.reach.place
        found = loaded(answer.body)
        if not isinstance(found, dict):
            is_cut = answer.body.lstrip()[:1] in (b"{", b"")
            raise self._client.error(
                cut_short(place) if is_cut else no_json(place, self._client.said(answer.body))
            )
        code = found.get("status", 0)
        if code == 0:
            return found
        if code in SESSION_ENDED and step != "login":
            return None
        if code in BUSY:
            raise self._client.error(
                Fault(
                    step,
                    f"{place} is busy (status {code})",
                    "Others use its API at the same time; the next run asks again.",
                    may_pass=True,
                    retry_after_seconds=BUSY[code],
                )
            )
        if code in NO_RIGHT:
            raise self._client.error(
                Fault("rights", f"{self._login!r} has no right to it (status {code})", ENABLE)
            )
        refused = "refuses the login" if code in LOGIN_REFUSED else "does not take a request of"
        shown = code if isinstance(code, int) else "unknown"
        raise self._client.error(
            Fault(step, f"{place} {refused} {self._login!r} (status {shown})", ENABLE)
        )


class DigestApi:
    """The older form: the records have an address of their own."""

    def __init__(self, client: HttpsClient, connection: PbxConnection) -> None:
        self._client = client
        self._login = connection.login
        self._digest = DigestLogin(connection.login, connection.password)
        client.hide_login(connection.login, connection.password)

    def log_in(self) -> None:
        """Ask for a single record."""
        self.page({"numRecords": "1", "offset": "0"})

    def page(self, parameters: dict[str, str]) -> list[str]:
        """Return the elements of a page; the challenge is answered where one comes."""
        uri = f"{OLD_PATH}?{urlencode({'format': 'json', **parameters}, quote_via=quote)}"
        items = self._ask_for_page(uri)
        if items is None:
            items = self._ask_for_page(uri)
        if items is None:
            raise self._client.error(
                Fault(
                    "login",
                    f"{self._client.reach.place} refuses the login {self._login!r} (401)",
                    "Correct login and password of the connection. " + ENABLE,
                )
            )
        return items

    def _ask_for_page(self, uri: str) -> list[str] | None:
        # A digest is good once: it is counted by the PBX.
        return self._client.ask(
            lambda: Ask("GET", uri, headers=self._digest.header("GET", uri)), self._read_page
        )

    def _read_page(self, answer: Answer) -> list[str] | None:
        if answer.status == 401:
            if self._digest.take(answer.headers.get("WWW-Authenticate", "")):
                return None
            raise self._client.error(
                Fault(
                    "login",
                    f"{self._client.reach.place} asks for another login than digest",
                    "Is the port that of the CDR API? For the newer API leave settings.cdr_api "
                    "out.",
                )
            )
        _expect_ok(self._client, answer, "tickets")
        try:
            return _items(self._client, answer)
        except NoListError:
            said = self._client.said(answer.body)
            raise self._client.error(no_json(self._client.reach.place, said)) from None


def legs_of(item: str, *, maximum_bytes: int) -> list[str]:
    """Return the records of an element of a page: itself, or those of the group that it is.

    A leg of a group loses its name: the same record came without one while the call had only one.
    """
    found = documents.legs(Document(0, item.encode()), maximum_bytes=maximum_bytes)
    texts = (decode(leg, "utf-8") for _, leg in found)
    return [
        text.partition(":")[2].lstrip() if text.startswith(LEG_NAME) else text for text in texts
    ]


def _posted(request: dict[str, str]) -> Ask:
    return Ask("POST", NEW_PATH, json={"request": request})


def _expect_ok(client: HttpsClient, answer: Answer, step: str) -> None:
    if answer.status != 200:
        raise client.error(client.status_fault(answer, step, "a request", ENABLE))


def _items(client: HttpsClient, answer: Answer) -> list[str]:
    text = decode(answer.body, "utf-8")
    try:
        return items_of(text, *LIST_NAMES)
    except CutShortError:
        raise client.error(cut_short(client.reach.place)) from None
    except NoListError:
        if text.strip():
            raise
        raise client.error(cut_short(client.reach.place)) from None


__all__ = ["NEW_PATH", "OLD_PATH", "OLD_PORT", "CdrApi", "DigestApi", "SessionApi", "legs_of"]
