"""One PBX of the collector: connect to it, or let it connect, and spool what it says.

Nothing here ends the process: a PBX that refuses, hangs, floods or talks nonsense, a full disk or a
missing connection change this PBX's state and are tried again, and the other PBXs go on.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from datetime import UTC, datetime

from tollhouse.collector.conversation import Conversation, Line, PeerLostError, keep_alive
from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.dialogues.registry import dialogue_for
from tollhouse.collector.listening import Reception, open_ports
from tollhouse.collector.pace import Pace
from tollhouse.collector.peers import PeerGate
from tollhouse.collector.rate import TicketRate
from tollhouse.collector.serials import SerialWatch
from tollhouse.collector.spool import SpoolError, last_records
from tollhouse.collector.spool_feed import SpoolFeed
from tollhouse.collector.spool_writer import Rotation, SpoolLockedError, SpoolWriter
from tollhouse.collector.status import State, StreamStatus
from tollhouse.collector.stream_settings import (
    StreamSettings,
    StreamSettingsError,
    port_of,
    stream_of,
    stream_settings,
)
from tollhouse.collector.tls import (
    TlsRefusedError,
    TlsSettingsError,
    dialling_context,
    listening_context,
    server_name,
)
from tollhouse.connections import (
    ConnectionFormatError,
    ConnectionMissingError,
    PbxConnection,
    find_connection,
)
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import Settings

#: The last serial number is sought among so many of the last records: garbage may follow it.
SERIAL_RECORDS = 100

logger = logging.getLogger(__name__)


class PbxStream:
    """The life of one PBX in the collector."""

    def __init__(self, pbx: Pbx, settings: Settings, pace: Pace, rotation: Rotation) -> None:
        self.pbx = pbx
        self.folder = settings.spool / pbx.id
        self.status = StreamStatus(pbx.id)
        self._settings = settings
        self._pace = pace
        self._rotation = rotation
        serial = stream_of(pbx).serial
        self._serials = None if serial is None else SerialWatch(serial)

    async def run(self) -> None:
        """Collect until cancelled; every fault is logged, shown in the status and tried again."""
        attempts = 0
        while True:
            records_before = self.status.record_count
            try:
                await self._collect(stream_settings(self.pbx))
            except SpoolLockedError as error:
                self._fault("locked", error)
            except (ConnectionMissingError, ConnectionFormatError) as error:
                self._fault("no_connection", error)
            except (StreamSettingsError, TlsSettingsError) as error:
                self._fault("misconfigured", error)
            except (OSError, SpoolError, ValueError) as error:
                self._fault("failed", error)
            except Exception as error:  # a defect that one PBX meets must not stop the others
                logger.exception("%s: unforeseen fault", self.pbx.id)
                self._fault("failed", error)
            attempts = 1 if self.status.record_count > records_before else attempts + 1
            await self._wait_before_retry(attempts)

    async def _collect(self, settings: StreamSettings) -> None:
        """Open the spool and collect into it; ends only by an error or by being cancelled."""
        spool = await asyncio.to_thread(SpoolWriter, self.folder, self.pbx.id, self._rotation)
        try:
            await self._recall_last_tickets()
            feed = SpoolFeed(spool, self.status, self._pace, self._serials)
            rate = TicketRate(settings.max_tickets_per_second)
            if settings.direction == "listen":
                collecting = self._listen(settings, feed, rate)
            else:
                collecting = self._dial_again_and_again(settings, feed, rate)
            await feed.keep_on_disk_during(collecting)
        finally:
            spool.close()
            self.status.unsynced_bytes = 0
            self.status.listening_at = ""
            self.status.state = "stopped"

    async def _recall_last_tickets(self) -> None:
        count = 1 if self._serials is None else SERIAL_RECORDS
        last = await asyncio.to_thread(last_records, self.folder, count)
        if last:
            self.status.last_ticket_at = last[-1].arrived_at
            self.status.segment = last[-1].segment
            self.status.offset = last[-1].next_offset
        if self._serials is not None:
            self._serials.remember(record.data for record in last)

    def _connection(self) -> PbxConnection:
        """Return the connection, read anew each time: a corrected one is taken up."""
        return find_connection(self.pbx.connection, self._settings)

    async def _dial_again_and_again(
        self, settings: StreamSettings, feed: SpoolFeed, rate: TicketRate
    ) -> None:
        attempts = 0
        while True:
            records_before = self.status.record_count
            try:
                await self._dial(settings, feed, rate)
            except PeerLostError as error:
                self._fault("retrying", error)
            except (DialogueError, TlsRefusedError) as error:
                self._fault("refused", error)
            attempts = 1 if self.status.record_count > records_before else attempts + 1
            await self._wait_before_retry(attempts)

    async def _dial(self, settings: StreamSettings, feed: SpoolFeed, rate: TicketRate) -> None:
        connection = self._connection()
        tls = dialling_context(connection, self._settings.var)
        self.status.state = "connecting"
        line = await reach(connection, settings, tls, self._pace)
        try:
            conversation = self._begin(connection, line, settings, feed, rate)
        except BaseException:
            line.writer.close()
            raise
        try:
            await conversation.hold()
        finally:
            self._note_ended()

    async def _listen(self, settings: StreamSettings, feed: SpoolFeed, rate: TicketRate) -> None:
        connection = self._connection()
        reception = Reception(
            settings,
            PeerGate(settings.allowed_peers, self.status),
            listening_context(connection, self._settings.var),
            self._pace,
            begin=lambda line: self._begin(connection, line, settings, feed, rate),
            end=lambda error: self._end_visit(settings, error),
        )
        ports = await open_ports(connection.host, port_of(connection, settings))
        names = [port.getsockname()[:2] for port in ports]
        self.status.listening_at = ", ".join(f"{host}:{port}" for host, port in names)
        self.status.state = "listening"
        logger.info("%s: listening on %s", self.pbx.id, self.status.listening_at)
        await reception.receive(ports)

    def _begin(
        self,
        connection: PbxConnection,
        line: Line,
        settings: StreamSettings,
        feed: SpoolFeed,
        rate: TicketRate,
    ) -> Conversation:
        dialogue = dialogue_for(self.pbx, connection)
        number = feed.begin(line.peer, shares_segment=settings.connections == "many")
        conversation = Conversation(line, number, dialogue, feed, rate, self.status, self._pace)
        self._note_connected(line.peer, number, settings)
        return conversation

    def _end_visit(self, settings: StreamSettings, error: Exception | None) -> None:
        self._note_ended()
        if error is None:
            return
        if self.status.connection_count == 0:
            self.status.state = "listening"
        if isinstance(error, PeerLostError) and settings.connections == "many":
            logger.debug("%s: %s", self.pbx.id, error)
        else:
            self._fault(self.status.state, error)

    async def _wait_before_retry(self, attempts: int) -> None:
        """Back off; the jitter keeps many PBXs behind one router from being dialled in step."""
        longest = min(
            self._pace.longest_retry_seconds,
            self._pace.first_retry_seconds * 2 ** min(attempts - 1, 16),
        )
        await asyncio.sleep(longest * random.SystemRandom().uniform(0.5, 1))

    def _note_connected(self, peer: str, number: int, settings: StreamSettings) -> None:
        self.status.peer = peer
        self.status.connection = number
        self.status.connection_count += 1
        self.status.connected_since = datetime.now(UTC)
        # Of a PBX that connects for each ticket the log would be as long as its tickets.
        level = logging.INFO if settings.connections == "one" else logging.DEBUG
        logger.log(level, "%s: connected to %s, connection %d", self.pbx.id, peer, number)

    def _note_ended(self) -> None:
        self.status.connection_count -= 1
        if self.status.connection_count == 0:
            self.status.connected_since = None

    def _fault(self, state: State, error: Exception) -> None:
        self.status.state = state
        self.status.detail = str(error)
        self.status.fault_count += 1
        logger.warning("%s: %s: %s", self.pbx.id, state, error)


async def reach(
    connection: PbxConnection, settings: StreamSettings, tls: ssl.SSLContext | None, pace: Pace
) -> Line:
    """Connect to a PBX.

    Raises:
        PeerLostError: it cannot be reached.
        TlsRefusedError: it answers, and there is no TLS connection to be had.
    """
    host, port = connection.host, port_of(connection, settings)
    if not host:
        raise StreamSettingsError(f"connection {connection.connection_id!r} names no host to dial.")
    try:
        async with asyncio.timeout(pace.connect_seconds):
            reader, writer = await asyncio.open_connection(
                host,
                port,
                limit=pace.chunk_bytes,
                ssl=tls,
                server_hostname=None if tls is None else server_name(connection),
            )
            return Line(reader, writer, keep_alive(writer, pace.keepalive_seconds))
    except ssl.SSLCertVerificationError as error:
        raise TlsRefusedError(
            f"{host}:{port}: the certificate is not accepted: {error.verify_message}"
        ) from error
    except ssl.SSLError as error:
        raise TlsRefusedError(
            f"{host}:{port}: no TLS connection comes about: {error.reason or error}"
        ) from error
    except (OSError, ValueError) as error:
        reason = str(error) or f"no answer within {pace.connect_seconds:g} s"
        raise PeerLostError(f"{host}:{port} cannot be reached: {reason}") from error
