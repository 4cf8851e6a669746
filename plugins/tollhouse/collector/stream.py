"""One PBX of the collector: connect to it, or let it connect, and spool what it says.

Nothing here ends the process: a PBX that refuses, hangs, floods or talks nonsense, a full disk or a
missing connection change this PBX's state and are tried again, and the other PBXs go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tollhouse.collector.lines import LineSplitter, Piece
from tollhouse.collector.spool import SpoolError, last_records
from tollhouse.collector.spool_writer import (
    Rotation,
    SpoolFullError,
    SpoolLockedError,
    SpoolWriter,
    now_us,
)
from tollhouse.connections import (
    ConnectionFormatError,
    ConnectionMissingError,
    find_connection,
)
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import Settings

State = Literal[
    "starting", "no_connection", "locked", "connecting", "listening", "connected", "retrying",
    "disk_full", "failed", "stopped",
]  # fmt: skip

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """Times and sizes of the collector; tests shorten them."""

    connect_seconds: float = 20
    first_retry_seconds: float = 1
    longest_retry_seconds: float = 60
    #: Records are forced to disk in groups: this long after the first of the group.
    group_seconds: float = 0.1
    space_check_seconds: float = 1
    #: With less free space than this on the spool's disk, nothing more is read from the PBX.
    reserve_bytes: int = 256 * 1024 * 1024
    chunk_bytes: int = 65_536
    #: On a quiet line the kernel asks this often whether the PBX is still there.
    keepalive_seconds: int = 60
    #: When asked to stop, the collector still takes what arrives within this time.
    farewell_seconds: float = 0.1


@dataclass
class StreamStatus:
    """How one PBX is, for people; times are UTC."""

    pbx_id: str
    state: State = "starting"
    detail: str = ""
    peer: str = ""
    connection: int = 0
    connected_since: datetime | None = None
    last_ticket_at: datetime | None = None
    record_count: int = 0
    byte_count: int = 0
    fault_count: int = 0
    segment: int = 0
    offset: int = 0
    unsynced_bytes: int = 0


class PeerLostError(Exception):
    """The PBX cannot be reached, or the connection to it ended."""


class PbxStream:
    """The life of one PBX in the collector."""

    def __init__(self, pbx: Pbx, settings: Settings, pace: Pace, rotation: Rotation) -> None:
        self.pbx = pbx
        self.folder = settings.spool / pbx.id
        self.status = StreamStatus(pbx.id)
        self._settings = settings
        self._pace = pace
        self._rotation = rotation
        #: Read from the PBX and not yet in the spool.
        self._pending: list[Piece] = []
        self._has_appended = asyncio.Event()
        #: Held while the segment's file is flushed by a thread, closed or replaced.
        self._file_in_use = asyncio.Lock()
        self._next_space_check = 0.0

    async def run(self) -> None:
        """Collect until cancelled; every fault is logged, shown in the status and tried again."""
        attempts = 0
        while True:
            records_before = self.status.record_count
            try:
                await self._collect()
            except SpoolLockedError as error:
                self._fault("locked", error)
            except (ConnectionMissingError, ConnectionFormatError) as error:
                self._fault("no_connection", error)
            except (OSError, SpoolError, ValueError) as error:
                self._fault("failed", error)
            except Exception as error:  # a defect that one PBX meets must not stop the others
                logger.exception("%s: unforeseen fault", self.pbx.id)
                self._fault("failed", error)
            attempts = 1 if self.status.record_count > records_before else attempts + 1
            await self._wait_before_retry(attempts)

    async def _collect(self) -> None:
        """Open the spool and collect into it; ends only by an error or by being cancelled."""
        spool = await asyncio.to_thread(SpoolWriter, self.folder, self.pbx.id, self._rotation)
        try:
            await self._recall_last_ticket()
            if self._direction() == "listen":
                await self._listen(spool)
            else:
                await self._dial_again_and_again(spool)
        finally:
            spool.close()
            self.status.unsynced_bytes = 0
            self.status.state = "stopped"

    async def _recall_last_ticket(self) -> None:
        last = await asyncio.to_thread(last_records, self.folder, 1)
        if last:
            self.status.last_ticket_at = last[0].arrived_at
            self.status.segment = last[0].segment
            self.status.offset = last[0].next_offset

    def _direction(self) -> str:
        stream = self.pbx.known_model.stream
        default = stream.direction if stream else "dial"
        return str(self.pbx.settings.get("direction", default))

    def _address(self) -> tuple[str, int]:
        """Return host and port, read anew each time: a corrected connection is taken up."""
        connection = find_connection(self.pbx.connection, self._settings)
        stream = self.pbx.known_model.stream
        port = connection.port or (stream.port if stream else None)
        if port is None:
            raise ValueError(f"Connection {connection.connection_id!r} names no port.")
        return connection.host, port

    async def _dial_again_and_again(self, spool: SpoolWriter) -> None:
        attempts = 0
        while True:
            records_before = self.status.record_count
            try:
                await self._dial(spool)
            except PeerLostError as error:
                self._fault("retrying", error)
            attempts = 1 if self.status.record_count > records_before else attempts + 1
            await self._wait_before_retry(attempts)

    async def _dial(self, spool: SpoolWriter) -> None:
        host, port = self._address()
        self.status.state = "connecting"
        try:
            async with asyncio.timeout(self._pace.connect_seconds):
                reader, writer = await asyncio.open_connection(
                    host, port, limit=self._pace.chunk_bytes
                )
        except (OSError, TimeoutError) as error:
            reason = str(error) or f"no answer within {self._pace.connect_seconds:g} s"
            raise PeerLostError(f"{host}:{port} cannot be reached: {reason}") from error
        await self._receive(spool, reader, writer)

    async def _listen(self, spool: SpoolWriter) -> None:
        """Wait for the PBX to connect; a new connection replaces the one before it.

        A PBX that restarts leaves a connection that looks alive: the newer one is the true one.
        """
        host, port = self._address()
        present: asyncio.Task[None] | None = None
        faults: asyncio.Queue[Exception] = asyncio.Queue()

        async def replace(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal present
            former, present = present, asyncio.current_task()
            try:
                if former is not None and not former.done():
                    former.cancel()
                    await asyncio.wait([former])
                await self._receive(spool, reader, writer)
            except PeerLostError as error:
                self._fault("listening", error)
            except (OSError, SpoolError) as error:
                faults.put_nowait(error)
            finally:
                writer.close()

        server = await asyncio.start_server(replace, host or "127.0.0.1", port)
        self.status.state = "listening"
        try:
            raise await faults.get()
        finally:
            server.close()
            if present is not None and not present.done():
                present.cancel()
                await asyncio.wait([present])

    async def _receive(
        self, spool: SpoolWriter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Spool one connection until it ends or this task is cancelled.

        Raises:
            PeerLostError: the connection ended, the ordinary way or not.
        """
        peer = _keep_alive(writer, self._pace.keepalive_seconds)
        number = spool.begin_connection(peer)
        self._note_connected(peer, number)
        splitter = LineSplitter(self.pbx.known_model.framing.maximum_bytes)
        syncing = asyncio.create_task(self._sync_in_groups(spool, writer))
        try:
            await self._read_until_end(spool, reader, splitter)
        except asyncio.CancelledError:
            await self._read_what_has_arrived(reader, splitter)
            raise
        finally:
            async with self._file_in_use:
                syncing.cancel()
            await asyncio.wait([syncing])
            writer.close()
            self._end(spool, splitter)
        if not syncing.cancelled() and (fault := syncing.exception()):
            raise fault
        raise PeerLostError(f"{peer} closed the connection")

    async def _read_until_end(
        self, spool: SpoolWriter, reader: asyncio.StreamReader, splitter: LineSplitter
    ) -> None:
        while True:
            await self._wait_for_space()
            try:
                data = await reader.read(self._pace.chunk_bytes)
            except OSError as error:
                logger.warning("%s: connection lost: %s", self.pbx.id, error)
                return
            if not data:
                return
            self._pending += splitter.feed(data)
            await self._append_pending(spool)

    async def _read_what_has_arrived(
        self, reader: asyncio.StreamReader, splitter: LineSplitter
    ) -> None:
        """Take what the PBX has sent already: it will not send that again."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(self._pace.farewell_seconds):
                while data := await reader.read(self._pace.chunk_bytes):
                    self._pending += splitter.feed(data)

    async def _append_pending(self, spool: SpoolWriter) -> None:
        """Move what is pending to the spool; while the disk is full, wait and read no more."""
        while self._pending:
            try:
                if spool.is_due_for_rotation():
                    async with self._file_in_use:
                        self._append(spool)
                else:
                    self._append(spool)
            except SpoolFullError as error:
                self._note_full_disk(str(error))
                await asyncio.sleep(self._pace.space_check_seconds)
        self._note_space()

    def _append(self, spool: SpoolWriter) -> None:
        self.status.record_count += spool.append(self._pending, now_us())
        self.status.byte_count += sum(len(data) for data, _ in self._pending)
        self.status.last_ticket_at = datetime.now(UTC)
        self.status.unsynced_bytes = spool.unsynced_bytes
        self._pending.clear()
        self._has_appended.set()

    def _end(self, spool: SpoolWriter, splitter: LineSplitter) -> None:
        """Close the connection's segment with all that was read."""
        self._pending += splitter.remainder()
        try:
            if self._pending:
                self._append(spool)
            spool.end_connection()
            self._note_synced(spool, spool.data_end_offset)
        except SpoolFullError as error:
            lost_bytes = sum(len(data) for data, _ in self._pending)
            logger.error("%s: %s %d bytes read are lost", self.pbx.id, error, lost_bytes)
            self._pending.clear()
        self.status.connected_since = None

    async def _sync_in_groups(self, spool: SpoolWriter, writer: asyncio.StreamWriter) -> None:
        """Force records to disk, a group at a time; a disk that fails ends the connection."""
        while True:
            await self._has_appended.wait()
            await asyncio.sleep(self._pace.group_seconds)
            self._has_appended.clear()
            async with self._file_in_use:
                offset = spool.data_end_offset
                try:
                    await asyncio.to_thread(spool.flush_to_disk)
                    spool.mark_synced(offset)
                    self._note_synced(spool, offset)
                except SpoolFullError:
                    self._has_appended.set()  # the mark did not fit: the next round writes it
                except OSError:
                    writer.transport.abort()
                    raise

    async def _wait_for_space(self) -> None:
        """Return at once while the disk has room; otherwise read nothing until it has again."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_space_check:
            return
        while (free := _free_bytes(self.folder)) < self._pace.reserve_bytes:
            self._note_full_disk(
                f"{free // 2**20} MiB are free on the spool's disk, less than the reserve of "
                f"{self._pace.reserve_bytes // 2**20} MiB: nothing is read from the PBX"
            )
            await asyncio.sleep(self._pace.space_check_seconds)
        self._note_space()
        self._next_space_check = loop.time() + self._pace.space_check_seconds

    async def _wait_before_retry(self, attempts: int) -> None:
        """Back off; the jitter keeps many PBXs behind one router from being dialled in step."""
        longest = min(
            self._pace.longest_retry_seconds,
            self._pace.first_retry_seconds * 2 ** min(attempts - 1, 16),
        )
        await asyncio.sleep(longest * random.SystemRandom().uniform(0.5, 1))

    def _note_connected(self, peer: str, number: int) -> None:
        self.status.state = "connected"
        self.status.detail = ""
        self.status.peer = peer
        self.status.connection = number
        self.status.connected_since = datetime.now(UTC)
        logger.info("%s: connected to %s, connection %d", self.pbx.id, peer, number)

    def _note_synced(self, spool: SpoolWriter, offset: int) -> None:
        if spool.segment and offset:
            self.status.segment = spool.segment
            self.status.offset = offset
        self.status.unsynced_bytes = spool.unsynced_bytes

    def _note_full_disk(self, detail: str) -> None:
        if self.status.state != "disk_full":
            logger.error("%s: %s", self.pbx.id, detail)
        self.status.state = "disk_full"
        self.status.detail = detail

    def _note_space(self) -> None:
        if self.status.state == "disk_full":
            logger.warning("%s: the disk has room again, reading goes on", self.pbx.id)
            self.status.state = "connected"
            self.status.detail = ""

    def _fault(self, state: State, error: Exception) -> None:
        self.status.state = state
        self.status.detail = str(error)
        self.status.fault_count += 1
        logger.warning("%s: %s: %s", self.pbx.id, state, error)


def _keep_alive(writer: asyncio.StreamWriter, seconds: int) -> str:
    """Let the kernel notice a PBX that is gone from a quiet line; return the peer's address.

    A quiet site sends nothing for days, so a read time-out would only cut good connections.
    """
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 4))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    host, port = writer.get_extra_info("peername")[:2]
    return f"{host}:{port}"


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
