"""var/tollhouse.env: made once, kept, closed to others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tollhouse.collector.spool_writer import SpoolWriter
from tollhouse.embedded.environment import PASSWORDS, make_installation
from tollhouse.settings import PROJECT, SettingsError, load_settings, read_environment_file


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in list(os.environ):
        if name.startswith(("TOLLHOUSE_", "AIRFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOLLHOUSE_VAR", str(tmp_path))
    yield tmp_path
    load_settings.cache_clear()


def test_the_file_with_the_passwords_is_closed_to_others(var: Path) -> None:
    make_installation()
    assert (var / "tollhouse.env").stat().st_mode & 0o077 == 0


def test_folders_with_personal_data_are_closed_to_others_whoever_made_them(var: Path) -> None:
    var.chmod(0o755)
    spool = var / "spool"
    spool.mkdir(mode=0o755)
    make_installation()
    SpoolWriter(spool / "site", "site").close()
    for name in ("gx", "invoices", "lab", "log", "spool"):
        assert (var / name).stat().st_mode & 0o777 == 0o700, name
    # The accounts of PostgreSQL and MariaDB have their data below var.
    assert var.stat().st_mode & 0o777 == 0o755


def test_passwords_are_made_once_and_kept(var: Path) -> None:
    first = make_installation().settings.environment
    second = make_installation().settings.environment
    assert {name: first[name] for name in PASSWORDS} == {name: second[name] for name in PASSWORDS}
    assert len({first[name] for name in PASSWORDS}) == len(PASSWORDS)


def test_a_port_of_the_environment_is_stored(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLHOUSE_AIRFLOW_PORT", "18080")
    make_installation()
    monkeypatch.delenv("TOLLHOUSE_AIRFLOW_PORT")
    installation = make_installation()
    assert installation.port("TOLLHOUSE_AIRFLOW_PORT") == 18080
    environment = installation.settings.environment
    assert environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:18080"


def test_a_port_that_is_none_is_refused_by_name(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLHOUSE_POSTGRES_PORT", "seventy")
    with pytest.raises(SettingsError, match=r"TOLLHOUSE_POSTGRES_PORT.*'seventy'"):
        make_installation()


def test_another_postgresql_is_used_when_the_environment_names_one(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_installation().warehouse_is_embedded
    monkeypatch.setenv("TOLLHOUSE_DATABASE_URL", "postgresql://me:secret@db.example:5432/calls")
    installation = make_installation()
    assert not installation.warehouse_is_embedded
    assert installation.airflow_database_is_embedded
    assert installation.settings.environment["TOLLHOUSE_DBT_HOST"] == "db.example"


def test_airflow_listens_on_loopback_only(var: Path) -> None:
    assert make_installation().settings.environment["AIRFLOW__API__HOST"] == "127.0.0.1"


def run_as(program: str, var: Path, **environment: str) -> str:
    """Start an interpreter as the script of that name and return what it sees."""
    script = var / program
    script.write_text(
        "import os, tollhouse.embedded.interpreter_start\n"
        "print(os.environ.get('AIRFLOW_HOME'), os.environ.get('TOLLHOUSE_DBT_USER'))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(PROJECT / "plugins"),
            "TOLLHOUSE_VAR": str(var),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_airflow_and_dbt_find_the_installation_and_other_programs_keep_theirs(var: Path) -> None:
    make_installation()
    home = read_environment_file(var / "tollhouse.env")["AIRFLOW_HOME"]
    assert run_as("airflow", var) == f"{home} tollhouse_dbt"
    assert run_as("dbt", var) == "None tollhouse_dbt"
    assert run_as("pytest", var) == "None None"
    assert run_as("airflow", var, AIRFLOW_HOME="/mine") == "/mine tollhouse_dbt"


def test_an_interpreter_starts_without_an_installation(var: Path) -> None:
    assert run_as("airflow", var) == "None None"
