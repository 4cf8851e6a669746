"""The simulated ShoreTel: documented columns, and its lines by TCP and in a file that grows."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lab.shoretel import SIMULATOR, encode, tickets_of
from lab.traffic import Call, Site, calls_of_day
from tests.installed import bodies, pbx_of
from tests.lab.reading import parsed_beside_truth
from tests.transports.pulling import Puller
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="nancy_labs",
    first_extension=1200,
    last_extension=1259,
    public_base="0353017000",
    calls_per_working_day=120,
    account_codes=("4711",),
)
OUTGOING = Call(
    pbx_id="nancy_labs",
    day=date(2026, 2, 4),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 2, 4, 12, 40, 31, tzinfo=UTC),
    ring_seconds=9,
    talk_seconds=432,
    extension="1216",
    destination="national_mobile",
    outside_number="0639981234",
    account_code="4711",
)
INCOMING = replace(
    OUTGOING, direction="incoming", outside_number="0199005122", account_code="", destination=""
)
LONG_AGO = 1_770_000_000


def test_an_outgoing_call_stands_at_the_columns_of_release_7_5() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 377)
    line = ticket.ticket
    assert len(line) == 122
    assert line[0:10] == "    100377"
    assert line[11:30] == "02/04/2026 13:40:31"
    assert line[31:47].rstrip() == "1216"
    assert line[48:56] == "00:07:12"
    assert line[57] == "1"
    assert line[59:75].rstrip() == "0639981234"
    assert line[76:92].strip() == ""
    assert line[93:97] == "  18"
    assert line[98:101] == "  3"
    assert line[102:122].rstrip() == "4711"


def test_an_incoming_call_belongs_to_the_last_party_and_a_hidden_caller_is_a_word() -> None:
    call = replace(INCOMING, outside_number="", transferred_to="1230")
    (ticket,) = tickets_of(call, SITE, 1)
    assert ticket.ticket[31:47].rstrip() == "1230"
    assert ticket.ticket[57] == "0"
    assert ticket.ticket[76:92].rstrip() == "blocked"
    assert ticket.extension == "1230"


def test_calls_within_the_house_leave_no_line() -> None:
    assert tickets_of(replace(OUTGOING, direction="internal"), SITE, 1) == []


def test_the_serial_device_dials_the_collector() -> None:
    assert SIMULATOR.role == "client"
    assert SIMULATOR.encode("a line") == b"a line\r\n"


@pytest.mark.postgres
def test_staging_reads_what_the_lab_wrote(warehouse: Settings) -> None:
    calls = [call for day in (3, 4) for call in calls_of_day(SITE, 1, date(2026, 2, day))]
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]

    parsed, expected = parsed_beside_truth(warehouse, "shoretel", truth)

    assert parsed == expected
    assert {row["direction"] for row in parsed} == {"incoming", "outgoing"}


@pytest.mark.postgres
def test_the_file_of_the_day_lands_what_it_has_grown_by(warehouse: Settings) -> None:
    folder = warehouse.var / "drop" / "nancy_labs"
    folder.mkdir(parents=True)
    pbx = pbx_of("shoretel", folder="drop/nancy_labs")
    puller = Puller(warehouse, pbx.model_copy(update={"transport": "dropped_files"}))
    lines = [tickets_of(OUTGOING, SITE, number)[0].ticket for number in range(4)]
    landed = []

    for count in (1, 3, 3, 4):
        path = folder / "CDR-020426.log"
        path.write_bytes(b"".join(encode(line) for line in lines[:count]))
        os.utime(path, (LONG_AGO, LONG_AGO + count))
        landed.append(puller.pull().rows_inserted)
    (folder / "CDR-notes.log").write_text("no ticket", encoding="ascii")
    puller.pull()

    assert landed == [1, 2, 0, 1]
    assert bodies(warehouse) == lines
