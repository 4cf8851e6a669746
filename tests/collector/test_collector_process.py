"""The collector as people run it: a process and real sockets."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.collector.collector_process import installation
from tests.collector.speaking_pbx import count_aloud, say, speaking, stay_connected, wait_until
from tests.conftest import free_port
from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE

TICKETS = b" 02/04 13:34  00:00:53 T001\r\n-02/04 13:40  00:07:12 4216\r\n"


def test_what_a_pbx_says_is_in_the_spool_and_on_the_health_page(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: len(here.records("paris_hq")) == 2)
            wait_until(lambda: here.health("paris_hq")["unsynced_bytes"] == 0)
            health = here.health("paris_hq")
            last = here.records("paris_hq")[-1]
            assert health["state"] == "connected"
            assert health["peer"] == f"127.0.0.1:{pbx.port}"
            assert health["record_count"] == 2
            assert health["byte_count"] == len(TICKETS)
            assert health["position"] == f"{last.segment}:{last.next_offset}"
            assert not health["is_silent"]
        assert b"".join(record.data for record in here.records("paris_hq")) == TICKETS


def test_nothing_that_arrived_is_lost_when_the_collector_is_asked_to_stop(tmp_path: Path) -> None:
    sent = b"".join(b"ticket %05d\r\n" % number for number in range(20_000))
    with speaking(say(sent)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: here.health("paris_hq")["record_count"] > 0)
        assert b"".join(record.data for record in here.records("paris_hq")) == sent


def test_a_peer_cut_mid_line_leaves_a_marked_piece_and_is_dialled_again(tmp_path: Path) -> None:
    calls = iter([TICKETS + b" 02/04 13:4", TICKETS])

    def speak(connection) -> None:
        connection.sendall(next(calls))
        if calls.__length_hint__():
            return
        stay_connected(connection)

    with speaking(speak) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: len(here.records("paris_hq")) == 5)
        records = here.records("paris_hq")
    assert [(record.connection, record.ordinal) for record in records] == [
        (1, 0), (1, 1), (1, 2), (2, 0), (2, 1),
    ]  # fmt: skip
    assert (records[2].data, records[2].flags) == (b" 02/04 13:4", CUT_BY_DISCONNECT)


def test_a_pbx_that_comes_back_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    here = installation(tmp_path, {"paris_hq": port}, free_port())
    with here.running():
        wait_until(lambda: here.health("paris_hq").get("state") == "retrying")
        assert f"127.0.0.1:{port} cannot be reached" in here.health("paris_hq")["detail"]
        for count in (2, 4):
            with speaking(say(TICKETS), port):
                wait_until(lambda count=count: len(here.records("paris_hq")) == count)
            wait_until(lambda: here.health("paris_hq")["state"] != "connected")


def test_a_dead_pbx_and_one_without_a_connection_do_not_stop_another(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx, speaking(count_aloud(30_000)) as flood:
        here = installation(
            tmp_path,
            {"dead": free_port(), "flooding": flood.port, "paris_hq": pbx.port, "unknown": 0},
            free_port(),
        )
        with here.running():
            wait_until(lambda: len(here.records("paris_hq")) == 2)
            wait_until(lambda: here.health("dead")["state"] == "retrying")
            assert here.health("unknown")["state"] == "no_connection"
            assert "AIRFLOW_CONN_PBX_UNKNOWN" in here.health("unknown")["detail"]


def test_an_endless_line_costs_bounded_memory_and_loses_no_byte(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024
    with speaking(say(b"x" * size, b"\r\n", TICKETS)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running() as process:
            wait_until(lambda: here.health("paris_hq").get("byte_count") == size + 2 + len(TICKETS))
            status = Path(f"/proc/{process.pid}/status").read_text()
            resident_kib = int(status.split("VmRSS:")[1].split()[0])
            assert resident_kib < 120 * 1024
        records = here.records("paris_hq")
        assert sum(len(record.data) for record in records) == size + 2 + len(TICKETS)
        assert all(len(record.data) <= 4_097 for record in records)
        assert records[0].flags == PIECE
        assert records[-1].data == TICKETS.splitlines(keepends=True)[-1]


def test_a_second_collector_is_refused_by_the_health_port_and_by_the_spool(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx:
        here = installation(tmp_path / "one", {"paris_hq": pbx.port}, free_port())
        with here.running() as first:
            wait_until(lambda: len(here.records("paris_hq")) == 2)
            second = here.start()
            assert "taken" in second.communicate(timeout=20)[1]
            assert second.returncode != 0
            other = installation(
                tmp_path / "two",
                {"paris_hq": pbx.port},
                free_port(),
                TOLLHOUSE_SPOOL=str(here.settings.spool),
            )
            with other.running():
                wait_until(lambda: other.health("paris_hq").get("state") == "locked")
                assert f"process {first.pid}" in other.health("paris_hq")["detail"]
            assert pbx.connection_count == 1
            assert here.health("paris_hq")["state"] == "connected"


def test_a_pbx_that_dials_in_is_heard_and_its_newer_connection_replaces_the_older(
    tmp_path: Path,
) -> None:
    port = free_port()
    here = installation(
        tmp_path, {"paris_hq": port}, free_port(), pbx_settings={"direction": "listen"}
    )
    with here.running():
        wait_until(lambda: here.health("paris_hq").get("state") == "listening")
        with socket.create_connection(("127.0.0.1", port)) as older:
            older.sendall(TICKETS)
            wait_until(lambda: len(here.records("paris_hq")) == 2)
            with socket.create_connection(("127.0.0.1", port)) as newer:
                newer.sendall(TICKETS)
                wait_until(lambda: len(here.records("paris_hq")) == 4)
                assert older.recv(1) == b""
        wait_until(lambda: here.health("paris_hq")["state"] == "listening")
    assert [record.connection for record in here.records("paris_hq")] == [1, 1, 2, 2]


def test_low_space_stops_reading_until_there_is_room_again(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx:
        # No disk has this much room: the reserve is never met.
        here = installation(
            tmp_path, {"paris_hq": pbx.port}, free_port(), TOLLHOUSE_SPOOL_RESERVE_MIB=str(2**30)
        )
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("state") == "disk_full")
            assert "nothing is read from the PBX" in here.health("paris_hq")["detail"]
            assert here.records("paris_hq") == []


def test_no_text_of_a_ticket_is_in_the_log(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        process = here.start()
        wait_until(lambda: len(here.records("paris_hq")) == 2)
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert f"paris_hq: connected to 127.0.0.1:{pbx.port}, connection 1" in log
    assert "13:34" not in log


def test_status_prints_a_table_and_fails_when_no_collector_answers(tmp_path: Path) -> None:
    command = "import sys; from tollhouse.commands.collector import status; sys.exit(status())"
    with speaking(say(TICKETS)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port(), COLUMNS="200")

        def status() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-c", command],
                env=here.settings.environment,
                capture_output=True,
                text=True,
                check=False,
            )

        silent = status()
        assert silent.returncode == 1
        assert "No collector answers" in silent.stderr
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("record_count") == 2)
            answer = status()
        assert answer.returncode == 0
        assert "paris_hq" in answer.stdout
        assert "connected" in answer.stdout
