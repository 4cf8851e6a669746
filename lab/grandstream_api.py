"""The CDR API of a simulated Grandstream UCM, over HTTPS, in its newer and in its older form.

The newer one is posted to at ``/api``: challenge, login, then records with the session's cookie.
The older one is ``GET /cdrapi`` with digest authentication. Both hand out the same records, grouped
as the PBX groups the legs of a call. It can be told to misbehave, each fault once.

    python -m lab.grandstream_api --port … --feed … --certificate … --key … --login … \
        --password-file … [--fault cut]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from lab import grandstream_ucm
from lab.https_listener import HttpsListener
from lab.streams.feed import Feed
from lab.traffic import Call, Site
from lab.truth import TicketTruth

NEW_PATH, OLD_PATH = "/api", "/cdrapi"
MOST_RECORDS = 1_000
REALM = "Grandstream CDR API"

#: Codes of the newer API.
OK, INVALID, COOKIE_ERROR, WRONG_LOGIN, NO_PERMISSION, BUSY = 0, -1, -6, -37, -47, -45

#: An HTTP error; half a document; a connection that is closed half-way; a session that ends; a code
#: of the API that asks to come again; a nonce that is no longer good; a login that the PBX took
#: though its answer is an error.
FaultKind = Literal["500", "truncate", "cut", "expire", "busy", "stale", "login"]

Record = dict[str, str]


@dataclass
class GrandstreamApi:
    """The server; a context manager that answers on a thread of its own.

    Attributes:
        records: what the PBX holds; a test may add to them at any time.
        feed: records that come from a feed of the lab, a JSON object each.
        groups_legs: whether the legs of a session come as one group.
        may_read: whether the account has the permission.
        requests: the action or path of every request that came.
    """

    certificate: Path
    key: Path
    records: list[Record] = field(default_factory=list)
    feed: Feed | None = None
    port: int = 0
    login: str = "cdrapi"
    password: str = "a long password"  # noqa: S105 - of a simulated server
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Paris"))
    groups_legs: bool = True
    may_read: bool = True
    faults: list[FaultKind] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._challenges: dict[str, str] = {}
        self._cookies: set[str] = set()
        self._nonces: set[str] = set()
        self._digests: set[str] = set()
        self._position = 0

    def __enter__(self) -> GrandstreamApi:
        self._server = _Listener(self)
        self.port = self._server.port
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def next_fault(self) -> FaultKind | None:
        """Return what goes wrong with a request for records, if anything."""
        with self._lock:
            fault = next((fault for fault in self.faults if fault != "login"), None)
            if fault:
                self.faults.remove(fault)
            if fault == "expire":
                self._cookies.clear()
            if fault == "stale":
                self._nonces.clear()
        return fault

    def is_login_lost(self) -> bool:
        """Whether the answer to this login is an error."""
        with self._lock:
            is_lost = "login" in self.faults
            if is_lost:
                self.faults.remove("login")
        return is_lost

    def challenge(self, user: str) -> str:
        """Return a challenge for a login."""
        with self._lock:
            return self._challenges.setdefault(user, f"{secrets.randbelow(10**16):016d}")

    def log_in(self, user: str, token: str) -> str | None:
        """Return the cookie of a new session, or None when the login is refused."""
        with self._lock:
            challenge = self._challenges.pop(user, "")
            expected = hashlib.md5((challenge + self.password).encode(), usedforsecurity=False)
            if user != self.login or not challenge or token != expected.hexdigest():
                return None
            cookie = f"sid{secrets.randbelow(10**9)}-{len(self._cookies)}"
            self._cookies.add(cookie)
        return cookie

    def knows(self, cookie: str) -> bool:
        """Whether a session goes on."""
        with self._lock:
            return cookie in self._cookies

    def new_nonce(self) -> str:
        """Return a challenge of digest authentication."""
        nonce = secrets.token_hex(16)
        with self._lock:
            self._nonces.add(nonce)
        return nonce

    def accepts(self, header: str, method: str, uri: str) -> bool:
        """Whether a digest is that of the login, answers a challenge of ours, and is a new one."""
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', header.removeprefix("Digest ")))
        with self._lock:
            if fields.get("nonce") not in self._nonces or header in self._digests:
                return False
            self._digests.add(header)
        secret = _md5(f"{self.login}:{REALM}:{self.password}")
        request = _md5(f"{method}:{uri}")
        middle = ":".join(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        is_ours = fields.get("username") == self.login and fields.get("uri") == uri
        return is_ours and fields.get("response") == _md5(f"{secret}:{middle}:{request}")

    def listing(self, parameters: dict[str, str]) -> list[dict[str, Any]]:
        """Return the elements of a page: records and groups of them, oldest first."""
        rows = min(int(parameters.get("numRecords") or MOST_RECORDS), MOST_RECORDS)
        offset = int(parameters.get("offset") or 0)
        with self._lock:
            self._take_up_new_records()
            held = list(self.records)
        found = [record for record in held if self._is_in(record, parameters)]
        elements = list(grouped(found)) if self.groups_legs else [dict(row) for row in found]
        return elements[offset : offset + rows]

    def _take_up_new_records(self) -> None:
        for ticket in self.feed.after(self._position) if self.feed else ():
            self._position = ticket.end
            record = json.loads(ticket.text)
            if record["AcctId"]:  # a sum has none: it is made anew
                self.records.append(record)

    def _is_in(self, record: Record, parameters: dict[str, str]) -> bool:
        start = datetime.fromisoformat(record["start"]).replace(tzinfo=self.zone)
        first, last = (
            datetime.fromisoformat(parameters[name]) if parameters.get(name) else None
            for name in ("startTime", "endTime")
        )
        return (first is None or start >= first) and (last is None or start <= last)


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the records of a call as the API tells them: several behind the sum over them."""
    legs = grandstream_ucm.tickets_of(call, site, number)
    if len(legs) == 1:
        return legs
    (group,) = grouped(json.loads(leg.ticket) for leg in legs)
    return [replace(legs[0], state="ignored", ticket=json.dumps(group["main_cdr"])), *legs]


def grouped(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """Yield records as the API does: alone, or the legs of a session behind the sum over them."""
    for session, found in groupby(records, key=lambda record: record["session"]):
        legs = list(found)
        if len(legs) == 1:
            yield {"cdr": session, **legs[0]}
            continue
        blank = dict.fromkeys(legs[0], "")
        told = {name: legs[0][name] for name in ("src", "dst", "start", "session", "action_type")}
        sums = {
            name: str(sum(int(leg[name] or 0) for leg in legs)) for name in ("duration", "billsec")
        }
        named = {f"sub_cdr_{number}": leg for number, leg in enumerate(legs, start=1)}
        yield {"cdr": session, "main_cdr": blank | told | sums, **named}


class _Listener(HttpsListener):
    def __init__(self, api: GrandstreamApi) -> None:
        self.api = api
        super().__init__(api.port, _Handler, certificate=api.certificate, key=api.key)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    disable_nagle_algorithm: ClassVar[bool] = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            request = json.loads(body)["request"]
            action = str(request["action"])
        except (ValueError, KeyError, TypeError):
            request, action = {}, ""
        self.server.api.requests.append(action)
        if self.path != NEW_PATH:
            self._answer(404, {"error": "Not Found"})
        elif action == "challenge":
            challenge = self.server.api.challenge(str(request.get("user")))
            self._answer(200, {"response": {"challenge": challenge}, "status": OK})
        elif action == "login":
            cookie = self.server.api.log_in(str(request.get("user")), str(request.get("token")))
            refused = {"response": {}, "status": WRONG_LOGIN}
            if self.server.api.is_login_lost():
                self._answer(500, {"error": "Internal Server Error"})
                return
            self._answer(200, {"response": {"cookie": cookie}, "status": OK} if cookie else refused)
        elif action == "cdrapi":
            self._tell_records_of_session(request)
        else:
            self._answer(200, {"response": {}, "status": INVALID})

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.server.api.requests.append(address.path)
        if address.path != OLD_PATH:
            self._answer(404, {"error": "Not Found"})
            return
        fault = self.server.api.next_fault()
        if not self.server.api.accepts(
            self.headers.get("Authorization", ""), self.command, self.path
        ):
            nonce = self.server.api.new_nonce()
            challenge = f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", algorithm=MD5'
            self._answer(401, {}, headers={"WWW-Authenticate": challenge})
            return
        parameters = {name: values[-1] for name, values in parse_qs(address.query).items()}
        self._tell_records(parameters, fault)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in ``GrandstreamApi.requests``."""

    def _tell_records_of_session(self, request: dict[str, Any]) -> None:
        api = self.server.api
        fault = api.next_fault()
        if not api.knows(str(request.get("cookie"))):
            self._answer(200, {"response": {}, "status": COOKIE_ERROR})
        elif not api.may_read:
            self._answer(200, {"response": {}, "status": NO_PERMISSION})
        elif fault == "busy":
            self._answer(200, {"response": {}, "status": BUSY})
        else:
            self._tell_records({name: str(value) for name, value in request.items()}, fault)

    def _tell_records(self, parameters: dict[str, str], fault: FaultKind | None) -> None:
        if fault == "500":
            self._answer(500, {"error": "Internal Server Error"})
            return
        elements = self.server.api.listing(parameters)
        body = json.dumps({"cdr_root": elements}, ensure_ascii=False, indent=1).encode()
        if fault == "truncate":
            body = body[: len(body) // 2]
        self._send(200, body, sent=body[: len(body) // 2] if fault == "cut" else body)

    def _answer(
        self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(answer).encode()
        self._send(status, body, sent=body, headers=headers)

    def _send(
        self, status: int, body: bytes, *, sent: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = len(sent) < len(body)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="The CDR API of a simulated Grandstream UCM.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--feed", type=Path, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--login", default="cdrapi")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--fault", action="append", default=[], choices=get_args(FaultKind))
    options = parser.parse_args()
    with GrandstreamApi(
        certificate=options.certificate,
        key=options.key,
        feed=Feed(options.feed),
        port=options.port,
        login=options.login,
        password=options.password_file.read_text(encoding="utf-8").strip(),
        faults=options.fault,
    ):
        threading.Event().wait()


if __name__ == "__main__":
    main()
