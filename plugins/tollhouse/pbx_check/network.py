"""The first steps towards any PBX that is reached by address: its name and its port."""

from __future__ import annotations

import errno
import socket

from tollhouse.pbx_check.report import Report, StepFailedError

CONNECT_SECONDS = 5


def check_name(report: Report, host: str, connection_id: str) -> None:
    """Resolve the host of a connection.

    Raises:
        StepFailedError: there is no host, or its name does not resolve.
    """
    if not host:
        raise StepFailedError(
            "name",
            f"connection {connection_id} names no host",
            "Put the PBX's address in the connection's host.",
        )
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise StepFailedError(
            "name",
            f"{host!r} does not resolve: {error}",
            f"Correct the host of connection {connection_id}, or use the IP address.",
        ) from error
    addresses = sorted({str(entry[4][0]) for entry in found})
    report.ok("name", f"{host} is {', '.join(addresses)}")


def check_port(report: Report, host: str, port: int, *, service: str) -> None:
    """Open a TCP connection and close it again.

    Raises:
        StepFailedError: nothing answers there; the remedy depends on how it does not.
    """
    open_port(report, host, port, service=service).close()


def open_port(report: Report, host: str, port: int, *, service: str) -> socket.socket:
    """Open a TCP connection and return it.

    Raises:
        StepFailedError: nothing answers there; the remedy depends on how it does not.
    """
    try:
        connection = socket.create_connection((host, port), CONNECT_SECONDS)
    except TimeoutError as error:
        raise StepFailedError(
            "port",
            f"{host}:{port} does not answer within {CONNECT_SECONDS} s",
            "A firewall drops the packets, or the address is another machine's: open TCP port "
            f"{port} from this machine to the PBX.",
        ) from error
    except ConnectionRefusedError as error:
        raise StepFailedError(
            "port",
            f"{host}:{port} refuses the connection",
            f"The machine is there, {service} is not: is it switched on, does it listen on that "
            "port and on more than 127.0.0.1, is the port of the connection right?",
        ) from error
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "") or "error"
        raise StepFailedError(
            "port",
            f"{host}:{port} cannot be reached: {error.strerror or error} ({reason})",
            "There is no route from this machine to that address: check network and address.",
        ) from error
    report.ok("port", f"{host}:{port} answers")
    return connection
