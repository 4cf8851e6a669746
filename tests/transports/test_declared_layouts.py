"""Tickets of declared layouts, from real bytes, rows and answers to raw, over every transport."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.list_api import ListServer
from lab.streams.feed import Feed
from tests.collector.certificates import Authority
from tests.collector.collecting import collecting
from tests.collector.speaking_pbx import say, speaking, wait_until
from tests.installed import bodies, pbx_of, rows
from tests.layouts.declared import use_layouts
from tests.mariadb_server import MariaDb
from tests.transports.pulling import Puller
from tests.transports.remote_sites import LONG_AGO, served
from tollhouse.collector.segment import CUT_BY_DISCONNECT, TERMINATED
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import LandedBatch
from tollhouse.layouts.reading import read_layout
from tollhouse.settings import Settings
from tollhouse.transports import SourceError

pytestmark = pytest.mark.postgres

CARRIER = """
title: A carrier
tickets:
  kind: delimited
  encoding: windows-1252
  separator: ";"
  header: true
  skip_lines: 1
collection:
  dropped_files: {pattern: "*.csv"}
  remote_files: {protocol: sftp, folder: /, pattern: "*.txt"}
"""
STREAM = """
title: A hotel system
tickets:
  kind: delimited
  encoding: cp850
  record_separator: "|"
  fields: [day, note]
collection:
  spooled_stream: {direction: dial, port: 4008}
"""
TABLE = """
title: A billing box
tickets:
  kind: json
  fields: {id: call_no, begun: begun}
collection:
  sql_table: {table: calls, key: call_no, time_columns: Begun}
"""
API = """
title: A cloud
tickets:
  kind: json
  fields: {id: id, start: time.start, price: price}
collection:
  http_api:
    path: /v2/calls
    list: data.calls
    key: id
    after_parameter: after
    size_parameter: limit
    from_parameter: from
    to_parameter: to
    parameters: {order: id}
    page_rows: 3
columns:
  started_at: {from: start, format: iso8601, zone: utc}
"""
HEAD = "Carrier report, Élise\r\n1st;2nd\r\n"
#: 6 October 2026, when the tickets of the API begin.
START = datetime(2026, 10, 6, 8, tzinfo=UTC)

Declare = Callable[[str], Path]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Declare:
    """Gives the installation one layout, ``declared``."""
    return lambda text: use_layouts(monkeypatch, tmp_path / "layouts", declared=text)


def header(settings: Settings) -> list[str]:
    return [row[0] for row in rows(settings, "select header from raw.deliveries order by unit")]


def test_files_land_with_what_stands_above_their_tickets_and_as_they_grow(
    declare: Declare, warehouse: Settings
) -> None:
    declare(CARRIER)
    carrier = Puller(warehouse, pbx_of("declared", folder="drop/carrier"))
    folder = warehouse.var / "drop" / "carrier"
    folder.mkdir(parents=True)
    path = folder / "october.csv"
    grown = ""
    for written, more in enumerate([HEAD, '6;"two\r\nlines"\r\n', "1st;2nd\r\n7;Élise\r\n"]):
        grown += more
        path.write_bytes(grown.encode("windows-1252"))
        os.utime(path, (LONG_AGO, LONG_AGO + written))
        carrier.pull()
    assert header(warehouse) == ["Carrier report, Élise\n1st;2nd"]
    assert bodies(warehouse) == ['6;"two\nlines"', "1st;2nd", "7;Élise"]
    assert carrier.pull().batch_id is None


def test_files_of_utf_16_grow_as_others_do(declare: Declare, warehouse: Settings) -> None:
    declare(CARRIER.replace("windows-1252", "utf-16"))
    carrier = Puller(warehouse, pbx_of("declared", folder="drop/carrier"))
    folder = warehouse.var / "drop" / "carrier"
    folder.mkdir(parents=True)
    path = folder / "october.csv"
    landed = []
    for written, text in enumerate([HEAD + "1;ä\r\n", HEAD + "1;ä\r\n2;€\r\n"]):
        path.write_bytes(("\ufeff" + text).encode("utf-16-le"))
        os.utime(path, (LONG_AGO, LONG_AGO + written))
        landed.append(carrier.pull())
    assert [(batch.rows_read, batch.warnings) for batch in landed] == [(1, ()), (1, ())]
    assert bodies(warehouse) == ["1;ä", "2;€"]


def test_files_that_are_fetched_have_a_pattern_of_their_own(
    declare: Declare, warehouse: Settings, tmp_path: Path
) -> None:
    declare(CARRIER)
    (tmp_path / "there").mkdir()
    authority = Authority(tmp_path / "tls", "authority")
    with served("sftp", tmp_path / "there", authority) as there:
        there.write("october.csv", HEAD.encode("windows-1252"))
        there.write("october.txt", (HEAD + "6;Élise\r\n").encode("windows-1252"))
        warehouse.environment["TOLLHOUSE_SPOOL_RESERVE_MIB"] = "0"  # type: ignore[index]
        carrier = Puller(warehouse, there.pbx("declared"), there.connection())
        assert carrier.pull().rows_inserted == 1
    assert bodies(warehouse) == ["6;Élise"]
    assert rows(warehouse, "select unit from raw.deliveries") == [("october.txt",)]


def test_records_of_a_stream_end_where_the_layout_says(
    declare: Declare, warehouse: Settings
) -> None:
    declare(STREAM)
    hotel = Puller(warehouse, pbx_of("declared"))
    said = '6,first|7,"two\r\nlines"|8,Élise|'.encode("cp850")
    with speaking(say(said)) as pbx:
        way = {"host": "127.0.0.1", "port": pbx.port}
        with collecting(warehouse.var, (hotel.pbx, way)) as site:
            wait_until(lambda: len(site.spooled("paris_hq")) == len(said))
    hotel.pull()
    assert bodies(warehouse) == ["6,first", '7,"two\r\nlines"', "8,Élise"]


def test_the_end_of_a_record_may_stand_in_a_quoted_value(
    declare: Declare, warehouse: Settings
) -> None:
    declare(STREAM)
    hotel = Puller(warehouse, pbx_of("declared"))
    records = [b"6,first|", b'\r\n7,"two|', b'three"|', b"8,last|"]
    with SpoolWriter(warehouse.spool / "paris_hq", "paris_hq") as spool:
        spool.begin_connection("192.0.2.10:1752")
        spool.append([(record, TERMINATED) for record in records], now_us())
        spool.append([(b"\r\n", CUT_BY_DISCONNECT)], now_us())
    hotel.pull()
    assert bodies(warehouse) == ["6,first", '7,"two|three"', "8,last"]


def test_a_value_with_line_ends_is_joined_from_the_lines_of_a_stream(
    declare: Declare, warehouse: Settings
) -> None:
    declare(STREAM.replace('  record_separator: "|"\n', ""))
    hotel = Puller(warehouse, pbx_of("declared"))
    lines = [b"6,first\r\n", b'7,"two\r\n', b'lines"\r\n', b"8,third\r\n"]
    with SpoolWriter(warehouse.spool / "paris_hq", "paris_hq") as spool:
        spool.begin_connection("192.0.2.10:1752")
        spool.append([(line, TERMINATED) for line in lines[:2]], now_us())
        spool.sync()
        assert hotel.pull().rows_inserted == 1
        spool.append([(line, TERMINATED) for line in lines[2:]], now_us())
        spool.sync()
        hotel.pull()
    assert bodies(warehouse) == ["6,first", '7,"two\nlines"', "8,third"]


def test_rows_of_a_table_land_by_the_key_that_the_layout_names(
    declare: Declare, warehouse: Settings, mariadb: MariaDb
) -> None:
    declare(TABLE)
    database = mariadb.make_database()
    mariadb.run(
        "create table calls (call_no int primary key, Begun datetime, who varchar(40))",
        "insert into calls values (4, '2026-10-06 10:00:00', 'Élise'), (9, '2026-10-07 10:00', '')",
        database=database,
    )
    box = Puller(warehouse, pbx_of("declared"), mariadb.connection(database))
    assert (box.pull().rows_inserted, box.watermark.value) == (2, "9")
    assert [json.loads(body)["who"] for body in bodies(warehouse)] == ["Élise", ""]
    again = box.pull(START - timedelta(hours=2), START + timedelta(hours=2))
    assert (again.rows_read, again.rows_already_there) == (1, 1)


class Cloud(Puller):
    """An API of the lab, and a PBX that is read from it."""

    def __init__(self, settings: Settings, server: ListServer, authority: Path) -> None:
        self.server = server
        self.items: list[dict[str, Any]] = []
        super().__init__(settings, pbx_of("declared", retry_seconds=0), None)
        self.way = {"tls_ca": str(authority), "proxy": "off"}
        self.log_in("tollhouse", server.password)

    def log_in(self, login: str, password: str) -> None:
        self.connection = PbxConnection(
            "pbx_paris_hq", "127.0.0.1", self.server.port, login, password, extra=self.way
        )

    def call(self, *ids: int, **said: Any) -> None:
        for number in ids:
            start = (START + timedelta(hours=number)).isoformat()
            self.items.append({"id": number, "time": {"start": start}, **said})
        self.write()

    def write(self) -> None:
        Feed(self.server.feed).write(json.dumps(item, ensure_ascii=False) for item in self.items)

    def ids(self) -> list[int]:
        return [json.loads(body)["id"] for body in bodies(self.settings)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture
def cloud(
    declare: Declare, warehouse: Settings, authority: Authority, tmp_path: Path
) -> Iterator[Cloud]:
    declare(API)
    certificate, key = authority.issue("list")
    layout = read_layout(tmp_path / "layouts" / "declared.yml")
    with ListServer(layout, tmp_path / "feed.jsonl", certificate, key, most_rows=4) as server:
        yield Cloud(warehouse, server, authority.file)


def test_a_list_is_read_page_by_page_and_idlast_is_the_highest_id(cloud: Cloud) -> None:
    assert cloud.pull().batch_id is None
    cloud.call(*range(1, 9), name="Élise")
    cloud.pull()
    cloud.call(12)
    again = cloud.pull()
    assert cloud.ids() == [*range(1, 9), 12]
    assert (cloud.watermark.value, again.rows_inserted) == ("12", 1)
    assert bodies(cloud.settings)[0] == (
        '{"id":1,"time":{"start":"2026-10-06T09:00:00+00:00"},"name":"Élise"}'
    )
    assert cloud.pull().batch_id is None
    assert {asked["order"] for asked in cloud.server.asked} == {"id"}


def test_what_goes_wrong_on_the_way_loses_and_doubles_nothing(cloud: Cloud) -> None:
    cloud.call(*range(1, 12))
    cloud.server.faults = ["500", "truncate", "cut", "503"]
    cloud.pull()
    assert cloud.ids() == list(range(1, 12))
    assert cloud.server.faults == []


def test_a_ticket_that_appears_late_below_idlast_is_found(cloud: Cloud) -> None:
    cloud.call(1, 2, 4, 5)
    cloud.pull()
    cloud.call(3)
    assert cloud.pull().rows_inserted == 1
    assert cloud.ids() == [1, 2, 3, 4, 5]


def test_a_token_does_as_well_as_a_login(cloud: Cloud) -> None:
    cloud.call(1)
    cloud.log_in("", cloud.server.password)
    assert cloud.pull().rows_inserted == 1


def test_a_token_may_be_wanted_in_a_header_of_its_own(cloud: Cloud) -> None:
    cloud.call(1)
    cloud.server.asking_header = "X-Api-Key"
    cloud.way["token_header"] = "X-Api-Key"
    cloud.log_in("", cloud.server.password)
    assert cloud.pull().rows_inserted == 1
    cloud.way["token_header"] = "X Api: Key"
    with pytest.raises(SourceError, match=r"token_header of connection .* is no name of a header"):
        cloud.pull()


@pytest.mark.parametrize("login", ["", "tollhouse"])
def test_a_refused_login_says_so_and_keeps_its_secret(cloud: Cloud, login: str) -> None:
    cloud.log_in(login, "not that one")
    with pytest.raises(SourceError, match=r"401 to GET /v2/calls.*Correct the connection") as error:
        cloud.pull()
    assert "not that one" not in str(error.value)


def test_a_price_that_is_filled_in_later_is_a_conflict_and_no_new_ticket(cloud: Cloud) -> None:
    cloud.call(1, 2, price=None)
    cloud.pull()
    cloud.items[1]["price"] = 0.12
    cloud.write()
    again = cloud.pull()
    assert (again.rows_inserted, again.rows_conflicting) == (0, 1)
    assert rows(cloud.settings, "select distinct generation from raw.deliveries") == [(1,)]


def test_a_list_that_begins_anew_is_read_from_its_beginning(cloud: Cloud) -> None:
    cloud.call(*range(500, 510))
    cloud.pull()
    cloud.items.clear()
    cloud.call(1, 2)
    landed = cloud.pull()
    assert (landed.rows_inserted, cloud.watermark.value) == (2, "2")
    assert "began anew" in landed.warnings[0]


def test_an_interval_is_asked_for_by_its_ends(cloud: Cloud) -> None:
    cloud.call(*range(1, 9))
    landed: LandedBatch = cloud.pull(START + timedelta(hours=3), START + timedelta(hours=6))
    assert (landed.rows_inserted, cloud.watermark.value) == (3, None)
    assert cloud.ids() == [3, 4, 5]


def test_an_api_that_knows_no_interval_refuses_one(cloud: Cloud, declare: Declare) -> None:
    declare(API.replace("    from_parameter: from\n    to_parameter: to\n", ""))
    cloud.pbx = pbx_of("declared", retry_seconds=0)
    with pytest.raises(
        SourceError, match=r"cannot be asked for a stretch of time.*set IDLAST back"
    ):
        cloud.pull(START, START + timedelta(hours=6))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"path": "/elsewhere"}, "404 to GET /elsewhere.*Correct `path`"),
        ({"list": "data.items"}, "Correct `list` of the layout: no list stands at data.items"),
        ({"key": "number"}, "none of 1 items of .* has a whole number under 'number'"),
        ({"after_parameter": "since"}, "id 1 came though ids above 3 were asked for"),
        ({"parameters": {"order": "date"}}, "400 to GET /v2/calls.*order must be id"),
        ({"path": "no path"}, "settings.path must match pattern"),
    ],
)
def test_what_an_entry_says_otherwise_is_taken_and_its_faults_are_told(
    cloud: Cloud, settings: dict[str, Any], told: str
) -> None:
    cloud.call(*range(1, 6))
    cloud.pbx = pbx_of("declared", retry_seconds=0, **settings)
    with pytest.raises(SourceError, match=told):
        cloud.pull()


def test_a_layout_without_collection_leaves_it_to_the_entry(cloud: Cloud, declare: Declare) -> None:
    declare("title: A cloud\ntickets: {kind: json, fields: {id: id}}\n")
    cloud.call(1, 2)

    def entry(**settings: Any) -> Pbx:
        return Pbx(
            id="paris_hq",
            model="declared",
            transport="http_api",
            time_zone="Europe/Paris",
            country="FR",
            settings=settings,
        )

    cloud.pbx = entry()
    with pytest.raises(SourceError, match=r"settings\.path is missing; settings\.key"):
        cloud.pull()
    said = {"path": "/v2/calls", "list": "data.calls", "key": "id", "after_parameter": "after"}
    cloud.pbx = entry(**said, parameters={"order": "id"})
    assert cloud.pull().rows_inserted == 2
