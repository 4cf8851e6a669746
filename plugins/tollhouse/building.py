"""Building the warehouse: dbt as a subprocess, over the batches that landed and are not built yet.

What a build does is read from the tables (``raw.batches``), never from an event: events coalesce.
Batches are closed after the last model, so a build that is killed in the middle is done again,
whole, by the next one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import psycopg

from tollhouse.layouts.dbt_project import (
    generated_models,
    is_written,
    link_project,
    project_folder,
)
from tollhouse.layouts.deployment import have_changed, prepare, record
from tollhouse.settings import Settings
from tollhouse.warehouse import BUILD_LOCKS, DBT, LOADER, WAREHOUSE, advisory_lock, connect

#: The name dbt's sessions carry while a build or a deployment runs them.
BUILD_APPLICATION = "tollhouse_build"

#: Incremental models, the small dimensions and the tests that look at touched batches only.
BUILD_SELECTION = "tag:build"

BATCHES_WAITING = "select exists (select from raw.batches where built_at is null)"

#: A pull that landed nothing has nothing to build: asset events wake a build for it all the same.
CLOSE_EMPTY_BATCHES = """
update raw.batches as batches
set built_at = now()
where batches.built_at is null
    and batches.rows_inserted = 0
    and not exists (select from raw.tickets as tickets where tickets.batch_id = batches.batch_id)
"""

OPEN_BUILD = "insert into raw.builds (dag_run_id) values (%s) returning build_id"

TAKE_BATCHES = """
update raw.batches set build_id = %s where built_at is null returning batch_id, rows_inserted
"""

CLOSE_BATCHES = """
update raw.batches set built_at = now() where build_id = %s and built_at is null
"""

FINISH_BUILD = "update raw.builds set finished_at = now() where build_id = %s"

#: A killed build leaves its dbt behind; whoever holds the lock ends it before starting another.
END_ORPHANS = """
select pg_terminate_backend(pid)
from pg_stat_activity
where usename = current_user
    and datname = current_database()
    and application_name = %s
    and pid <> pg_backend_pid()
"""


class BuildError(Exception):
    """A build or a deployment failed; the message has one line for each failing node."""


@dataclass(frozen=True)
class BuildResult:
    """What one build did."""

    build_id: int | None
    batch_count: int
    ticket_count: int
    duration_seconds: float

    @property
    def did_something(self) -> bool:
        """Whether there was anything to build."""
        return self.build_id is not None


def deploy(settings: Settings, *, with_docs: bool = True, output: TextIO | None = None) -> None:
    """Bring dbt project and layouts into the warehouse: seeds, views, empty tables, documentation.

    Tables that hold data are kept. Safe to run again.

    Raises:
        BuildError: a node of the project fails.
    """
    with (
        connect(LOADER, settings=settings, autocommit=True) as connection,
        build_lock(connection, settings),
    ):
        layouts = prepare(connection, settings, try_all=True)
        run_dbt(settings, "seed", output=output)
        run_dbt(settings, "run", output=output)
        record(connection, settings, layouts)
        if with_docs:
            run_dbt(settings, "docs", "generate", "--static", output=output)


def deploy_changed_layouts(settings: Settings, *, output: TextIO | None = None) -> None:
    """Bring the layouts that have changed into a warehouse that is deployed.

    Raises:
        BuildError: a view cannot be made.
    """
    with connect(LOADER, settings=settings, autocommit=True) as connection:
        if have_changed(connection, settings):
            with build_lock(connection, settings):
                deploy_layouts(connection, settings, output=output)


def deploy_layouts(
    connection: psycopg.Connection, settings: Settings, *, output: TextIO | None = None
) -> None:
    """Bring the layouts that have changed into the warehouse, for a holder of the build lock.

    Raises:
        BuildError: a view cannot be made.
    """
    if not have_changed(connection, settings):
        return
    layouts = prepare(connection, settings)
    if layouts.selection:
        run_dbt(settings, "run", "--select", *layouts.selection, output=output)
    record(connection, settings, layouts)


def build(settings: Settings, *, dag_run_id: str | None = None) -> BuildResult:
    """Build what landed since the last build; without news it is a few queries.

    Layouts that were edited since are deployed first.

    Args:
        settings: The installation.
        dag_run_id: Kept in ``raw.builds``, to find the run of a build.

    Raises:
        BuildError: a model or a test fails; the next build takes the same batches again.
    """
    started = time.monotonic()
    with connect(LOADER, settings=settings, autocommit=True) as connection:
        if not _batches_wait(connection) and not have_changed(connection, settings):
            return BuildResult(None, 0, 0, time.monotonic() - started)
        with build_lock(connection, settings):
            return build_what_waits(connection, settings, dag_run_id=dag_run_id)


def build_what_waits(
    connection: psycopg.Connection, settings: Settings, *, dag_run_id: str | None = None
) -> BuildResult:
    """Build the batches that wait, for a holder of the build lock.

    Raises:
        BuildError: a model or a test fails; the next build takes the same batches again.
    """
    started = time.monotonic()
    deploy_layouts(connection, settings)
    connection.execute(CLOSE_EMPTY_BATCHES)
    # Another build may have taken everything while this one waited for the lock.
    if not _batches_wait(connection):
        return BuildResult(None, 0, 0, time.monotonic() - started)
    with connection.transaction():
        build_id = _only_value(connection.execute(OPEN_BUILD, [dag_run_id]))
        batches = connection.execute(TAKE_BATCHES, [build_id]).fetchall()
    run_dbt(
        settings, "build", "--select", BUILD_SELECTION, "--indirect-selection", "empty",
        "--exclude-resource-type", "unit_test",
    )  # fmt: skip
    with connection.transaction():
        connection.execute(CLOSE_BATCHES, [build_id])
        connection.execute(FINISH_BUILD, [build_id])
    return BuildResult(
        build_id=build_id,
        batch_count=len(batches),
        ticket_count=sum(row[1] for row in batches),
        duration_seconds=time.monotonic() - started,
    )


def run_dbt(
    settings: Settings,
    *arguments: str,
    output: TextIO | None = None,
    session_settings: Mapping[str, str] | None = None,
) -> None:
    """Run one dbt command of the project and pass its log through.

    Args:
        settings: The installation.
        arguments: The command and its options.
        output: Where the log goes; by default standard output.
        session_settings: Settings of PostgreSQL for the sessions of this command alone.

    Raises:
        BuildError: dbt ends with an error; the message sums up ``run_results.json``.
    """
    target = dbt_target(settings)
    target.mkdir(parents=True, exist_ok=True)
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    _write_project_once(settings)
    project = project_folder(settings)
    command = [
        str(Path(sys.executable).with_name("dbt")), "--no-use-colors", "--log-level-file", "info",
        *arguments,
        "--project-dir", str(project), "--profiles-dir", str(project),
    ]  # fmt: skip
    output = output or sys.stdout
    with subprocess.Popen(  # noqa: S603 - our own environment's dbt, no shell
        command,
        env=_dbt_environment(settings, session_settings or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        last_lines: list[str] = []
        for line in process.stdout or ():
            output.write(line)
            last_lines = [*last_lines[-19:], line.rstrip()]
        output.flush()
    if process.returncode != 0:
        raise BuildError(
            f"dbt {' '.join(arguments)} failed.\n"
            + "\n".join(_failing_nodes(results) or last_lines)
        )


def _write_project_once(settings: Settings) -> None:
    """Write the project where there is none, as in a new var beside a database that is deployed."""
    if is_written(settings):
        link_project(settings)
    else:
        with connect(LOADER, settings=settings, autocommit=True) as connection:
            prepare(connection, settings)


def dbt_target(settings: Settings) -> Path:
    """Folder of what dbt writes: manifest, results of the last command, documentation site."""
    return settings.var / "dbt" / "target"


def _dbt_environment(settings: Settings, session_settings: Mapping[str, str]) -> dict[str, str]:
    address = urlsplit(settings.role_url(DBT))
    inherited = {
        name: value
        for name, value in settings.environment.items()
        if not name.startswith(("DBT_", "TOLLHOUSE_"))
    }
    return {
        **inherited,
        "TOLLHOUSE_DBT_HOST": address.hostname or "",
        "TOLLHOUSE_DBT_PORT": str(address.port or 5432),
        "TOLLHOUSE_DBT_NAME": unquote(address.path.lstrip("/")),
        "TOLLHOUSE_DBT_USER": address.username or "",
        "TOLLHOUSE_DBT_PASSWORD": unquote(address.password or ""),
        "TOLLHOUSE_DBT_APPLICATION": BUILD_APPLICATION,
        "TOLLHOUSE_DBT_LAYOUTS": ",".join(generated_models(settings)),
        "PGOPTIONS": " ".join(
            [
                inherited.get("PGOPTIONS", ""),
                *(f"-c {name}={value}" for name, value in session_settings.items()),
            ]
        ),
        "DBT_TARGET_PATH": str(dbt_target(settings)),
        "DBT_LOG_PATH": str(settings.var / "dbt" / "logs"),
    }


@contextmanager
def build_lock(connection: psycopg.Connection, settings: Settings) -> Iterator[None]:
    """Hold the build lock; end what a killed build left running."""
    with advisory_lock(connection, BUILD_LOCKS, WAREHOUSE):
        _end_orphans(settings)
        yield


def _end_orphans(settings: Settings) -> None:
    with connect(DBT, settings=settings, autocommit=True) as connection:
        for _attempt in range(100):
            if not connection.execute(END_ORPHANS, [BUILD_APPLICATION]).fetchall():
                return
            time.sleep(0.1)
    raise BuildError(
        "An earlier build still runs in the database and does not end: look for sessions named "
        f"{BUILD_APPLICATION} in pg_stat_activity."
    )


def _batches_wait(connection: psycopg.Connection) -> bool:
    return bool(_only_value(connection.execute(BATCHES_WAITING)))


def _only_value(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]


def _failing_nodes(results: Path) -> list[str]:
    """One line for each node that failed, from dbt's own results."""
    if not results.exists():
        return []
    nodes = json.loads(results.read_text(encoding="utf-8"))["results"]
    return [
        f"{node['unique_id']}: {' '.join((node['message'] or node['status']).split())}"
        for node in nodes
        if node["status"] in ("error", "fail")
    ]
