"""One connection with a PBX, from the first byte to the last: read, let the dialogue speak, spool.

It reads no faster than the spool takes and than the entry allows, so that an endless line or a
flood costs a few blocks of memory and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tollhouse.collector.dialogues import Dialogue, DialogueError, Heard
from tollhouse.collector.lines import Piece
from tollhouse.collector.pace import Pace
from tollhouse.collector.rate import TicketRate
from tollhouse.collector.spool_feed import SpoolFeed
from tollhouse.collector.status import StreamStatus

#: More than the operating system keeps of a connection that nobody reads.
FAREWELL_BYTES = 16 * 1024 * 1024
#: A PBX that is held back again and again is logged this often.
THROTTLE_LOG_TIME = timedelta(minutes=1)

logger = logging.getLogger(__name__)


class PeerLostError(Exception):
    """The PBX cannot be reached, or the connection to it ended."""


@dataclass(frozen=True)
class Line:
    """The two ends of an open connection, and who is at the other one."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: str


class Conversation:
    """The life of one connection."""

    def __init__(
        self,
        line: Line,
        number: int,
        dialogue: Dialogue,
        feed: SpoolFeed,
        rate: TicketRate,
        status: StreamStatus,
        pace: Pace,
    ) -> None:
        self._line = line
        self._number = number
        self._dialogue = dialogue
        self._feed = feed
        self._rate = rate
        self._status = status
        self._pace = pace
        #: Read from the PBX and not yet in the spool.
        self._pending: list[Piece] = []
        self._is_serving = False
        #: When the last ticket came, or the connection; what trickles in and ends none counts not.
        self.last_heard = asyncio.get_running_loop().time()

    async def hold(self) -> None:
        """Spool the connection until it ends or this task is cancelled.

        Raises:
            PeerLostError: the connection ended, the ordinary way or not.
            DialogueError: the other side does not serve.
        """
        try:
            await self._converse()
            raise PeerLostError(f"{self._line.peer} closed the connection")
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                await self._take_what_has_arrived()
            try:
                await self._end()
            except DialogueError as unfinished:
                if isinstance(error, PeerLostError):
                    raise DialogueError(f"{unfinished} ({error})") from error
            raise

    async def _converse(self) -> None:
        await self._say(self._dialogue.greeting())
        self._note_serving()
        while data := await self._read():
            heard = self._dialogue.feed(data)
            if heard.pieces:
                self.last_heard = asyncio.get_running_loop().time()
            self._note_serving()
            await self._take(heard)

    async def _read(self) -> bytes:
        """Return what arrives next; nothing at the end of the connection."""
        await self._feed.wait_for_space()
        data = await self._read_within(self._pace.pause_seconds)
        if data is not None:
            return data
        await self._take(self._dialogue.pause())
        longest = self._dialogue.longest_silence_seconds
        if longest is None:
            return await self._read_within(None) or b""
        data = await self._read_within(max(0, longest - self._pace.pause_seconds))
        if data is None:
            raise PeerLostError(f"{self._line.peer} has said nothing for {longest:g} s")
        return data

    async def _read_within(self, seconds: float | None) -> bytes | None:
        """Return what arrives next, or None when nothing does in time."""
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._line.reader.read(self._pace.chunk_bytes)
        except OSError as error:  # TimeoutError is one, and the kernel's keepalive ends in one too
            if limit.expired():
                return None
            raise PeerLostError(f"the connection to {self._line.peer} broke: {error}") from error

    async def _take(self, heard: Heard) -> None:
        """Spool first and answer then: an answer may tell the PBX to forget a ticket."""
        self._pending += heard.pieces
        ticket_count = len(heard.pieces)
        await self._feed.append(self._number, self._pending)
        await self._say(heard.reply)
        seconds = self._rate.seconds_to_wait(ticket_count, asyncio.get_running_loop().time())
        if seconds > 0:
            self._note_throttled()
            await asyncio.sleep(seconds)

    async def _say(self, reply: bytes) -> None:
        if not reply:
            return
        writer = self._line.writer
        try:
            async with asyncio.timeout(self._pace.connect_seconds):
                writer.write(reply)
                # A peer that asks and never reads must not fill the memory with answers.
                await writer.drain()
        except OSError as error:
            raise PeerLostError(f"{self._line.peer} takes no answers: {error}") from error

    async def _take_what_has_arrived(self) -> None:
        """Take what the PBX has sent already: it will not send that again."""
        room = FAREWELL_BYTES
        with contextlib.suppress(OSError, DialogueError):
            async with asyncio.timeout(self._pace.farewell_seconds):
                while room > 0 and (data := await self._line.reader.read(self._pace.chunk_bytes)):
                    room -= len(data)
                    self._pending += self._dialogue.feed(data).pieces

    async def _end(self) -> None:
        """Close the connection with all that was read in the spool."""
        self._line.writer.close()
        try:
            self._pending += self._dialogue.remainder()
        finally:
            await self._feed.end(self._number, self._pending)

    def _note_serving(self) -> None:
        """A PBX that refuses at each attempt must not look well in between."""
        if not self._is_serving and self._dialogue.is_serving:
            self._is_serving = True
            self._status.state = "connected"
            self._status.detail = ""

    def _note_throttled(self) -> None:
        now = datetime.now(UTC)
        before, self._status.throttled_at = self._status.throttled_at, now
        self._status.throttled_count += 1
        if before is None or now - before > THROTTLE_LOG_TIME:
            logger.warning(
                "%s: tickets come faster than max_tickets_per_second: reading waits",
                self._status.pbx_id,
            )


def keep_alive(writer: asyncio.StreamWriter, seconds: int) -> str:
    """Let the kernel notice a PBX that is gone from a quiet line; return the peer's address.

    A quiet site sends nothing for days, so a read time-out would only cut good connections.

    Raises:
        OSError: the peer is gone already.
    """
    address = writer.get_extra_info("peername")
    if address is None:
        raise ConnectionResetError("the peer left at once")
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 4))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    host, port = address[:2]
    return f"{host}:{port}"
