"""The ``tollhouse`` command: quick to help, plain when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOLLHOUSE = str(Path(sys.executable).with_name("tollhouse"))
HEAVY = ("airflow", "dbt", "great_expectations", "pandas", "psycopg", "weasyprint")


def run(var: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOLLHOUSE_", "AIRFLOW_"))
    }
    return subprocess.run(
        [TOLLHOUSE, *arguments],
        env={**inherited, "TOLLHOUSE_VAR": str(var), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_the_commands(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for name in ("up", "down", "demo", "parse", "reconcile", "rate", "pbx", "collector"):
        assert name in done.stdout


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        f"import sys, tollhouse.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_explained_error_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "migrate")
    assert done.returncode == 1
    assert done.stderr.startswith("tollhouse: No database is configured: run `make up`")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_port_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "up", TOLLHOUSE_AIRFLOW_PORT="99999")
    assert done.returncode == 1
    assert "TOLLHOUSE_AIRFLOW_PORT is '99999'" in done.stderr


@pytest.mark.parametrize("seconds", ["-1", "31622401", "9" * 20])
def test_a_call_to_rate_lasts_at_most_a_year(tmp_path: Path, seconds: str) -> None:
    done = run(tmp_path, "rate", "0199001234", "--seconds", seconds)
    assert done.returncode == 2
    assert "--seconds" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("at", ["0001-01-01", "1969-12-31", "3000-01-01", "9999-12-31T23:59"])
def test_a_call_to_rate_is_of_a_year_that_has_telephones(tmp_path: Path, at: str) -> None:
    done = run(tmp_path, "rate", "0199001234", "--seconds", "60", "--at", at)
    assert done.returncode == 1
    assert done.stderr == f"tollhouse: --at {at!r}: the year is not in 1970 to 2999.\n"


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert run(tmp_path, "down").returncode == 0
