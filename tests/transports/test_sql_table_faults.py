"""A database that goes away while it is read: nothing lost, nothing doubled, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.installed import batches, rows
from tests.mariadb_server import MariaDb
from tests.transports.asterisk_table import Asterisk
from tests.transports.lossy_proxy import LossyProxy
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table import session as sessions
from tollhouse.transports.sql_table.pages import PageReader, Stretch
from tollhouse.transports.sql_table.source import find_source

pytestmark = pytest.mark.postgres


@pytest.fixture
def asterisk(warehouse: Settings, mariadb: MariaDb) -> Asterisk:
    return Asterisk(warehouse, mariadb)


@contextmanager
def proxied(asterisk: Asterisk) -> Iterator[LossyProxy]:
    """Let the PBX be reached through a proxy."""
    assert asterisk.connection is not None
    with LossyProxy(asterisk.server.port) as proxy:
        asterisk.connection = replace(asterisk.connection, port=proxy.port)
        yield proxy


def write_calls(asterisk: Asterisk, count: int) -> list[str]:
    asterisk.run(f"insert into cdr (src, start) select seq, now() from seq_1_to_{count}")
    return [str(number) for number in range(1, count + 1)]


def test_a_connection_cut_every_few_hundred_rows_loses_and_doubles_nothing(
    asterisk: Asterisk,
) -> None:
    written = write_calls(asterisk, 2_000)
    asterisk.set(page_rows=1_000)
    with proxied(asterisk) as proxy:
        proxy.cut_after_bytes = 120_000
        landed = asterisk.pull()
    assert proxy.cut_count > 5
    assert asterisk.sources() == written
    assert (landed.rows_inserted, asterisk.watermark.value) == (2_000, "2000")


def test_a_server_restarted_in_the_middle_of_a_page_is_read_on(asterisk: Asterisk) -> None:
    written = write_calls(asterisk, 12)
    # The second page takes long enough that the server goes away while it is made.
    asterisk.set(query="select c.*, if(c.id = 6, sleep(0.3), 0) as pause from {table} as c")
    with asterisk.session() as session:
        source = find_source(session, asterisk.pbx)
        pages = PageReader(session, source, 4, []).pages(Stretch())
        read = list(next(pages).bodies)
        asterisk.server.stop()
        asterisk.server.start()
        read += [body for page in pages for body in page.bodies]
    assert [json.loads(body)["src"] for body in read] == written


def test_a_server_that_stays_away_fails_the_pull_and_leaves_nothing_half_landed(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 3)
    written = write_calls(asterisk, 300)
    query = "select c.*, repeat('x', 400) as filler from {table} as c"
    asterisk.set(page_rows=100, query=query)
    with proxied(asterisk) as proxy:
        # A page passes before it ends; then nobody is let in again.
        proxy.cut_after_bytes = 140_000
        proxy.refuse_after_cut = True
        with pytest.raises(SourceError, match=r"attempt 3 .* nothing is lost") as failed:
            asterisk.pull()
    assert "made-up-for-the-tests" not in str(failed.value)
    assert (asterisk.sources(), asterisk.watermark.value) == ([], None)
    assert asterisk.connection is not None
    asterisk.connection = replace(asterisk.connection, port=asterisk.server.port)
    asterisk.pull()
    assert asterisk.sources() == written
    assert len(batches(asterisk.settings)) == 1


def timed_out_statements(asterisk: Asterisk) -> int:
    with asterisk.session() as session:
        return int(session.rows("show global status like 'Max_statement_time_exceeded'")[0][1])


def test_a_statement_that_the_server_ends_for_its_time_is_not_sent_again(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_calls(asterisk, 3)
    before = timed_out_statements(asterisk)
    monkeypatch.setattr(sessions, "STATEMENT_SECONDS", 0.1)
    asterisk.set(query="select c.*, sleep(0.2) as pause from {table} as c")
    with pytest.raises(SourceError, match=r"took too long and was not sent again"):
        asterisk.pull()
    assert timed_out_statements(asterisk) == before + 1


def test_a_server_that_does_not_answer_is_not_asked_again(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_calls(asterisk, 1)
    monkeypatch.setattr(sessions, "READ_SECONDS", 1)
    asterisk.set(query="select c.*, sleep(1.5) as pause from {table} as c")
    with proxied(asterisk) as proxy:
        with pytest.raises(SourceError, match=r"within 1 seconds.* was not sent again"):
            asterisk.pull()
        assert proxy.connection_count == 1


def test_a_page_beyond_the_longest_packet_of_the_server_arrives(asterisk: Asterisk) -> None:
    ((packet,),) = asterisk.session().rows("select @@global.max_allowed_packet")
    asterisk.run("alter table cdr modify userfield text")
    written = write_calls(asterisk, 150)
    # Escaped, this one alone is longer than a packet.
    quotes = '"' * 10_000
    asterisk.run(f"update cdr set userfield = '{quotes}' where id = 7")
    asterisk.run("set global max_allowed_packet = 16384")
    try:
        asterisk.pull()
    finally:
        asterisk.run(f"set global max_allowed_packet = {int(packet)}")
    assert asterisk.sources() == written
    found = rows(
        asterisk.settings,
        "select body::json ->> 'userfield' from raw.tickets where ordinal = 7",
    )
    assert found == [(quotes,)]


def test_the_session_has_what_the_hook_must_hand_to_the_driver(asterisk: Asterisk) -> None:
    with asterisk.session() as session:
        database = session._database
        assert (database.autocommit, database.collation) == (True, "utf8mb4_general_ci")
        assert database.read_timeout == sessions.READ_SECONDS
        assert database._connection_timeout == sessions.CONNECT_SECONDS
        settings = session.rows("select @@sql_mode, @@max_statement_time")
    assert [[float(value or 0) for value in row] for row in settings] == [[0, 120]]
