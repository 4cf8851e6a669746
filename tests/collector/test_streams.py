"""What a stream bears: strangers, floods, endless lines, many connections and one."""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.collector.collecting import PACE, Collecting, collecting, pbx_of
from tests.collector.speaking_pbx import say, speaking, stay_connected, wait_until
from tests.conftest import free_port
from tollhouse.collector.peers import LOG_SECONDS, REMEMBERED_PEERS, PeerGate
from tollhouse.collector.rate import TicketRate
from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE
from tollhouse.collector.status import StreamStatus
from tollhouse.collector.stream_settings import StreamSettingsError, stream_settings
from tollhouse.installed_pbxs import Pbx

TICKETS = b" 02/04 13:34  00:00:53 T001\r\n-02/04 13:40  00:07:12 4216\r\n"


def dialled(port: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port}


@contextmanager
def listening(folder: Path, **settings: Any) -> Iterator[Collecting]:
    entry = pbx_of(direction="listen", **settings)
    with collecting(folder, (entry, dialled(free_port()))) as site:
        site.port()
        yield site


def visit(site: Collecting) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port()))


# Who may connect.


@pytest.mark.parametrize(
    ("networks", "admitted", "refused"),
    [
        (None, ["127.0.0.1", "::1", "::ffff:127.0.0.1"], ["192.0.2.10", "::ffff:192.0.2.10"]),
        (
            ["192.0.2.10", "198.51.100.0/24", "2001:db8::/32"],
            ["192.0.2.10", "::ffff:192.0.2.10", "198.51.100.77", "2001:db8::9"],
            ["127.0.0.1", "192.0.2.11", "2001:db9::1", "fe80::1%eth0"],
        ),
        (
            ["::ffff:192.0.2.10", "::ffff:198.51.100.0/120"],
            ["192.0.2.10", "::ffff:192.0.2.10", "198.51.100.77"],
            ["192.0.2.11", "::1", "2001:db8::1"],
        ),
    ],
)
def test_only_peers_of_the_allow_list_are_admitted(
    networks: list[str] | None, admitted: list[str], refused: list[str]
) -> None:
    settings = stream_settings(pbx_of(**({} if networks is None else {"allowed_peers": networks})))
    gate = PeerGate(settings.allowed_peers, StreamStatus("site"))
    assert [host for host in admitted + refused if gate.admits(host)] == admitted


def test_a_refused_peer_is_counted_each_time_and_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    status = StreamStatus("site")
    gate = PeerGate([], status, clock=lambda: now)
    for _ in range(1_000):
        gate.refuse("192.0.2.10", "unknown")
        gate.refuse("192.0.2.11", "unknown")
    assert status.refused_peer_count == 2_000
    assert len(caplog.records) == 2
    now += LOG_SECONDS
    gate.refuse("192.0.2.10", "unknown")
    assert len(caplog.records) == 3
    # A sweep from thousands of addresses fills neither the memory nor the log.
    for number in range(5_000):
        gate.refuse(f"198.51.{number // 256}.{number % 256}", "unknown")
    assert len(caplog.records) <= 3 + REMEMBERED_PEERS


def test_a_stranger_is_closed_unread_and_the_pbx_is_still_heard(tmp_path: Path) -> None:
    with listening(tmp_path, allowed_peers=["127.0.0.2"]) as site:
        with socket.socket() as pbx:
            pbx.bind(("127.0.0.2", 0))
            pbx.connect(("127.0.0.1", site.port()))
            pbx.sendall(TICKETS)
            wait_until(lambda: site.spooled() == TICKETS)
            for _ in range(20):
                with visit(site) as stranger:
                    stranger.sendall(b"not a ticket\r\n")
            wait_until(lambda: site.status().refused_peer_count == 20)
            assert "127.0.0.1: its address is not in settings.allowed_peers" in (
                site.status().last_refusal
            )
            pbx.sendall(TICKETS)
            wait_until(lambda: site.spooled() == 2 * TICKETS)
        assert site.status().connection == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"direction": "both"}, "settings.direction is 'both': it is dial or listen"),
        ({"connections": 2}, "settings.connections is 2: it is one or many"),
        ({"allowed_peers": "192.0.2.10"}, "settings.allowed_peers is '192.0.2.10': it is a list"),
        ({"allowed_peers": ["192.0.2.0/33"]}, "does not appear to be an IPv4 or IPv6 network"),
        ({"alowed_peers": ["192.0.2.10"]}, "there is no such key, allowed_peers is meant"),
        ({"login": "false"}, "settings.login is 'false': it is true or false"),
        ({"max_connections": 0}, "settings.max_connections is 0: it is a whole number"),
        ({"max_tickets_per_second": "many"}, "settings.max_tickets_per_second is 'many'"),
    ],
)
def test_a_setting_that_does_not_hold_is_named_and_nothing_is_opened(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(StreamSettingsError) as fault:
        stream_settings(pbx_of(**settings))
    assert told in str(fault.value)
    port = free_port()
    with collecting(tmp_path, (pbx_of(**settings), dialled(port))) as site:
        wait_until(lambda: site.status().state == "misconfigured")
        assert told in site.status().detail


def test_a_taken_port_is_named_and_taken_over_once_it_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with collecting(tmp_path, (pbx_of(direction="listen"), dialled(port))) as site:
            wait_until(lambda: site.status().state == "failed")
            assert f"cannot listen on 127.0.0.1:{port}" in site.status().detail
            other.close()
            wait_until(lambda: site.status().state == "listening")


# One connection, and many.


def test_several_connections_at_once_are_heard_and_told_apart(tmp_path: Path) -> None:
    with listening(tmp_path, connections="many") as site, ExitStack() as stack:
        lines = [stack.enter_context(visit(site)) for _ in range(20)]
        wait_until(lambda: site.status().connection_count == 20)
        for part in (slice(0, 40), slice(40, None)):
            for line in lines:
                line.sendall(TICKETS[part])
        wait_until(lambda: len(site.records()) == 40)
        told: dict[int, bytes] = {}
        for record in site.records():
            told[record.connection] = told.get(record.connection, b"") + record.data
        assert list(told.values()) == [TICKETS] * 20
        assert {record.segment for record in site.records()} == {1}
        for line in lines:
            line.close()
        wait_until(lambda: site.status().connection_count == 0)
        assert site.status().state == "listening"
        assert site.status().fault_count == 0


def test_a_connection_per_ticket_loses_none(tmp_path: Path) -> None:
    with listening(tmp_path, connections="many") as site:
        for number in range(100):
            with visit(site) as line:
                line.sendall(b"ticket %03d\r\n" % number)
        wait_until(lambda: len(site.records()) == 100)
        tickets = sorted(record.data for record in site.records())
        assert tickets == [b"ticket %03d\r\n" % number for number in range(100)]


def test_connections_are_left_alone_while_no_other_waits(tmp_path: Path) -> None:
    with listening(tmp_path, connections="many", max_connections=2) as site, ExitStack() as stack:
        lines = [stack.enter_context(visit(site)) for _ in range(2)]
        wait_until(lambda: site.status().connection_count == 2)
        time.sleep(3 * PACE.idle_seconds)
        assert site.status().full_count == 0
        for line in lines:
            line.sendall(TICKETS)
        wait_until(lambda: len(site.records()) == 4)


def test_beyond_the_greatest_number_the_next_waits_for_a_quiet_one_to_make_room(
    tmp_path: Path,
) -> None:
    with listening(tmp_path, connections="many", max_connections=2) as site, ExitStack() as stack:
        lines = [stack.enter_context(visit(site)) for _ in range(5)]
        for number, line in enumerate(lines):
            line.sendall(b"ticket %d\r\n" % number)
        # None is closed by this side but for the next: the vendor's own receiver works like that.
        wait_until(lambda: len(site.records()) == 5)
        assert site.status().full_count > 0
        assert site.status().refused_peer_count == 0
        assert site.status().connection_count == 2
        assert {lines[0].recv(1), lines[1].recv(1), lines[2].recv(1)} == {b""}


def test_connections_that_trickle_and_end_no_ticket_make_room_for_one_that_does(
    tmp_path: Path,
) -> None:
    stopped = threading.Event()

    def trickle(line: socket.socket) -> None:
        with suppress(OSError):
            while not stopped.wait(0.02):
                line.sendall(b"x")

    with listening(tmp_path, connections="many", max_connections=4) as site, ExitStack() as stack:
        stack.callback(stopped.set)
        for _ in range(4):
            line = stack.enter_context(visit(site))
            threading.Thread(target=trickle, args=[line], daemon=True).start()
        wait_until(lambda: site.status().connection_count == 4)
        stack.enter_context(visit(site)).sendall(TICKETS)
        wait_until(lambda: TICKETS in site.spooled())
        assert site.status().full_count > 0


def test_of_one_connection_the_newest_wins_however_many_come_at_once(tmp_path: Path) -> None:
    with listening(tmp_path, max_connections=50) as site, ExitStack() as stack:
        lines = [stack.enter_context(visit(site)) for _ in range(30)]
        wait_until(lambda: site.status().connection == 30)
        for line in lines[:-1]:
            assert line.recv(1) == b""
        lines[-1].sendall(TICKETS)
        wait_until(lambda: site.spooled() == TICKETS)
        assert site.status().connection_count == 1
        assert {record.connection for record in site.records()} == {30}


def test_what_a_replaced_connection_still_says_is_kept_when_collecting_stops_then(
    tmp_path: Path,
) -> None:
    pace = replace(PACE, farewell_seconds=1)
    entry = (pbx_of(direction="listen"), dialled(free_port()))
    with collecting(tmp_path, entry, pace=pace) as site:
        older = visit(site)
        wait_until(lambda: site.status().connection == 1)
        newer = visit(site)
        time.sleep(0.2)  # so that the older one is taken leave of
        older.sendall(TICKETS)
        time.sleep(0.2)  # so that it is heard before collecting stops
    assert site.spooled() == TICKETS
    older.close()
    newer.close()


def test_an_orderly_stop_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with listening(tmp_path) as site, visit(site) as pbx:
        pbx.sendall(TICKETS)
        wait_until(lambda: site.status().record_count == 2)
        stopping_at = len(caplog.records)
    later = caplog.records[stopping_at:]
    assert [record for record in later if record.levelno >= logging.WARNING] == []
    assert site.status().state == "stopped"


def test_peers_that_are_cut_in_the_middle_of_a_ticket_leave_it_marked(tmp_path: Path) -> None:
    with listening(tmp_path, connections="many") as site:
        for number in range(20):
            with visit(site) as line:
                line.sendall(TICKETS + b"half %02d" % number)
                # The other half never comes: the peer resets the connection.
                if number % 2:
                    wait_until(lambda number=number: len(site.records()) == 3 * number + 2)
                    reset = b"\1\0\0\0\0\0\0\0"
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            wait_until(lambda number=number: len(site.records()) == 3 * number + 3)
        cut = [record.data for record in site.records() if record.flags == CUT_BY_DISCONNECT]
        assert cut == [b"half %02d" % number for number in range(20)]


def test_peers_that_leave_while_they_are_let_in_disturb_nobody(tmp_path: Path) -> None:
    with listening(tmp_path, connections="many") as site, visit(site) as pbx:
        # As a port scan does: by the time the connection is looked at, it has no other end.
        for _ in range(300):
            scanner = socket.socket()
            scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            scanner.connect(("127.0.0.1", site.port()))
            scanner.close()
        pbx.sendall(TICKETS)
        wait_until(lambda: site.spooled() == TICKETS)
        assert site.status().fault_count == 0
        assert {record.connection for record in site.records()} == {1}


# Floods and garbage.


def test_ten_thousand_lines_of_garbage_are_kept_as_they_came(tmp_path: Path) -> None:
    rng = random.Random(1752)
    garbage = b"".join(rng.randbytes(rng.randint(0, 120)) + b"\n" for _ in range(10_000))
    with (
        speaking(say(garbage, TICKETS)) as pbx,
        collecting(tmp_path, (pbx_of(), dialled(pbx.port))) as site,
    ):
        wait_until(lambda: site.status().byte_count == len(garbage + TICKETS))
        wait_until(lambda: site.status().unsynced_bytes == 0)
        assert site.spooled() == garbage + TICKETS
        assert site.status().state == "connected"


def test_a_line_without_end_is_recorded_as_overlong(tmp_path: Path) -> None:
    with (
        speaking(say(b"x" * 100_000, b"\n", TICKETS)) as pbx,
        collecting(tmp_path, (pbx_of(), dialled(pbx.port))) as site,
    ):
        wait_until(lambda: site.status().byte_count == 100_001 + len(TICKETS))
        wait_until(lambda: site.status().unsynced_bytes == 0)
        pieces = [record for record in site.records() if record.flags == PIECE]
        assert len(pieces) == site.status().overlong_count == 100_000 // 4_096
        assert site.spooled() == b"x" * 100_000 + b"\n" + TICKETS


def flooding(stopped: threading.Event, sent: list[int]) -> Any:
    """Send numbered tickets as fast as they are taken, until stopped."""

    def speak(connection: socket.socket) -> None:
        # Long ones: the operating system's buffers, which fill first, hold fewer of them.
        block = b"".join(b"flooding ticket %02d %4000d\r\n" % (n, n) for n in range(100))
        while not stopped.is_set():
            connection.sendall(block)
            sent[0] += 100
        stay_connected(connection)

    return speak


def test_a_flood_is_held_back_and_another_pbx_is_heard_meanwhile(tmp_path: Path) -> None:
    stopped, sent = threading.Event(), [0]
    entries: list[tuple[Pbx, dict[str, Any]]] = []
    with speaking(flooding(stopped, sent)) as flood, speaking(stay_connected) as calm:
        entries.append((pbx_of(pbx_id="flood", max_tickets_per_second=1_000), dialled(flood.port)))
        entries.append((pbx_of(pbx_id="calm"), dialled(calm.port)))
        with collecting(tmp_path, *entries) as sites:
            wait_until(lambda: sites.status("flood").throttled_count > 0)
            line = calm.connections.get(timeout=10)
            for count in range(1, 6):
                line.sendall(TICKETS)
                wait_until(lambda count=count: len(sites.records("calm")) == 2 * count)
                assert sent[0] > sites.status("flood").record_count
            stopped.set()
            assert sites.status("flood").throttled_at is not None
            assert sites.status("calm").throttled_count == 0
            # Nothing is dropped: what the flood could not send waits at the PBX.
            wait_until(lambda: sites.status("flood").record_count == sent[0], seconds=60)
        assert sites.spooled("flood").count(b"flooding ticket 99 ") == sent[0] // 100


def test_the_rate_lets_a_second_of_tickets_pass_at_once_and_then_waits() -> None:
    rate = TicketRate(100)
    assert rate.seconds_to_wait(100, now=50.0) == 0
    assert rate.seconds_to_wait(100, now=50.0) == pytest.approx(1)
    assert rate.seconds_to_wait(0, now=51.0) == 0
    assert rate.seconds_to_wait(50, now=51.0) == pytest.approx(0.5)
    # A quiet hour is no credit for more than a second.
    assert rate.seconds_to_wait(200, now=3_600.0) == pytest.approx(1)


def test_answers_that_nobody_takes_end_the_connection_in_bounded_memory(tmp_path: Path) -> None:
    # An OXE that asks whether its client is there, again and again, and never reads the answers.
    def speak(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(b"\x00\x01\x50")
        while True:
            connection.sendall(b"\x00\x08TEST_REQ" * 5_000)

    with speaking(speak) as pbx:
        entry = (pbx_of("alcatel_oxe"), dialled(pbx.port))
        with collecting(tmp_path, entry, pace=replace(PACE, connect_seconds=0.3)) as site:
            wait_until(lambda: "takes no answers" in site.status().detail)
            wait_until(lambda: pbx.connection_count > 1)
