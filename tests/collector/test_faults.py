"""What a collector must survive: being killed under load, power cuts, a disk without room."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collector.collector_process import Installation, installation
from tests.collector.speaking_pbx import count_aloud, speaking, stay_connected, wait_until
from tests.conftest import free_port
from tollhouse.collector.segment import TERMINATED, segment_path
from tollhouse.collector.spool import SpoolRecord, is_closed, read_spool
from tollhouse.collector.spool_writer import SpoolWriter

ROUNDS = 50
LINE_BYTES = len(b"ticket 000000000\r\n")


def test_50_kills_and_power_cuts_under_load_lose_no_ticket_that_was_on_disk(
    tmp_path: Path,
) -> None:
    rng = random.Random(1752)
    on_disk: list[SpoolRecord] = []
    with speaking(count_aloud(20_000)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        folder = here.spool("paris_hq")
        with here.restarted_often() as collector:
            for _ in range(ROUNDS):
                collector.start()
                _wait_for_news(folder, on_disk)
                time.sleep(rng.uniform(0, 0.1))
                collector.kill()
                on_disk += _records_behind(folder, on_disk)
                if rng.random() < 0.5:
                    _cut_the_power(rng, folder, on_disk[-1])
    SpoolWriter(folder, "paris_hq").close()  # repairs the last one too
    found = {(record.segment, record.offset): record for record in here.records("paris_hq")}
    # Whatever a reader may have seen is where it was, and what it was.
    assert [found[record.segment, record.offset] for record in on_disk] == on_disk
    numbers = [int(record.data[7:16]) for record in found.values()]
    assert numbers == sorted(set(numbers))
    assert {(len(record.data), record.flags) for record in found.values()} == {
        (LINE_BYTES, TERMINATED)
    }
    said = defaultdict(list)
    for record in found.values():
        said[record.connection].append(int(record.data[7:16]))
    # What is missing of a connection is its end, never something between.
    assert len(said) == ROUNDS
    for of_connection in said.values():
        assert of_connection == list(range(of_connection[0], of_connection[-1] + 1))
    assert all(is_closed(path) for path in folder.glob("*.spool"))


def _records_behind(folder: Path, seen: list[SpoolRecord]) -> list[SpoolRecord]:
    """What readers are shown behind the records that they have seen."""
    segment, offset = (seen[-1].segment, seen[-1].next_offset) if seen else (0, 0)
    return list(read_spool(folder, segment=segment, offset=offset))


def _wait_for_news(folder: Path, seen: list[SpoolRecord]) -> None:
    """Wait until the present collector's own segment has records on disk."""
    before = seen[-1].segment if seen else 0

    def has_news() -> bool:
        behind = _records_behind(folder, seen)
        return bool(behind) and behind[-1].segment > before

    wait_until(has_news)


def _cut_the_power(rng: random.Random, folder: Path, last_on_disk: SpoolRecord) -> None:
    """Take back a part of what was never forced to disk, as a power cut may."""
    path = segment_path(folder, last_on_disk.segment)
    os.truncate(path, rng.randint(last_on_disk.next_offset, path.stat().st_size))


class SmallDisk:
    """A disk of a few MiB, which can be made larger while it is in use.

    A tmpfs where the tests may mount one; elsewhere a limit on the size of the files that the
    collector writes, which the operating system enforces as well.
    """

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.folder = folder
        self._size_bytes = size_bytes
        folder.mkdir()
        self.is_mounted = (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)],
                capture_output=True,
                check=False,
            ).returncode
            == 0
        )

    def limit(self, process: subprocess.Popen[str]) -> None:
        if not self.is_mounted:
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (self._size_bytes, hard))

    def make_room(self, process: subprocess.Popen[str]) -> None:
        if self.is_mounted:
            command = ["mount", "-o", "remount,size=256m", str(self.folder)]
            subprocess.run(command, check=True)
        else:
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))

    def remove(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    disk = SmallDisk(folder, size_bytes)
    try:
        yield disk
    finally:
        disk.remove()


@pytest.mark.parametrize(
    "reserve_mib",
    [pytest.param(0, id="full to the last byte"), pytest.param(2, id="less than the reserve")],
)
def test_a_full_disk_stops_reading_and_loses_nothing(tmp_path: Path, reserve_mib: int) -> None:
    lines = [f"ticket {number:06d} {'x' * 200}\r\n".encode() for number in range(60_000)]

    def speak(connection) -> None:
        connection.sendall(b"".join(lines))
        stay_connected(connection)

    with small_disk(tmp_path / "disk", 4 * 2**20) as disk, speaking(speak) as pbx:
        # Without a disk of its own the limit is on files, and the reserve cannot be met by them.
        reserve = reserve_mib if disk.is_mounted else 0
        here = _installation_on(disk, tmp_path / "here", pbx.port, reserve)
        with here.running() as process:
            disk.limit(process)
            wait_until(lambda: here.health("paris_hq").get("state") == "disk_full")
            health = here.health("paris_hq")
            assert health["alarms"]
            assert "disk" in health["alarms"][0]
            assert 0 < health["record_count"] < len(lines)
            before = here.records("paris_hq")
            assert [record.data for record in before] == lines[: len(before)]
            disk.make_room(process)
            wait_until(lambda: here.health("paris_hq")["record_count"] == len(lines))
            wait_until(lambda: here.health("paris_hq")["unsynced_bytes"] == 0)
            assert here.health("paris_hq")["alarms"] == []
            after = here.records("paris_hq")
        assert after[: len(before)] == before
        assert [record.data for record in after] == lines


def _installation_on(
    disk: SmallDisk, folder: Path, pbx_port: int, reserve_mib: int
) -> Installation:
    return installation(
        folder,
        {"paris_hq": pbx_port},
        free_port(),
        {"max_tickets_per_second": 1_000_000},
        TOLLHOUSE_SPOOL=str(disk.folder),
        TOLLHOUSE_SPOOL_RESERVE_MIB=str(reserve_mib),
    )
