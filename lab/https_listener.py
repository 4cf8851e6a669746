"""The web server under the lab's APIs: in a thread of its own, with a certificate or without."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class HttpsListener(ThreadingHTTPServer):
    """Listens on loopback, and answers each connection on a thread of its own."""

    daemon_threads = True
    # A connection left open by a client must not keep the server from stopping.
    block_on_close = False

    def __init__(
        self,
        port: int,
        handler: type[BaseHTTPRequestHandler],
        *,
        certificate: Path | None,
        key: Path | None,
    ) -> None:
        """Listen.

        Args:
            port: 0 takes one that is free.
            handler: answers the requests.
            certificate: a chain in PEM; without one it speaks HTTP.
            key: of the certificate.
        """
        super().__init__(("127.0.0.1", port), handler)
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate, key)
        # A short poll: stopping waits for one.
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and free the port."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def get_request(self) -> tuple[Any, Any]:
        """Take a connection."""
        connection, address = super().get_request()
        if self._tls:
            # Shaken hands with at the first read, on the connection's own thread.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not trust the certificate, is nothing to report."""
