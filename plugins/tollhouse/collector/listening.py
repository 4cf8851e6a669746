"""Waiting for a PBX that connects to the collector: its port, and each connection's first moments.

A connection is looked at before a byte of it is read: a stranger costs an accept and a close.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tollhouse.collector.conversation import Conversation, Line, PeerLostError, keep_alive
from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.pace import Pace
from tollhouse.collector.peers import PeerGate
from tollhouse.collector.stream_settings import StreamSettings

#: While no connection can be accepted (no file is left to open), the next try is so long after.
ACCEPT_RETRY_SECONDS = 1

logger = logging.getLogger(__name__)


async def open_ports(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets, one for each address of a host.

    Args:
        host: the address to listen on; loopback when empty.
        port: TCP port.

    Raises:
        OSError: the port is taken, or the address is not of this machine; the message says which.
    """
    host = host or "127.0.0.1"
    ports: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, address in dict.fromkeys(found):
            listener = socket.create_server(
                address[:2], family=family, backlog=128, dualstack_ipv6=address[0] == "::"
            )
            listener.setblocking(False)
            ports.append(listener)
    except OSError as error:
        for listener in ports:
            listener.close()
        raise OSError(
            f"cannot listen on {host}:{port} ({error.strerror or error}): another program or "
            "another entry of include/pbx.yml listens there, or the address is not this machine's"
        ) from error
    return ports


async def _somebody_at(port: socket.socket) -> None:
    """Return when a connection waits to be accepted."""
    loop = asyncio.get_running_loop()
    knocked = asyncio.Event()
    loop.add_reader(port, knocked.set)
    try:
        await knocked.wait()
    finally:
        loop.remove_reader(port)


async def begin_line(connection: socket.socket, tls: ssl.SSLContext | None, pace: Pace) -> Line:
    """Turn an accepted connection into a line, after a TLS handshake if there is to be one.

    Raises:
        OSError: the handshake failed, or the peer left; the connection is closed.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=pace.chunk_bytes, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    try:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else pace.connect_seconds,
        )
    except BaseException:
        connection.close()
        raise
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        return Line(reader, writer, keep_alive(writer, pace.keepalive_seconds))
    except OSError:
        writer.close()
        raise


@dataclass(eq=False)
class _Visit:
    """One accepted connection: in its handshake, then in conversation."""

    task: asyncio.Task[None] | None = None
    conversation: Conversation | None = None
    is_dismissed: bool = False
    #: Why it is dismissed; nothing when collecting stops.
    dismissed_for: PeerLostError | None = None


class Reception:
    """The connections that one PBX makes to the collector: one that is replaced, or several."""

    def __init__(
        self,
        settings: StreamSettings,
        gate: PeerGate,
        tls: ssl.SSLContext | None,
        pace: Pace,
        begin: Callable[[Line], Conversation],
        end: Callable[[Exception | None], None],
    ) -> None:
        """Prepare to receive.

        Args:
            settings: of the entry.
            gate: says whom to admit.
            tls: what connections are encrypted with, if they are.
            pace: times and sizes.
            begin: makes the conversation of a new line.
            end: told how a conversation ended, the ordinary way or not; None: collecting stops.
        """
        self._settings = settings
        self._gate = gate
        self._tls = tls
        self._pace = pace
        self._begin = begin
        self._end = end
        self._visits: set[_Visit] = set()
        self._replacing = asyncio.Lock()
        self._faults: asyncio.Queue[Exception] = asyncio.Queue()

    async def receive(self, ports: list[socket.socket]) -> None:
        """Receive until cancelled, then end every conversation; the ports are closed.

        Raises:
            Exception: what a conversation met that is not the PBX's fault: the spool, the disk.
        """
        accepting = [asyncio.create_task(self._accept_from(port)) for port in ports]
        try:
            raise await self._faults.get()
        finally:
            for task in accepting:
                task.cancel()
            await asyncio.wait(accepting)
            for port in ports:
                port.close()
            await self._dismiss(self._visits, None)

    async def _accept_from(self, port: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # Only for somebody who waits is a quiet connection ended.
            await _somebody_at(port)
            await self._wait_for_room()
            try:
                connection, address = await loop.sock_accept(port)
            except OSError as error:
                logger.warning("%s: no connection accepted: %s", port.getsockname(), error)
                await asyncio.sleep(ACCEPT_RETRY_SECONDS)
                continue
            self._welcome(connection, address[0])
            # A flood of connections must leave the other PBXs their turn.
            await asyncio.sleep(0)

    def _welcome(self, connection: socket.socket, host: str) -> None:
        if not self._gate.admits(host):
            connection.close()
            self._gate.refuse(host, "its address is not in settings.allowed_peers of the entry")
            return
        visit = _Visit()
        self._visits.add(visit)
        visit.task = asyncio.create_task(self._hold(visit, connection, host))

    async def _wait_for_room(self) -> None:
        """Return when one more connection may be opened.

        Meanwhile the next ones wait in the operating system's queue: a PBX that connects for each
        ticket would lose the ticket of a connection that is refused.
        """
        is_told = False
        while len(self._visits) >= self._settings.max_connections:
            longest_quiet = self._longest_quiet()
            if longest_quiet is not None:
                reason = PeerLostError("it gave no ticket for long and makes room for another")
                await self._dismiss({longest_quiet}, reason)
                continue
            if not is_told:
                self._gate.note_full(self._settings.max_connections)
                is_told = True
            tasks = [visit.task for visit in self._visits if visit.task is not None]
            await asyncio.wait(
                tasks, timeout=self._pace.idle_seconds, return_when=asyncio.FIRST_COMPLETED
            )

    def _longest_quiet(self) -> _Visit | None:
        """Return the connection that may be ended for a new one, if there is one."""
        if self._settings.connections == "one":
            # It is quiet between calls: only one that is through its handshake replaces it.
            return None
        latest = asyncio.get_running_loop().time() - self._pace.idle_seconds
        quiet = [
            (visit.conversation.last_heard, visit)
            for visit in self._visits
            if visit.conversation is not None and visit.conversation.last_heard <= latest
        ]
        return min(quiet, key=lambda entry: entry[0])[1] if quiet else None

    async def _hold(self, visit: _Visit, connection: socket.socket, host: str) -> None:
        try:
            line = await self._line(connection, host)
            if line is None:
                return
            visit.conversation = await self._begin_in_turn(line)
            await visit.conversation.hold()
        except (PeerLostError, DialogueError) as error:
            self._end(error)
        except Exception as error:
            if visit.conversation is not None:
                self._end(error)
            self._faults.put_nowait(error)
        except asyncio.CancelledError:
            if visit.conversation is not None:
                self._end(visit.dismissed_for)
            raise
        finally:
            self._visits.discard(visit)

    async def _line(self, connection: socket.socket, host: str) -> Line | None:
        try:
            return await begin_line(connection, self._tls, self._pace)
        except (OSError, ssl.SSLError) as error:
            doing = "connecting" if self._tls is None else "the TLS handshake"
            self._gate.refuse(host, f"{doing} failed: {str(error) or type(error).__name__}")
            return None

    async def _begin_in_turn(self, line: Line) -> Conversation:
        try:
            async with self._replacing:
                if self._settings.connections == "one":
                    # A PBX that restarts leaves a connection that looks alive: the newer one is
                    # the true one.
                    others = {other for other in self._visits if other.conversation}
                    await self._dismiss(others, PeerLostError("a newer connection takes its place"))
                return self._begin(line)
        except BaseException:
            line.writer.close()
            raise

    async def _dismiss(self, visits: set[_Visit], reason: PeerLostError | None) -> None:
        """End connections and wait for their end: what they said is in the spool then."""
        tasks = []
        for visit in visits:
            if visit.task is None:
                continue
            tasks.append(visit.task)
            if not visit.is_dismissed:  # a second time would end it before it has spooled the rest
                visit.is_dismissed, visit.dismissed_for = True, reason
                visit.task.cancel()
        if tasks:
            await asyncio.wait(tasks)
