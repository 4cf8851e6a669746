"""A simulated Wazo server: hands out tokens and call logs over HTTPS, as the published API does.

``POST /api/auth/0.1/token`` with basic authentication gives a token, ``GET /api/call-logd/1.0/cdr``
with it lists call logs. It can be told to misbehave, each fault once: see ``Fault``.

    python -m lab.wazo_server --port … --feed … --certificate … --key … --login … \
        --password-file … [--fault cut@3]
"""

from __future__ import annotations

import argparse
import base64
import json
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from lab.https_listener import HttpsListener
from lab.streams.feed import Feed
from lab.wazo import TENANT
from lab.wazo_rows import CallLogs, InvalidQueryError, Query

TOKEN_PATH = "/api/auth/0.1/token"  # noqa: S105 - a path
CDR_PATH = "/api/call-logd/1.0/cdr"
NEEDED_ACCESS = "call-logd.cdr.read"
TOKEN_SECONDS, LONGEST_TOKEN_SECONDS = 7200, 315_360_000

FaultKind = Literal[
    "429", "500", "503", "expire", "truncate", "cut", "slow", "regenerate", "token_503"
]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong once.

    Attributes:
        kind: an HTTP status in place of the answer (``429`` names a time to wait); ``expire`` takes
            every token back; ``truncate`` sends a whole answer of half a JSON document; ``cut``
            closes the connection within the answer; ``slow`` waits before it; ``regenerate`` gives
            every row a new id before the request is answered; ``token_503`` says at the next
            request for a token that the service is down.
        request: the request for call logs that it happens to, counted from 1; 0 is the next one.
    """

    kind: FaultKind
    request: int = 0

    @classmethod
    def of(cls, text: str) -> Fault:
        """Read a fault as the command line gives it: ``cut`` or ``cut@3``."""
        kind, _, request = text.partition("@")
        for known in get_args(FaultKind):
            if known == kind:
                return cls(known, int(request or 0))
        raise ValueError(f"unknown fault {kind!r}; known are {', '.join(get_args(FaultKind))}")


@dataclass(frozen=True)
class Request:
    """A request as it came, for those who want to look.

    Attributes:
        status: what it was answered; 0 when the connection was cut.
    """

    method: str
    path: str
    parameters: dict[str, str]
    tenant: str | None
    status: int


@dataclass
class Token:
    """A token that was given out."""

    expires_at: datetime
    uses: int = 0


@dataclass
class WazoServer:
    """The server; a context manager that answers on a thread of its own.

    Attributes:
        feed: rows to serve; may grow at any time.
        certificate: with its key in ``key``; without them plain HTTP is spoken.
        port: 0 takes a free one; ``port`` is it once the server runs.
        login, password: of the web-services user ...
        access: ... and its rights.
        token_uses: a token expires after so many requests for call logs.
        slowness_seconds: how long the fault ``slow`` waits.
        requests: every request that came, oldest first.
    """

    feed: Path
    certificate: Path | None = None
    key: Path | None = None
    port: int = 0
    login: str = "tollhouse"
    password: str = "a long password"  # noqa: S105 - of a simulated server
    access: tuple[str, ...] = (NEEDED_ACCESS,)
    tenant: str = TENANT
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Paris"))
    token_uses: int | None = None
    slowness_seconds: float = 5.0
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.call_logs = CallLogs(Feed(self.feed), self.tenant)
        self._tokens: dict[str, Token] = {}
        self._cdr_requests = 0
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()

    def __enter__(self) -> WazoServer:
        self._server = _Listener(self)
        self.port = self._server.port
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping.set()
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def misbehave(self, *faults: str) -> None:
        """Let faults happen, each once: ``cut`` at the next request, ``cut@3`` at the third."""
        with self._lock:
            self.faults += [Fault.of(text) for text in faults]

    def regenerate(self, *conversations: str, **changes: Any) -> int:
        """Delete call logs and write them again under new ids; return how many.

        Args:
            conversations: their conversation_id; none of them means all rows.
            changes: what the rows written again say otherwise.
        """
        return self.call_logs.regenerate(
            lambda item: not conversations or item["conversation_id"] in conversations, changes
        )

    def expire_tokens(self) -> None:
        """Take back every token that was given out."""
        with self._lock:
            self._tokens.clear()

    def new_token(self, seconds: int) -> tuple[str, datetime]:
        """Give out a token that is good for so long; return it and when it was made."""
        token, now = str(uuid.uuid4()), datetime.now(UTC)
        with self._lock:
            self._tokens[token] = Token(now + timedelta(seconds=seconds))
        return token, now

    def accepts(self, token: str | None) -> bool:
        """Use a token for a request; false when it is unknown, expired or used up."""
        with self._lock:
            known = self._tokens.get(token or "")
            if known is None or known.expires_at <= datetime.now(UTC):
                return False
            known.uses += 1
            return self.token_uses is None or known.uses <= self.token_uses

    def next_faults(self) -> list[FaultKind]:
        """Count a request for call logs; return what goes wrong with it."""
        with self._lock:
            self._cdr_requests += 1
            due = [
                fault
                for fault in self.faults
                if fault.request in (0, self._cdr_requests) and fault.kind != "token_503"
            ]
            # Of those that wait for the next request, one at a time.
            now = [fault for fault in due if fault.request] or due[:1]
            for fault in now:
                self.faults.remove(fault)
        return [fault.kind for fault in now]

    def is_auth_down(self) -> bool:
        """Whether the service of tokens is to be down for this request."""
        with self._lock:
            for fault in self.faults:
                if fault.kind == "token_503":
                    self.faults.remove(fault)
                    return True
        return False

    def wait_slowly(self) -> None:
        """Wait as long as the fault ``slow`` does, or until the server stops."""
        self._is_stopping.wait(self.slowness_seconds)


class _Listener(HttpsListener):
    def __init__(self, wazo: WazoServer) -> None:
        self.wazo = wazo
        super().__init__(wazo.port, _Handler, certificate=wazo.certificate, key=wazo.key)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    disable_nagle_algorithm: ClassVar[bool] = True

    @property
    def wazo(self) -> WazoServer:
        return self.server.wazo

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._path != TOKEN_PATH:
            self._answer(404, _error("Not Found", "not-found"))
        elif self.wazo.is_auth_down():
            self._answer(503, {"reason": ["Service unavailable"], "status_code": 503})
        elif not self._knows_password():
            refusal = {"reason": ["Authentication Failed"], "timestamp": [time.time()]}
            self._answer(401, refusal | {"status_code": 401})
        else:
            self._give_token(body)

    def do_GET(self) -> None:
        if self._path != CDR_PATH:
            self._answer(404, _error("Not Found", "not-found"))
            return
        faults = self.wazo.next_faults()
        if "expire" in faults:
            self.wazo.expire_tokens()
        if "regenerate" in faults:
            self.wazo.regenerate()
        if "slow" in faults:
            self.wazo.wait_slowly()
        for status in ("429", "500", "503"):
            if status in faults:
                self._answer(int(status), _error("Something went wrong", "unexpected"))
                return
        status_code, answer = self._call_logs()
        self._answer(status_code, answer, faults)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in ``WazoServer.requests``."""

    @property
    def _path(self) -> str:
        return urlsplit(self.path).path

    @property
    def _parameters(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[-1] for name, values in query.items()}

    def _knows_password(self) -> bool:
        given = self.headers.get("Authorization", "")
        pair = f"{self.wazo.login}:{self.wazo.password}".encode()
        return given == "Basic " + base64.b64encode(pair).decode("ascii")

    def _give_token(self, body: bytes) -> None:
        try:
            seconds = json.loads(body or b"{}").get("expiration") or TOKEN_SECONDS
        except (ValueError, AttributeError):
            seconds = 0
        if not isinstance(seconds, int) or not 0 < seconds <= LONGEST_TOKEN_SECONDS:
            self._answer(400, {"reason": ["Invalid expiration"], "status_code": 400})
            return
        wazo = self.wazo
        token, issued_at = wazo.new_token(seconds)
        expires_at = issued_at + timedelta(seconds=seconds)
        auth_id = str(uuid.uuid5(uuid.NAMESPACE_URL, wazo.login))
        data = {
            "token": token,
            "auth_id": auth_id,
            "xivo_user_uuid": None,
            "xivo_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, wazo.tenant)),
            # The server's wall clock, without an offset; the utc_ ones without one too.
            "issued_at": _naive(issued_at, wazo.time_zone),
            "expires_at": _naive(expires_at, wazo.time_zone),
            "utc_issued_at": _naive(issued_at, UTC),
            "utc_expires_at": _naive(expires_at, UTC),
            "acl": list(wazo.access),
            "metadata": {
                "uuid": auth_id,
                "tenant_uuid": wazo.tenant,
                "auth_id": auth_id,
                "pbx_user_uuid": None,
            },
            "session_uuid": str(uuid.uuid4()),
            "remote_addr": self.client_address[0],
            "user_agent": self.headers.get("User-Agent", ""),
        }
        self._answer(200, {"data": data})

    def _call_logs(self) -> tuple[int, dict[str, Any]]:
        token = self.headers.get("X-Auth-Token")
        has_access = not {NEEDED_ACCESS, "call-logd.#", "#"}.isdisjoint(self.wazo.access)
        if not self.wazo.accepts(token) or not has_access:
            details = {"invalid_token": token, "required_access": NEEDED_ACCESS}
            return 401, _error("Unauthorized", "unauthorized", details)
        tenant = self.headers.get("Wazo-Tenant") or self.wazo.tenant
        try:
            query = Query.of(self._parameters, tenant, self.wazo.time_zone)
        except InvalidQueryError as error:
            return 400, _error("Sent data is invalid", "invalid-data", error.details)
        return 200, self.wazo.call_logs.listing(query)

    def _answer(
        self, status: int, answer: dict[str, Any], faults: Sequence[FaultKind] = ()
    ) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        if "truncate" in faults:
            body = body[: len(body) // 2]
        sent = body[: len(body) // 2] if "cut" in faults else body
        self.wazo.requests.append(
            Request(
                method=self.command,
                path=self._path,
                parameters=self._parameters,
                tenant=self.headers.get("Wazo-Tenant"),
                status=0 if "cut" in faults else status,
            )
        )
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(sent)
        if "cut" in faults:
            self.close_connection = True


def _naive(instant: datetime, zone: Any) -> str:
    return instant.astimezone(zone).replace(tzinfo=None).isoformat(timespec="microseconds")


def _error(message: str, error_id: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "message": message,
        "error_id": error_id,
        "details": details or {},
        "timestamp": time.time(),
    }


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A simulated Wazo server.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--feed", type=Path, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--login", default="tollhouse")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--token-uses", type=int)
    parser.add_argument("--fault", action="append", default=[], type=Fault.of)
    options = parser.parse_args()
    with WazoServer(
        feed=options.feed,
        certificate=options.certificate,
        key=options.key,
        port=options.port,
        login=options.login,
        password=options.password_file.read_text(encoding="utf-8").strip(),
        token_uses=options.token_uses,
        faults=options.fault,
    ):
        threading.Event().wait()


if __name__ == "__main__":
    main()
