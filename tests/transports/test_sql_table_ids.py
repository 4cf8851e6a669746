"""Ids that are used again, and rows that read otherwise: nothing is lost, nothing doubles."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.installed import batches, rows
from tests.mariadb_server import MariaDb
from tests.transports.asterisk_table import Asterisk
from tollhouse import warehouse as warehouses
from tollhouse.landing import KnownDeliveries
from tollhouse.settings import Settings
from tollhouse.transports import FetchRequest, Progress, SourceError
from tollhouse.transports.sql_table import fetch

pytestmark = pytest.mark.postgres

COLUMNS = "id bigint auto_increment primary key, src varchar(80), start datetime"


@pytest.fixture
def asterisk(warehouse: Settings, mariadb: MariaDb) -> Asterisk:
    """An Asterisk without ``uniqueid``: the start alone tells a call."""
    return Asterisk(warehouse, mariadb, COLUMNS)


def numbered(*numbers: int, mark: str = "") -> list[str]:
    return [f"{mark}{number}" for number in numbers]


def delete_last(asterisk: Asterisk, lowest: int) -> None:
    """Delete the newest rows, and begin their ids again, as MySQL 5.7 does when it starts."""
    asterisk.run(
        f"delete from cdr where id >= {lowest}", f"alter table cdr auto_increment={lowest}"
    )


@pytest.mark.parametrize("is_seen", [False, True], ids=["between two pulls", "seen by a pull"])
def test_calls_under_ids_of_deleted_ones_are_tickets_beside_those(
    asterisk: Asterisk, *, is_seen: bool
) -> None:
    asterisk.call(*numbered(1, 2, 3, 4, 5))
    asterisk.pull()
    delete_last(asterisk, 4)
    if is_seen:
        assert "deleted the last ones" in asterisk.pull().warnings[0]
        assert asterisk.pull().warnings == ()
    asterisk.call("new 4")
    assert "above 3 were used again" in asterisk.pull().warnings[0]
    asterisk.call("new 5", "new 6")
    assert asterisk.pull().warnings == ()
    expected = [*numbered(1, 2, 3, 4, 5), *numbered(4, 5, 6, mark="new ")]
    assert asterisk.sources() == expected
    for value in ("1", None):
        asterisk.watermark.value = value
        assert asterisk.pull().rows_inserted == 0
        assert asterisk.watermark.value == "6"
    day = asterisk.pull(datetime(2026, 2, 4, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC))
    assert (day.rows_already_there, asterisk.sources()) == (6, expected)
    assert rows(asterisk.settings, "select from raw.conflicts") == []


def test_where_ids_are_used_again_is_found_far_below_the_overlap(asterisk: Asterisk) -> None:
    asterisk.set(overlap_ids=2, page_rows=5)
    asterisk.call(*numbered(*range(1, 31)))
    asterisk.pull()
    asterisk.run("delete from cdr where id < 6")
    delete_last(asterisk, 14)
    asterisk.call(*numbered(*range(14, 36), mark="new "))
    assert "above 13 were used again" in asterisk.pull().warnings[0]
    assert asterisk.sources() == [
        *numbered(*range(1, 31)),
        *numbered(*range(14, 36), mark="new "),
    ]
    asterisk.run("truncate table cdr")
    asterisk.call(*numbered(*range(1, 41), mark="newest "))
    assert "began anew" in asterisk.pull().warnings[0]
    assert (len(asterisk.sources()), asterisk.pull().warnings) == (92, ())


def test_a_deleted_variable_notices_a_table_that_was_replaced(asterisk: Asterisk) -> None:
    asterisk.call("1", "2")
    asterisk.pull()
    asterisk.run("truncate table cdr")
    asterisk.call("new 1", "new 2")
    asterisk.watermark.value = None
    assert "began anew" in asterisk.pull().warnings[0]
    assert asterisk.sources() == ["1", "2", "new 1", "new 2"]


def test_a_query_that_changes_values_keeps_the_first_version_and_is_told_once(
    asterisk: Asterisk,
) -> None:
    asterisk.call("1", "2", "3")
    asterisk.pull()
    asterisk.set(query="select id, concat('0', src) as src, start from {table}")
    told = asterisk.pull()
    assert "3 rows" in told.warnings[0]
    assert "other values now, in src" in told.warnings[0]
    assert told.rows_conflicting == 3
    asterisk.call("4")
    assert asterisk.pull().warnings == ()
    assert asterisk.sources() == ["1", "2", "3", "04"]
    assert batches(asterisk.settings)[-1][-1] == "4"


def test_an_id_that_is_no_number_to_keep_is_told(asterisk: Asterisk) -> None:
    asterisk.run(
        "insert into cdr values (-3, 'below', null)",
        "alter table cdr modify id bigint not null",
        "insert into cdr values (1, '1', null)",
    )
    assert "ids below zero, down to -3" in asterisk.pull().warnings[0]
    asterisk.run(
        "delete from cdr where id < 0",
        "alter table cdr modify id bigint unsigned not null",
        "insert into cdr values (9223372036854775808, 'above', null)",
    )
    with pytest.raises(SourceError, match="has the id 9223372036854775808; ids up to"):
        asterisk.pull()


def test_two_rows_under_one_id_of_the_table_are_told(asterisk: Asterisk) -> None:
    asterisk.run("alter table cdr modify id bigint not null, drop primary key")
    asterisk.run("insert into cdr values (1, '1', null), (1, 'lost', null)")
    assert "id must be unique in cdr" in asterisk.pull().warnings[0]
    (warning,) = asterisk.pull().warnings
    assert "several rows for 1 ids, for one with id 1" in warning


def test_a_text_longer_than_the_packets_of_the_server_is_never_taken_for_null(
    asterisk: Asterisk,
) -> None:
    asterisk.run("alter table cdr modify src longtext")
    asterisk.run("insert into cdr (src) values ('short'), (repeat('x', 20000)), (null)")
    asterisk.run("set global max_allowed_packet = 16384")
    try:
        asterisk.pull()
    finally:
        asterisk.run("set global max_allowed_packet = default")
    assert asterisk.sources() == ["short", "x" * 20_000, None]


def test_a_table_replaced_while_it_is_read_lands_nothing_of_either(asterisk: Asterisk) -> None:
    """Its new rows below the page that was being read would never be looked at."""
    asterisk.set(page_rows=2, overlap_ids=2)
    # More pages than those that may be read already while the first is being landed.
    asterisk.call(*numbered(*range(1, 11)))
    asterisk.run("create table other like cdr")
    for source in numbered(*range(1, 11), mark="new "):
        asterisk.run(f"insert into other (src, start) values ('{source}', {asterisk.later()})")

    with warehouses.connect(warehouses.LOADER, settings=asterisk.settings) as loader:
        request = FetchRequest(
            pbx=asterisk.pbx,
            settings=asterisk.settings,
            find_connection=lambda: asterisk.server.connection(asterisk.database),
            known=KnownDeliveries(loader, asterisk.pbx.id, asterisk.pbx.model),
        )
        (delivery,) = fetch(request, Progress())
        bundles = iter(delivery.bundles)
        next(bundles)
        # At once: a page that finds the table empty would be the last.
        asterisk.run("rename table cdr to former, other to cdr")
        with pytest.raises(SourceError, match="id 1 is another call now"):
            list(bundles)
