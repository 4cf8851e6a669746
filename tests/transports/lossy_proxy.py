"""A TCP proxy that loses connections: it cuts each after so many bytes, or lets none in."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class LossyProxy:
    """Stands before a server on this machine.

    Attributes:
        port: where it listens.
        cut_after_bytes: a connection is cut when the server has sent so many; None never cuts.
        refuse_after_cut: once a connection was cut, no other is let in.
        cut_count: how many connections were cut.
        connection_count: how many were let in.
    """

    def __init__(self, server_port: int) -> None:
        self.cut_after_bytes: int | None = None
        self.refuse_after_cut = False
        self.cut_count = 0
        self.connection_count = 0
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuse_after_cut and self.cut_count:
                    client.close()
                    continue
                self.connection_count += 1
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for source, target, is_answer in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._pass_on, args=(source, target, is_answer), daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        left = self.cut_after_bytes if is_answer else None
        with suppress(OSError):
            while content := source.recv(65_536):
                if left is not None:
                    left -= len(content)
                    if left < 0:
                        self.cut_count += 1
                        break
                target.sendall(content)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
