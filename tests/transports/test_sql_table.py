"""Tickets from a real MariaDB: late commits, truncated tables, odd columns, broken access."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.installed import batches, bodies, pbx_of, rows
from tests.mariadb_server import MariaDb
from tests.transports.asterisk_table import Asterisk
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.pages import PageReader, Stretch
from tollhouse.transports.sql_table.source import find_source
from tollhouse.watermark import IdlastError

pytestmark = pytest.mark.postgres


@pytest.fixture
def asterisk(warehouse: Settings, mariadb: MariaDb) -> Asterisk:
    return Asterisk(warehouse, mariadb)


def test_new_rows_land_and_idlast_is_the_highest_id(asterisk: Asterisk) -> None:
    asterisk.call("100", "101")
    asterisk.pull()
    asterisk.call("102")
    second = asterisk.pull()
    assert asterisk.sources() == ["100", "101", "102"]
    assert (asterisk.watermark.value, second.rows_inserted) == ("3", 1)


def test_a_pull_with_nothing_new_writes_no_batch(asterisk: Asterisk) -> None:
    asterisk.call("100")
    asterisk.pull()
    assert asterisk.pull().batch_id is None
    assert len(batches(asterisk.settings)) == 1


def test_an_empty_table_is_no_news(asterisk: Asterisk) -> None:
    assert asterisk.pull().batch_id is None
    assert asterisk.watermark.value is None


def test_rows_are_read_page_by_page(asterisk: Asterisk) -> None:
    asterisk.pbx = pbx_of("asterisk_mysql", page_rows=3)
    asterisk.call(*(str(number) for number in range(10)))
    assert asterisk.pull().rows_inserted == 10
    assert asterisk.sources() == [str(number) for number in range(10)]


def test_a_row_that_commits_late_below_idlast_is_found(asterisk: Asterisk) -> None:
    with closing(asterisk.server.open(asterisk.database, autocommit=False)) as slow:
        slow.cursor().execute("insert into cdr (src) values ('late')")
        asterisk.call("quick")
        assert asterisk.pull().rows_inserted == 1
        assert asterisk.watermark.value == "2"
        slow.commit()
    assert asterisk.pull().rows_inserted == 1
    assert asterisk.sources() == ["late", "quick"]
    assert asterisk.watermark.value == "2"


def test_idlast_set_back_by_hand_doubles_nothing(asterisk: Asterisk) -> None:
    asterisk.call("100", "101", "102")
    asterisk.pull()
    for value in ("1", "0", None):
        asterisk.watermark.value = value
        again = asterisk.pull()
        assert (again.rows_inserted, again.rows_already_there) == (0, 3)
        assert asterisk.watermark.value == "3"
    assert asterisk.sources() == ["100", "101", "102"]


def test_idlast_ahead_of_a_restored_raw_stops_until_somebody_says_which_is_right(
    asterisk: Asterisk,
) -> None:
    asterisk.call("100", "101")
    asterisk.pull()
    asterisk.call("102", "103")
    asterisk.watermark.value = "3"  # raw was restored from a backup of the first pull
    with pytest.raises(IdlastError, match="set idlast__paris_hq to 2"):
        asterisk.pull()
    assert asterisk.watermark.value == "3"
    asterisk.watermark.value = "2"
    asterisk.pull()
    assert asterisk.sources() == ["100", "101", "102", "103"]


def test_a_confirmed_idlast_skips_and_is_written_down(asterisk: Asterisk) -> None:
    asterisk.pbx = pbx_of("asterisk_mysql", overlap_ids=0)
    asterisk.call("100", "101", "102")
    asterisk.watermark.value = "2 confirmed"
    asterisk.pull()
    assert asterisk.watermark.value == "3"
    asterisk.pull()
    assert asterisk.sources() == ["101", "102"]


def test_a_truncated_table_is_a_new_generation(asterisk: Asterisk) -> None:
    asterisk.call("100", "101", "102")
    asterisk.pull()
    asterisk.run("truncate table cdr")
    assert "is empty" in asterisk.pull().warnings[0]
    asterisk.call("200")
    assert "began anew" in asterisk.pull().warnings[0]
    asterisk.call("201")
    assert asterisk.pull().warnings == ()
    assert asterisk.sources() == ["100", "101", "102", "200", "201"]
    assert asterisk.watermark.value == "2"


def test_a_truncated_table_that_has_outgrown_idlast_is_a_new_generation(
    asterisk: Asterisk,
) -> None:
    asterisk.call("100", "101", "102")
    asterisk.pull()
    asterisk.run("truncate table cdr")
    asterisk.call("200", "201", "202", "203")
    assert "began anew" in asterisk.pull().warnings[0]
    assert asterisk.sources() == ["100", "101", "102", "200", "201", "202", "203"]
    assert rows(asterisk.settings, "select from raw.conflicts") == []


def test_rows_deleted_by_the_pbx_are_no_new_beginning(asterisk: Asterisk) -> None:
    asterisk.call("100", "101", "102")
    asterisk.pull()
    asterisk.run("delete from cdr where id <= 2")
    asterisk.call("103")
    assert asterisk.pull().warnings == ()
    assert asterisk.sources() == ["100", "101", "102", "103"]


def test_the_last_rows_deleted_by_somebody_are_no_new_beginning(asterisk: Asterisk) -> None:
    asterisk.call("100", "101", "102")
    asterisk.pull()
    asterisk.run("delete from cdr where id >= 2")
    assert "deleted the last ones" in asterisk.pull().warnings[0]
    assert asterisk.watermark.value == "1"
    asterisk.call("103")
    assert asterisk.pull().warnings == ()
    assert asterisk.sources() == ["100", "101", "102", "103"]


def test_an_edited_row_is_a_conflict_that_is_told_once(asterisk: Asterisk) -> None:
    asterisk.call("100", "101", "102")
    asterisk.pull()
    asterisk.run("update cdr set src = 'changed' where id = 2")
    told = asterisk.pull()
    assert told.rows_conflicting == 1
    assert "raw.conflicts" in told.warnings[0]
    assert asterisk.pull().warnings == ()
    assert asterisk.sources() == ["100", "101", "102"]


def test_a_column_added_later_is_no_new_beginning(asterisk: Asterisk) -> None:
    asterisk.call("100", "101")
    asterisk.pull()
    asterisk.run("alter table cdr add column did varchar(50) first")
    asterisk.call("102")
    assert asterisk.pull().warnings == ()
    assert asterisk.sources() == ["100", "101", "102"]
    assert "did" in json.loads(bodies(asterisk.settings)[-1])


def test_every_column_is_in_the_json_by_its_name(warehouse: Settings, mariadb: MariaDb) -> None:
    asterisk = Asterisk(
        warehouse,
        mariadb,
        "Id int auto_increment primary key, `the \\ 'odd' `` \"name\" %s` varchar(20), "
        "price decimal(9,4), calldate datetime, day date, ratio double, raw varbinary(4), "
        "flag bit(3), kind enum('in','out'), note text, big bigint unsigned",
    )
    asterisk.run("set sql_mode = ''")
    asterisk.run(
        "insert into cdr values (7, 'x', 1.5000, '2026-02-04 13:34:56', '2026-02-04', 0.25, "
        "x'00ff', b'101', 'out', 'quote \" back\\\\slash \\n é € 😀 \\0', 18446744073709551615)"
    )
    expected = {
        "Id": 7,
        "the \\ 'odd' ` \"name\" %s": "x",
        "price": "1.5000",
        "calldate": "2026-02-04 13:34:56",
        "day": "2026-02-04",
        "ratio": "0.25",
        "raw": "00FF",
        "flag": 5,
        "kind": "out",
        "note": 'quote " back\\slash \n é € 😀 \0',
        "big": 18446744073709551615,
    }
    asterisk.pull()
    assert [json.loads(body) for body in bodies(warehouse)] == [expected]
    with asterisk.session() as session:
        old_server = replace(find_source(session, asterisk.pbx), makes_json=False)
        (page,) = PageReader(session, old_server, 10, []).pages(Stretch())
    assert [json.loads(body) for body in page.bodies] == [expected]


def test_a_zero_date_lands_as_it_stands(asterisk: Asterisk) -> None:
    asterisk.run(
        "insert ignore into cdr (src, start) values ('100', '0000-00-00 00:00:00'), ('101', null)"
    )
    asterisk.pull()
    starts = [json.loads(body)["start"] for body in bodies(asterisk.settings)]
    assert starts == ["0000-00-00 00:00:00", None]


def test_an_interval_is_read_without_touching_idlast(asterisk: Asterisk) -> None:
    asterisk.run(
        *(
            f"insert into cdr (src, start) values ('{day}', '2026-02-{day} 12:00:00')"
            for day in ("03", "04", "05")
        )
    )
    result = asterisk.pull(datetime(2026, 2, 4, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC))
    assert asterisk.sources() == ["04"]
    assert (asterisk.watermark.value, result.idlast_after) == (None, None)
    asterisk.pull()
    assert asterisk.sources() == ["03", "04", "05"]


def test_a_table_without_the_id_says_which_statement_adds_it(
    warehouse: Settings, mariadb: MariaDb
) -> None:
    asterisk = Asterisk(warehouse, mariadb, "src varchar(80), start datetime")
    with pytest.raises(SourceError, match=r"alter table .* add column `id` bigint"):
        asterisk.pull()


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"password": "wrong"}, "login and password"),
        ({"schema": "no_such_database"}, "schema of the connection"),
        ({"port": 1}, "the firewalls"),
        ({"host": "no-such-host.invalid"}, "name resolves"),
        ({"extra": {"tls": "sometimes"}}, "off, preferred, required or verify"),
    ],
)
def test_what_keeps_a_database_from_being_read_is_said_with_its_remedy(
    asterisk: Asterisk, change: dict[str, object], remedy: str
) -> None:
    assert asterisk.connection is not None
    asterisk.connection = replace(asterisk.connection, **change)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=remedy) as refused:
        asterisk.pull()
    assert "made-up-for-the-tests" not in str(refused.value)


def test_a_table_that_does_not_exist_is_named(asterisk: Asterisk) -> None:
    asterisk.pbx = pbx_of("asterisk_mysql", table="no_such_table")
    with pytest.raises(SourceError, match=r"no table asterisk_\d+\.no_such_table"):
        asterisk.pull()
