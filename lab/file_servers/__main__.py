"""Serve the folders that a JSON file names, each server on a thread of this one process.

The file holds a list of servers, each an object with ``protocol`` (ftp, ftps, sftp, http, https),
``port``, ``users`` (objects with ``login``, ``password``, ``folder`` and, for SFTP, ``public_key``)
and, as the protocol needs them, ``certificate`` and ``key`` or ``host_key``: files. ``zone``,
``style`` and ``login_kind`` are as the servers take them, ``faults`` the switches of
``Misbehaviour``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from threading import Thread
from typing import Any

from lab.file_servers import (
    FtpServer,
    HttpFileServer,
    Misbehaviour,
    SftpServer,
    User,
    new_host_key,
)
from lab.file_servers.serving import Serving


def server_of(entry: dict[str, Any]) -> Serving:
    """Return the server that an entry of the file describes."""
    users = [
        User(**{**user, "folder": Path(user["folder"])})  # as written in the file
        for user in entry["users"]
    ]
    faults = Misbehaviour(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in entry.get("faults", {}).items()
        }
    )
    port, protocol = entry["port"], entry["protocol"]
    if protocol == "sftp":
        host_key = new_host_key(Path(entry["host_key"]))
        return SftpServer(users, host_key, port=port, faults=faults)
    certificate = None
    if protocol in ("ftps", "https"):
        certificate = Path(entry["certificate"]), Path(entry["key"])
    zone = entry.get("zone", "Europe/Paris")
    if protocol in ("ftp", "ftps"):
        return FtpServer(users, port=port, certificate=certificate, zone=zone, faults=faults)
    if protocol not in ("http", "https"):
        raise SystemExit(f"{protocol!r} is no protocol: ftp, ftps, sftp, http or https")
    return HttpFileServer(
        users,
        port=port,
        certificate=certificate,
        style=entry.get("style", "apache"),
        login_kind=entry.get("login_kind", "basic"),
        zone=zone,
        faults=faults,
    )


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.file_servers", description="Simulated file servers."
    )
    parser.add_argument("config", type=Path, help="JSON file: a list of servers")
    arguments = parser.parse_args()
    entries = json.loads(arguments.config.read_text(encoding="utf-8"))
    for server in [server_of(entry) for entry in entries]:
        Thread(target=server.serve).start()


if __name__ == "__main__":
    main()
