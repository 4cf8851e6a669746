"""The simulated HiPath: fixed columns, clocks of the end, and a truth that staging agrees with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lab.siemens_hipath import SIMULATOR, tickets_of
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="dijon_bank",
    first_extension=4200,
    last_extension=4299,
    public_base="0199001200",
    calls_per_working_day=100,
    account_codes=("240117",),
)
OUTGOING = Call(
    pbx_id="dijon_bank",
    day=date(2026, 2, 4),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 2, 4, 12, 40, 31, tzinfo=UTC),
    ring_seconds=9,
    talk_seconds=432,
    extension="4216",
    destination="national_mobile",
    outside_number="0639981234",
    account_code="240117",
)
INCOMING = replace(
    OUTGOING, direction="incoming", outside_number="0199005122", account_code="", destination=""
)


def test_every_field_of_a_call_stands_at_the_documented_columns() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 3)
    line = ticket.ticket
    assert (line[:8], line[8:16], line[16:19]) == ("04.02.26", "13:47:52", "  4")
    assert (line[19:25], line[25:30], line[30:38]) == ("  4216", "     ", "00:07:12")
    assert line[38:63].rstrip() == "0639981234"
    assert line[74:76] == " 2"
    assert line[76:87].rstrip() == "240117"
    assert line[87:98].lstrip() == "0199001216"
    assert ticket.started_at == "2026-02-04T12:40:40+00:00", "the ringing is not shown"


def test_a_missed_call_shows_how_long_it_rang_and_no_conversation() -> None:
    (ticket,) = tickets_of(replace(INCOMING, outcome="no_answer", talk_seconds=0), SITE, 3)
    assert ticket.ticket[8:16] == "13:40:40"
    assert ticket.ticket[25:38] == "00:09        "
    assert ticket.outcome == "no_answer"


def test_a_transferred_call_is_a_line_for_each_extension() -> None:
    transferred = replace(INCOMING, transferred_to="4230", transferred_after_seconds=30)
    first, second = (ticket.ticket for ticket in tickets_of(transferred, SITE, 3))
    assert (first[8:16], first[19:25], first[74:76]) == ("13:41:10", "  4216", " 1")
    assert (second[8:16], second[19:25], second[74:76]) == ("13:47:52", "  4230", "35")


def test_calls_within_the_house_leave_no_line() -> None:
    assert tickets_of(replace(OUTGOING, direction="internal"), SITE, 3) == []


def test_the_pbx_keeps_its_connection_and_ends_lines_as_on_a_serial_port() -> None:
    assert SIMULATOR.role == "client"
    assert not SIMULATOR.connection_per_ticket
    assert SIMULATOR.encode("a line") == b"a line\r\n"


@pytest.mark.postgres
def test_staging_reads_what_the_lab_wrote(warehouse: Settings) -> None:
    calls = [call for day in (3, 4) for call in calls_of_day(SITE, 1, date(2026, 2, day))]
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]

    parsed, expected = parsed_beside_truth(warehouse, "siemens_hipath", truth)

    assert parsed == expected
    assert {row["state"] for row in parsed} == {"ticket", "ignored"}
