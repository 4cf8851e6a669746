"""A collector process of its own installation, to be asked, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.collector.speaking_pbx import wait_until
from tollhouse.collector.health import read_health
from tollhouse.collector.spool import SpoolRecord, read_spool
from tollhouse.settings import PROJECT, Settings

RUN = "from tollhouse.commands.collector import run; run()"
#: Starts a collector for every line that it is sent, and says its process id. Most of the time that
#: a start takes is the interpreter's; one that is ready spares it.
RUN_AGAIN_AND_AGAIN = """
import os, sys
from tollhouse.commands.collector import run
for _ in sys.stdin:
    child = os.fork()
    if not child:
        run()
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class CollectorStarter:
    """A process that starts collectors, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._orders = process.stdin
        self._answers = process.stdout
        self._collector: int | None = None

    def start(self) -> None:
        self._orders.write("start\n")
        self._orders.flush()
        self._collector = int(self._answers.readline())

    def kill(self) -> None:
        """Kill -9 the collector, if one runs, and wait for its end."""
        if self._collector is not None:
            os.kill(self._collector, signal.SIGKILL)
            assert self._answers.readline() == "ended\n"
            self._collector = None


@dataclass(frozen=True)
class Installation:
    """Folders and settings of one collector."""

    settings: Settings

    def spool(self, pbx_id: str) -> Path:
        return self.settings.spool / pbx_id

    def records(self, pbx_id: str) -> list[SpoolRecord]:
        return list(read_spool(self.spool(pbx_id), segment=0, offset=0))

    def health(self, pbx_id: str) -> dict[str, Any]:
        return (read_health(self.settings) or {}).get(pbx_id, {})

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", RUN],
            env=self.settings.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def restarted_often(self) -> Iterator[CollectorStarter]:
        """Starts one collector after the other, each to be killed."""
        with subprocess.Popen(
            [sys.executable, "-c", RUN_AGAIN_AND_AGAIN],
            env=self.settings.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            starter = CollectorStarter(process)
            try:
                yield starter
            finally:
                starter.kill()

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """A collector that answers, ended with SIGTERM."""
        process = self.start()
        try:
            wait_until(lambda: read_health(self.settings) is not None or process.poll() is not None)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def installation(
    folder: Path,
    pbx_ports: dict[str, int],
    health_port: int,
    pbx_settings: dict[str, Any] | None = None,
    model: str = "mitel_3300",
    **environment: str,
) -> Installation:
    """An installation with one PBX per port; port 0 leaves the connection out."""
    var = folder / "var"
    var.mkdir(parents=True)
    entry = {
        "model": model,
        "time_zone": "Europe/Paris",
        "country": "FR",
        "settings": pbx_settings or {},
    }
    pbx_file = folder / "pbx.yml"
    pbx_file.write_text(yaml.safe_dump({"pbxs": [{"id": pbx, **entry} for pbx in pbx_ports]}))
    connections = {
        f"pbx_{pbx}": {"conn_type": "tcp", "host": "127.0.0.1", "port": port}
        for pbx, port in pbx_ports.items()
        if port
    }
    (var / "connections.yaml").write_text(json.dumps(connections))
    values = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "plugins"),
        "TOLLHOUSE_VAR": str(var),
        "TOLLHOUSE_PBX_FILE": str(pbx_file),
        "TOLLHOUSE_COLLECTOR_PORT": str(health_port),
        "TOLLHOUSE_SPOOL_RESERVE_MIB": "1",
        **environment,
    }
    return Installation(
        Settings(project=PROJECT, var=var, include=PROJECT / "include", environment=values)
    )
