"""The simulated Aastra 400: the documented offsets, legs under one sequence, serials in a row."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lab.aastra_a400 import SIMULATOR, SerialCounter, encode, tickets_of
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.collector.serials import SerialWatch
from tollhouse.pbx import models
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="metz_office",
    first_extension=200,
    last_extension=259,
    public_base="0353012000",
    calls_per_working_day=120,
    account_codes=("4711",),
)
OUTGOING = Call(
    pbx_id="metz_office",
    day=date(2026, 2, 4),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 2, 4, 12, 40, 31, tzinfo=UTC),
    ring_seconds=9,
    talk_seconds=432,
    extension="216",
    destination="national_mobile",
    outside_number="0639981234",
    account_code="4711",
)
INCOMING = replace(
    OUTGOING, direction="incoming", outside_number="0199005122", account_code="", destination=""
)


def test_an_outgoing_call_stands_at_the_documented_offsets() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 12)
    record = encode(ticket.ticket)
    assert len(record) == 211
    assert record[:1] == b"\t"
    assert record[1:13] == b"         216"
    assert record[14:23] == b"     4711"
    assert record[24:27] == b"010"
    assert record[28:40] == b"260204 13:40"
    assert record[41:49] == b"00H07M12"
    assert record[115:155].lstrip() == record[156:196].lstrip() == b"0639981234"
    assert record[197:204] == b"       "
    assert record[205:209] == b"0001"
    assert record[209:] == b"\r\n"


def test_a_missed_call_says_how_long_it_rang_and_a_busy_one_that_it_did_not() -> None:
    (missed,) = tickets_of(replace(INCOMING, outcome="no_answer", talk_seconds=0), SITE, 12)
    (busy,) = tickets_of(replace(INCOMING, outcome="busy", talk_seconds=0), SITE, 13)
    assert (missed.ticket[24:27], missed.ticket[197:200]) == ("322", "009")
    assert (busy.ticket[24:27], busy.ticket[197:200]) == ("322", "000")
    assert (missed.outcome, busy.outcome) == ("no_answer", "busy")


def test_the_legs_of_a_transferred_call_share_a_sequence_and_follow_in_serial() -> None:
    call = replace(INCOMING, transferred_to="230", transferred_after_seconds=60)
    first, second = tickets_of(call, SITE, 1_012)
    assert first.ticket[201:204] == second.ticket[201:204] == "012"
    assert int(second.ticket[205:209]) == int(first.ticket[205:209]) + 1
    assert (first.ticket[24:27], second.ticket[24:27]) == ("321", "320")
    assert (first.talk_seconds, second.talk_seconds) == (60, 372)
    assert second.extension == "230"


def test_a_call_within_the_house_leaves_no_ticket() -> None:
    internal = replace(OUTGOING, direction="internal", outside_number="", other_extension="217")
    assert tickets_of(internal, SITE, 1) == []


def test_serials_wrap_after_the_highest_and_begin_anew_with_the_pbx() -> None:
    counter = SerialCounter()
    assert counter.take(0, 9_999)[-1] == "9999"
    assert counter.take(1, 2) == ["0000", "0001"]
    assert counter.take(2, 0) == []
    assert counter.take(3, 1) == ["0002"]
    assert counter.take(7, 1) == ["0001"]


def test_a_line_that_is_lost_shows_as_a_gap_in_the_serials() -> None:
    stream = models()["aastra_a400"].stream
    assert stream is not None
    assert stream.serial is not None
    assert (stream.direction, SIMULATOR.role) == ("listen", "client")
    lines = [
        encode(ticket.ticket)
        for number in range(20)
        for ticket in tickets_of(replace(OUTGOING, number=number), SITE, number)
    ]
    watch = SerialWatch(stream.serial)
    assert watch.watch([(line, 1) for line in lines]) == []
    del lines[7:10]
    (told,) = SerialWatch(stream.serial).watch([(line, 1) for line in lines])
    assert re.match("3 tickets lost: number 11 follows 7", told)


def test_the_serial_is_found_where_the_ring_time_has_four_digits() -> None:
    stream = models()["aastra_a400"].stream
    assert stream is not None
    assert stream.serial is not None
    record = encode(tickets_of(INCOMING, SITE, 12)[0].ticket)
    pattern = re.compile(stream.serial.pattern)
    for line in (record, record[:197] + b"0" + record[197:], record.rstrip()):
        match = pattern.search(line)
        assert match is not None
        assert match[1] == record[205:209]
    assert pattern.search(b"CHARGE COUNTER 201 0012\r\n") is None


@pytest.mark.postgres
def test_staging_reads_what_the_lab_wrote(warehouse: Settings) -> None:
    calls = [call for day in (3, 4) for call in calls_of_day(SITE, 1, date(2026, 2, day))]
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]

    parsed, expected = parsed_beside_truth(warehouse, "aastra_a400", truth)

    assert parsed == expected
    assert {row["state"] for row in parsed} == {"ticket"}
    assert {row["direction"] for row in parsed} == {"incoming", "outgoing"}
