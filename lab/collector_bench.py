"""How many tickets a second the collector puts safely on disk, on one core, beside a floor.

    python -m lab.collector_bench [--tickets 4000000]

Twenty PBXs with a connection each, as an installation of twenty sites has, send as fast as they are
listened to. The floor does what cannot be avoided with the same bytes, on the same core, in the
same minutes: read from twenty sockets, append to twenty files, force them to disk as often as the
collector does. It knows no tickets, writes no records and no checksums.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.bench import mitel_lines
from tollhouse.collector.health import read_health
from tollhouse.collector.pace import Pace
from tollhouse.collector.spool import read_spool
from tollhouse.settings import PROJECT, Settings

PBXS = 20
TICKETS = 4_000_000
TARGET_TICKETS_PER_SECOND = 50_000
#: Different lines; each PBX sends them again and again.
LINES = 5_000
HEALTH_PORT = int(os.environ.get("BENCH_COLLECTOR_PORT", "17599"))
COLLECT = "from tollhouse.commands.collector import run; run()"
FLOOR = "import sys; from lab.collector_bench import read_and_append; read_and_append(sys.argv[1:])"
#: A file as long as what the floor has forced to disk so far.
FLUSHED = "flushed"
#: The memory at rest is taken when so much of the tickets is on disk: by then every buffer is used.
WARM_SHARE = 0.1

console = Console(file=sys.stdout)


@dataclass(frozen=True)
class Run:
    """What one reader of twenty sockets made of the tickets."""

    seconds: float
    processor_seconds: float
    warm_resident_mib: float
    end_resident_mib: float


class SendingPbxs:
    """Twenty servers that send the same number of tickets to whoever connects, and then wait."""

    def __init__(self, tickets_each: int) -> None:
        self._block = b"".join(islice(mitel_lines(seed=1), LINES))
        self.line_bytes = len(self._block) // LINES
        self._tickets_each = tickets_each
        self._go = threading.Event()
        self._servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(PBXS)]
        self.ports = [server.getsockname()[1] for server in self._servers]
        self._connected = threading.Barrier(PBXS + 1)

    def open(self) -> None:
        """Wait for connections."""
        for server in self._servers:
            threading.Thread(target=self._serve, args=[server], daemon=True).start()

    def send(self) -> None:
        """Start sending, once everybody is connected."""
        self._connected.wait(timeout=60)
        self._go.set()

    def close(self) -> None:
        """Refuse further connections."""
        for server in self._servers:
            server.close()

    def _serve(self, server: socket.socket) -> None:
        connection, _ = server.accept()
        with suppress(OSError), connection:
            self._connected.wait(timeout=60)
            self._go.wait()
            left = self._tickets_each
            while left:
                portion = min(left, LINES)
                connection.sendall(self._block[: portion * self.line_bytes])
                left -= portion
            connection.recv(1)


def read_and_append(arguments: list[str]) -> None:
    """Read from sockets and append to files: the floor, run as a process of its own.

    Args:
        arguments: a folder, and the ports to connect to.
    """
    folder, *ports = arguments
    pace = Pace()
    selector = selectors.DefaultSelector()
    files = []
    for port in ports:
        connection = socket.create_connection(("127.0.0.1", int(port)))
        file = os.open(Path(folder, port), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        selector.register(connection, selectors.EVENT_READ, file)
        files.append(file)
    byte_count = 0
    next_flush = time.monotonic() + pace.group_seconds
    while True:
        for key, _ in selector.select(pace.group_seconds):
            data = key.fileobj.recv(pace.chunk_bytes)  # type: ignore[union-attr]
            byte_count += os.write(key.data, data)
        if time.monotonic() >= next_flush:
            for file in files:
                os.fdatasync(file)
            os.truncate(Path(folder, FLUSHED), byte_count)
            next_flush = time.monotonic() + pace.group_seconds


@contextmanager
def pinned_process(code: str, arguments: list[str], environment: dict[str, str]) -> Iterator[int]:
    """A Python process that runs on the first core alone; everything else keeps off it."""
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, *arguments], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        os.sched_setaffinity(process.pid, cores[:1])
        os.sched_setaffinity(0, cores[1:] or cores)
        yield process.pid
    finally:
        os.sched_setaffinity(0, cores)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(pbxs: SendingPbxs, pid: int, share_on_disk: Callable[[], float]) -> Run:
    """Let the PBXs send, and watch the process that reads until everything is on disk."""
    pbxs.send()
    started, processor_before = time.perf_counter(), processor_seconds(pid)
    warm_resident = 0.0
    while (share := share_on_disk()) < 1:
        if not warm_resident and share > WARM_SHARE:
            warm_resident = resident_mib(pid)
        time.sleep(0.1)
    return Run(
        time.perf_counter() - started,
        processor_seconds(pid) - processor_before,
        warm_resident,
        resident_mib(pid),
    )


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def bench_collector(folder: Path, tickets: int) -> Run:
    """The collector, as `make up` starts it."""
    with closing(SendingPbxs(tickets // PBXS)) as pbxs:
        settings = _installation(folder, pbxs.ports)
        pbxs.open()
        with pinned_process(COLLECT, [], settings.environment) as pid:

            def share_on_disk() -> float:
                told = (read_health(settings) or {}).values()
                pending = any(entry["unsynced_bytes"] for entry in told)
                count: int = sum(entry["record_count"] for entry in told)
                return min(count / tickets, 0.999) if pending else count / tickets

            run = measure(pbxs, pid, share_on_disk)
        _check(settings, tickets)
    return run


def bench_floor(folder: Path, tickets: int) -> Run:
    """A loop that reads and appends and does nothing else."""
    with closing(SendingPbxs(tickets // PBXS)) as pbxs:
        pbxs.open()
        (folder / FLUSHED).touch()
        total_bytes = tickets * pbxs.line_bytes
        arguments = [str(folder), *map(str, pbxs.ports)]
        environment = {**os.environ, "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}"}
        with pinned_process(FLOOR, arguments, environment) as pid:
            return measure(
                pbxs,
                pid,
                lambda: (folder / FLUSHED).stat().st_size / total_bytes,
            )


def _installation(folder: Path, ports: list[int]) -> Settings:
    """Twenty Mitels on loopback; no limit on their tickets, since that is what is measured."""
    entry = {
        "model": "mitel_3300",
        "time_zone": "Europe/Paris",
        "country": "FR",
        "settings": {"max_tickets_per_second": 1_000_000},
    }
    pbx_ids = [f"site_{number:02d}" for number in range(PBXS)]
    # JSON is YAML too.
    (folder / "pbx.yml").write_text(json.dumps({"pbxs": [{"id": i, **entry} for i in pbx_ids]}))
    (folder / "connections.yaml").write_text(
        json.dumps(
            {
                f"pbx_{pbx_id}": {"conn_type": "tcp", "host": "127.0.0.1", "port": port}
                for pbx_id, port in zip(pbx_ids, ports, strict=True)
            }
        )
    )
    environment = {
        **{name: value for name, value in os.environ.items() if "TOLLHOUSE" not in name},
        "PYTHONPATH": str(PROJECT / "plugins"),
        "TOLLHOUSE_VAR": str(folder),
        "TOLLHOUSE_PBX_FILE": str(folder / "pbx.yml"),
        "TOLLHOUSE_COLLECTOR_PORT": str(HEALTH_PORT),
    }
    return Settings(
        project=PROJECT, var=folder, include=PROJECT / "include", environment=environment
    )


def _check(settings: Settings, tickets: int) -> None:
    """Count what the spools hold: a fast collector that loses a ticket is worth nothing."""
    found = sum(
        sum(1 for _ in read_spool(spool, segment=0, offset=0)) for spool in settings.spool.iterdir()
    )
    if found != tickets:
        raise SystemExit(f"The spools hold {found:,} of {tickets:,} tickets.")


def _show(runs: dict[str, Run], tickets: int) -> None:
    table = Table(title=f"{tickets:,} tickets over {PBXS} connections, one core, forced to disk")
    table.add_column("")
    for heading in ("tickets/s", "seconds", "processor s", "MiB warm", "MiB at the end"):
        table.add_column(heading, justify="right")
    for name, run in runs.items():
        table.add_row(
            name,
            f"{tickets / run.seconds:,.0f}",
            f"{run.seconds:.1f}",
            f"{run.processor_seconds:.1f}",
            f"{run.warm_resident_mib:.0f}",
            f"{run.end_resident_mib:.0f}",
        )
    console.print(table)
    collector, floor = runs.values()
    rate = tickets / collector.seconds
    verdict = "met" if rate >= TARGET_TICKETS_PER_SECOND else "MISSED"
    console.print(
        f"ratio to the floor {collector.seconds / floor.seconds:.1f}; {rate:,.0f} tickets/s, "
        f"target {TARGET_TICKETS_PER_SECOND:,}: {verdict}"
    )


def main() -> None:
    """Measure the collector and the floor, and print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tickets", type=int, default=TICKETS)
    tickets = parser.parse_args().tickets // PBXS * PBXS
    folder = Path(tempfile.mkdtemp(prefix="tollhouse-collector-bench-"))
    try:
        runs = {}
        for name, bench in (("collector", bench_collector), ("floor", bench_floor)):
            own = folder / name
            own.mkdir()
            runs[name] = bench(own, tickets)
            shutil.rmtree(own)
        _show(runs, tickets)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
