"""Tickets that a query joins with the names of users, groups and subsidiaries."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.installed import bodies, rows
from tests.mariadb_server import MariaDb
from tests.transports.asterisk_table import Asterisk
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.source import find_source

pytestmark = pytest.mark.postgres

#: The rows of a call, and whom it belongs to.
CDR = """
    id_cdr int unsigned not null auto_increment primary key, calldate datetime,
    src varchar(80), dst varchar(80) character set latin1, number varchar(20) collate utf8mb4_bin,
    id_user int, id_user_group int, id_subsidiary int
"""
NAMES = (
    "create table user (id_user int, firstname varchar(40), lastname varchar(40) "
    "character set latin1, number varchar(20))",
    "create table user_group (id_user_group int, name varchar(40))",
    "create table subsidiary (id_subsidiary int, name varchar(40))",
    "insert into user values (1, 'Zoé', 'Démo', '201'), (2, 'Ada', 'Essai', '202')",
    "insert into user_group values (1, 'Accueil')",
    "insert into subsidiary values (1, 'Atelier Exemple SARL')",
)


class Fonisk(Asterisk):
    """A PBX of four tables."""

    def __init__(self, settings: Settings, server: MariaDb) -> None:
        super().__init__(settings, server, CDR, model="fonisk")
        self.run(*NAMES)

    def call_of(self, source: str, user: object = "null", group: object = "null") -> None:
        self.run(
            "insert into cdr (calldate, src, dst, id_user, id_user_group, id_subsidiary) values "
            f"({self.later()}, '{source}', '0199001234', {user}, {group}, 1)"
        )

    def landed(self) -> list[dict[str, object]]:
        return [json.loads(body) for body in bodies(self.settings)]


@pytest.fixture
def fonisk(warehouse: Settings, mariadb: MariaDb) -> Fonisk:
    return Fonisk(warehouse, mariadb)


def test_names_come_along_and_no_call_without_them_is_lost(fonisk: Fonisk) -> None:
    fonisk.call_of("201", user=1, group=1)
    fonisk.call_of("0199009999")
    fonisk.call_of("299", user=99, group=99)
    fonisk.pull()
    names = ("id_cdr", "src", "user_firstname", "user_lastname", "user_number", "usergroup")
    assert [tuple(row[name] for name in names) for row in fonisk.landed()] == [
        (1, "201", "Zoé", "Démo", "201", "Accueil"),
        (2, "0199009999", None, None, None, None),
        (3, "299", None, None, None, None),
    ]
    assert {row["subsidiary"] for row in fonisk.landed()} == {"Atelier Exemple SARL"}


def test_a_user_who_is_renamed_makes_no_conflict_and_no_new_beginning(fonisk: Fonisk) -> None:
    for source in ("201", "201", "202"):
        fonisk.call_of(source, user=1, group=1)
    fonisk.pull()
    fonisk.run(
        "update user set lastname = 'Modèle'", "delete from user_group", "drop table subsidiary"
    )
    fonisk.run("create table subsidiary (id_subsidiary int, name varchar(40))")
    again = fonisk.pull()
    assert (again.rows_conflicting, again.warnings) == (0, ())
    assert len(fonisk.landed()) == 3
    fonisk.run("update cdr set dst = 'changed' where id_cdr = 2")
    assert fonisk.pull().rows_conflicting == 1


def test_a_user_listed_twice_gives_each_call_once_across_the_borders_of_pages(
    fonisk: Fonisk,
) -> None:
    fonisk.run("insert into user values (1, 'Zoé', 'Démo', '901')")
    fonisk.set(page_rows=2)
    for number in range(5):
        fonisk.call_of(str(number), user=1 + number % 2)
    (warning,) = fonisk.pull().warnings
    assert "3 ids, for one with id 1" in warning
    assert fonisk.sources() == ["0", "1", "2", "3", "4"]
    assert rows(fonisk.settings, "select from raw.conflicts") == []


def test_idlast_passes_over_ids_that_the_query_leaves_out(fonisk: Fonisk) -> None:
    fonisk.set(query="select * from {table} where id_user is not null", page_rows=2)
    for user in ("null", "null", "null", 1, "null", "null"):
        fonisk.call_of("201", user=user)
    assert fonisk.pull().rows_inserted == 1
    assert fonisk.watermark.value == "6"
    assert fonisk.pull().batch_id is None


def test_a_query_may_ask_for_what_follows_idlast_itself(fonisk: Fonisk) -> None:
    fonisk.set(
        query="select C.*, U.firstname as user_firstname from cdr C, user U "
        "where C.id_user = U.id_user and ID_CDR > @IDLAST",
        page_rows=2,
    )
    for user in (1, 2, 1, "null", 2):
        fonisk.call_of("201", user=user)
    fonisk.pull()
    fonisk.call_of("202", user=2)
    fonisk.pull()
    found = [(row["id_cdr"], row["user_firstname"]) for row in fonisk.landed()]
    assert found == [(1, "Zoé"), (2, "Ada"), (3, "Zoé"), (5, "Ada"), (6, "Ada")]


def test_a_call_that_commits_late_below_idlast_is_found_through_the_query(fonisk: Fonisk) -> None:
    with closing(fonisk.server.open(fonisk.database, autocommit=False)) as slow:
        slow.cursor().execute("insert into cdr (src, id_user) values ('late', 1)")
        fonisk.call_of("quick", user=2)
        fonisk.pull()
        assert (fonisk.sources(), fonisk.watermark.value) == (["quick"], "2")
        slow.commit()
    fonisk.pull()
    assert fonisk.sources() == ["late", "quick"]


def test_a_table_that_began_anew_is_noticed_through_the_query(fonisk: Fonisk) -> None:
    for source in ("100", "101", "102"):
        fonisk.call_of(source, user=1)
    fonisk.pull()
    fonisk.run("truncate table cdr")
    assert "is empty" in fonisk.pull().warnings[0]
    for source in ("200", "201", "202", "203"):
        fonisk.call_of(source, user=2)
    assert "began anew" in fonisk.pull().warnings[0]
    assert fonisk.sources() == ["100", "101", "102", "200", "201", "202", "203"]


def test_an_interval_is_read_through_the_query(fonisk: Fonisk) -> None:
    for day in ("03", "04", "05"):
        fonisk.call_of(day, user=1)
        fonisk.run(f"update cdr set calldate = '2026-02-{day} 12:00:00' where src = '{day}'")
    day = (datetime(2026, 2, 4, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC))
    assert fonisk.pull(*day).rows_inserted == 1
    assert (fonisk.sources(), fonisk.watermark.value) == (["04"], None)
    assert fonisk.pull(datetime(2027, 1, 1, tzinfo=UTC), day[1].replace(year=2027)).rows_read == 0


def test_a_query_that_cannot_be_read_is_refused_before_any_row(fonisk: Fonisk) -> None:
    fonisk.call_of("201")
    refused = {
        "select src from cdr": "does not yield the key 'id_cdr'",
        "select * from cdr order by id_cdr": "no ORDER BY",
        "select c.*, u.number from cdr c join user u using (id_user)": (
            "Duplicate column name 'number'.* another name"
        ),
        "select c.*, s.title from cdr c, subsidiary s": "Unknown column 's.title'.* as …",
        "select * from cdr natural join nothing": r"nothing' doesn't exist.* without it",
        "select c.*, u.firstname from cdr c, user u": "'firstname'.* Write … as user_firstname",
        "select * from cdr where": "SQL syntax.* Correct settings.query",
    }
    with fonisk.session() as session:
        for query, said in refused.items():
            fonisk.set(query=query)
            with pytest.raises(SourceError, match=f"paris_hq: its query .*{said}"):
                find_source(session, fonisk.pbx)
    assert fonisk.landed() == []


def test_a_query_of_the_model_that_lacks_a_table_says_how_to_do_without(fonisk: Fonisk) -> None:
    fonisk.run("drop table subsidiary")
    with pytest.raises(SourceError, match=r"query \(of fonisk\).*subsidiary.*set settings.query"):
        fonisk.pull()
