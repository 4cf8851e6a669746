"""One PBX asked over HTTPS: bounded, patient with what passes, and silent about secrets.

A request that fails for a reason that may pass (a busy or restarting server, a cut connection, half
an answer) is made again after a while that doubles each time; any other failure is told at once.
Redirects are followed on the same host only: a token must not travel to another.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit

import requests
import urllib3

from tollhouse.transports.http_api.failures import (
    BROKEN_OFF,
    TRY_AGAIN,
    ApiError,
    Fault,
    fault_of,
    quoted,
    slow_fault,
)
from tollhouse.transports.http_api.reach import Reach
from tollhouse.transports.http_api.tls import TlsAdapter

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: No answer is longer; a page of a thousand calls is one or two MiB.
MAXIMUM_BYTES = 64 << 20
BLOCK_BYTES = 1 << 16
#: The silence that is waited for, times this, is how long a whole answer may take.
WHOLE_ANSWER_FACTOR = 10
LONGEST_WAIT_SECONDS = 120.0
REDIRECTS_FOLLOWED = 3
HTTPS_PORT = 443
PASSING_STATUSES = {408, 425, 429, 500, 502, 503, 504}
#: More of an answer is never quoted; the longest token fits in.
LONGEST_SAID_BYTES = 1 << 16
#: What a secret is replaced by in what is said; shorter ones than this could be any word.
HIDDEN = "(hidden)"
SHORTEST_HIDDEN = 3


@dataclass(frozen=True)
class Patience:
    """How long and how often is waited.

    Attributes:
        timeout_seconds: of silence.
        retry_seconds: before the second attempt; doubles with each further one.
    """

    timeout_seconds: float = 30.0
    retry_seconds: float = 1.0
    attempts: int = 5

    def wait_seconds(self, attempt: int, spread: float) -> float:
        """Return how long to wait after an attempt; ``spread``, from 0 to 1, makes it longer.

        Up to half as long: several PBXs behind one server should not come back together.
        """
        wait = self.retry_seconds * 2.0 ** (attempt - 1)
        return min(wait * (1.0 + spread / 2), LONGEST_WAIT_SECONDS)


@dataclass(frozen=True)
class Ask:
    """A request; its headers may hold a token."""

    method: str
    path: str
    parameters: Mapping[str, str] | None = None
    json: Any = None
    headers: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        """Say what is asked and nothing that may be secret."""
        return f"Ask({self.method} {self.path})"


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Say how it went and nothing that may be secret."""
        return f"Answer({self.status}, {len(self.body)} bytes)"


class HttpsClient:
    """The connection to the API of one PBX; closed by whoever opened it."""

    def __init__(self, pbx_id: str, reach: Reach, patience: Patience) -> None:
        self.pbx_id = pbx_id
        self.reach = reach
        self._patience = patience
        self._secrets: set[str] = set()
        self._session = requests.Session()
        # What the environment says about proxies is in `reach`; a .netrc is nobody's business here.
        self._session.trust_env = False
        self._session.verify = reach.ca_file or False
        self._session.proxies = {"https": reach.proxy} if reach.proxy else {}
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "tollhouse"})
        self._session.mount("https://", TlsAdapter(reach))
        proxy = urlsplit(reach.proxy or "")
        for secret in (proxy.password, unquote(proxy.password or "")):
            self.hide(secret or "")

    def __repr__(self) -> str:
        """Say who is asked, without the proxy's login."""
        return f"HttpsClient({self.pbx_id}, {self.reach.place})"

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def hide(self, secret: str) -> None:
        """Keep a password, token or cookie out of everything that is said from now on."""
        if len(secret) >= SHORTEST_HIDDEN:
            in_json = {
                json.dumps(secret, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)
            }
            self._secrets |= {secret, quote(secret, safe=""), *in_json}

    def hide_login(self, login: str, password: str) -> str:
        """Keep a password out of what is said, also as basic authentication writes it; return that.

        Basic authentication is made here: libraries write what is not Latin-1 each in its own way.
        """
        basic = base64.b64encode(f"{login}:{password}".encode()).decode()
        self.hide(password)
        self.hide(basic)
        return f"Basic {basic}"

    def error(self, fault: Fault) -> ApiError:
        """Return the error that says a fault."""
        return ApiError(self.pbx_id, fault._replace(found=self._hidden(fault.found)))

    def said(self, body: bytes) -> str:
        """Return the beginning of what the PBX says, fit for a log.

        Secrets are taken out before the rest is cut off: a part of one would not be known again.
        """
        return quoted(self._hidden(body[:LONGEST_SAID_BYTES].decode("utf-8", "replace")))

    def _hidden(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def ask(self, ask: Ask | Callable[[], Ask], understand: Callable[[Answer], T]) -> T:
        """Make a request, again while it fails for a reason that may pass.

        Args:
            ask: the request, or what makes it anew for each attempt: some hold what is good once.
            understand: makes the result of the answer, or raises ``error``; may be called again.

        Raises:
            ApiError: it failed for good, or too often.
        """
        patience = self._patience
        for attempt in range(1, patience.attempts + 1):
            request = ask() if callable(ask) else ask
            try:
                return understand(self._passing(self._follow(request)))
            except ApiError as error:
                fault = error.fault
                if not fault.may_pass:
                    raise
                last = fault
            if attempt < patience.attempts:
                wait = self._wait_seconds(attempt, last)
                said = self.error(last).fault.found
                logger.info("%s: %s; asking again in %.1f s", self.pbx_id, said, wait)
                time.sleep(wait)
        found = f"{last.found} (asked {patience.attempts} times)"
        raise self.error(last._replace(found=found)) from None

    def ask_once(self, ask: Ask, understand: Callable[[Answer], T]) -> T:
        """Make a request a single time and take whatever is answered, a refusal too."""
        return understand(self._once(ask, self.reach.url + ask.path, ask.parameters))

    def status_fault(self, answer: Answer, step: str, what: str, remedy: str) -> Fault:
        """Return the fault of an answer that is a refusal, with what it says about itself."""
        said = self.said(answer.body)
        found = f"{self.reach.place} answers {answer.status} to {what}"
        return Fault(step, f"{found}: {said}" if said else found, remedy)

    def _wait_seconds(self, attempt: int, fault: Fault) -> float:
        if fault.retry_after_seconds is not None:
            return min(fault.retry_after_seconds, LONGEST_WAIT_SECONDS)
        return self._patience.wait_seconds(attempt, random.random())  # noqa: S311 - no secret

    def _passing(self, answer: Answer) -> Answer:
        if answer.status not in PASSING_STATUSES:
            return answer
        raise self.error(
            self.status_fault(
                answer,
                "answer",
                "a request",
                "The service of the PBX is busy, restarting or broken: look at its logs. "
                + TRY_AGAIN,
            )._replace(
                may_pass=True, retry_after_seconds=_retry_after(answer.headers.get("Retry-After"))
            )
        )

    def _follow(self, ask: Ask) -> Answer:
        url = self.reach.url + ask.path
        parameters = ask.parameters
        for _ in range(REDIRECTS_FOLLOWED + 1):
            answer = self._once(ask, url, parameters)
            location = answer.headers.get("Location")
            if answer.status not in (301, 302, 303, 307, 308) or location is None:
                return answer
            url, parameters = urljoin(url, location), None
            if _origin(url) != _origin(self.reach.url):
                elsewhere = self.said(location.encode())
                raise self.error(
                    Fault(
                        "answer",
                        f"{self.reach.place} sends on to another address: {elsewhere}",
                        "Login and token are not taken there. If that is the PBX, put its host and "
                        "port into the connection.",
                    )
                )
        raise self.error(
            Fault(
                "answer",
                f"{self.reach.place} sends from one address to the next without end",
                "Are host and port of the connection those of the PBX itself?",
            )
        )

    def _once(self, ask: Ask, url: str, parameters: Mapping[str, str] | None) -> Answer:
        with self._answered(ask, url, parameters) as response:
            body = self._read(response.raw)
            return Answer(response.status_code, response.headers, body)

    @contextmanager
    def _answered(
        self, ask: Ask, url: str, parameters: Mapping[str, str] | None
    ) -> Iterator[requests.Response]:
        """Make a request and give the answer, its body not read yet."""
        try:
            with closing(self._request(ask, url, parameters)) as response:
                yield response
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Without the cause: what libraries say of a connection may quote a proxy's password.
            raise self.error(self._fault_of(error)) from None

    def _request(
        self, ask: Ask, url: str, parameters: Mapping[str, str] | None
    ) -> requests.Response:
        try:
            return self._session.request(
                ask.method,
                url,
                params=dict(parameters) if parameters else None,
                json=ask.json,
                headers=dict(ask.headers) if ask.headers else None,
                allow_redirects=False,
                stream=True,
                timeout=self._patience.timeout_seconds,
            )
        except ValueError as error:  # an address or a header that is none
            raise self.error(self._fault_of(error)) from None

    def _fault_of(self, error: Exception) -> Fault:
        return fault_of(error, self.reach, self._patience.timeout_seconds)

    def _read(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        """Read an answer as it comes, so that one that only trickles ends in time too."""
        seconds = self._patience.timeout_seconds * WHOLE_ANSWER_FACTOR
        deadline = time.monotonic() + seconds
        body = bytearray()
        # Some compress what they were asked not to.
        while block := raw.read1(BLOCK_BYTES, decode_content=True):
            body += block
            if len(body) > MAXIMUM_BYTES:
                raise self.error(
                    Fault(
                        "answer",
                        f"{self.reach.place} answers with more than {MAXIMUM_BYTES >> 20} MiB",
                        "Ask for less at once: settings.page_rows of the entry.",
                    )
                )
            if time.monotonic() > deadline:
                raise self.error(slow_fault(self.reach, seconds))
        return bytes(body)


def cut_short(place: str) -> Fault:
    """Return the fault of an answer that ends in the middle."""
    return Fault("answer", f"{place} sent half an answer", BROKEN_OFF, may_pass=True)


def no_json(place: str, said: str = "") -> Fault:
    """Return the fault of an answer that is not what was asked for; ``said`` is how it begins."""
    if said[:1] == "<":
        kind = "a web page where JSON was asked for"
    elif said[:1] in ("{", "["):
        kind = "JSON without a list of calls"
    else:
        kind = "something else than JSON"
    found = f"{place} answers with {kind}"
    return Fault(
        "answer",
        f"{found}: {said}" if said else found,
        "Another service, or the login page of a proxy, stands there: check host and port of the "
        "connection.",
    )


def _origin(url: str) -> tuple[str, str, int]:
    """Return whom an address belongs to; the port of HTTPS may go without saying."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or HTTPS_PORT


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that an answer asks to wait: it gives them, or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        instant = parsedate_to_datetime(value)
        return max((instant - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
