"""One connection as its dialogue steers it: silence, pauses, answers, errors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.collecting import PACE
from tests.collector.speaking_pbx import speaking, stay_connected
from tollhouse.collector.conversation import Conversation, Line, PeerLostError, keep_alive
from tollhouse.collector.dialogues import DialogueError, Heard
from tollhouse.collector.lines import Piece
from tollhouse.collector.rate import TicketRate
from tollhouse.collector.segment import CUT_BY_DISCONNECT, TERMINATED
from tollhouse.collector.spool import read_spool
from tollhouse.collector.spool_feed import SpoolFeed
from tollhouse.collector.spool_writer import SpoolWriter
from tollhouse.collector.status import StreamStatus


class Impatient:
    """A dialogue for frames without an end: a pause ends one, and each is acknowledged."""

    longest_silence_seconds: float | None = 0.3
    is_serving = True

    def __init__(self) -> None:
        self._frame = b""

    def greeting(self) -> bytes:
        return b"hello\n"

    def feed(self, data: bytes) -> Heard:
        self._frame += data
        if b"stand-by" in data:
            raise DialogueError("it is on stand-by")
        return Heard([])

    def pause(self) -> Heard:
        frame, self._frame = self._frame, b""
        return Heard([(frame, TERMINATED)], b"ack\n") if frame else Heard([])

    def remainder(self) -> list[Piece]:
        return [(self._frame, CUT_BY_DISCONNECT)] if self._frame else []


def held(folder: Path, speak: Callable[[socket.socket], None]) -> tuple[Exception, list[Piece]]:
    """Hold one conversation; return how it ended and what is in the spool."""

    async def hold(port: int) -> Exception:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = Line(reader, writer, keep_alive(writer, PACE.keepalive_seconds))
        status = StreamStatus("site")
        with SpoolWriter(folder, "site") as spool:
            feed = SpoolFeed(spool, status, PACE, None)
            number = feed.begin(line.peer, shares_segment=False)
            conversation = Conversation(
                line, number, Impatient(), feed, TicketRate(1_000), status, PACE
            )
            with pytest.raises((PeerLostError, DialogueError)) as ended:
                await conversation.hold()
        return ended.value

    with speaking(speak) as pbx:
        error = asyncio.run(hold(pbx.port))
    records = read_spool(folder, segment=0, offset=0)
    return error, [(record.data, record.flags) for record in records]


def test_a_pause_completes_a_frame_and_it_is_acknowledged_when_it_is_spooled(
    tmp_path: Path,
) -> None:
    spooled_by_then: list[bool] = []

    def speak(connection: socket.socket) -> None:
        assert connection.recv(100) == b"hello\n"
        connection.sendall(b"fra")
        connection.sendall(b"me")
        assert connection.recv(100) == b"ack\n"
        segments = list(tmp_path.glob("segment-*"))
        spooled_by_then.append(b"frame" in segments[0].read_bytes())
        connection.sendall(b"half")

    error, pieces = held(tmp_path, speak)
    assert spooled_by_then == [True]
    assert pieces == [(b"frame", TERMINATED), (b"half", CUT_BY_DISCONNECT)]
    assert "closed the connection" in str(error)


def test_a_peer_that_is_silent_for_too_long_is_given_up(tmp_path: Path) -> None:
    error, pieces = held(tmp_path, stay_connected)
    assert isinstance(error, PeerLostError)
    assert "has said nothing for 0.3 s" in str(error)
    assert pieces == []


def test_what_was_heard_before_an_error_of_the_dialogue_is_kept(tmp_path: Path) -> None:
    def speak(connection: socket.socket) -> None:
        connection.sendall(b"a ticket, and then: stand-by")
        stay_connected(connection)

    error, pieces = held(tmp_path, speak)
    assert isinstance(error, DialogueError)
    assert pieces == [(b"a ticket, and then: stand-by", CUT_BY_DISCONNECT)]


def test_the_kernel_watches_over_a_quiet_line() -> None:
    async def watched(port: int) -> tuple[str, list[int]]:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        peer = keep_alive(writer, 60)
        connection = writer.get_extra_info("socket")
        options = [
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        ]
        writer.close()
        return peer, options

    with speaking(stay_connected) as pbx:
        assert asyncio.run(watched(pbx.port)) == (f"127.0.0.1:{pbx.port}", [1, 60, 15])
