"""An SFTP server: the file transfer of SSH, and nothing else of it."""

from __future__ import annotations

import errno
import os
import socketserver
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import paramiko
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab.file_servers.misbehaviour import Misbehaviour
from lab.file_servers.serving import Listener, Serving
from lab.file_servers.users import User, entries_of, user_of


def new_host_key(path: Path) -> paramiko.PKey:
    """Return the key of a server, made once and kept in a file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        key = ed25519.Ed25519PrivateKey.generate()
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return paramiko.PKey.from_path(path)


class SftpServer(Serving):
    """Serves the folders of users.

    Attributes:
        faults: what it does wrong.
    """

    def __init__(
        self,
        users: Sequence[User],
        host_key: paramiko.PKey,
        *,
        port: int = 0,
        faults: Misbehaviour | None = None,
    ) -> None:
        self.faults = faults or Misbehaviour()
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with paramiko.Transport(self.request) as transport:
                    transport.add_server_key(host_key)
                    gate = _Gate(users)
                    transport.set_subsystem_handler(
                        "sftp", paramiko.SFTPServer, _Folder, gate, server.faults, transport
                    )
                    try:
                        transport.start_server(server=gate)
                    except (paramiko.SSHException, EOFError, OSError):
                        return
                    transport.join()

        super().__init__(Listener(("127.0.0.1", port), Handler))


class _Gate(paramiko.ServerInterface):
    """Lets users in, by password or key."""

    def __init__(self, users: Sequence[User]) -> None:
        self._users = users
        self.user: User | None = None

    def get_allowed_auths(self, username: str) -> str:
        """Say what can be shown at the gate."""
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        """Look at a password."""
        self.user = user_of(self._users, username, password)
        return paramiko.AUTH_SUCCESSFUL if self.user else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Look at a key."""
        for user in self._users:
            if user.login == username and user.public_key == key.get_base64():
                self.user = user
                return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Open channels for sessions."""
        if kind == "session":
            return paramiko.OPEN_SUCCEEDED
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


@dataclass
class _Sent:
    """How much of a file was sent."""

    count: int = 0


class _File(paramiko.SFTPHandle):
    """An open file."""

    def __init__(self, flags: int, faults: Misbehaviour, transport: paramiko.Transport) -> None:
        super().__init__(flags)
        self._faults = faults
        self._transport = transport
        self._sent = _Sent()
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes | int:
        """Give a part of the file, or cut the connection."""
        content = super().read(offset, length)
        if isinstance(content, bytes):
            with self._lock:
                self._sent.count += len(content)
                if self._faults.is_cut(self._sent.count):
                    self._transport.close()
                    return paramiko.SFTP_FAILURE
            self._faults.count(len(content))
        return content


class _Folder(paramiko.SFTPServerInterface):
    """The folder of the user who logged in."""

    def __init__(
        self,
        server: paramiko.ServerInterface,
        gate: _Gate,
        faults: Misbehaviour,
        transport: paramiko.Transport,
    ) -> None:
        super().__init__(server)
        assert gate.user is not None
        self._user = gate.user
        self._faults = faults
        self._transport = transport

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """List a folder."""
        self._faults.before_listing(self._path(path))
        try:
            found = [_attributes(name, state) for name, state in entries_of(self._path(path))]
        except OSError as error:
            return _status(error)
        for attributes in found:
            attributes.st_size = (attributes.st_size or 0) + self._faults.wrong_size_bytes
        for name in self._faults.strange_names:
            strange = paramiko.SFTPAttributes()
            strange.filename, strange.st_size, strange.st_mtime = name, 7, 1_790_841_600
            strange.st_atime, strange.st_mode = 1_790_841_600, 0o100644
            found.append(strange)
        return found

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Tell of a file, or of what a link leads to."""
        return self._attributes(path, os.stat)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Tell of a file or link."""
        self._faults.before_look(self._path(path))
        return self._attributes(path, os.lstat)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> Any:
        """Open a file."""
        wanted = self._path(path)
        self._faults.before_transfer(wanted)
        if wanted.name in self._faults.denied_names:
            return paramiko.SFTP_PERMISSION_DENIED
        try:
            number = os.open(wanted, flags | os.O_CLOEXEC, 0o644)
        except OSError as error:
            return _status(error)
        is_written = bool(flags & (os.O_WRONLY | os.O_RDWR))
        stream = os.fdopen(number, "wb" if is_written else "rb")
        file = _File(flags, self._faults, self._transport)
        file.filename = path
        file.readfile = file.writefile = stream
        return file

    def remove(self, path: str) -> int:
        """Delete a file."""
        return self._change(lambda: self._path(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename a file."""
        return self._change(lambda: self._path(oldpath).rename(self._path(newpath)))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        return self._change(lambda: self._path(path).mkdir())

    def _path(self, path: str) -> Path:
        found = self._user.path("", path)
        return self._user.folder if found is None else found

    def _change(self, change: Callable[[], Any]) -> int:
        if self._faults.is_read_only:
            return paramiko.SFTP_PERMISSION_DENIED
        try:
            change()
        except OSError as error:
            return _status(error)
        return paramiko.SFTP_OK

    def _attributes(
        self, path: str, look: Callable[[Path], os.stat_result]
    ) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(look(self._path(path)))
        except OSError as error:
            return _status(error)


def _attributes(name: str, state: os.stat_result) -> paramiko.SFTPAttributes:
    attributes = paramiko.SFTPAttributes.from_stat(state, name)
    # Names that are no UTF-8 go over the wire as they are on the disk.
    attributes.filename = cast("Any", os.fsencode(name))
    return attributes


def _status(error: OSError) -> int:
    return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)
