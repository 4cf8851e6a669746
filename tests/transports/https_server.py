"""An HTTPS server that answers as a test tells it, and a proxy on the way to it: real sockets."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.collector.certificates import Authority


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered.

    Attributes:
        declared_bytes: claims another length: the connection is cut.
        pause_seconds: nothing is said for so long.
        drip_seconds: so long passes between one byte and the next.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    declared_bytes: int | None = None
    pause_seconds: float = 0.0
    drip_seconds: float = 0.0


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to report."""


class _Running:
    """A server on a thread of its own; a context manager."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener
        self.port = int(listener.server_address[1])
        self._thread = threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


class HttpsServer(_Running):
    """Answers each request by ``script``, which a test may change at any time."""

    def __init__(
        self,
        authority: Authority,
        script: Callable[[Seen], Reply],
        *,
        address: str = "127.0.0.1",
        highest_tls: str | None = None,
    ) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.stopping = threading.Event()
        certificate, key = authority.issue(f"server for {address}", address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if highest_tls:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.maximum_version = ssl.TLSVersion[highest_tls]
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen = Seen(self.command, self.path, dict(self.headers.items()), body)
                server.seen.append(seen)
                reply = server.script(seen)
                server.stopping.wait(reply.pause_seconds)
                self.send_response(reply.status)
                length = reply.declared_bytes or len(reply.body)
                for name, value in {"Content-Length": str(length), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for block in _blocks(reply):
                    self.wfile.write(block)
                    server.stopping.wait(reply.drip_seconds)
                self.close_connection = reply.declared_bytes is not None

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def log_message(self, format: str, *args: Any) -> None:
                """Requests are kept in ``seen``."""

        listener = _Listener(("127.0.0.1", 0), Handler)
        listener.socket = context.wrap_socket(
            listener.socket, server_side=True, do_handshake_on_connect=False
        )
        super().__init__(listener)

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        super().__exit__(*error)


class ConnectProxy(_Running):
    """A proxy that leads to any address by CONNECT, if the login is right."""

    def __init__(self, login: str = "", password: str = "") -> None:
        self.asked_for: list[str] = []
        proxy = self
        wanted = "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked_for.append(self.path)
                if login and self.headers.get("Proxy-Authorization") != wanted:
                    self.send_error(407)
                    return
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host, int(port))) as upstream:
                    self.send_response(200)
                    self.end_headers()
                    _pass_on(self.connection, upstream)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """What was asked for is kept in ``asked_for``."""

        super().__init__(_Listener(("127.0.0.1", 0), Handler))


def _blocks(reply: Reply) -> list[bytes]:
    if not reply.drip_seconds:
        return [reply.body]
    return [reply.body[place : place + 1] for place in range(len(reply.body))]


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side has no more."""
    while True:
        for readable in select.select([one, other], [], [])[0]:
            data = readable.recv(65_536)
            if not data:
                return
            (other if readable is one else one).sendall(data)
