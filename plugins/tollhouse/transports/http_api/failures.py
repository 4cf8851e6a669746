"""What can go wrong with a PBX that is asked over HTTPS, in words that say what to do.

What the other side says is quoted shortly and without control characters; what a library says about
a connection is not quoted at all, so that no address with a password in it reaches a log.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import requests
import urllib3

from tollhouse.transports import SourceError
from tollhouse.transports.http_api.reach import Reach

QUOTED_CHARACTERS = 200

#: A connection that was cut shows itself as one of these where TLS is in between.
CUT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

#: OpenSSL's numbers for what is wrong with a certificate.
EXPIRED, NOT_YET_VALID = 10, 9
WRONG_NAMES = (62, 64)

#: For certificates that no authority can vouch for.
PIN_IT = (
    "Of a PBX whose certificate cannot be replaced, put the SHA-256 fingerprint of it into extra "
    "tls_fingerprint."
)
TRY_AGAIN = "The next run asks again, from the same place; nothing is lost by it."
BROKEN_OFF = (
    "A firewall or proxy in between may end long connections; a smaller settings.page_rows makes "
    "them shorter. " + TRY_AGAIN
)


class Fault(NamedTuple):
    """What was found, at which step of the way, what to do, and whether it may pass by itself."""

    step: str
    found: str
    remedy: str
    may_pass: bool = False
    retry_after_seconds: float | None = None


class ApiError(SourceError):
    """A PBX cannot be read over HTTPS; carries the fault for ``tollhouse pbx check``."""

    def __init__(self, pbx_id: str, fault: Fault) -> None:
        super().__init__(f"{pbx_id}: {fault.found}. {fault.remedy}")
        self.fault = fault


def quoted(text: str) -> str:
    """Return the beginning of what the other side says, fit for a log."""
    shown = re.sub(r"\s+", " ", text[: QUOTED_CHARACTERS * 2]).strip()
    shown = "".join(character if character.isprintable() else "?" for character in shown)
    return shown if len(shown) <= QUOTED_CHARACTERS else f"{shown[:QUOTED_CHARACTERS]}…"


def fault_of(error: Exception, reach: Reach, timeout_seconds: float) -> Fault:
    """Return what an error of a connection means."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_fault(cause, reach)
    if any(isinstance(cause, urllib3.util.ssl_match_hostname.CertificateError) for cause in causes):
        return _name_fault(reach)
    if reach.fingerprint and any("ingerprints did not match" in str(cause) for cause in causes):
        return _fingerprint_fault(reach)
    if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        return _proxy_fault(causes, reach)
    if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, CUT_TLS) for cause in causes):
        return Fault(
            "TLS certificate",
            f"{reach.place} does not come to terms over TLS",
            "Is the port the one for HTTPS? The PBX must speak TLS 1.2 or newer; for an old one "
            "set old_tls to true in the connection's extra.",
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Fault(
            "name",
            f"the name {reach.host!r} does not resolve",
            "Correct the host of the connection, or use the IP address.",
            may_pass=True,
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Fault(
            "port",
            f"{reach.place} refuses the connection",
            "Is the service of the PBX switched on, and the port of the connection right?",
            may_pass=True,
        )
    if any(
        isinstance(cause, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
        for cause in causes
    ):
        return slow_fault(reach, timeout_seconds)
    return Fault(
        "port",
        f"{reach.place} broke the connection off ({type(causes[-1]).__name__})",
        BROKEN_OFF,
        may_pass=True,
    )


def slow_fault(reach: Reach, seconds: float) -> Fault:
    """Return the fault of a PBX that does not answer in time."""
    return Fault(
        "port",
        f"{reach.place} did not answer within {seconds:g} s",
        "Is TCP open from this machine to it? If the PBX is only slow, raise "
        f"settings.timeout_seconds or lower settings.page_rows. {TRY_AGAIN}",
        may_pass=True,
    )


def _certificate_fault(error: ssl.SSLCertVerificationError, reach: Reach) -> Fault:
    if error.verify_code in WRONG_NAMES:
        return _name_fault(reach)
    if error.verify_code in (EXPIRED, NOT_YET_VALID):
        return Fault(
            "TLS certificate",
            f"the certificate of {reach.place} has expired, or is not valid yet",
            f"Renew it on the PBX; compare the clocks of the PBX and of this machine. {PIN_IT}",
        )
    return Fault(
        "TLS certificate",
        f"the certificate of {reach.place} is not trusted: {quoted(error.verify_message)}",
        "Save the certificate of the authority that signed it (of one that the PBX made for "
        "itself: that certificate) as a PEM file, and name the file in the connection's extra "
        f"tls_ca. {PIN_IT}",
    )


def _name_fault(reach: Reach) -> Fault:
    return Fault(
        "TLS certificate",
        f"the certificate of {reach.place} bears another name",
        "Write the host of the connection as the certificate has it, or put the name in the "
        f"certificate into the connection's extra server_name. {PIN_IT}",
    )


def _fingerprint_fault(reach: Reach) -> Fault:
    return Fault(
        "TLS certificate",
        f"the certificate of {reach.place} is not the one of the connection's extra "
        "tls_fingerprint",
        "If the PBX was given a new certificate, put the SHA-256 fingerprint of that one there. If "
        "not, somebody may stand in between: nothing was told to him.",
    )


def _proxy_fault(causes: list[BaseException], reach: Reach) -> Fault:
    if any("407" in str(cause) for cause in causes):
        return Fault(
            "proxy",
            f"the proxy {reach.proxy_place} wants a login",
            "Put it into the connection's extra proxy: http://login:password@proxy:port",
        )
    return Fault(
        "proxy",
        f"the proxy {reach.proxy_place} does not lead to {reach.place}",
        "Correct the connection's extra proxy (or HTTPS_PROXY of the environment); off goes "
        "without one. The proxy must allow CONNECT to that port.",
        may_pass=True,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, down to the first: each library wraps it once more."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [*current.args, getattr(current, "reason", None)]
        inner += [current.__cause__, current.__context__]
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]
