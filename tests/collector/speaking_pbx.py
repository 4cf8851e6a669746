"""A PBX that speaks: a TCP server that sends what a test tells it to, on a real socket."""

from __future__ import annotations

import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class SpeakingPbx:
    """Listens on loopback; each connection is handled by ``speak`` in a thread of its own."""

    def __init__(self, speak: Callable[[socket.socket], None], port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self.connections: queue.Queue[socket.socket] = queue.Queue()
        self.connection_count = 0
        self._speak = speak
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connection_count += 1
                self.connections.put(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self._speak(connection)

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        while not self.connections.empty():
            with suppress(OSError):
                self.connections.get().shutdown(socket.SHUT_RDWR)


@contextmanager
def speaking(speak: Callable[[socket.socket], None], port: int = 0) -> Iterator[SpeakingPbx]:
    pbx = SpeakingPbx(speak, port)
    try:
        yield pbx
    finally:
        pbx.close()


def stay_connected(connection: socket.socket) -> None:
    """Keep the line open until the other side ends it."""
    while connection.recv(4096):
        pass


def say(*texts: bytes) -> Callable[[socket.socket], None]:
    """Send some bytes to whoever connects, then keep the line open."""

    def speak(connection: socket.socket) -> None:
        for text in texts:
            connection.sendall(text)
        stay_connected(connection)

    return speak


def count_aloud(lines_per_second: int) -> Callable[[socket.socket], None]:
    """Send numbered lines without end; the next connection goes on where this one stopped."""
    numbers = itertools.count()
    turn = threading.Lock()

    def speak(connection: socket.socket) -> None:
        with turn:
            while True:
                block = [next(numbers) for _ in range(lines_per_second // 100)]
                connection.sendall(b"".join(b"ticket %09d\r\n" % number for number in block))
                time.sleep(0.01)

    return speak


def wait_until(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
