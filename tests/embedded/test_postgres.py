"""The embedded PostgreSQL: loopback only, passwords asked for, never as root."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import free_port
from tollhouse.embedded.postgres import EmbeddedPostgres, PostgresError, cluster_home

pytestmark = pytest.mark.postgres


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="tollhouse-tests-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(cluster_home(folder), free_port())
    try:
        yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(postgres.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_data_outlive_a_stop_and_a_start(server: EmbeddedPostgres) -> None:
    server.start()
    url = server.ensure_database("things", "keeper", "secret")
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 1 as one")
    server.stop()
    assert not server.is_running()
    server.start()
    with psycopg.connect(server.ensure_database("things", "keeper", "secret")) as connection:
        assert connection.execute("select one from kept").fetchone() == (1,)


def test_starting_twice_is_harmless(server: EmbeddedPostgres) -> None:
    server.start()
    server.start()
    assert server.is_running()


def test_nobody_gets_in_without_the_password(server: EmbeddedPostgres) -> None:
    server.start()
    url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url)


def test_the_server_never_runs_as_root(server: EmbeddedPostgres) -> None:
    server.start()
    postmaster = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    assert Path(f"/proc/{postmaster}").stat().st_uid != 0
    assert os.getpid() != postmaster


def test_the_server_listens_on_loopback_only(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.superuser_url()) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)


def test_a_busy_port_is_named_with_the_variable_that_changes_it(server: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", server.port)), pytest.raises(PostgresError) as caught:
        server.start()
    assert str(server.port) in str(caught.value)
    assert "TOLLHOUSE_POSTGRES_PORT" in str(caught.value)


def test_a_cluster_whose_making_was_killed_is_made_anew(server: EmbeddedPostgres) -> None:
    server.data.mkdir(parents=True)
    (server.data / "leftover").touch()
    server.start()
    assert server.is_running()
