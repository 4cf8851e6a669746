"""The bench of the collector runs to its end; how fast is not a test's business."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import free_port
from tollhouse.settings import PROJECT


def test_the_bench_finds_every_ticket_it_sent_in_the_spools() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.collector_bench", "--tickets", "20000"],
        env={**os.environ, "BENCH_COLLECTOR_PORT": str(free_port()), "COLUMNS": "120"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "20,000 tickets over 20 connections" in done.stdout
    assert "ratio to the floor" in done.stdout
