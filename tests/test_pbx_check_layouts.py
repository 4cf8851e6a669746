"""``tollhouse pbx check`` of PBXs that a layout declares: the whole way, over each transport."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.list_api import ListServer
from lab.streams.feed import Feed
from tests.collector.certificates import Authority
from tests.conftest import free_port
from tests.layouts.declared import use_layouts
from tests.mariadb_server import MariaDb, mariadb
from tests.test_pbx_check import failed_step, found, remedy, settings_of
from tests.transports.remote_sites import PASSWORD, served
from tollhouse.collector.segment import TERMINATED
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.layouts.reading import read_layout
from tollhouse.pbx_check import Report, check_pbx
from tollhouse.settings import PROJECT, Settings

__all__ = ["mariadb"]

SAMPLES = PROJECT / "tests" / "samples"
STATEMENT = SAMPLES / "carrier_csv" / "releve_20261001.csv"
CLOUD = PROJECT / "include" / "layouts" / "exemple_cloud_pbx.yml"

Check = Callable[..., Report]


@pytest.fixture
def check(warehouse: Settings, tmp_path: Path) -> Check:
    """Checks an entry whose tickets the deployed layouts can read."""

    def checked(
        model: str, transport: str, connection: dict[str, Any] | None = None, **settings: Any
    ) -> Report:
        quick = {"retry_seconds": 0} if transport in ("remote_files", "http_api") else {}
        entry = {"model": model, "transport": transport, "settings": quick | settings}
        own = settings_of(tmp_path / "var", entry, connection)
        environment = {**warehouse.environment, **own.environment}
        return check_pbx("site", replace(own, environment=environment))

    return checked


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.mark.postgres
def test_a_folder_of_a_carrier_ends_at_tickets_that_are_read(check: Check, tmp_path: Path) -> None:
    drop = tmp_path / "var" / "drop"
    drop.mkdir(parents=True)
    shutil.copyfile(STATEMENT, drop / STATEMENT.name)
    report = check("carrier_csv", "dropped_files", folder="drop")
    assert report.is_ok, report.steps
    # The names of the columns; the title above them says nothing.
    assert "holds tickets below 'Référence;Date;Heure;" in found(report, "content")
    assert found(report, "parsed") == "5 of the last 5 can be read"
    assert "outgoing" in [ticket.columns["direction"] for ticket in report.parsed]


@pytest.mark.postgres
def test_tickets_that_a_layout_cannot_read_lead_to_the_layout(check: Check, tmp_path: Path) -> None:
    drop = tmp_path / "var" / "drop"
    drop.mkdir(parents=True)
    text = STATEMENT.read_bytes().replace(b";EUR", b";euros")
    (drop / STATEMENT.name).write_bytes(text)
    report = check("carrier_csv", "dropped_files", folder="drop")
    assert "rejected: " in found(report, "parsed")
    assert "tollhouse layout check carrier_csv FILE" in remedy(report, "parsed")


@pytest.mark.postgres
def test_files_of_a_carrier_are_looked_at_where_they_lie(
    check: Check, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    with served("sftp", tmp_path / "there", authority) as there:
        there.write(STATEMENT.name, STATEMENT.read_bytes(), int(time.time()) - 60)
        connection = {"host": "127.0.0.1", "port": there.port, "login": "reader"}
        secrets = {"password": PASSWORD, "extra": there.extra}
        report = check("carrier_csv", "remote_files", connection | secrets, folder="/")
    assert report.is_ok, report.steps
    assert found(report, "parsed") == "5 of the last 5 can be read"


@pytest.mark.postgres
def test_a_stream_ends_at_what_was_spooled(check: Check, tmp_path: Path) -> None:
    lines = (SAMPLES / "exemple_hotel_pms" / "constructed_page.txt").read_bytes().splitlines()
    with SpoolWriter(tmp_path / "var" / "spool" / "site", "site") as spool:
        spool.begin_connection("192.0.2.1:4008")
        spool.append([(line + b"\r\n", TERMINATED) for line in lines[1:4]], now_us())
    report = check("exemple_hotel_pms", "spooled_stream", {"host": "127.0.0.1"})
    assert report.last.tickets[0].body.startswith("01102026091310")
    assert found(report, "parsed") == "3 of the last 3 can be read"


@pytest.mark.postgres
def test_tickets_of_a_layout_that_is_not_confirmed_wait(check: Check, tmp_path: Path) -> None:
    drop = tmp_path / "var" / "drop"
    drop.mkdir(parents=True)
    (drop / "tickets.txt").write_text("TEL;02/11/26;09:12:33;4210;0261910099\n")
    report = check("alcatel_4200", "dropped_files", folder="drop")
    assert found(report, "parsed") == "0 of the last 1 can be read; rejected: layout_not_confirmed"
    assert report.is_ok
    assert "Every ticket is kept and waits" in remedy(report, "parsed")
    assert "tollhouse layout check alcatel_4200 FILE" in remedy(report, "parsed")


def test_a_stream_without_a_port_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "title: A box\ntickets: {kind: delimited, fields: [a, b]}\n"
    use_layouts(monkeypatch, tmp_path / "layouts", declared=text)
    entry = {"model": "declared", "transport": "spooled_stream"}
    report = check_pbx("site", settings_of(tmp_path / "var", entry, {"host": "127.0.0.1"}))
    assert failed_step(report) == "connection"
    assert "names no port" in found(report, "connection")
    assert remedy(report, "connection") == "Put the port into it."


@pytest.fixture
def cloud(tmp_path: Path, authority: Authority) -> Iterator[ListServer]:
    certificate, key = authority.issue("list")
    feed = tmp_path / "feed.jsonl"
    with ListServer(read_layout(CLOUD), feed, certificate, key, most_rows=20) as server:
        yield server


def way_to(cloud: ListServer, authority: Authority, **changes: Any) -> dict[str, Any]:
    extra = {"tls_ca": str(authority.file), "proxy": "off"}
    way = {"host": "127.0.0.1", "port": cloud.port, "login": cloud.login, "extra": extra}
    return {"conn_type": "https", "password": cloud.password} | way | changes


@pytest.mark.postgres
def test_an_api_ends_at_the_newest_of_its_tickets(
    check: Check, cloud: ListServer, authority: Authority
) -> None:
    document = json.loads((SAMPLES / "exemple_cloud_pbx" / "constructed_calls.json").read_text())
    sample = document["data"]["calls"][0]
    numbers = [*range(1, 300, 7), 5_000, *range(91_000, 91_040)]
    Feed(cloud.feed).write(json.dumps(sample | {"id": number}) for number in numbers)
    report = check("exemple_cloud_pbx", "http_api", way_to(cloud, authority))
    assert report.is_ok, report.steps
    assert found(report, "tickets") == "the highest id is 91039"
    assert [json.loads(one.body)["id"] for one in report.last.tickets] == [*range(91_035, 91_040)]
    assert found(report, "parsed") == "5 of the last 5 can be read"
    assert len(cloud.asked) < 40


def test_an_api_that_refuses_or_is_empty_says_what_to_do(
    cloud: ListServer, authority: Authority, tmp_path: Path
) -> None:
    def checked(**changes: Any) -> Report:
        entry = {"model": "exemple_cloud_pbx", "transport": "http_api"}
        quick = {"settings": {"retry_seconds": 0}}
        way = way_to(cloud, authority, **changes)
        return check_pbx("site", settings_of(tmp_path / "var", entry | quick, way))

    assert failed_step(checked()) == "tickets"
    assert failed_step(checked(password="another")) == "login"
    assert failed_step(checked(port=free_port())) == "port"


def test_a_table_that_a_layout_names_shows_its_last_rows(
    mariadb: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_layouts(
        monkeypatch,
        tmp_path / "layouts",
        declared="title: A box\ntickets: {kind: json, fields: {id: call_no}}\n"
        "collection: {sql_table: {table: calls, key: call_no, time_columns: begun}}\n",
    )
    database = mariadb.make_database()
    mariadb.run(
        "create table calls (call_no int auto_increment primary key, begun datetime)",
        "insert into calls (begun) values (now()), (now()), (now())",
        database=database,
    )
    way = mariadb.connection(database)
    connection = {"conn_type": "mysql", "host": way.host, "port": way.port, "login": way.login}
    secrets = {"password": way.password, "schema": database}
    report = check_pbx(
        "site", settings_of(tmp_path / "var", {"model": "declared"}, connection | secrets)
    )
    assert [json.loads(one.body)["call_no"] for one in report.last.tickets] == [1, 2, 3]
    assert "parsed" in [step.name for step in report.steps]
