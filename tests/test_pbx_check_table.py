"""``tollhouse pbx check`` of PBXs whose tickets come by a query over several tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.mariadb_server import MariaDb
from tests.test_pbx_check import failed_step, found, remedy, settings_of
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check import Report, check_pbx
from tollhouse.pbx_check.pbx_clock import check_clock
from tollhouse.settings import Settings

DATABASE = "check_fonisk"
READER = "'names_reader'@'127.0.0.1'"
TABLES = {
    "cdr": "id_cdr int unsigned not null auto_increment primary key, calldate datetime, "
    "uniqueid varchar(32), src varchar(80), dst varchar(80), channel varchar(80), "
    "dstchannel varchar(80), duration int, billsec int, disposition varchar(45), id_user int, "
    "id_user_group int, id_subsidiary int",
    "user": "id_user int, firstname varchar(40), lastname varchar(40), number varchar(20)",
    "user_group": "id_user_group int, name varchar(40)",
    "subsidiary": "id_subsidiary int, name varchar(40)",
}


@pytest.fixture
def fonisk(mariadb: MariaDb, tmp_path: Path) -> Iterator[Settings]:
    """A Fonisk with one call, whose reader has every right that it needs."""
    mariadb.run(
        f"create or replace database {DATABASE}",
        f"create or replace user {READER} identified by 'secret-of-the-reader'",
    )
    mariadb.run(
        *(f"create table {name} ({columns})" for name, columns in TABLES.items()),
        *(f"grant select on {DATABASE}.{name} to {READER}" for name in TABLES),
        "insert into cdr (calldate, src, dst, duration, billsec, disposition) "
        "values (now(), '201', '0199001234', 20, 12, 'ANSWERED')",
        database=DATABASE,
    )
    yield settings_of(
        tmp_path / "var",
        {"model": "fonisk"},
        {
            "conn_type": "mysql",
            "host": "127.0.0.1",
            "port": mariadb.port,
            "login": "names_reader",
            "password": "secret-of-the-reader",
            "schema": DATABASE,
        },
    )
    mariadb.run(f"drop database {DATABASE}", f"drop user {READER}")


def test_a_good_query_shows_its_rows_and_the_missing_trunks(fonisk: Settings) -> None:
    report = check_pbx("site", fonisk)
    assert report.is_ok, report.steps
    assert found(report, "rights").endswith(
        "check_fonisk.cdr, check_fonisk.user, check_fonisk.user_group, check_fonisk.subsidiary"
    )
    assert found(report, "query") == "the query of fonisk yields 18 columns"
    assert "lists no trunks" in found(report, "direction")
    assert "`trunks`" in remedy(report, "direction")


def test_each_right_that_is_missing_is_told_with_its_grant(
    mariadb: MariaDb, fonisk: Settings
) -> None:
    mariadb.run(
        f"revoke select on {DATABASE}.user from {READER}",
        f"revoke select on {DATABASE}.subsidiary from {READER}",
    )
    report = check_pbx("site", fonisk)
    assert failed_step(report) == "rights"
    for table in ("user", "subsidiary"):
        assert f"may not read {DATABASE}.{table} (1142)" in found(report, "rights")
        assert f"grant select on `{DATABASE}`.`{table}` to 'names_reader'@" in remedy(
            report, "rights"
        )
    assert "user_group" not in found(report, "rights")


def test_a_table_that_the_site_does_not_have_is_told_with_the_way_out(
    mariadb: MariaDb, fonisk: Settings
) -> None:
    mariadb.run("drop table subsidiary", database=DATABASE)
    mariadb.run(f"grant select on {DATABASE}.* to {READER}")
    report = check_pbx("site", fonisk)
    assert failed_step(report) == "table"
    assert f"no table {DATABASE}.subsidiary (1146)" in found(report, "table")
    assert "set settings.query of the entry" in remedy(report, "table")


def test_a_query_that_leaves_out_every_row_is_told(mariadb: MariaDb, fonisk: Settings) -> None:
    entry = {"model": "fonisk", "settings": {"query": "select * from cdr where id_user > 0"}}
    report = check_pbx("site", changed(fonisk, entry))
    assert failed_step(report) == "tickets"
    assert "from the left" in remedy(report, "tickets")


def test_an_unreadable_query_of_the_entry_is_told(fonisk: Settings) -> None:
    entry = {"model": "fonisk", "settings": {"query": "select * from cdr limit 1000"}}
    report = check_pbx("site", changed(fonisk, entry))
    assert failed_step(report) == "query"
    assert "no LIMIT" in found(report, "query")


def test_rows_that_a_query_loses_are_counted(mariadb: MariaDb, fonisk: Settings) -> None:
    mariadb.run(
        "insert into user values (1, 'Zoé', 'Démo', '201')",
        "insert into cdr (calldate, src, id_user) values (now(), '201', 1), (now(), '202', 2)",
        database=DATABASE,
    )
    query = "select c.* from cdr c, user u where c.id_user = u.id_user"
    report = check_pbx("site", changed(fonisk, {"model": "fonisk", "settings": {"query": query}}))
    told = [step.found for step in report.steps if step.name == "query"]
    assert told[-1] == f"the query leaves out 2 of the last 3 rows of {DATABASE}.cdr"


def test_names_of_users_that_nobody_would_read_are_told(fonisk: Settings) -> None:
    query = "select c.*, u.number from cdr c left join user u on c.id_user = u.id_user"
    report = check_pbx("site", changed(fonisk, {"model": "fonisk", "settings": {"query": query}}))
    assert failed_step(report) == "query"
    assert "'number', which is not read" in found(report, "query")
    assert "as user_number" in found(report, "query")


def test_a_setting_that_does_not_hold_is_told_before_anything_is_asked(fonisk: Settings) -> None:
    entry = {"model": "fonisk", "settings": {"page_rows": "many"}}
    report = check_pbx("site", changed(fonisk, entry))
    assert failed_step(report) == "settings"
    assert "name" not in {step.name for step in report.steps}
    assert "'many'; it must be a whole number" in found(report, "settings")


def test_a_key_that_does_not_name_each_row_is_told(mariadb: MariaDb, fonisk: Settings) -> None:
    key = "id_cdr int not null, drop primary key, add index (id_cdr)"
    mariadb.run(f"alter table cdr modify {key}", "update cdr set id_cdr = -1", database=DATABASE)
    report = check_pbx("site", fonisk)
    told = [step.found for step in report.steps if step.name == "id column"]
    assert told[0].startswith("'id_cdr' may be the same in two rows")
    assert "ids below zero, down to -1" in told[1]


def changed(settings: Settings, entry: dict[str, Any]) -> Settings:
    """Return the installation with another entry, its connection kept."""
    kept = settings.connections_file.read_text()
    other = settings_of(settings.var, entry)
    other.connections_file.write_text(kept)
    return other


# The clock of the rows, beside the epoch in their uniqueid.

EPOCH = int(datetime(2026, 2, 4, 12, 34, tzinfo=UTC).timestamp())


def clock_report(time_zone: str, *rows: dict[str, str]) -> Report:
    report = Report("site")
    pbx = Pbx(id="site", model="asterisk_mysql", time_zone=time_zone, country="FR")
    check_clock(report, pbx, rows, "calldate")
    return report


def test_a_clock_in_another_zone_is_told_with_the_offset_that_the_pbx_writes() -> None:
    row = {"calldate": "2026-02-04 12:34:01", "uniqueid": f"pbx-1-{EPOCH}.17"}
    report = clock_report("Europe/Paris", row)
    assert "is UTC+00:00 by their uniqueid; Europe/Paris was at UTC+01:00" in found(
        report, "time zone"
    )
    assert remedy(report, "time zone") == "Set time_zone of the entry to UTC."
    row["calldate"] = "2026-02-04 09:04:00"
    assert "at UTC-03:30 then" in remedy(clock_report("Europe/Paris", row), "time zone")
    assert clock_report("America/St_Johns", row).steps[0].outcome == "ok"


@pytest.mark.parametrize(
    "row",
    [
        {"calldate": "2026-02-04 12:34:00"},
        {"calldate": "2026-02-04 12:34:00", "uniqueid": "17"},
        {"calldate": "0000-00-00 00:00:00", "uniqueid": f"{EPOCH}.17"},
        # A year off, twenty minutes into a quarter hour, a later leg: none tells a zone.
        {"calldate": "2025-02-04 13:34:00", "uniqueid": f"{EPOCH}.17"},
        {"calldate": "2026-02-04 13:41:00", "uniqueid": f"{EPOCH}.17"},
        {
            "calldate": "2026-02-04 12:34:00",
            "uniqueid": f"{EPOCH}.17",
            "linkedid": f"{EPOCH - 3600}.3",
        },
    ],
)
def test_a_row_without_a_true_time_says_nothing_of_the_zone(row: dict[str, str]) -> None:
    assert clock_report("Europe/Paris", row).steps == []
