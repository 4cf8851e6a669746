"""PBXs on TCP, each in a process of its own over real sockets, well and badly behaved."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.streams.engines import GARBAGE
from lab.streams.feed import Feed
from tests.conftest import free_port
from tests.lab.playing import PASSWORD
from tollhouse.settings import PROJECT

TICKETS = [f"{number:03d} {'x' * 60}" for number in range(6)]
WIRE = [ticket.encode() for ticket in TICKETS]

Play = Callable[..., int]


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path / "feed.jsonl")


@pytest.fixture
def play(feed: Feed) -> Iterator[Play]:
    """Play a PBX in place of the one before, with faults; return its port."""
    processes: list[subprocess.Popen[bytes]] = []

    def end() -> None:
        for process in processes:
            process.kill()
            process.wait()

    def start(name: str, *, port: int | None = None, **faults: int) -> int:
        end()
        port = port or free_port()
        command = [sys.executable, "-m", "tests.lab.playing", name, str(port), str(feed.path)]
        processes.append(subprocess.Popen([*command, json.dumps(faults)], cwd=PROJECT))
        return port

    yield start
    end()


@contextmanager
def dialled(port: int) -> Iterator[socket.socket]:
    deadline = time.monotonic() + 20
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the simulated PBX did not come up"
            time.sleep(0.05)
            continue
        with client:
            yield client
        return


@pytest.fixture
def collector() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def read_lines(connection: socket.socket, count: int) -> bytes:
    """Read until so many lines are there or the other side goes."""
    data = b""
    while data.count(b"\n") < count and (piece := connection.recv(4096)):
        data += piece
    return data


def wait_until_sent(feed: Feed) -> None:
    deadline = time.monotonic() + 20
    while feed.position < feed.size:
        assert time.monotonic() < deadline, "the feed was not sent"
        time.sleep(0.02)


def test_the_buffer_goes_to_the_first_client_and_news_follow(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:3])
    with dialled(play("listening")) as client:
        first = read_lines(client, 3)
        feed.write(TICKETS)
        rest = read_lines(client, 3)
    assert (first + rest).splitlines() == WIRE
    assert (first + rest).endswith(b"\r\n")


def test_a_second_client_gets_only_what_follows(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:3])
    port = play("listening")
    with dialled(port) as first:
        read_lines(first, 3)
        with dialled(port) as second:
            # The first of these may have gone out while the second client was being accepted.
            for count in (4, 5):
                feed.write(TICKETS[:count])
                read_lines(first, 1)
            received = read_lines(second, 1)
            while WIRE[4] not in received:
                received += read_lines(second, 1)
    assert received.splitlines() in (WIRE[3:5], WIRE[4:5])


@pytest.mark.parametrize("name", ["dialling", "dialling_anew"])
def test_a_pbx_dials_until_somebody_listens(
    feed: Feed, play: Play, collector: socket.socket, name: str
) -> None:
    feed.write(TICKETS[:2])
    play(name, port=port_of(collector))
    received = b""
    while received.count(b"\n") < 2:
        connection, _ = collector.accept()
        with connection:
            received += read_lines(connection, 2)
    assert received.splitlines() == WIRE[:2]
    wait_until_sent(feed)


def test_a_pbx_that_dials_keeps_its_connection(
    feed: Feed, play: Play, collector: socket.socket
) -> None:
    feed.write(TICKETS[:2])
    play("dialling", port=port_of(collector))
    connection, _ = collector.accept()
    with connection:
        read_lines(connection, 2)
        feed.write(TICKETS[:4])
        assert read_lines(connection, 2).splitlines() == WIRE[2:4]


def test_a_pbx_that_dials_anew_sends_one_ticket_a_connection(
    feed: Feed, play: Play, collector: socket.socket
) -> None:
    feed.write(TICKETS)
    play("dialling_anew", port=port_of(collector))
    for ticket in WIRE:
        connection, _ = collector.accept()
        with connection:
            assert read_lines(connection, 2).splitlines() == [ticket]


def test_nothing_is_sent_before_the_login(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:2])
    port = play("asking")
    with dialled(port) as client:
        client.sendall(b"wrong\n")
        assert read_lines(client, 1) == b"password? "
    assert feed.position == 0
    with dialled(port) as client:
        client.sendall(PASSWORD)
        assert read_lines(client, 2).removeprefix(b"password? ").splitlines() == WIRE[:2]


def test_a_restarted_pbx_sends_nothing_twice(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:3])
    with dialled(play("listening")) as client:
        read_lines(client, 3)
    wait_until_sent(feed)
    feed.write(TICKETS[:4])
    with dialled(play("listening")) as client:
        assert read_lines(client, 1).splitlines() == WIRE[3:4]


def test_a_ticket_cut_in_the_middle_comes_whole_on_the_next_connection(
    feed: Feed, play: Play
) -> None:
    feed.write(TICKETS[:3])
    port = play("listening", drop_after=2)
    with dialled(port) as client:
        broken = read_lines(client, 3)
    with dialled(port) as client:
        rest = read_lines(client, 2)
    first, half = broken.splitlines()
    assert first == WIRE[0]
    assert WIRE[1].startswith(half)
    assert not broken.endswith(b"\n")
    assert rest.splitlines() == WIRE[1:3]


def test_a_pbx_that_dials_may_cut_a_ticket_too(
    feed: Feed, play: Play, collector: socket.socket
) -> None:
    feed.write(TICKETS[:2])
    play("dialling", port=port_of(collector), drop_after=2)
    connection, _ = collector.accept()
    with connection:
        assert read_lines(connection, 2).count(b"\n") == 1
    connection, _ = collector.accept()
    with connection:
        assert read_lines(connection, 1).splitlines() == WIRE[1:2]


def test_a_buffer_may_come_again(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:3])
    port = play("listening", resend=2)
    with dialled(port) as client:
        read_lines(client, 3)
    with dialled(port) as client:
        assert read_lines(client, 2).splitlines() == WIRE[1:3]


def test_a_worn_cable_adds_lines_that_are_no_tickets(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:4])
    with dialled(play("listening", garbage_every=2)) as client:
        received = read_lines(client, 6)
    assert received.count(GARBAGE) == 2
    assert received.replace(GARBAGE, b"").splitlines() == WIRE[:4]


def test_a_slow_pbx_sends_every_byte_all_the_same(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:2])
    with dialled(play("listening", bytes_per_second=2000)) as client:
        pieces: list[bytes] = []
        while b"".join(pieces).count(b"\n") < 2:
            pieces.append(client.recv(4096))
    assert b"".join(pieces).splitlines() == WIRE[:2]
    assert len(pieces) > 1


def test_a_flood_repeats_the_first_ticket(feed: Feed, play: Play) -> None:
    feed.write(TICKETS[:2])
    with dialled(play("listening", flood=1200)) as client:
        received = read_lines(client, 1202).splitlines()
    assert received == [WIRE[0]] * 1201 + [WIRE[1]]


def test_one_process_plays_all_the_pbxs_of_a_configuration(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    entries = []
    for number, port in enumerate(ports):
        feed = Feed(tmp_path / f"{number}.jsonl")
        feed.write([TICKETS[number]])
        entries.append({"model": "mitel_3300", "port": port, "feed": str(feed.path)})
    configuration = tmp_path / "streams.json"
    configuration.write_text(json.dumps(entries))
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.streams", f"--config={configuration}"], cwd=PROJECT
    )
    try:
        for port, ticket in zip(ports, WIRE, strict=False):
            with dialled(port) as client:
                assert read_lines(client, 1).splitlines() == [ticket]
    finally:
        process.kill()
        process.wait()


def test_a_ticket_may_hold_line_ends(feed: Feed) -> None:
    texts = ['{\n "a": 1\n}', "é\r\n\x85"]
    feed.write(texts)
    assert [ticket.text for ticket in feed.after(0)] == texts
    assert feed.after(feed.after(0)[0].end) == feed.after(0)[1:]
