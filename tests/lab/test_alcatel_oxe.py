"""The simulated OXE: the documented columns, the handshake of its port, and its test requests."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lab.alcatel_oxe import (
    ANSWER,
    GREETING,
    TEST_REQUEST,
    WIDTH,
    ask_whether_alive,
    encode,
    hear_greeting,
    tickets_of,
)
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.blocks import BLOCK_BYTES, MARKER
from tollhouse.collector.dialogues.oxe_blocks import OxeDialogue
from tollhouse.pbx import models
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="brest_port",
    first_extension=2100,
    last_extension=2159,
    public_base="0261910100",
    calls_per_working_day=120,
    account_codes=("4711",),
)
OUTGOING = Call(
    pbx_id="brest_port",
    day=date(2026, 2, 4),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 2, 4, 12, 40, 31, tzinfo=UTC),
    ring_seconds=9,
    talk_seconds=432,
    extension="2116",
    destination="national_mobile",
    outside_number="0639981234",
    account_code="4711",
)
INCOMING = replace(
    OUTGOING, direction="incoming", outside_number="0199005122", account_code="", destination=""
)


@contextmanager
def at_the_pbx(
    says: Callable[[socket.socket], object],
) -> Iterator[tuple[socket.socket, Future[object]]]:
    """The collector's end of a connection whose other end the PBX speaks on."""
    pbx_side, collector_side = socket.socketpair()
    with pbx_side, collector_side, ThreadPoolExecutor(1) as pool:
        pbx_side.settimeout(20)
        collector_side.settimeout(20)
        yield collector_side, pool.submit(says, pbx_side)


def test_an_outgoing_call_stands_at_the_columns_of_version_ed5_2() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 377)
    line = ticket.ticket
    assert len(line) == WIDTH == 525
    assert line[:5] == "ED5.2"
    assert line[5:35].rstrip() == "0639981234"
    assert line[35:65].rstrip() == "2116"
    assert line[136:166].rstrip() == "2116"
    assert line[166:168] == " 0"
    assert line[169:186] == "20260204 13:47:52"
    assert line[201:211].lstrip() == "432"
    assert line[216:221].lstrip() == "55"
    assert line[227:243].rstrip() == "4711"
    assert line[348:358].lstrip() == "378"
    assert line[425:430].lstrip() == "9"
    assert line[430:440].lstrip() == "432"
    assert line[441:458] == "20260204 13:40:31"


def test_a_transferred_call_leaves_a_ticket_per_extension_under_one_reference() -> None:
    call = replace(INCOMING, transferred_to="2130", transferred_after_seconds=60)
    first, second = tickets_of(call, SITE, 1)
    assert (first.extension, first.ring_seconds, first.talk_seconds) == ("2116", 9, 60)
    assert (second.extension, second.ring_seconds, second.talk_seconds) == ("2130", 0, 372)
    assert first.source_call_id == second.source_call_id
    assert second.written_at == call.ended_at.isoformat()


def test_a_block_has_its_marker_its_label_and_its_padding() -> None:
    block = encode(tickets_of(OUTGOING, SITE, 1)[0].ticket)
    assert len(block) == len(MARKER) + BLOCK_BYTES
    assert block.startswith(b"\x03\x04\x01\x00\x02\x00ED5.2")
    assert block.endswith(b"\0" * (772 - 4 - 525))


def test_the_collector_is_let_in_and_reads_the_tickets() -> None:
    ticket = tickets_of(OUTGOING, SITE, 1)[0].ticket
    dialogue = OxeDialogue()
    with at_the_pbx(hear_greeting) as (collector, session):
        collector.sendall(dialogue.greeting())
        heard = b""
        while len(heard) < len(b"".join(ANSWER)):
            piece = collector.recv(2)
            collector.sendall(dialogue.feed(piece).reply)
            heard += piece
        assert session.result() == b""
    ((piece, _),) = dialogue.feed(encode(ticket)).pieces
    assert piece[4:].rstrip(b"\0").decode() == ticket


def test_a_client_with_another_greeting_is_refused() -> None:
    with at_the_pbx(hear_greeting) as (collector, session):
        collector.sendall(b"GET")
        with pytest.raises(ConnectionError, match="GET"):
            session.result()


def test_a_client_that_goes_away_is_noticed() -> None:
    with at_the_pbx(hear_greeting) as (collector, session):
        collector.sendall(GREETING)
        assert collector.recv(len(ANSWER[0]))
        collector.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionError, match="went away"):
            session.result()


def test_the_collector_answers_a_test_request() -> None:
    dialogue = OxeDialogue()
    dialogue.feed(b"".join(ANSWER))
    with at_the_pbx(ask_whether_alive) as (collector, asking):
        heard = b""
        while len(heard) < len(TEST_REQUEST):
            piece = collector.recv(64)
            collector.sendall(dialogue.feed(piece).reply)
            heard += piece
        asking.result()


@pytest.mark.postgres
def test_staging_reads_what_the_lab_wrote(warehouse: Settings) -> None:
    calls = [call for day in (3, 4) for call in calls_of_day(SITE, 1, date(2026, 2, day))]
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]

    parsed, expected = parsed_beside_truth(warehouse, "alcatel_oxe", truth)

    assert parsed == expected
    assert {row["state"] for row in parsed} == {"ticket"}
    assert {row["direction"] for row in parsed} == {"incoming", "outgoing", "internal"}


def test_the_lab_and_the_model_agree_on_how_the_port_is_spoken() -> None:
    stream = models()["alcatel_oxe"].stream
    assert stream is not None
    assert (stream.direction, stream.dialogue) == ("dial", "oxe_blocks")
