"""What the simulated file servers have in common: a thread, a port, connections to be ended."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Any, Self


class Listener(socketserver.ThreadingTCPServer):
    """Serves each connection on a thread of its own, until it is told to end."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a connection, so that it can be ended."""
        self._open.add(request)
        # Short answers that follow each other would wait for the client otherwise.
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to report."""

    def end_connections(self) -> None:
        """Cut every connection, as a server does that is switched off."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Serving:
    """A server on a thread; a context manager."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.port = int(listener.server_address[1])
        self._thread = threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown()
        self._listener.end_connections()
        self._listener.server_close()
        self._thread.join()

    def serve(self) -> None:
        """Serve until the process ends."""
        self._listener.serve_forever()
