"""The live view: what a PBX says, while it says it, raw and parsed."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collector.collector_process import Installation, installation
from tests.conftest import free_port
from tests.mitel_tickets import OutgoingLeg
from tollhouse.collector.following import SpoolFollower
from tollhouse.collector.segment import TERMINATED, segment_path
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.pbx import models
from tollhouse.settings import Settings

TAIL = "import sys; from tollhouse.cli import main; main()"
MITEL = models()["mitel_3300"]


def say(spool: SpoolWriter, *lines: bytes) -> None:
    spool.append([(line + b"\r\n", TERMINATED) for line in lines], now_us())
    spool.sync()


class Tail:
    """A running ``tollhouse collector tail``; its lines are read as they come."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAIL, "collector", "tail", *arguments],
            env={**environment, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def until(self, pattern: str) -> list[str]:
        """The lines up to the first that matches."""
        lines = []
        while not lines or not re.search(pattern, lines[-1]):
            lines.append(self._lines.get(timeout=30))
        return lines


@contextmanager
def tailing(environment: dict[str, str], *arguments: str) -> Iterator[Tail]:
    tail = Tail(environment, *arguments)
    try:
        yield tail
        tail.process.send_signal(signal.SIGINT)
        assert tail.process.wait(timeout=20) == 0
    finally:
        tail.process.kill()
        tail.process.wait()


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return installation(tmp_path, {"paris_hq": 0}, free_port())


def test_the_last_tickets_come_first_and_then_each_as_it_reaches_the_disk(
    here: Installation,
) -> None:
    with SpoolWriter(here.spool("paris_hq"), "paris_hq") as spool:
        for line in (b"one", b"two"):
            spool.begin_connection("192.0.2.1:1752")
            say(spool, line)
        spool.begin_connection("192.0.2.1:1752")
        say(spool, b"three")
        with tailing(here.settings.environment, "paris_hq", "-n", "2") as tail:
            begun = tail.until("Waiting for tickets of paris_hq")
            assert [line.split(" ", 1)[1] for line in begun if line[:2].isdigit()] == [
                "two", "three",
            ]  # fmt: skip
            assert begun[0].startswith("Not parsed: ")
            assert "run `make up`" in begun[0]
            say(spool, b"four \x1b[31m\x9b[bold]\x07")
            assert tail.until("four")[-1].endswith(r"four \x1b[31m\x9b[bold]\x07")
            spool.begin_connection("192.0.2.1:1752")
            say(spool, b"five")
            assert tail.until("five")[-1].endswith(" five")


def test_a_pbx_that_never_spoke_is_waited_for(here: Installation) -> None:
    with tailing(here.settings.environment, "paris_hq") as tail:
        tail.until("Waiting for tickets")
        with SpoolWriter(here.spool("paris_hq"), "paris_hq") as spool:
            spool.begin_connection("192.0.2.1:1752")
            say(spool, b"the first of all")
            tail.until("the first of all")


def test_an_unknown_pbx_is_refused_with_the_known_ones(here: Installation) -> None:
    found = subprocess.run(
        [sys.executable, "-c", TAIL, "collector", "tail", "nowhere"],
        env=here.settings.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert "of the collector are: paris_hq" in found.stderr


@pytest.mark.postgres
def test_tickets_are_shown_as_the_warehouse_reads_them_though_nothing_is_landed(
    warehouse: Settings,
) -> None:
    pbx_file = warehouse.var / "pbx.yml"
    pbx_file.write_text(
        "pbxs: [{id: paris_hq, model: mitel_3300, time_zone: Europe/Paris, country: FR}]"
    )
    environment = {**warehouse.environment, "TOLLHOUSE_PBX_FILE": str(pbx_file)}
    with SpoolWriter(warehouse.spool / "paris_hq", "paris_hq") as spool:
        for line in (str(OutgoingLeg("02/04 13:34", 53)).encode(), b"no ticket at all"):
            spool.begin_connection("192.0.2.1:1752")
            say(spool, line)
        with tailing(environment, "paris_hq") as tail:
            lines = [line.strip() for line in tail.until("Waiting")]
    assert "outgoing, answered: extension 4201" in lines[1]
    assert "talk 53 s" in lines[1]
    assert lines[-2].startswith(("rejected: ", "ignored: "))


def test_only_what_is_on_disk_is_shown(tmp_path: Path) -> None:
    follower = SpoolFollower(tmp_path, MITEL)
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append([(b"one\r\n", TERMINATED)], now_us())
        assert follower.new_tickets() == []
        spool.sync()
        assert [ticket.body for ticket in follower.new_tickets()] == ["one"]
        assert follower.new_tickets() == []


def test_a_rebuilt_spool_and_damage_do_not_end_the_view(tmp_path: Path) -> None:
    follower = SpoolFollower(tmp_path, MITEL)
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        say(spool, b"one", b"two", b"three")
    path = segment_path(tmp_path, 1)
    path.write_bytes(path.read_bytes().replace(b"two", b"2wo"))
    seen = [ticket.body for _ in range(3) for ticket in follower.new_tickets()]
    assert seen == ["one", "three"]
    path.unlink()
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        say(spool, b"four")
    assert [ticket.body for ticket in follower.new_tickets()] == ["four"]
