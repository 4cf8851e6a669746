"""FTP connections that know what they were doing when something failed."""

from __future__ import annotations

import errno
import ftplib
import socket
import ssl
from typing import NamedTuple


class DataConnection(NamedTuple):
    """The data connection that is being opened.

    Attributes:
        mode: who connects: in ``active`` mode the server does.
        host: where the other side is told to connect, as it was announced.
        port: ... and the port; 0 until there is one.
    """

    mode: str
    host: str = ""
    port: int = 0


class StrangerError(OSError):
    """Somebody else than the server came to the data port."""


class FtpConnection(ftplib.FTP):
    """FTP, plain or over TLS that is asked for explicitly.

    Attributes:
        opening: the data connection that is being opened; None while none is.
    """

    def __init__(self, timeout_seconds: float, active_ports: tuple[int, int] | None) -> None:
        # Latin-1 keeps every byte of a name, whatever it is written in.
        super().__init__(timeout=timeout_seconds, encoding="latin-1")
        self.opening: DataConnection | None = None
        self._active_ports = active_ports
        self._context: ssl.SSLContext | None = None
        self._server_name = ""

    def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Ask for TLS and shake hands; commands are encrypted from then on."""
        self.voidcmd("AUTH TLS")
        self._context, self._server_name = context, server_name
        self.sock = context.wrap_socket(self._commands, server_hostname=server_name)
        self.file = self.sock.makefile(mode="r", encoding=self.encoding)

    def protect_data(self) -> None:
        """Have data encrypted too."""
        self.voidcmd("PBSZ 0")
        self.voidcmd("PROT P")

    def makepasv(self) -> tuple[str, int]:
        """Ask the server for a port, and take the host that it was reached by.

        A server behind NAT announces an address that only its own network knows, and a hostile one
        that of a third party.
        """
        peer = self._commands.getpeername()
        self.opening = DataConnection("passive")
        if self.af == socket.AF_INET:
            announced, port = ftplib.parse227(self.sendcmd("PASV"))  # noqa: S321 - old PBXs have no other
        else:
            announced, port = ftplib.parse229(self.sendcmd("EPSV"), peer)  # noqa: S321
        self.opening = DataConnection("passive", announced, port)
        return self.peer_host, port

    def makeport(self) -> socket.socket:
        """Listen for the server, on a port that a firewall may be open for."""
        listener = self._listener()
        host, port = listener.getsockname()[:2]
        self.opening = DataConnection("active", host, port)
        try:
            if self.af == socket.AF_INET:
                self.sendport(host, port)
            else:
                self.sendeprt(host, port)
        except BaseException:
            listener.close()
            raise
        listener.settimeout(self.timeout)
        return listener

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        """Begin a transfer."""
        data, size = super().ntransfercmd(cmd, rest)
        try:
            if data.getpeername()[0] != self.peer_host:
                raise StrangerError("another machine connected to the data port")
            if self._context is not None and isinstance(self.sock, ssl.SSLSocket):
                # In the session of the commands: many servers take no other for data.
                data = self._context.wrap_socket(
                    data, server_hostname=self._server_name, session=self.sock.session
                )
        except BaseException:
            data.close()
            raise
        self.opening = None
        return data, size

    @property
    def peer_host(self) -> str:
        """The address of the server."""
        return str(self._commands.getpeername()[0])

    @property
    def _commands(self) -> socket.socket:
        if self.sock is None:
            raise EOFError
        return self.sock

    def _listener(self) -> socket.socket:
        first, last = self._active_ports or (0, 0)
        host = self._commands.getsockname()[0]
        for port in range(first, last + 1):
            try:
                return socket.create_server((host, port), family=self.af, backlog=1)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, "every one of settings.active_ports is taken")
