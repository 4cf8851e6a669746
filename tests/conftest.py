"""The real PostgreSQL of the tests: one embedded cluster a session, one fresh database a test.

The migrations and the dbt project are deployed once into a template database; cloning it takes a
fraction of a second, so each test has a warehouse of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

# An installation that runs on this machine must not leak into the tests: before anything of Airflow
# or Tollhouse is imported, its variables give way to an empty home.
HOME = Path(tempfile.mkdtemp(prefix="tollhouse-tests-"))
HOME.chmod(0o755)
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for variable in [name for name in os.environ if name.startswith(("AIRFLOW", "TOLLHOUSE_"))]:
    del os.environ[variable]
os.environ["TOLLHOUSE_VAR"] = str(HOME / "var")
os.environ["AIRFLOW_HOME"] = str(HOME / "airflow")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"

from tollhouse.building import deploy  # noqa: E402
from tollhouse.embedded.postgres import OWNER, EmbeddedPostgres, cluster_home  # noqa: E402
from tollhouse.migrations import migrate  # noqa: E402
from tollhouse.settings import PROJECT, ROLE_PASSWORDS, Settings, load_settings  # noqa: E402

#: Fixtures of servers that only some tests need.
pytest_plugins = ["tests.mariadb_server"]

OWNER_PASSWORD = "owner-of-the-tests"
TEMPLATE = "warehouse_template"

database_numbers = count(1)


@dataclass(frozen=True)
class Cluster:
    """The session's PostgreSQL and the folder below which everything of the session lies."""

    postgres: EmbeddedPostgres
    folder: Path

    def settings(self, database: str, var: Path) -> Settings:
        """Settings of an installation whose warehouse is ``database`` of this cluster."""
        own = {
            "TOLLHOUSE_VAR": str(var),
            "TOLLHOUSE_DATABASE_URL": (
                f"postgresql://{OWNER}:{OWNER_PASSWORD}@127.0.0.1:{self.postgres.port}/{database}"
            ),
            **{variable: f"{role}-of-the-tests" for role, variable in ROLE_PASSWORDS.items()},
        }
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TOLLHOUSE_", "AIRFLOW_"))
        }
        return Settings(
            project=PROJECT, var=var, include=PROJECT / "include", environment={**inherited, **own}
        )


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_of_free_ports(port_count: int) -> int:
    """Return the first of so many consecutive loopback ports that nothing listens on."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + port_count):
                socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            continue
        return first


@pytest.fixture(autouse=True)
def settings_of_this_test() -> None:
    """Settings are read once a process: no test sees those that another one has read."""
    load_settings.cache_clear()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    postgres = EmbeddedPostgres(cluster_home(HOME), free_port())
    try:
        postgres.start()
        yield Cluster(postgres, HOME)
    finally:
        postgres.stop()
        shutil.rmtree(postgres.home, ignore_errors=True)


@pytest.fixture(scope="session")
def warehouse_template(cluster: Cluster) -> str:
    """Name of the database that holds the migrations and the deployed dbt project, and no data."""
    cluster.postgres.ensure_database(TEMPLATE, OWNER, OWNER_PASSWORD, may_make_roles=True)
    settings = cluster.settings(TEMPLATE, cluster.folder / "template")
    migrate(settings)
    deploy(settings, with_docs=False)
    return TEMPLATE


@pytest.fixture
def warehouse(cluster: Cluster, warehouse_template: str, tmp_path: Path) -> Iterator[Settings]:
    """An installation with an empty warehouse of its own, migrated and deployed."""
    name = f"warehouse_{next(database_numbers)}"
    with psycopg.connect(cluster.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} owner {}").format(
                sql.Identifier(name), sql.Identifier(warehouse_template), sql.Identifier(OWNER)
            )
        )
        # Grants on a database are the one thing that a clone does not inherit.
        connection.execute(
            sql.SQL("grant create on database {} to tollhouse_dbt").format(sql.Identifier(name))
        )
        yield cluster.settings(name, tmp_path)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
