"""The two kinds of PBX on a TCP line: one that waits to be dialled, and one that dials.

Both hand out what their feed has grown by and forget it, as the real ones do: what a client has
been sent is not sent again, whether it was kept or not. Both listen to nothing once a session is
open. Switches make them misbehave the ways real ones do, for every model alike.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lab.streams import StreamSimulator
from lab.streams.feed import Feed, FeedTicket

HOST = "127.0.0.1"
MOST_CLIENTS = 10
POLL_SECONDS = 0.05
RETRY_SECONDS = 0.2
SESSION_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 10.0

#: What a worn cable makes of a ticket, for the switch that sends it.
GARBAGE = b"\xff\x00P0110:00 T100 *** 5050\x7f\xfe\r\n"

#: A slow PBX sends its bytes in so many portions a second.
PORTIONS_A_SECOND = 20

#: Tickets of a flood that are sent in one go.
FLOOD_PORTION = 500


@dataclass
class Misbehaviour:
    """Faults to play.

    Attributes:
        drop_after: cut the connection in the middle of this ticket (counted from 1), once.
        resend: at each new connection send this many of the last tickets again.
        garbage_every: send a damaged line before each so-many-th ticket.
        bytes_per_second: send no faster than this.
        flood: send the first ticket so many times more, as fast as the line takes it, once.
    """

    drop_after: int = 0
    resend: int = 0
    garbage_every: int = 0
    bytes_per_second: int = 0
    flood: int = 0


class CutOffError(OSError):
    """The PBX has cut the connection in the middle of a ticket, as it was told to."""


class TicketSender:
    """Puts the tickets of one feed on connections, well or badly."""

    def __init__(self, simulator: StreamSimulator, feed: Feed, misbehaviour: Misbehaviour) -> None:
        self.simulator = simulator
        self._feed = feed
        self._misbehaviour = misbehaviour
        self._position = feed.position
        self._sent_count = 0
        self._last_sent: deque[bytes] = deque(maxlen=misbehaviour.resend)

    def news(self) -> list[FeedTicket]:
        """Return the tickets that were not handed out yet."""
        return self._feed.after(self._position)

    def greet(self, connection: socket.socket) -> None:
        """Open a session on a new connection.

        Raises:
            OSError: it was refused, or the other side went away.
        """
        if self.simulator.open_session is not None:
            connection.settimeout(SESSION_SECONDS)
            self.simulator.open_session(connection)
            connection.settimeout(None)
        self._say(connection, b"".join(self._last_sent))

    def send(self, connection: socket.socket, ticket: FeedTicket) -> bytes:
        """Send a ticket and forget it; return its bytes.

        Raises:
            OSError: the connection is lost; the ticket will come again.
        """
        number = self._sent_count + 1
        data = self.simulator.encode(ticket.text)
        faults = self._misbehaviour
        if faults.garbage_every and number % faults.garbage_every == 0:
            self._say(connection, GARBAGE)
        if number == faults.drop_after:
            faults.drop_after = 0
            self._say(connection, data[: len(data) // 2])
            raise CutOffError
        while faults.flood > 0:
            portion = min(faults.flood, FLOOD_PORTION)
            self._say(connection, data * portion)
            faults.flood -= portion
        self._say(connection, data)
        self._sent_count = number
        self._last_sent.append(data)
        self._position = ticket.end
        self._feed.mark_sent(ticket.end)
        return data

    def _say(self, connection: socket.socket, data: bytes) -> None:
        speed = self._misbehaviour.bytes_per_second
        if not speed:
            connection.sendall(data)
            return
        portion = max(1, speed // PORTIONS_A_SECOND)
        for start in range(0, len(data), portion):
            connection.sendall(data[start : start + portion])
            time.sleep(portion / speed)


class WaitingPbx:
    """A PBX that listens; the first client gets what was kept, and every client what follows."""

    def __init__(self, sender: TicketSender, port: int) -> None:
        self._sender = sender
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server((HOST, port), backlog=MOST_CLIENTS)
        self._quiet = Quiet(sender.simulator)

    def serve(self) -> None:
        """Accept, send, forget; never returns."""
        while True:
            readable, _, _ = select.select([self._listener, *self._clients], [], [], POLL_SECONDS)
            for ready in readable:
                if ready is self._listener:
                    self._accept()
                elif not _is_open(ready):
                    self._drop(ready)
            if self._clients:
                self._send_news()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if len(self._clients) == MOST_CLIENTS:
            client.close()
            return
        try:
            self._sender.greet(client)
        except OSError:
            client.close()
            return
        self._clients.append(client)

    def _drop(self, client: socket.socket) -> None:
        self._clients.remove(client)
        client.close()

    def _send_news(self) -> None:
        first = self._clients[0]
        try:
            for ticket in self._sender.news():
                data = self._sender.send(first, ticket)
                self._quiet.broken()
                for client in self._clients[1:]:
                    self._send_copy(client, data)
            self._quiet.keep_alive(first)
        except OSError:
            self._drop(first)

    def _send_copy(self, client: socket.socket, data: bytes) -> None:
        try:
            client.sendall(data)
        except OSError:
            self._drop(client)


class DiallingPbx:
    """A PBX that connects to the collector, again and again while that is away."""

    def __init__(self, sender: TicketSender, port: int) -> None:
        self._sender = sender
        self._port = port

    def serve(self) -> None:
        """Dial, send, forget; never returns."""
        while True:
            try:
                if self._sender.simulator.connection_per_ticket:
                    self._dial_for_each_ticket()
                else:
                    self._dial_and_stay()
            except OSError:
                time.sleep(RETRY_SECONDS)

    def _dial_for_each_ticket(self) -> None:
        for ticket in self._sender.news():
            with self._dial() as connection:
                self._sender.send(connection, ticket)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(SESSION_SECONDS)
                while _is_open(connection):
                    pass
        time.sleep(POLL_SECONDS)

    def _dial_and_stay(self) -> None:
        quiet = Quiet(self._sender.simulator)
        with self._dial() as connection:
            while True:
                for ticket in self._sender.news():
                    self._sender.send(connection, ticket)
                    quiet.broken()
                quiet.keep_alive(connection)
                if select.select([connection], [], [], POLL_SECONDS)[0]:
                    _require_open(connection)

    def _dial(self) -> socket.socket:
        connection = socket.create_connection((HOST, self._port), timeout=SESSION_SECONDS)
        connection.settimeout(None)
        try:
            self._sender.greet(connection)
        except OSError:
            connection.close()
            raise
        return connection


def prepare(
    simulator: StreamSimulator, port: int, feed: Feed, faults: Misbehaviour
) -> Callable[[], None]:
    """Bind the port or get ready to dial it; return what then serves and never returns.

    Raises:
        OSError: the port is taken.
    """
    sender = TicketSender(simulator, feed, faults)
    if simulator.role == "server":
        return WaitingPbx(sender, port).serve
    return DiallingPbx(sender, port).serve


class Quiet:
    """How long a connection has been quiet, for models that say something then."""

    def __init__(self, simulator: StreamSimulator) -> None:
        self._simulator = simulator
        self._since = time.monotonic()

    def broken(self) -> None:
        """Something was said."""
        self._since = time.monotonic()

    def keep_alive(self, connection: socket.socket) -> None:
        """Let the PBX say what it says on a quiet connection, when it is time.

        Raises:
            OSError: the other side is gone or does not answer.
        """
        if self._simulator.keep_alive is None:
            return
        if time.monotonic() - self._since > KEEP_ALIVE_SECONDS:
            connection.settimeout(SESSION_SECONDS)
            self._simulator.keep_alive(connection)
            connection.settimeout(None)
            self.broken()


def _is_open(connection: socket.socket) -> bool:
    """Whether the other side is there; waits for it to say something or to go."""
    try:
        return bool(connection.recv(4096))
    except OSError:
        return False


def _require_open(connection: socket.socket) -> None:
    if not _is_open(connection):
        raise ConnectionResetError
