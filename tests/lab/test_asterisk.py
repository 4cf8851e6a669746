"""The simulated Asterisk: rows in a real MariaDB, read as the billing account reads them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import mysql.connector
import pytest

from lab.asterisk import TABLES, tickets_of
from lab.mariadb import READER, LabMariadb
from lab.sites import SITES
from lab.tables import insert_tickets
from lab.traffic import Call
from tests.conftest import free_port

SITE = SITES[1].site
OUTGOING = Call(
    pbx_id="lyon_support",
    day=date(2026, 10, 6),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="6016",
    destination="national_fixed",
    outside_number="0536490123",
)
INCOMING = replace(OUTGOING, direction="incoming", destination="")


@pytest.fixture(scope="module")
def mariadb() -> Iterator[LabMariadb]:
    folder = Path(tempfile.mkdtemp(prefix="tollhouse-tests-"))
    folder.chmod(0o755)
    server = LabMariadb(
        var=folder, port=free_port(), password="reader-of-the-tests", databases=(TABLES,)
    )
    try:
        server.start()
        yield server
    finally:
        server.process.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def row(call: Call, number: int = 1) -> dict[str, object]:
    (ticket,) = tickets_of(call, SITE, number)
    fields: dict[str, object] = json.loads(ticket.ticket)
    return fields


def test_an_outgoing_call_leaves_by_the_trunk_at_local_time() -> None:
    fields = row(OUTGOING)
    assert fields["calldate"] == "2026-10-06 11:30:00"
    assert str(fields["dstchannel"]).startswith("PJSIP/carrier-")
    assert (fields["dst"], fields["duration"], fields["billsec"]) == ("0536490123", 107, 100)


def test_an_incoming_call_names_the_direct_number() -> None:
    assert row(INCOMING)["did"] == "0465710016"


def test_a_ring_group_makes_a_row_for_each_member_and_one_talks() -> None:
    legs = [t for t in tickets_of(INCOMING, SITE, 10) if t.state == "ticket"]
    assert [leg.outcome for leg in legs] == ["answered", "no_answer", "no_answer"]
    assert sum(leg.talk_seconds for leg in legs) == 100
    assert len({leg.source_call_id for leg in legs}) == 1


def test_a_forwarding_group_repeats_the_talk_between_local_channels() -> None:
    ignored = [t for t in tickets_of(INCOMING, SITE, 30) if t.state == "ignored"]
    (fields,) = (json.loads(ticket.ticket) for ticket in ignored)
    assert fields["channel"].startswith("Local/")
    assert fields["dstchannel"].startswith("Local/")


def test_a_blind_transfer_makes_two_rows_that_add_up() -> None:
    transferred = replace(INCOMING, transferred_to="6020", transferred_after_seconds=30)
    legs = tickets_of(transferred, SITE, 1)
    assert [leg.extension for leg in legs] == ["6016", "6020"]
    assert [leg.talk_seconds for leg in legs] == [30, 70]


def test_a_failed_dial_leaves_a_closing_row() -> None:
    legs = tickets_of(replace(OUTGOING, outcome="failed", talk_seconds=0), SITE, 1)
    assert [leg.outcome for leg in legs] == ["failed", "no_answer"]


@pytest.mark.stack
def test_rows_get_growing_ids_and_are_written_once(mariadb: LabMariadb) -> None:
    tickets = [t for number in range(1, 6) for t in tickets_of(OUTGOING, SITE, number)]
    writer = mariadb.connect(TABLES.database)
    assert insert_tickets(writer, TABLES, tickets[:3]) == 3
    assert insert_tickets(writer, TABLES, tickets) == 2
    assert insert_tickets(writer, TABLES, tickets) == 0
    writer.close()
    reader = mariadb.connect(TABLES.database, READER)
    cursor = reader.cursor()
    cursor.execute("select id, dst from cdr order by id")
    assert cursor.fetchall() == [(number, "0536490123") for number in range(1, 6)]
    reader.close()


@pytest.mark.stack
def test_the_billing_account_may_read_and_not_write(mariadb: LabMariadb) -> None:
    reader = mariadb.connect(TABLES.database, READER)
    with pytest.raises(mysql.connector.Error, match="denied"):
        reader.cursor().execute("delete from cdr")
    reader.close()


@pytest.mark.stack
def test_the_server_is_started_once_and_stopped_by_its_own_record(mariadb: LabMariadb) -> None:
    mariadb.start()
    assert mariadb.process.is_running()
