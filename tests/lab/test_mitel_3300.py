"""The simulated Mitel: documented columns over a real socket, well and badly behaved."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lab.mitel_3300 import GARBAGE, tickets_of, write_feed
from lab.sites import SITES
from lab.traffic import Call
from lab.truth import TicketTruth
from tests.conftest import free_port
from tollhouse.settings import PROJECT

SITE = SITES[0].site
OUTGOING = Call(
    pbx_id="paris_hq",
    day=date(2026, 2, 4),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 2, 4, 12, 40, 31, tzinfo=UTC),
    ring_seconds=9,
    talk_seconds=432,
    extension="4216",
    destination="national_mobile",
    outside_number="0639981234",
    account_code="240117",
)
INCOMING = replace(
    OUTGOING, direction="incoming", outside_number="0199005122", account_code="", destination=""
)

Server = Callable[..., int]


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return tmp_path / "feed.txt"


@pytest.fixture
def serve(feed: Path) -> Iterator[Server]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(*switches: str) -> int:
        for process in processes:
            process.kill()
            process.wait()
        port = free_port()
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "lab.mitel_3300",
                    f"--port={port}",
                    f"--feed={feed}",
                    *switches,
                ],
                cwd=PROJECT,
            )
        )
        return port

    yield start
    for process in processes:
        process.kill()
        process.wait()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    deadline = time.monotonic() + 20
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=1)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the simulated Mitel did not come up"
            time.sleep(0.05)
            continue
        with client:
            yield client
        return


def read_lines(client: socket.socket, count: int) -> bytes:
    data = b""
    while data.count(b"\n") < count:
        piece = client.recv(4096)
        if not piece:
            break
        data += piece
    return data


def numbered(count: int) -> list[TicketTruth]:
    return [ticket for number in range(count) for ticket in tickets_of(OUTGOING, SITE, number)]


def test_an_outgoing_call_stands_at_the_documented_columns() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 377)
    line = ticket.ticket
    assert len(line) == 131
    assert line[0] == "-"
    assert line[1:6] == "02/04"
    assert line[7:12] == "13:40"
    assert line[14:22] == "00:07:12"
    assert line[23:27] == "4216"
    assert line[29:32] == "   "
    assert line[33:59].rstrip() == "4216 00639981234"
    assert line[59] == "A"
    assert line[61:65] == "T006"
    assert line[72:84].rstrip() == "240117"
    assert line[85:88] == "010"
    assert line[113:122] == "M0100377A"


def test_an_incoming_call_names_the_caller_twice_and_counts_the_ringing() -> None:
    (ticket,) = tickets_of(INCOMING, SITE, 378)
    line = ticket.ticket
    assert line[23:27] == "T007"
    assert line[29:32] == "009"
    assert line[33:59].rstrip() == "0199005122 4216"
    assert line[61:65] == "4216"
    assert line[91:101] == "0199005122"


def test_a_missed_call_shows_stars_and_no_duration() -> None:
    missed = replace(INCOMING, outcome="busy", talk_seconds=0)
    line = tickets_of(missed, SITE, 1)[0].ticket
    assert line[14:22] == "00:00:00"
    assert line[29:32] == "***"
    assert line[59] == "B"


def test_the_truth_knows_no_more_than_the_ticket_tells() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 1)
    assert ticket.started_at == "2026-02-04T12:40:00+00:00"
    assert ticket.ring_seconds is None


def test_a_transferred_call_belongs_to_the_third_party() -> None:
    (ticket,) = tickets_of(replace(INCOMING, transferred_to="4230"), SITE, 1)
    assert ticket.ticket[65] == "T"
    assert ticket.ticket[67:71] == "4230"
    assert ticket.extension == "4230"


def test_the_buffer_goes_to_the_first_client_and_news_follow(feed: Path, serve: Server) -> None:
    tickets = numbered(5)
    write_feed(feed, tickets[:3])
    with connected(serve()) as client:
        first = read_lines(client, 3)
        write_feed(feed, tickets)
        rest = read_lines(client, 2)
    expected = [ticket.ticket.encode() for ticket in tickets]
    assert (first + rest).splitlines() == expected
    assert (first + rest).endswith(b"\r\n")


def test_a_restarted_pbx_sends_nothing_twice(feed: Path, serve: Server) -> None:
    tickets = numbered(4)
    write_feed(feed, tickets[:3])
    with connected(serve()) as client:
        read_lines(client, 3)
    time.sleep(0.2)
    write_feed(feed, tickets)
    with connected(serve()) as client:
        assert read_lines(client, 1).splitlines() == [tickets[3].ticket.encode()]


def test_a_line_cut_in_the_middle_comes_whole_on_the_next_connection(
    feed: Path, serve: Server
) -> None:
    tickets = numbered(3)
    write_feed(feed, tickets)
    port = serve("--drop-after=2")
    with connected(port) as client:
        broken = read_lines(client, 3)
    with connected(port) as client:
        rest = read_lines(client, 2)
    assert broken.count(b"\n") == 1
    assert not broken.endswith(b"\n")
    assert rest.splitlines() == [ticket.ticket.encode() for ticket in tickets[1:]]


def test_a_buffer_may_come_again(feed: Path, serve: Server) -> None:
    tickets = numbered(3)
    write_feed(feed, tickets)
    port = serve("--resend=2")
    with connected(port) as client:
        read_lines(client, 3)
    with connected(port) as client:
        again = read_lines(client, 2)
    assert again.splitlines() == [ticket.ticket.encode() for ticket in tickets[1:]]


def test_a_worn_cable_adds_lines_that_are_no_tickets(feed: Path, serve: Server) -> None:
    write_feed(feed, numbered(4))
    with connected(serve("--garbage-every=2")) as client:
        received = read_lines(client, 6)
    assert received.count(GARBAGE) == 2
