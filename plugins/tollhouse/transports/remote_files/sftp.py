"""A folder on an SFTP server."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

from tollhouse.transports.http_api.failures import Fault, quoted
from tollhouse.transports.remote_files.faults import (
    GONE,
    broken_off,
    connection_fault,
    endless_listing,
    missing_folder,
    refused_login,
)
from tollhouse.transports.remote_files.folder import (
    MOST_ENTRIES,
    Kind,
    Listing,
    Protection,
    RemoteError,
    RemoteFile,
    RemoteFileError,
)
from tollhouse.transports.remote_files.host_keys import (
    ExpectedKey,
    RefusedHostKeyError,
    load_known_hosts,
)
from tollhouse.transports.remote_files.site import Site

#: What one request asks for; of what a cut leaves, whole blocks are kept.
BLOCK_BYTES = 1 << 15
#: So many blocks are on their way at once: enough for a slow line, too few to fill the memory.
REQUESTS_AHEAD = 64

# What fails is told as a fault; the library would write a traceback into the log as well.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def open_sftp(site: Site) -> SftpFolder:
    """Connect to an SFTP server, see that it is the right one, log in and look for the folder.

    Raises:
        RemoteError: that failed.
    """
    folder = SftpFolder(site, paramiko.SSHClient())
    try:
        folder.log_in()
    except BaseException:
        folder.close()
        raise
    return folder


class SftpFolder:
    """A folder, by its path, on an SSH connection."""

    def __init__(self, site: Site, client: paramiko.SSHClient) -> None:
        self._site = site
        self._client = client
        self._channel: _Client | None = None

    @property
    def protection(self) -> Protection:
        """How well the connection is protected."""
        return Protection("host key", f"the host key of {self._site.reach.place} is the known one")

    def log_in(self) -> None:
        """Connect, log in and look for the folder."""
        reach, connection = self._site.reach, self._site.connection
        seconds = self._site.patience.timeout_seconds
        self._client.set_missing_host_key_policy(ExpectedKey(self._site))
        with self._told():
            load_known_hosts(self._client, self._site)
            self._client.connect(
                reach.host,
                reach.port,
                username=connection.login,
                password=connection.password or None,
                pkey=self._private_key(),
                timeout=seconds,
                banner_timeout=seconds,
                auth_timeout=seconds,
                channel_timeout=seconds,
                allow_agent=False,
                look_for_keys=False,
            )
            transport = self._client.get_transport()
            channel = _Client.from_transport(transport) if transport is not None else None
            if channel is None:
                raise EOFError
            self._channel = channel
            channel.set_timeout(seconds)
            try:
                mode = self._sftp.stat(self._site.folder).st_mode
            except OSError as error:
                raise self._missing(error) from None
            if mode is not None and not stat.S_ISDIR(mode):
                raise self._missing("it is no folder")

    def list_files(
        self, is_wanted: Callable[[str], bool], fetched: Callable[[str], RemoteFile | None]
    ) -> Listing:
        """Return what is in the folder; sizes and times are exact."""
        del fetched
        files, other_names = [], []
        with self._told():
            try:
                for wire, state in self._sftp.entries(self._site.folder):
                    # What is no UTF-8 is kept as characters that cannot be printed.
                    name = wire.decode("utf-8", "surrogateescape")
                    if not is_wanted(name):
                        other_names.append(name)
                    elif name not in (".", ".."):
                        files.append(_remote_file(name, state))
                    if len(files) + len(other_names) > MOST_ENTRIES:
                        raise self._error(endless_listing(self._site.reach, MOST_ENTRIES))
            except (FileNotFoundError, PermissionError) as error:
                raise self._missing(error) from None
        return Listing(files, other_names)

    def look(self, name: str) -> RemoteFile | None:
        """Return a file as it is now."""
        with self._told():
            try:
                return _remote_file(name, self._sftp.lstat(self._path(name)))
            except FileNotFoundError:
                return None

    def blocks(self, name: str, offset: int) -> Generator[bytes]:
        """Yield the content of a file from an offset on."""
        with self._told():
            path = self._path(name)
            try:
                size_bytes = self._sftp.stat(path).st_size
                file = self._sftp.open(path, "rb")
            except FileNotFoundError:
                raise RemoteFileError(GONE) from None
            except PermissionError:
                raise RemoteFileError(
                    f"{self._site.reach.place} refuses to give it. Let the account of the "
                    "connection read the files of the folder."
                ) from None
            with file:
                file.seek(offset)
                file.prefetch(size_bytes, REQUESTS_AHEAD)
                with suppress(EOFError):  # it is shorter now than it was a moment ago
                    while block := file.read(BLOCK_BYTES):
                        yield block

    def make_folder(self, name: str) -> None:
        """Make a folder in this one, unless it is there."""
        # If it cannot be made, renaming into it tells why.
        with self._told(), suppress(OSError):
            self._sftp.mkdir(self._path(name))

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name."""
        self._change(name, lambda: self._sftp.rename(self._path(name), self._path(new_name)))

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._change(name, lambda: self._sftp.remove(self._path(name)))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _change(self, name: str, change: Callable[[], None]) -> None:
        with self._told():
            try:
                change()
            except TimeoutError:
                raise
            except OSError as error:
                raise RemoteFileError(
                    f"{self._site.reach.place} refuses to touch {name!r}: {quoted(str(error))}"
                ) from None

    @property
    def _sftp(self) -> _Client:
        if self._channel is None:
            raise EOFError
        return self._channel

    def _path(self, name: str) -> bytes:
        return (
            self._site.folder.rstrip("/").encode() + b"/" + name.encode("utf-8", "surrogateescape")
        )

    def _private_key(self) -> paramiko.PKey | None:
        extra = self._site.connection.extra
        if not extra.get("key_file"):
            return None
        path = self._site.settings.var / Path(str(extra["key_file"]))
        try:
            return paramiko.PKey.from_path(path, str(extra.get("key_password") or "") or None)
        except Exception as error:
            # Of many kinds, as the many forms of keys are; what they quote may be of the key.
            raise self._error(
                Fault(
                    "login",
                    f"the key {path} cannot be read ({type(error).__name__})",
                    "The connection's extra key_file names a private key as ssh-keygen makes it; "
                    "key_password opens an encrypted one.",
                )
            ) from None

    def _missing(self, error: OSError | str) -> RemoteError:
        said = error if isinstance(error, str) else quoted(error.strerror or str(error))
        return self._error(missing_folder(self._site.reach, self._site.folder, said))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of a failure as a fault that says what to do."""
        try:
            yield
        except (paramiko.SSHException, RefusedHostKeyError, EOFError, OSError) as error:
            raise self._error(self._fault_of(error)) from None

    def _fault_of(self, error: Exception) -> Fault:
        reach = self._site.reach
        if isinstance(error, RefusedHostKeyError):
            return error.fault
        if isinstance(error, paramiko.BadHostKeyException):
            return Fault(
                "host key",
                f"{reach.place} shows another host key than known_hosts has: "
                f"{error.key.fingerprint} ({error.key.get_name()})",
                "If the server was set up anew, compare the fingerprint there and correct the "
                "file; if not, somebody stands in between.",
            )
        if isinstance(error, paramiko.AuthenticationException):
            kinds = getattr(error, "allowed_types", [])
            said = f"it takes {', '.join(kinds)}" if kinds else ""
            return refused_login(reach, self._site.connection.login, said)
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            return Fault(
                "host key",
                f"{reach.place} and this machine have no encryption in common",
                "The server is old: let its maker bring it up to date, or use FTPS.",
            )
        if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
            return connection_fault(ConnectionRefusedError(), reach, 0)
        if isinstance(error, paramiko.SSHException | EOFError):
            return broken_off(reach, type(error).__name__)
        return connection_fault(error, reach, self._site.patience.timeout_seconds)

    def _error(self, fault: Fault) -> RemoteError:
        return RemoteError(self._site.pbx.id, fault)


class _Client(paramiko.SFTPClient):
    """Lists names whatever they are written in.

    The library's own listing fails at the first name that is no UTF-8.
    """

    def set_timeout(self, seconds: float) -> None:
        """Wait so long for an answer."""
        channel = self.get_channel()
        if channel is not None:
            channel.settimeout(seconds)

    def entries(self, folder: str) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
        """Yield the names in a folder and what stands behind each."""
        ask = cast("Any", self)._request
        kind, answer = ask(CMD_OPENDIR, folder.encode())
        if kind != CMD_HANDLE:
            raise paramiko.SSHException("no handle of the folder")
        handle = answer.get_binary()
        while True:
            try:
                kind, answer = ask(CMD_READDIR, handle)
            except EOFError:
                break
            if kind != CMD_NAME:
                raise paramiko.SSHException("no names of the folder")
            for _ in range(answer.get_int()):
                name = answer.get_binary()
                answer.get_binary()  # the line that ls would show
                yield name, cast("Any", paramiko.SFTPAttributes)._from_msg(answer)
        ask(CMD_CLOSE, handle)


def _remote_file(name: str, state: paramiko.SFTPAttributes) -> RemoteFile:
    mode = state.st_mode
    kind: Kind = "file"
    if mode is not None and not stat.S_ISREG(mode):
        kind = "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"
    if kind == "file" and state.st_size is None:
        kind = "unmeasured"
    written = datetime.fromtimestamp(state.st_mtime or 0, UTC)
    return RemoteFile(name, state.st_size or 0, written, kind)
