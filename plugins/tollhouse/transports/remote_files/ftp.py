"""A folder on an FTP server, plain or over TLS."""

from __future__ import annotations

import errno
import ftplib
import re
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from tollhouse.transports.http_api.client import HIDDEN, SHORTEST_HIDDEN
from tollhouse.transports.http_api.failures import TRY_AGAIN, Fault, quoted
from tollhouse.transports.remote_files.faults import (
    GONE,
    broken_off,
    connection_fault,
    endless_listing,
    missing_folder,
    refused_login,
)
from tollhouse.transports.remote_files.folder import (
    BLOCK_BYTES,
    MOST_ENTRIES,
    Kind,
    Listing,
    Protection,
    RemoteError,
    RemoteFile,
    RemoteFileError,
    ResumeRefusedError,
)
from tollhouse.transports.remote_files.ftp_connection import (
    DataConnection,
    FtpConnection,
    StrangerError,
)
from tollhouse.transports.remote_files.ftp_lines import rough_file
from tollhouse.transports.remote_files.rough_listing import Exact, RoughFile, settle
from tollhouse.transports.remote_files.site import Site

UNKNOWN_COMMAND = ("500", "501", "502", "503", "504")
NO_DATA_CONNECTION, DATA_CUT, NO_FILE = "425", ("426", "450", "451"), "550"
CLOSING, NOT_LOGGED_IN = "421", ("530", "532")
MLSD_KINDS: dict[str, Kind] = {"file": "file", "dir": "folder", "cdir": "folder", "pdir": "folder"}
TIME = re.compile(r"\d{14}")


def open_ftp(site: Site) -> FtpFolder:
    """Connect to an FTP server, log in and go to the folder.

    Raises:
        RemoteError: that failed.
    """
    folder = FtpFolder(site, FtpConnection(site.patience.timeout_seconds, site.active_ports))
    try:
        folder.log_in()
    except BaseException:
        folder.close()
        raise
    return folder


class FtpFolder:
    """The folder that an FTP connection stands in."""

    def __init__(self, site: Site, ftp: FtpConnection) -> None:
        self._site = site
        self._ftp = ftp
        self._features: set[str] = set()
        self._listed: dict[str, RemoteFile] = {}

    @property
    def protection(self) -> Protection:
        """How well the connection is protected."""
        place = self._site.reach.place
        if self._site.protocol == "ftp":
            return Protection(
                "TLS",
                f"{place} is spoken to in the clear: whoever listens reads password and calls",
                "If the PBX can, set settings.protocol of the entry to ftps or sftp.",
            )
        if self._site.reach.ca_file is None:
            return Protection(
                "TLS",
                f"{place} is not verified: whoever stands in between can read along",
                "Name the certificate of its authority in the connection's extra tls_ca and take "
                "verify out.",
            )
        return Protection("TLS", f"the certificate of {place} is trusted")

    def log_in(self) -> None:
        """Connect, log in and go to the folder."""
        reach, connection = self._site.reach, self._site.connection
        with self._told():
            self._ftp.connect(reach.host, reach.port)
            self._ftp.set_pasv(self._site.ftp_mode == "passive")
            if self._site.protocol == "ftps":
                self._start_tls()
            try:
                self._ftp.login(connection.login, connection.password)
                if self._site.protocol == "ftps":
                    self._ftp.protect_data()
            except (ftplib.error_perm, ValueError) as error:
                raise self._error(self._refused_login(error)) from None
            try:
                self._ftp.cwd(self._site.folder)
            except ftplib.error_perm as error:
                fault = missing_folder(reach, self._site.folder, self._said(error))
                raise self._error(fault) from None
            self._features = self._ask_features()
            self._ftp.voidcmd("TYPE I")

    def list_files(
        self, is_wanted: Callable[[str], bool], fetched: Callable[[str], RemoteFile | None]
    ) -> Listing:
        """Return what is in the folder, by its listing for programs or that for people."""
        with self._told():
            if "MLST" in self._features:
                lines = self._lines("MLSD")
                files = [file for file in map(self._machine_file, lines) if file is not None]
                other_names = [file.name for file in files if not is_wanted(file.name)]
                files = [file for file in files if is_wanted(file.name)]
            else:
                rough = self._rough_files(self._lines("LIST"))
                other_names = [file.name for file in rough if not is_wanted(file.name)]
                rough = [file for file in rough if is_wanted(file.name)]
                files = settle(rough, fetched, self._ask, self._site.server_zone)
        self._listed = {file.name: file for file in files}
        return Listing(files, other_names)

    def look(self, name: str) -> RemoteFile | None:
        """Return a file as it is now, as far as the server tells of one file."""
        with self._told():
            if "MLST" in self._features:
                return self._machine_look(name)
            exact = self._ask(name)
            listed = self._listed.get(name)
            if exact is None or listed is None:
                return None
            size = listed.size_bytes if exact.size_bytes is None else exact.size_bytes
            return RemoteFile(name, size, exact.modified_at or listed.modified_at)

    def blocks(self, name: str, offset: int) -> Generator[bytes]:
        """Yield the content of a file from an offset on."""
        with self._told():
            try:
                data = self._ftp.transfercmd(f"RETR {_wire(name)}", offset or None)
            except ftplib.error_perm as error:
                raise self._refused_file(name, offset, error) from None
            try:
                while block := data.recv(BLOCK_BYTES):
                    yield block
            except GeneratorExit:
                data.close()
                # However it took that, the server answers, and the next answer is another one's.
                with suppress(ftplib.Error):
                    self._ftp.voidresp()
                raise
            finally:
                data.close()
            self._ftp.voidresp()

    def make_folder(self, name: str) -> None:
        """Make a folder in this one, unless it is there."""
        # If it cannot be made, renaming into it tells why.
        with self._told(), suppress(ftplib.error_perm):
            self._ftp.mkd(_wire(name))

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name."""
        self._change(name, partial(self._ftp.rename, _wire(name), _wire(new_name)))

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._change(name, partial(self._ftp.delete, _wire(name)))

    def close(self) -> None:
        """Close the connection; no farewell, which a server that hangs would not answer."""
        self._ftp.close()

    def _change(self, name: str, change: Callable[[], str]) -> None:
        with self._told():
            try:
                change()
            except ftplib.error_perm as error:
                raise RemoteFileError(
                    f"{self._site.reach.place} refuses to touch {name!r}: {self._said(error)}"
                ) from None

    def _start_tls(self) -> None:
        reach = self._site.reach
        context = ssl.create_default_context(cafile=reach.ca_file)
        if reach.ca_file is None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            self._ftp.start_tls(context, reach.server_name or reach.host)
        except (ftplib.error_perm, ftplib.error_temp) as error:
            fault = Fault(
                "TLS",
                f"{reach.place} offers no TLS: {self._said(error)}",
                "Switch it on there. settings.protocol ftp does without, and hands login and "
                "password to whoever listens.",
            )
            raise self._error(fault) from None

    def _ask_features(self) -> set[str]:
        try:
            answer = self._ftp.sendcmd("FEAT")
        except ftplib.error_perm:
            return set()
        lines = answer.splitlines()[1:-1]
        return {line.split()[0].upper() for line in lines if line.strip()}

    def _lines(self, command: str) -> list[str]:
        lines: list[str] = []

        def take(line: str) -> None:
            lines.append(line)
            if len(lines) > MOST_ENTRIES:
                raise self._error(endless_listing(self._site.reach, MOST_ENTRIES))

        self._ftp.retrlines(command, take)
        self._ftp.voidcmd("TYPE I")
        return lines

    def _rough_files(self, lines: list[str]) -> list[RoughFile]:
        now = datetime.now(UTC)
        shown = (rough_file(line, now) for line in lines)
        return [
            replace(file, name=_name(file.name))
            for file in shown
            if file is not None and file.name not in (".", "..")
        ]

    def _machine_file(self, line: str) -> RemoteFile | None:
        """Return what a line of MLSD or MLST shows; None for the folder itself and nonsense."""
        shown, _, wire = line.partition(" ")
        name = _name(wire)
        facts = {
            key.lower(): value
            for key, _, value in (fact.partition("=") for fact in shown.split(";"))
        }
        kind_named = facts.get("type", "").lower()
        kind = MLSD_KINDS.get(kind_named, "link" if "link" in kind_named else "other")
        if not name or kind_named in ("cdir", "pdir", ""):
            return None
        modified_at = _instant(facts.get("modify", "")) or datetime.fromtimestamp(0, UTC)
        if not facts.get("size", "").isdecimal():
            return RemoteFile(name, 0, modified_at, "unmeasured" if kind == "file" else kind)
        return RemoteFile(name, int(facts["size"]), modified_at, kind)

    def _machine_look(self, name: str) -> RemoteFile | None:
        try:
            answer = self._ftp.sendcmd(f"MLST {_wire(name)}")
        except ftplib.error_perm as error:
            if _code(error) == NO_FILE:
                return None
            raise
        shown = answer.splitlines()[1:2]
        found = self._machine_file(shown[0].lstrip()) if shown else None
        if found is None:
            raise ftplib.error_reply(answer)  # noqa: S321 - the error only
        return RemoteFile(name, found.size_bytes, found.modified_at)

    def _ask(self, name: str) -> Exact | None:
        size = self._ask_value("SIZE", name)
        written = self._ask_value("MDTM", name)
        if NO_FILE in (size, written):
            return None
        size_bytes = int(size) if size is not None and size.isdecimal() else None
        return Exact(size_bytes, _instant(written or ""))

    def _ask_value(self, command: str, name: str) -> str | None:
        """Return what the server tells of a file; None if it does not, 550 if the file is gone."""
        try:
            return self._ftp.sendcmd(f"{command} {_wire(name)}")[4:].strip()
        except ftplib.error_perm as error:
            return NO_FILE if _code(error) == NO_FILE else None

    def _refused_file(self, name: str, offset: int, refusal: ftplib.error_perm) -> Exception:
        if offset and _code(refusal) in UNKNOWN_COMMAND and not self._lacks_data(refusal):
            return ResumeRefusedError()
        if _code(refusal) != NO_FILE:
            return refusal
        if self.look(name) is None:
            return RemoteFileError(GONE)
        return RemoteFileError(
            f"{self._site.reach.place} refuses to give it: {self._said(refusal)}. Let the account "
            "of the connection read the files of the folder."
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of a failure as a fault that says what to do."""
        self._ftp.opening = None
        try:
            yield
        except (ftplib.Error, EOFError, OSError, UnicodeError) as error:
            raise self._error(self._fault_of(error)) from None

    def _fault_of(self, error: Exception) -> Fault:
        reach, code = self._site.reach, _code(error)
        if self._lacks_data(error):
            return self._data_fault(error)
        if isinstance(error, EOFError) or code == CLOSING or code in DATA_CUT:
            return broken_off(reach, self._said(error) or "end of connection")
        if isinstance(error, StrangerError):
            remedy = "Set settings.ftp_mode of the entry to passive."
            return Fault("data connection", f"{reach.place}: {error}", remedy)
        if not isinstance(error, ftplib.Error):
            return connection_fault(error, reach, self._site.patience.timeout_seconds)
        return Fault(
            "answer",
            f"{reach.place} answers {self._said(error)!r}",
            f"The log of the server says why. {TRY_AGAIN}",
            may_pass=not isinstance(error, ftplib.error_perm),
        )

    def _lacks_data(self, error: Exception) -> bool:
        """Whether what failed is the data connection, and not what was asked for."""
        opening, code = self._ftp.opening, _code(error)
        if opening is None:
            return False
        if code in UNKNOWN_COMMAND:
            return opening.mode == "active" or not opening.port
        is_unreachable = isinstance(error, TimeoutError | ConnectionRefusedError)
        return code == NO_DATA_CONNECTION or is_unreachable or _is_unroutable(error)

    def _data_fault(self, error: Exception) -> Fault:
        """Say why no data connection comes about, which firewalls and NAT are to blame for."""
        reach, opening = self._site.reach, self._ftp.opening or DataConnection("passive")
        said = f" ({self._said(error)})" if _code(error) else ""
        if opening.mode == "active":
            return Fault(
                "data connection",
                f"{reach.place} could not connect back to {opening.host}:{opening.port}{said}",
                "In active mode the PBX connects to this machine: open the ports of "
                "settings.active_ports (50000-50009, say) from it to here, without NAT in "
                "between; or set settings.ftp_mode of the entry to passive.",
                may_pass=True,
            )
        if not opening.port:
            return Fault(
                "data connection",
                f"{reach.place} refuses passive mode{said}",
                "Set settings.ftp_mode of the entry to active.",
            )
        behind_nat = ""
        if opening.host and opening.host not in (reach.host, self._ftp.peer_host):
            behind_nat = (
                f"; it announces {opening.host}, an address behind NAT, in place of which the one "
                "of the connection was tried"
            )
        return Fault(
            "data connection",
            f"{reach.host} does not answer on port {opening.port}, which it opened for data{said}"
            + behind_nat,
            "Open the passive ports of the server from this machine to it, in the firewall and in "
            "the NAT on the way; its settings say which they are. Or set settings.ftp_mode of the "
            "entry to active.",
            may_pass=True,
        )

    def _refused_login(self, error: Exception) -> Fault:
        said = self._said(error)
        if self._site.protocol == "ftp" and re.search(r"\b(TLS|SSL)\b", said):
            return Fault(
                "TLS",
                f"{self._site.reach.place} wants TLS: {said}",
                "Set settings.protocol of the entry to ftps.",
            )
        return refused_login(self._site.reach, self._site.connection.login, said)

    def _said(self, error: Exception) -> str:
        """Return what the server says, without the password."""
        said, password = str(error), self._site.connection.password
        if len(password) >= SHORTEST_HIDDEN:
            said = said.replace(password, HIDDEN)
        return quoted(said)

    def _error(self, fault: Fault) -> RemoteError:
        return RemoteError(self._site.pbx.id, fault)


def _name(wire: str) -> str:
    """Return a name as text; what is no UTF-8 is kept as characters that cannot be printed."""
    return wire.encode("latin-1").decode("utf-8", "surrogateescape")


def _wire(name: str) -> str:
    """Return a name as it goes over the wire, where each character is a byte."""
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def _code(error: Exception) -> str:
    """Return the number that a server's answer begins with, if it is one."""
    return str(error)[:3] if isinstance(error, ftplib.Error) else ""


def _is_unroutable(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)


def _instant(text: str) -> datetime | None:
    """Return a time of the protocol, which is UTC; fractions of a second are not told everywhere.

    Servers differ in giving them in a listing and of one file.
    """
    match = TIME.match(text)
    with suppress(ValueError):
        return datetime.strptime(match[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if match else None
    return None
