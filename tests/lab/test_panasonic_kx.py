"""The simulated Panasonic: type C, the clock of the end, and a login as its users type it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lab.panasonic_kx import CALLS_A_PAGE, ask_for_login, encode, tickets_of
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.dialogues.login import LoginDialogue
from tollhouse.collector.lines import LineSplitter
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="rouen_clinic",
    first_extension=1200,
    last_extension=1259,
    public_base="0261910000",
    calls_per_working_day=120,
    account_codes=("4711",),
)
OUTGOING = Call(
    pbx_id="rouen_clinic",
    day=date(2026, 2, 4),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 2, 4, 12, 40, 31, tzinfo=UTC),
    ring_seconds=9,
    talk_seconds=432,
    extension="1216",
    destination="national_mobile",
    outside_number="0639981234",
    account_code="4711",
)
INCOMING = replace(
    OUTGOING, direction="incoming", outside_number="0199005122", account_code="", destination=""
)


@contextmanager
def connected() -> Iterator[tuple[socket.socket, Future[bytes]]]:
    """The collector's end of a connection to a PBX that asks for the login."""
    pbx_side, collector_side = socket.socketpair()
    with pbx_side, collector_side, ThreadPoolExecutor(1) as pool:
        pbx_side.settimeout(20)
        collector_side.settimeout(20)
        yield collector_side, pool.submit(ask_for_login, pbx_side)


def read_until(connection: socket.socket, end: bytes) -> bytes:
    heard = b""
    while not heard.endswith(end):
        piece = connection.recv(256)
        assert piece, f"the connection ended after {heard!r}"
        heard += piece
    return heard


def test_an_outgoing_call_stands_at_the_columns_of_type_c() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 377)
    line = ticket.ticket
    assert len(line) == 120
    # 12:40:31 + 9 s of ringing + 7 min 12 s of talk, in Paris.
    assert line[0:14] == "04/02/26 13:47"
    assert line[17:22] == " 1216"
    assert line[23:27] == "0006"
    assert line[28:78].rstrip() == "0639981234"
    assert line[79:83] == "    "
    assert line[84:92] == "00:07'12"
    assert line[93:104] == "EUR00000.00"
    assert line[105:115].rstrip() == "4711"


def test_the_truth_is_the_minute_of_the_end_less_what_is_printed() -> None:
    (outgoing,) = tickets_of(OUTGOING, SITE, 1)
    assert outgoing.started_at == "2026-02-04T12:39:48+00:00"
    assert outgoing.ring_seconds is None
    (incoming,) = tickets_of(INCOMING, SITE, 1)
    assert incoming.started_at == "2026-02-04T12:39:39+00:00"
    assert incoming.ring_seconds == 9


def test_a_missed_call_says_so_and_how_long_it_rang() -> None:
    missed = replace(INCOMING, outcome="no_answer", talk_seconds=0, ring_seconds=75)
    line = tickets_of(missed, SITE, 1)[0].ticket
    assert line[28:78].rstrip() == "<I>0199005122"
    assert line[79:92] == "1'15 00:00'00"
    assert line[116:118] == "NA"


def test_a_transferred_call_is_a_line_per_extension_that_add_up() -> None:
    transferred = replace(INCOMING, transferred_to="1230", transferred_after_seconds=100)
    first, second = tickets_of(transferred, SITE, 1)
    assert (first.extension, second.extension) == ("1216", "1230")
    assert first.talk_seconds + second.talk_seconds == 432
    assert second.ticket[116:118] == "TR"
    assert first.source_call_id != second.source_call_id


def test_a_call_within_the_house_has_neither_duration_nor_answer() -> None:
    internal = replace(OUTGOING, direction="internal", other_extension="1230", outside_number="")
    (ticket,) = tickets_of(internal, SITE, 1)
    assert ticket.ticket[17:].split() == ["1216", "EXT1230", "4711"]
    assert (ticket.outcome, ticket.talk_seconds) == ("no_answer", 0)


def test_each_page_has_a_head_that_is_no_ticket() -> None:
    titles, dashes, ticket = tickets_of(OUTGOING, SITE, CALLS_A_PAGE)
    assert titles.ticket.startswith("\f  Date     Time    Ext")
    assert set(dashes.ticket) == {"-"}
    assert [line.state for line in (titles, dashes, ticket)] == ["ignored", "ignored", "ticket"]


def test_the_password_is_asked_for_and_echoed_in_stars() -> None:
    with connected() as (collector, session):
        assert read_until(collector, b"-") == b"\r\n-"
        collector.sendall(b"SMDR\r")
        assert read_until(collector, b":") == b"SMDR\r\nEnter Password:"
        collector.sendall(b"PCCSMDR\rand more")
        assert read_until(collector, b"\n") == b"*******\r\n"
        assert session.result() == b"and more"


def test_a_command_that_is_none_is_answered_as_by_the_pbx() -> None:
    with connected() as (collector, session):
        read_until(collector, b"-")
        collector.sendall(b"hello\r")
        assert read_until(collector, b"-") == b"hello\r\nNo such command.\r\n-"
        collector.sendall(b"q\r")
        assert read_until(collector, b".\r\n") == b"q\r\nGoodbye.\r\n"
        with pytest.raises(ConnectionRefusedError):
            session.result()


def converse(collector: socket.socket, dialogue: LoginDialogue) -> None:
    """Let the collector's dialogue answer until the PBX has what it wants."""
    while dialogue.longest_silence_seconds is not None:
        collector.sendall(dialogue.feed(collector.recv(256)).reply)


def test_the_collector_logs_in_and_spools_lines_alone() -> None:
    line = encode(tickets_of(OUTGOING, SITE, 1)[0].ticket)
    dialogue = LoginDialogue(b"SMDR", b"PCCSMDR", LineSplitter(4_096, b"\r"))
    with connected() as (collector, session):
        converse(collector, dialogue)
        assert session.result() == b""
        heard = dialogue.feed(read_until(collector, b"*\r\n") + line)
    assert [piece for piece, _ in heard.pieces] == [line.removesuffix(b"\n")]


def test_the_collector_notices_that_its_password_is_refused() -> None:
    dialogue = LoginDialogue(b"SMDR", b"WRONG", LineSplitter(4_096, b"\r"))
    with connected() as (collector, session):
        converse(collector, dialogue)
        with pytest.raises(ConnectionRefusedError):
            session.result()
        dialogue.feed(read_until(collector, b"\n-"))
        with pytest.raises(DialogueError, match="refuses login"):
            dialogue.pause()


@pytest.mark.postgres
def test_staging_reads_what_the_lab_wrote(warehouse: Settings) -> None:
    calls = [call for day in (3, 4) for call in calls_of_day(SITE, 1, date(2026, 2, day))]
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]

    parsed, expected = parsed_beside_truth(warehouse, "panasonic_kx", truth)

    assert parsed == expected
    assert {row["state"] for row in parsed} == {"ticket", "ignored"}
    assert {row["direction"] for row in parsed} >= {"incoming", "outgoing", "internal"}
