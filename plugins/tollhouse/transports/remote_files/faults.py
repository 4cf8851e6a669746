"""What can go wrong on the way to a folder of another machine, in words that say what to do."""

from __future__ import annotations

import socket
import ssl

from tollhouse.transports.http_api.failures import CUT_TLS, TRY_AGAIN, Fault, fault_of
from tollhouse.transports.http_api.reach import Reach

NOTHING_LOST = (
    "The next run goes on where this one stood. The PBX keeps its files for some days (31, say): "
    "nothing is lost if it is reached again within them."
)
GONE = (
    "it vanished from the PBX before it could be fetched, and its tickets with it, unless it comes "
    "again. How long does the PBX keep its files, and does another program take them?"
)


def connection_fault(error: Exception, reach: Reach, timeout_seconds: float) -> Fault:
    """Return what an error of a connection means."""
    place, causes = reach.place, _chain(error)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return fault_of(error, reach, timeout_seconds)
    if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, CUT_TLS) for cause in causes):
        return Fault(
            "TLS",
            f"{place} does not come to terms over TLS",
            "Is the port right? The server must speak TLS 1.2 or newer.",
        )
    if any(isinstance(cause, socket.gaierror | UnicodeError) for cause in causes):
        return Fault(
            "name",
            f"the name {reach.host!r} does not resolve",
            "Correct the host of the connection, or use the IP address.",
            may_pass=True,
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Fault(
            "port",
            f"{place} refuses the connection",
            "Is the file server of the PBX switched on, and the port of the connection right?",
            may_pass=True,
        )
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return silent(reach, timeout_seconds)
    return broken_off(reach, type(causes[-1]).__name__)


def silent(reach: Reach, timeout_seconds: float) -> Fault:
    """Return the fault of a server that does not answer in time."""
    return Fault(
        "port",
        f"{reach.place} said nothing for {timeout_seconds:g} s",
        "Is TCP open from this machine to it? If it is only slow, raise settings.timeout_seconds. "
        + TRY_AGAIN,
        may_pass=True,
    )


def broken_off(reach: Reach, how: str) -> Fault:
    """Return the fault of a connection that was cut."""
    found = f"{reach.place} broke the connection off ({how})"
    return Fault("port", found, NOTHING_LOST, may_pass=True)


def missing_folder(reach: Reach, folder: str, said: str) -> Fault:
    """Return the fault of a folder that is not there, or not for this account."""
    return Fault(
        "folder",
        f"{reach.place} does not give the folder {folder!r}" + (f": {said}" if said else ""),
        "Correct settings.folder of the entry, or let the account of the connection read it.",
    )


def refused_login(reach: Reach, login: str, said: str) -> Fault:
    """Return the fault of a wrong login or password."""
    return Fault(
        "login",
        f"{reach.place} refuses the login of {login!r}" + (f": {said}" if said else ""),
        "Correct login and password of the connection; a server may also lock an account out, or "
        "let it in from certain addresses only.",
    )


def endless_listing(reach: Reach, most: int) -> Fault:
    """Return the fault of a folder with more entries than are looked at."""
    return Fault(
        "folder",
        f"the folder on {reach.place} has more than {most} entries",
        "Let old files be moved away there, or name a folder below it.",
    )


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what caused it; libraries wrap errors in their own."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [error]
    while waiting:
        cause = waiting.pop()
        if cause in found:
            continue
        found.append(cause)
        inner = [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
        waiting += [one for one in inner if isinstance(one, BaseException)]
    return found
