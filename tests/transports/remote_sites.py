"""File servers of the lab on threads, and the way to each, for the tests of remote files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.file_servers import FtpServer, HttpFileServer, Misbehaviour, SftpServer, User, new_host_key
from tests.collector.certificates import Authority
from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import PROJECT, Settings
from tollhouse.transports.remote_files.site import Site, site_of

PASSWORD = "secret-of-the-reader"
PROTOCOLS = ("ftp", "ftps", "sftp", "http", "https")
#: 21 September 2026, 14:13:20 UTC.
LONG_AGO = 1_790_000_000


@dataclass
class Served:
    """A server, the folder that it shows, and how a PBX of the tests reaches it."""

    protocol: str
    folder: Path
    port: int
    faults: Misbehaviour
    settings: Settings
    extra: dict[str, Any] = field(default_factory=dict)
    server: Any = None

    def write(self, name: str, content: bytes | str, written: int = LONG_AGO) -> Path:
        """Write a file, as it was written long ago."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (written, written))
        return path

    def connection(self, **changes: Any) -> PbxConnection:
        """The connection; ``changes`` replaces parts of it."""
        found = PbxConnection(
            "pbx_paris_hq", "127.0.0.1", self.port, "reader", PASSWORD, extra=self.extra
        )
        return replace(found, **changes)

    def pbx(self, model: str = "cisco_cucm", **wishes: Any) -> Pbx:
        """An entry whose files are fetched; it waits for nothing."""
        quick = {"stable_seconds": 0, "retry_seconds": 0, "timeout_seconds": 5}
        return Pbx(
            id="paris_hq",
            model=model,
            transport="remote_files",
            time_zone="Europe/Paris",
            country="FR",
            settings={"protocol": self.protocol, "folder": "/", **quick, **wishes},
        )

    def site(self, *, connection: PbxConnection | None = None, **wishes: Any) -> Site:
        """The way to the folder."""
        return site_of(self.pbx(**wishes), connection or self.connection(), self.settings)


@contextmanager
def served(protocol: str, folder: Path, authority: Authority, **options: Any) -> Iterator[Served]:
    """Serve a folder below a new one by a protocol."""
    shown = folder / "shown"
    shown.mkdir()
    user = User("reader", PASSWORD, shown, public_key=options.pop("public_key", ""))
    faults = options.pop("faults", Misbehaviour())
    extra: dict[str, Any] = {"proxy": "off"}
    certificate = None
    if protocol in ("ftps", "https"):
        certificate = authority.issue("file server")
        extra["tls_ca"] = str(authority.file)
    server: FtpServer | HttpFileServer | SftpServer
    if protocol == "sftp":
        host_key = new_host_key(folder / "host_key")
        extra["host_key"] = host_key.fingerprint
        server = SftpServer([user], host_key, faults=faults)
    elif protocol in ("ftp", "ftps"):
        server = FtpServer([user], certificate=certificate, faults=faults, **options)
    else:
        server = HttpFileServer([user], certificate=certificate, faults=faults, **options)
    with server:
        yield Served(
            protocol, shown, server.port, faults, settings_in(folder / "var"), extra, server
        )


def settings_in(var: Path) -> Settings:
    """Settings of an installation without a database."""
    environment = {"TOLLHOUSE_SPOOL_RESERVE_MIB": "0"}
    return Settings(project=PROJECT, var=var, include=PROJECT / "include", environment=environment)
