"""Where the files of a PBX are and how they are got at, as its entry and connection say."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo, available_timezones

from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import FileDefaults
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.http_api.client import Patience
from tollhouse.transports.http_api.entry_settings import number, patience_of
from tollhouse.transports.http_api.reach import Reach, find_reach
from tollhouse.transports.remote_files.folder import RemoteFolder

PORTS = {"ftp": 21, "ftps": 21, "sftp": 22, "http": 80, "https": 443}
FTP_MODES = ("passive", "active")
AFTER_LANDING = ("keep", "archive", "rename", "delete")
STABLE_SECONDS = 2.0
MIB = 1 << 20
RESERVE_VARIABLE, RESERVE_MIB = "TOLLHOUSE_SPOOL_RESERVE_MIB", 256


@dataclass(frozen=True)
class Site:
    """One PBX whose files are fetched.

    Attributes:
        folder: on the PBX.
        server_zone: of the times in listings that bear no zone.
        stable_seconds: how long a file must not have changed to count as written.
        active_ports: of this machine, for active FTP; None takes any.
        reserve_bytes: of the disk here, which are left free.
    """

    pbx: Pbx
    protocol: str
    reach: Reach
    connection: PbxConnection
    settings: Settings
    folder: str
    server_zone: ZoneInfo
    patience: Patience
    stable_seconds: float
    after_landing: str
    ftp_mode: str
    active_ports: tuple[int, int] | None
    reserve_bytes: int

    def open(self) -> RemoteFolder:
        """Connect, log in and go to the folder.

        Raises:
            RemoteError: that failed.
        """
        # Each protocol is imported when it is needed: SSH alone takes a while to load.
        if self.protocol == "sftp":
            from tollhouse.transports.remote_files.sftp import open_sftp

            return open_sftp(self)
        if self.protocol in ("ftp", "ftps"):
            from tollhouse.transports.remote_files.ftp import open_ftp

            return open_ftp(self)
        from tollhouse.transports.remote_files.http_listing import open_listing

        return open_listing(self)


def site_of(pbx: Pbx, connection: PbxConnection, settings: Settings) -> Site:
    """Return where the files of a PBX are.

    Raises:
        SourceError: a value of the entry or the connection does not hold; the message names it.
    """
    defaults = file_defaults(pbx)
    protocol = _one_of(pbx, "protocol", defaults.remote_protocol, tuple(PORTS))
    folder = str(pbx.settings.get("folder", defaults.remote_folder))
    if not folder or not folder.isprintable():
        raise _fault(pbx, "folder", folder, "name the folder of the PBX in which the files are")
    after_landing = _one_of(pbx, "after_landing", "keep", AFTER_LANDING)
    if protocol in ("http", "https") and after_landing != "keep":
        raise _fault(pbx, "after_landing", after_landing, "over HTTP files can only be kept")
    reserve_mib = settings.whole_number(RESERVE_VARIABLE, RESERVE_MIB, lowest=0, highest=1 << 30)
    return Site(
        pbx=pbx,
        protocol=protocol,
        reach=find_reach(pbx, connection, settings, default_port=PORTS[protocol]),
        connection=connection,
        settings=settings,
        folder=folder,
        server_zone=_zone(pbx),
        patience=patience_of(pbx),
        stable_seconds=number(pbx, "stable_seconds", STABLE_SECONDS, lowest=0, highest=3_600),
        after_landing=after_landing,
        ftp_mode=_one_of(pbx, "ftp_mode", FTP_MODES[0], FTP_MODES),
        active_ports=_ports(pbx),
        reserve_bytes=reserve_mib * MIB,
    )


def file_defaults(pbx: Pbx) -> FileDefaults:
    """Return which files a PBX writes."""
    files = pbx.known_model.files_of("remote_files")
    if files is None:
        raise SourceError(f"{pbx.id}: model {pbx.model} is not read from files.")
    return files


def _one_of(pbx: Pbx, name: str, default: str, possible: tuple[str, ...]) -> str:
    value = pbx.settings.get(name, default)
    if value not in possible:
        raise _fault(pbx, name, value, f"it can be {', '.join(possible)}")
    return str(value)


def _zone(pbx: Pbx) -> ZoneInfo:
    name = pbx.settings.get("server_time_zone", pbx.time_zone)
    if name not in available_timezones():
        raise _fault(pbx, "server_time_zone", name, "write it as in Europe/Paris")
    return ZoneInfo(name)


def _ports(pbx: Pbx) -> tuple[int, int] | None:
    value = pbx.settings.get("active_ports")
    if value is None:
        return None
    first, _, last = str(value).partition("-")
    if not (first.isdecimal() and last.isdecimal() and 1023 < int(first) <= int(last) < 65_536):
        raise _fault(pbx, "active_ports", value, "write the first and the last as 50000-50009")
    return int(first), int(last)


def _fault(pbx: Pbx, name: str, value: object, remedy: str) -> SourceError:
    return SourceError(
        f"{pbx.id}: settings.{name} of the entry in include/pbx.yml is {value!r}; {remedy}."
    )
