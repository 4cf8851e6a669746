"""Background processes: started once, ended exactly, never somebody else's."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tollhouse.embedded.processes import (
    BackgroundProcess,
    ProcessError,
    recorded_processes,
    require_free_port,
)

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
#: A parent with a child in the same session, both written to a file.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
time.sleep(60)
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[BackgroundProcess]:
    process = BackgroundProcess("sleeper", tmp_path)
    yield process
    process.stop()


def start(process: BackgroundProcess, command: list[str] = SLEEPER) -> bool:
    return process.start(command, dict(os.environ), folder=process.var)


def pid_of(process: BackgroundProcess) -> int:
    return int(json.loads(process.pid_file.read_text())["pid"])


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_a_process_is_started_once(process: BackgroundProcess) -> None:
    assert start(process)
    pid = pid_of(process)
    assert not start(process)
    assert pid_of(process) == pid
    assert [found.name for found in recorded_processes(process.var)] == ["sleeper"]


def test_a_stopped_process_is_gone_and_its_record_too(process: BackgroundProcess) -> None:
    start(process)
    pid = pid_of(process)
    assert process.stop()
    assert not is_alive(pid)
    assert not process.pid_file.exists()
    assert not process.stop()


def test_a_number_given_to_another_program_is_left_alone(process: BackgroundProcess) -> None:
    start(process)
    # The kernel counts start times in hundredths of a second.
    time.sleep(0.05)
    bystander = BackgroundProcess("bystander", process.var)
    start(bystander)
    record = json.loads(process.pid_file.read_text())
    stale = {**record, "pid": pid_of(bystander)}
    process.stop()
    process.pid_file.write_text(json.dumps(stale))
    try:
        assert not process.is_running()
        assert not process.stop()
        assert bystander.is_running()
    finally:
        bystander.stop()


def test_children_of_a_killed_process_are_ended_with_it(process: BackgroundProcess) -> None:
    start(process, [sys.executable, "-c", PARENT])
    pids = process.var / "pids"
    deadline = time.monotonic() + 20
    while not (pids.exists() and len(pids.read_text().split()) == 2):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent, child = map(int, pids.read_text().split())
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert is_alive(child)
    assert not process.is_running()
    assert process.stop()
    assert not is_alive(child)


def test_a_record_cut_short_counts_as_none(process: BackgroundProcess) -> None:
    process.pid_file.parent.mkdir(parents=True)
    process.pid_file.write_text('{"pid": 12')
    assert not process.is_running()
    assert not process.stop()


def test_a_program_that_is_missing_is_named(process: BackgroundProcess) -> None:
    with pytest.raises(ProcessError, match="/nowhere/program"):
        start(process, ["/nowhere/program"])


def test_a_busy_port_is_refused_with_the_variable_that_moves_it() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ProcessError, match=f"Port {port} .*TOLLHOUSE_SOME_PORT"),
    ):
        require_free_port(port, "TOLLHOUSE_SOME_PORT", "the test")
    require_free_port(port, "TOLLHOUSE_SOME_PORT", "the test")
