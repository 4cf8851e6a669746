"""``tollhouse pbx check``: each step that fails names itself and says what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from lab.asterisk import TABLE
from tests.collector.collector_process import Installation, installation
from tests.collector.speaking_pbx import say, speaking, stay_connected, wait_until
from tests.conftest import free_port
from tests.mariadb_server import PASSWORD, MariaDb
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.pbx_check import Report, check_pbx
from tollhouse.settings import PROJECT, Settings

TICKET = b" 02/04 13:34  00:00:53 T001  000 0199001000 4216\r\n"
DATABASE = "check_asterisk"
CUCM_HEADER = '"cdrRecordType","globalCallID_callManagerId","globalCallID_callId"'
CUCM_TYPES = "INTEGER,INTEGER,INTEGER"


def settings_of(
    var: Path, entry: dict[str, Any], connection: dict[str, Any] | None = None
) -> Settings:
    """An installation with one PBX, without a warehouse and with a health port nobody has."""
    var.mkdir(parents=True, exist_ok=True)
    pbx_file = var / "pbx.yml"
    base = {"id": "site", "time_zone": "Europe/Paris", "country": "FR"}
    pbx_file.write_text(yaml.safe_dump({"pbxs": [base | entry]}))
    if connection is not None:
        (var / "connections.yaml").write_text(json.dumps({"pbx_site": connection}))
    return Settings(
        project=PROJECT,
        var=var,
        include=PROJECT / "include",
        environment={
            "TOLLHOUSE_PBX_FILE": str(pbx_file),
            "TOLLHOUSE_COLLECTOR_PORT": str(free_port()),
        },
    )


def failed_step(report: Report) -> str:
    """The name of the step that failed: exactly one, with a remedy."""
    failed = [step for step in report.steps if step.outcome == "failed"]
    assert len(failed) == 1, report.steps
    assert failed[0].remedy
    assert not report.is_ok
    return failed[0].name


def found(report: Report, name: str) -> str:
    return next(step.found for step in report.steps if step.name == name)


def remedy(report: Report, name: str) -> str:
    return next(step.remedy for step in report.steps if step.name == name)


def test_an_unknown_id_names_the_known_ones(tmp_path: Path) -> None:
    report = check_pbx("nowhere", settings_of(tmp_path, {"model": "mitel_3300"}))
    assert failed_step(report) == "entry"
    assert remedy(report, "entry") == "Known are: site."


def test_a_connection_that_only_the_airflow_ui_knows_is_said_to_be_out_of_sight(
    tmp_path: Path,
) -> None:
    report = check_pbx("site", settings_of(tmp_path, {"model": "asterisk_mysql"}))
    assert failed_step(report) == "connection"
    assert "made in the Airflow UI serves DAGs only" in found(report, "connection")


# Asterisk: a real MariaDB.


@pytest.fixture
def asterisk(mariadb: MariaDb, tmp_path: Path) -> Iterator[Settings]:
    """An Asterisk whose reader has every right that it needs."""
    mariadb.run(
        f"create or replace database {DATABASE}",
        "create or replace user 'reader'@'127.0.0.1' identified by 'secret-of-the-reader'",
    )
    mariadb.run(TABLE, f"grant select on {DATABASE}.cdr to 'reader'@'127.0.0.1'", database=DATABASE)
    yield settings_of(
        tmp_path / "var",
        {"model": "asterisk_mysql"},
        {
            "conn_type": "mysql",
            "host": "127.0.0.1",
            "port": mariadb.port,
            "login": "reader",
            "password": "secret-of-the-reader",
            "schema": DATABASE,
        },
    )
    mariadb.run(f"drop database {DATABASE}", "drop user 'reader'@'127.0.0.1'")


def with_connection(settings: Settings, **changes: Any) -> Settings:
    path = settings.connections_file
    entry = json.loads(path.read_text())["pbx_site"]
    path.write_text(json.dumps({"pbx_site": entry | changes}))
    return settings


def add_call(mariadb: MariaDb, calldate: str = "now()") -> None:
    mariadb.run(
        "insert into cdr (calldate, src, dst, channel, dstchannel, duration, billsec, disposition)"
        f" values ({calldate}, '201', '0199001234', 'PJSIP/201-00000001', 'PJSIP/carrier-00000002',"
        " 20, 12, 'ANSWERED')",
        database=DATABASE,
    )


def test_a_good_table_shows_its_last_rows(mariadb: MariaDb, asterisk: Settings) -> None:
    for _ in range(7):
        add_call(mariadb)
    report = check_pbx("site", asterisk)
    assert report.is_ok, report.steps
    assert [ticket.ordinal for ticket in report.last.tickets] == [3, 4, 5, 6, 7]
    assert json.loads(report.last.tickets[-1].body)["dst"] == "0199001234"
    assert found(report, "TLS") == "none: the connection is not encrypted"
    assert [step.name for step in report.steps] == [
        "entry", "warehouse", "name", "port", "TLS", "login", "rights", "id column", "tickets",
        "last ticket", "direction", "parsed",
    ]  # fmt: skip


def test_a_host_that_does_not_resolve_fails_at_the_name(asterisk: Settings) -> None:
    report = check_pbx("site", with_connection(asterisk, host="pbx.invalid"))
    assert failed_step(report) == "name"
    assert "pbx.invalid" in found(report, "name")


def test_a_closed_port_fails_at_the_port(asterisk: Settings) -> None:
    report = check_pbx("site", with_connection(asterisk, port=free_port()))
    assert failed_step(report) == "port"
    assert "refuses" in found(report, "port")


def test_a_wrong_password_fails_at_the_login(asterisk: Settings) -> None:
    report = check_pbx("site", with_connection(asterisk, password="another"))
    assert failed_step(report) == "login"
    assert "1045" in found(report, "login")
    assert "secret" not in str(report.steps)


def test_an_unknown_database_fails_at_the_database(mariadb: MariaDb, asterisk: Settings) -> None:
    mariadb.run("grant select on nowhere.* to 'reader'@'127.0.0.1'")
    report = check_pbx("site", with_connection(asterisk, schema="nowhere"))
    assert failed_step(report) == "database"
    assert "1049" in found(report, "database")


def test_a_database_without_rights_fails_at_the_rights(asterisk: Settings) -> None:
    report = check_pbx("site", with_connection(asterisk, schema="mysql"))
    assert failed_step(report) == "rights"
    assert "1044" in found(report, "rights")


def test_a_missing_select_right_fails_at_the_rights_with_the_grant_to_run(
    mariadb: MariaDb, asterisk: Settings
) -> None:
    mariadb.run(
        f"revoke select on {DATABASE}.cdr from 'reader'@'127.0.0.1'",
        f"grant insert on {DATABASE}.cdr to 'reader'@'127.0.0.1'",
    )
    report = check_pbx("site", asterisk)
    assert failed_step(report) == "rights"
    assert "1142" in found(report, "rights")
    assert f"grant select on `{DATABASE}`.`cdr` to 'reader'@" in remedy(report, "rights")


def test_a_missing_table_fails_at_the_table(mariadb: MariaDb, asterisk: Settings) -> None:
    mariadb.run("drop table cdr", database=DATABASE)
    report = check_pbx("site", asterisk)
    assert failed_step(report) == "table"
    assert "1146" in found(report, "table")


@pytest.mark.parametrize("has_primary_key", [False, True])
def test_a_missing_id_column_fails_with_a_statement_that_really_adds_it(
    mariadb: MariaDb, asterisk: Settings, has_primary_key: bool
) -> None:
    # `start` as primary key is met in public dumps: two calls of one second, the second is lost.
    mariadb.run("alter table cdr drop column id", database=DATABASE)
    if has_primary_key:
        mariadb.run("alter table cdr add primary key (calldate)", database=DATABASE)
    add_call(mariadb)
    report = check_pbx("site", asterisk)
    assert failed_step(report) == "id column"
    statement = remedy(report, "id column").partition("alter table")[2].partition(";")[0]
    mariadb.run(f"alter table {statement}", database=DATABASE)
    assert check_pbx("site", asterisk).is_ok


def test_an_id_without_an_index_is_a_warning(mariadb: MariaDb, asterisk: Settings) -> None:
    mariadb.run("alter table cdr modify id int unsigned, drop primary key", database=DATABASE)
    mariadb.run("update cdr set id = 1", database=DATABASE)
    add_call(mariadb)
    mariadb.run("update cdr set id = 5", database=DATABASE)
    report = check_pbx("site", asterisk)
    assert report.is_ok, report.steps
    assert "create unique index" in remedy(report, "id column")


def test_tls_that_the_server_does_not_offer_fails_at_tls(asterisk: Settings) -> None:
    report = check_pbx("site", with_connection(asterisk, extra={"tls": "required"}))
    assert failed_step(report) == "TLS"


def test_an_account_that_must_use_tls_is_told_so(mariadb: MariaDb, asterisk: Settings) -> None:
    mariadb.run("alter user 'reader'@'127.0.0.1' require ssl")
    report = check_pbx("site", with_connection(asterisk, extra={"tls": "off"}))
    assert failed_step(report) == "login"
    assert "must use TLS" in remedy(report, "login")


def test_an_empty_table_fails_at_the_tickets(asterisk: Settings) -> None:
    report = check_pbx("site", asterisk)
    assert failed_step(report) == "tickets"
    assert "cdr show status" in remedy(report, "tickets")


def test_a_table_without_news_says_since_when(mariadb: MariaDb, asterisk: Settings) -> None:
    add_call(mariadb, "'2026-01-05 09:00:00'")
    report = check_pbx("site", asterisk)
    assert failed_step(report) == "last ticket"
    assert "2026-01-05 08:00 UTC" in found(report, "last ticket")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("idlast", "news"), [("2", "ids up to 3"), ("3", "nothing"), ("9", "above the highest id 3")]
)
def test_what_is_new_is_told_from_the_last_pull(
    mariadb: MariaDb, asterisk: Settings, warehouse: Settings, idlast: str, news: str
) -> None:
    with psycopg.connect(warehouse.role_url("tollhouse_loader")) as connection:
        connection.execute(
            "insert into raw.batches (pbx_id, model, idlast_after) values (%s, %s, %s)",
            ["site", "asterisk_mysql", idlast],
        )
    for _ in range(3):
        add_call(mariadb)
    both = replace(asterisk, environment={**warehouse.environment, **asterisk.environment})
    report = check_pbx("site", both)
    assert report.is_ok, report.steps
    assert news in found(report, "new")


# CUCM: a folder.


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "var" / "drop"
    folder.mkdir(parents=True)
    return folder


def cucm(drop: Path, **settings: Any) -> Settings:
    return settings_of(
        drop.parent, {"model": "cisco_cucm", "settings": {"folder": "drop"} | settings}
    )


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_good_folder_shows_the_last_tickets_and_their_columns(drop: Path) -> None:
    write(drop, "cdr_Example_01_202602041200_1", CUCM_HEADER, CUCM_TYPES, "1,1,10", "1,1,11")
    write(drop, "cdr_Example_01_202602041201_2", CUCM_HEADER, CUCM_TYPES)
    report = check_pbx("site", cucm(drop))
    assert report.is_ok, report.steps
    assert [ticket.body for ticket in report.last.tickets] == ["1,1,10", "1,1,11"]
    assert report.last.header == CUCM_HEADER
    assert found(report, "content") == "cdr_Example_01_202602041200_1 names 3 columns"


@pytest.mark.postgres
def test_files_that_are_not_landed_yet_are_counted(drop: Path, warehouse: Settings) -> None:
    landed = write(drop, "cdr_Example_01_202602041200_1", CUCM_HEADER, CUCM_TYPES, "1,1,10")
    write(drop, "cdr_Example_01_202602041201_2", CUCM_HEADER, CUCM_TYPES, "1,1,11")
    with psycopg.connect(warehouse.role_url("tollhouse_loader")) as connection:
        connection.execute(
            "insert into raw.deliveries (pbx_id, model, unit, size_bytes) values (%s, %s, %s, %s)",
            ["site", "cisco_cucm", landed.name, landed.stat().st_size],
        )
    own = cucm(drop)
    report = check_pbx(
        "site", replace(own, environment={**warehouse.environment, **own.environment})
    )
    assert found(report, "new") == "1 of them not landed yet"
    # Three columns are no CUCM record, and the check says so of the tickets it shows.
    assert failed_step(report) == "parsed"


def test_an_entry_without_a_folder_fails_at_the_folder(tmp_path: Path) -> None:
    report = check_pbx("site", settings_of(tmp_path, {"model": "cisco_cucm"}))
    assert failed_step(report) == "folder"


def test_a_missing_folder_fails_at_the_folder(drop: Path) -> None:
    settings = cucm(drop)
    drop.rmdir()
    report = check_pbx("site", settings)
    assert failed_step(report) == "folder"
    assert "does not exist" in found(report, "folder")


@pytest.fixture
def open_drop() -> Iterator[Path]:
    """A folder that an ordinary account may walk down to, unlike pytest's own."""
    root = Path(tempfile.mkdtemp(prefix="tollhouse-drop-"))
    root.chmod(0o755)
    folder = root / "var" / "drop"
    folder.mkdir(parents=True)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(root)


def checked_by_an_ordinary_account(settings: Settings) -> Report:
    """Check as nobody when root runs the tests: root may read everything."""
    check_pbx("site", settings)  # loads the modules, which nobody may not be able to read
    if os.geteuid() != 0:
        return check_pbx("site", settings)
    os.seteuid(65534)
    try:
        return check_pbx("site", settings)
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_read_fails_at_the_rights(open_drop: Path) -> None:
    settings = cucm(open_drop)
    open_drop.chmod(0)
    report = checked_by_an_ordinary_account(settings)
    assert failed_step(report) == "rights"
    assert str(open_drop) in found(report, "rights")


def test_a_file_that_may_not_be_read_fails_at_the_rights(open_drop: Path) -> None:
    write(open_drop, "cdr_Example_01_202602041200_1", CUCM_HEADER, "1,1,10").chmod(0)
    report = checked_by_an_ordinary_account(cucm(open_drop))
    assert failed_step(report) == "rights"
    assert "cdr_Example_01_202602041200_1" in found(report, "rights")


def test_a_folder_without_a_ticket_file_fails_at_the_files(drop: Path) -> None:
    report = check_pbx("site", cucm(drop))
    assert failed_step(report) == "files"
    assert "CDR Management" in remedy(report, "files")
    write(drop, "tickets.txt", CUCM_HEADER, "1,1,10")
    write(drop, "_cdr_Example_01_202602041200_1", CUCM_HEADER, "1,1,10")
    other = check_pbx("site", cucm(drop))
    assert failed_step(other) == "files"
    assert "tickets.txt" in found(other, "files")


def test_files_that_are_all_old_fail_at_the_last_ticket(drop: Path) -> None:
    path = write(drop, "cdr_Example_01_202602041200_1", CUCM_HEADER, CUCM_TYPES, "1,1,10")
    os.utime(path, (time.time(), time.time() - 5 * 86_400))
    report = check_pbx("site", cucm(drop))
    assert failed_step(report) == "last ticket"
    assert "5 days ago" in found(report, "last ticket")


def test_files_with_header_lines_alone_fail_at_the_tickets(drop: Path) -> None:
    write(drop, "cdr_Example_01_202602041200_1", CUCM_HEADER, CUCM_TYPES)
    report = check_pbx("site", cucm(drop))
    assert failed_step(report) == "tickets"


def test_a_first_line_that_names_no_columns_fails_at_the_header(drop: Path) -> None:
    write(drop, "cdr_Example_01_202602041200_1", "1,1,10", "1,1,11")
    report = check_pbx("site", cucm(drop))
    assert failed_step(report) == "header"
    assert "cdr_Example_01_202602041200_1" in found(report, "header")


# Other models whose files lie in a folder.


def in_folder(drop: Path, model: str) -> Settings:
    entry = {"model": model, "transport": "dropped_files", "settings": {"folder": "drop"}}
    return settings_of(drop.parent, entry)


def copied(drop: Path, sample: str, name: str) -> None:
    (drop / name).write_bytes((PROJECT / "tests" / "samples" / sample).read_bytes())


def test_a_compressed_file_of_an_oxe_is_looked_into(drop: Path) -> None:
    copied(drop, "alcatel_oxe/SYNTHETIC_TAXSYNTA.DAT", "TAXSYNTA.DAT")
    report = check_pbx("site", in_folder(drop, "alcatel_oxe"))
    assert found(report, "content") == "TAXSYNTA.DAT names 48 columns"
    assert [len(ticket.body) for ticket in report.last.tickets] == [525, 525]


def test_a_day_file_without_column_names_shows_its_tickets(drop: Path) -> None:
    copied(drop, "shoretel/CDR-030326.log", "CDR-030326.log")
    report = check_pbx("site", in_folder(drop, "shoretel"))
    assert found(report, "content") == "CDR-030326.log holds tickets"


def test_damaged_xml_is_named_with_its_line(drop: Path) -> None:
    copied(drop, "alcatel_oxo/constructed_not_closed.xml", "TicketCollector1.xml")
    report = check_pbx("site", in_folder(drop, "alcatel_oxo"))
    assert (
        found(report, "content") == "TicketCollector1.xml holds elements within <TicketCollector>"
    )
    assert found(report, "damage").startswith("TicketCollector1.xml, line 15: ")


def test_damaged_json_is_named_with_its_byte(drop: Path) -> None:
    (drop / "calls.json").write_text('{"data": {"calls": [{"id": 1}, {"id"')
    report = check_pbx("site", in_folder(drop, "exemple_cloud_pbx"))
    assert found(report, "content") == "calls.json holds tickets"
    assert found(report, "damage") == "calls.json, byte 36: it ends within a value"


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("alcatel_oxe", "External accounting"),
        ("alcatel_oxo", "OLD driver"),
        ("avaya_ipoffice", "SMDR"),
        ("shoretel", "Generate CDR"),
        ("unify_openscape", "TFTP"),
        ("aastra_a5000", "ticket files"),
    ],
)
def test_an_empty_folder_says_where_to_look_in_that_pbx(drop: Path, model: str, place: str) -> None:
    report = check_pbx("site", in_folder(drop, model))
    assert failed_step(report) == "files"
    assert place in remedy(report, "files")
    assert "Cisco" not in remedy(report, "files")


# Mitel: the collector, or the bare port.


def mitel(var: Path, port: int, host: str = "127.0.0.1") -> Settings:
    return settings_of(
        var, {"model": "mitel_3300"}, {"conn_type": "tcp", "host": host, "port": port}
    )


def spool_ticket(settings: Settings, arrived_at_us: int | None = None) -> None:
    with SpoolWriter(settings.spool / "site", "site") as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append([(TICKET, 1)], arrived_at_us or now_us())


def test_a_running_collector_is_asked_and_the_pbx_is_not_dialled_again(tmp_path: Path) -> None:
    with speaking(say(TICKET)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: len(here.records("paris_hq")) == 1)
            report = check_pbx("paris_hq", here.settings)
        assert report.is_ok, report.steps
        assert pbx.connection_count == 1
    assert [ticket.body for ticket in report.last.tickets] == [TICKET.decode().rstrip("\r\n")]


def test_a_collector_that_cannot_reach_the_pbx_fails_at_the_port(tmp_path: Path) -> None:
    port = free_port()
    here = installation(tmp_path, {"paris_hq": port}, free_port())
    with here.running():
        wait_until(lambda: here.health("paris_hq").get("state") == "retrying")
        report = check_pbx("paris_hq", here.settings)
    assert failed_step(report) == "port"
    assert f"127.0.0.1:{port} cannot be reached" in found(report, "port")


def test_without_a_collector_the_pbx_is_not_dialled_and_keeps_its_tickets(tmp_path: Path) -> None:
    with speaking(say(TICKET)) as pbx:
        settings = mitel(tmp_path, pbx.port)
        spool_ticket(settings)
        report = check_pbx("site", settings)
        assert pbx.connection_count == 0
    assert failed_step(report) == "collector"
    assert "tollhouse collector run" in remedy(report, "collector")
    assert "127.0.0.1" in found(report, "name")
    assert [ticket.body for ticket in report.last.tickets] == [TICKET.decode().rstrip("\r\n")]


def test_asked_to_dial_without_a_collector_the_port_is_tried_with_a_warning(
    tmp_path: Path,
) -> None:
    with speaking(say(TICKET)) as pbx:
        settings = mitel(tmp_path, pbx.port)
        spool_ticket(settings)
        report = check_pbx("site", settings, dial=True)
        wait_until(lambda: pbx.connection_count == 1)
    assert failed_step(report) == "collector"
    assert found(report, "port") == f"127.0.0.1:{pbx.port} answers"
    assert "is lost" in remedy(report, "one reader")
    names = [step.name for step in report.steps]
    assert names.index("one reader") < names.index("port")


def test_a_closed_ticket_port_fails_at_the_port(tmp_path: Path) -> None:
    report = check_pbx("site", mitel(tmp_path, free_port()), dial=True)
    assert failed_step(report) == "port"


def test_a_name_that_does_not_resolve_fails_at_the_name(tmp_path: Path) -> None:
    report = check_pbx("site", mitel(tmp_path, 1752, host="pbx.invalid"))
    assert failed_step(report) == "name"


def test_a_port_that_drops_packets_fails_at_the_port(tmp_path: Path) -> None:
    # A full backlog answers no further connection, as a firewall that drops packets does.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            report = check_pbx("site", mitel(tmp_path, port), dial=True)
    assert failed_step(report) == "port"
    assert "does not answer" in found(report, "port")


def test_a_pbx_that_never_spoke_fails_at_the_tickets(tmp_path: Path) -> None:
    with speaking(say()) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("state") == "connected")
            report = check_pbx("paris_hq", here.settings)
    assert failed_step(report) == "tickets"
    assert "Make an outgoing call" in remedy(report, "tickets")


def test_a_pbx_that_fell_silent_fails_at_the_last_ticket(tmp_path: Path) -> None:
    with speaking(say()) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with SpoolWriter(here.spool("paris_hq"), "paris_hq") as spool:
            spool.begin_connection("192.0.2.1:1752")
            spool.append([(TICKET, 1)], now_us() - 9 * 86_400 * 1_000_000)
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("state") == "connected")
            report = check_pbx("paris_hq", here.settings)
    assert failed_step(report) == "last ticket"
    assert "9 days ago" in found(report, "last ticket")


# PBXs that connect to the collector.


def visitor(folder: Path, port: int, **settings: Any) -> Installation:
    listening = {"direction": "listen"} | settings
    return installation(folder, {"paris_hq": port}, free_port(), pbx_settings=listening)


def test_a_pbx_that_never_connected_is_told_where_to(tmp_path: Path) -> None:
    port = free_port()
    here = visitor(tmp_path, port, allowed_peers=["192.0.2.10"])
    with here.running():
        wait_until(lambda: here.health("paris_hq").get("state") == "listening")
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            assert stranger.recv(1) == b""
        report = check_pbx("paris_hq", here.settings)
    assert failed_step(report) == "collector"
    assert found(report, "collector").startswith(f"listens on 127.0.0.1:{port}")
    assert "only programs of this machine" in found(report, "address")
    assert "127.0.0.1: its address is not in settings.allowed_peers" in remedy(report, "collector")


def test_the_peer_that_is_connected_is_named_and_stays_connected(tmp_path: Path) -> None:
    port = free_port()
    here = visitor(tmp_path, port)
    with here.running():
        wait_until(lambda: here.health("paris_hq").get("state") == "listening")
        with socket.create_connection(("127.0.0.1", port)) as pbx:
            pbx.sendall(TICKET)
            wait_until(lambda: len(here.records("paris_hq")) == 1)
            report = check_pbx("paris_hq", here.settings, dial=True)
            assert report.is_ok, report.steps
            own = ":".join(map(str, pbx.getsockname()))
            assert found(report, "port") == f"listens on 127.0.0.1:{port}, {own} is connected"
            pbx.sendall(TICKET)
            wait_until(lambda: len(here.records("paris_hq")) == 2)
        wait_until(lambda: here.health("paris_hq")["state"] == "listening")
        gone = check_pbx("paris_hq", here.settings)
    assert gone.is_ok, gone.steps
    assert "the PBX is not connected" in found(gone, "collector")
    assert len(gone.last.tickets) == 2


def test_a_pbx_that_connects_for_each_ticket_need_not_be_connected_now(tmp_path: Path) -> None:
    port = free_port()
    here = visitor(tmp_path, port, connections="many")
    with here.running():
        wait_until(lambda: here.health("paris_hq").get("state") == "listening")
        with socket.create_connection(("127.0.0.1", port)) as pbx:
            pbx.sendall(TICKET)
        wait_until(lambda: len(here.records("paris_hq")) == 1)
        wait_until(lambda: here.health("paris_hq")["state"] == "listening")
        report = check_pbx("paris_hq", here.settings)
    assert found(report, "collector").startswith("no connection at this moment")
    assert [step.outcome for step in report.steps if step.name == "collector"] == ["ok"]


def test_the_address_of_a_collector_on_all_addresses_is_one_that_a_pbx_can_use(
    tmp_path: Path,
) -> None:
    entry = {"model": "mitel_3300", "settings": {"direction": "listen"}}
    report = check_pbx("site", settings_of(tmp_path, entry, {"host": "0.0.0.0", "port": 6_000}))
    assert "TCP port 6000" in found(report, "address")
    assert "0.0.0.0" not in found(report, "address")
    assert "allowed_peers" in remedy(report, "peers")


def test_a_setting_that_does_not_hold_fails_at_the_settings(tmp_path: Path) -> None:
    entry = {"model": "mitel_3300", "settings": {"allowed_peers": ["everybody"]}}
    assert failed_step(check_pbx("site", settings_of(tmp_path, entry))) == "settings"


# PBXs that ask for a login or encrypt.


def asking(password: bytes) -> Callable[[socket.socket], None]:
    """A PBX that asks for a login as a Panasonic does."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(b"\r\n-")
        connection.recv(100)
        connection.sendall(b"SMDR\r\nEnter Password:")
        is_right = connection.recv(100) == password + b"\r"
        connection.sendall(b"*******\r\n" + (b"" if is_right else b"-"))
        stay_connected(connection)

    return speak


def panasonic(var: Path, port: int, **connection: Any) -> Settings:
    return settings_of(
        var, {"model": "panasonic_kx"}, {"host": "127.0.0.1", "port": port} | connection
    )


def test_asked_to_dial_the_login_is_tried_as_the_collector_would(tmp_path: Path) -> None:
    with speaking(asking(b"PCCSMDR")) as pbx:
        report = check_pbx("site", panasonic(tmp_path / "right", pbx.port), dial=True)
        assert found(report, "login") == "accepted"
        wrong = panasonic(tmp_path / "wrong", pbx.port, password="not-this-one")
        refused = check_pbx("site", wrong, dial=True)
    assert failed_step(refused) == "login"
    assert "asks for the login again" in found(refused, "login")
    assert "not-this-one" not in str(refused.steps)


def test_a_port_that_asks_for_no_login_fails_at_the_login(tmp_path: Path) -> None:
    with speaking(lambda connection: connection.close()) as pbx:
        report = check_pbx("site", panasonic(tmp_path, pbx.port), dial=True)
    assert failed_step(report) == "login"
    assert "ended before a login prompt came" in found(report, "login")


@pytest.mark.parametrize("dial", [False, True])
def test_a_login_that_the_collector_was_refused_fails_at_the_login(
    tmp_path: Path, dial: bool
) -> None:
    with speaking(asking(b"another")) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port(), model="panasonic_kx")
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("state") == "refused")
            report = check_pbx("paris_hq", here.settings, dial=dial)
    assert failed_step(report) == "login"
    assert "asks for the login again" in found(report, "login")


def test_tls_with_a_pbx_that_has_none_fails_at_tls(tmp_path: Path) -> None:
    entry = {"model": "mitel_3300"}
    with speaking(say(TICKET)) as pbx:
        connection = {"host": "127.0.0.1", "port": pbx.port, "extra": {"tls": True}}
        report = check_pbx("site", settings_of(tmp_path, entry, connection), dial=True)
    assert failed_step(report) == "TLS"
    missing = connection | {"extra": {"tls": True, "ca_file": "nowhere.pem"}}
    report = check_pbx("site", settings_of(tmp_path, entry, missing))
    assert failed_step(report) == "TLS"
    assert "nowhere.pem is no file" in found(report, "TLS")


@pytest.mark.postgres
def test_the_last_tickets_are_parsed_by_the_staging_view_and_nothing_is_left(
    tmp_path: Path, warehouse: Settings
) -> None:
    outgoing = b" 02/04 13:34  00:00:53 4216      0199001234" + b" " * 17 + b"A T003"
    with speaking(say()) as pbx:
        here = installation(tmp_path / "site", {"paris_hq": pbx.port}, free_port())
        settings = replace(
            here.settings, environment={**warehouse.environment, **here.settings.environment}
        )
        with SpoolWriter(here.spool("paris_hq"), "paris_hq") as spool:
            spool.begin_connection("192.0.2.1:1752")
            # The port is 80 columns wide: the first ticket comes in two lines.
            wrapped = outgoing.ljust(80) + b"\r\n" + b" 010\r\n"
            spool.append([(wrapped[:82], 1), (wrapped[82:], 1)], now_us())
            spool.append([(outgoing + b"\r\n", 1), (b"no ticket\r\n", 1)], now_us())
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("state") == "connected")
            report = check_pbx("paris_hq", settings)
            printed = run_command(settings, "paris_hq").stdout
    assert report.is_ok, report.steps
    assert [ticket.state for ticket in report.parsed[:2]] == ["ticket", "ticket"]
    assert report.parsed[1].columns["talk_seconds"] == 53
    assert "outgoing, answered: extension 4216, from 4216, to 0199001234" in printed
    with psycopg.connect(warehouse.role_url("tollhouse_loader")) as connection:
        assert connection.execute("select count(*) from raw.tickets").fetchone() == (0,)
        assert connection.execute("select count(*) from raw.deliveries").fetchone() == (0,)


@pytest.mark.postgres
def test_tickets_that_are_all_rejected_fail_at_the_parsing(
    tmp_path: Path, warehouse: Settings
) -> None:
    with speaking(say()) as pbx:
        here = installation(tmp_path / "site", {"paris_hq": pbx.port}, free_port())
        settings = replace(
            here.settings, environment={**warehouse.environment, **here.settings.environment}
        )
        with SpoolWriter(here.spool("paris_hq"), "paris_hq") as spool:
            spool.begin_connection("192.0.2.1:1752")
            spool.append([(b" 02/30 13:34  00:00:53 4216\r\n", 1)] * 3, now_us())
        with here.running():
            wait_until(lambda: here.health("paris_hq").get("state") == "connected")
            report = check_pbx("paris_hq", settings)
    assert failed_step(report) == "parsed"
    assert "0 of the last 3 can be read; rejected" in found(report, "parsed")


def test_no_password_is_ever_shown(asterisk: Settings) -> None:
    assert PASSWORD not in repr(check_pbx("site", asterisk))
    assert "secret-of-the-reader" not in repr(check_pbx("site", asterisk))


def run_command(settings: Settings, pbx_id: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tollhouse.cli import main; main()", "pbx", "check", pbx_id],
        env={
            **os.environ,
            **settings.environment,
            "TOLLHOUSE_VAR": str(settings.var),
            "PYTHONPATH": str(PROJECT / "plugins"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_the_steps_and_the_tickets_and_exits_0(drop: Path) -> None:
    write(drop, "cdr_Example_01_202602041200_1", CUCM_HEADER, "1,1,[red]10", "1,1,\x1b[2J11")
    done = run_command(cucm(drop), "site")
    assert done.returncode == 0, done.stderr
    assert "ok     content" in done.stdout
    assert CUCM_HEADER in done.stdout
    assert "1,1,[red]10" in done.stdout
    # What a terminal would obey is shown and not sent.
    assert "1,1,\\x1b[2J11" in done.stdout
    assert "\x1b[2J" not in done.stdout


def test_the_command_exits_1_when_a_step_fails(drop: Path) -> None:
    done = run_command(cucm(drop), "site")
    assert done.returncode == 1
    assert "FAILED files" in done.stdout
    assert done.stderr == ""
