"""The simulated UCM: a record per leg in any of its formats, and a truth that staging holds to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lab.grandstream_ucm import SIMULATOR, as_csv, as_json, as_xml, tickets_of
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="tours_shop",
    first_extension=4200,
    last_extension=4299,
    public_base="0199001200",
    calls_per_working_day=100,
    account_codes=("240117",),
)
OUTGOING = Call(
    pbx_id="tours_shop",
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


def test_a_record_says_in_text_what_the_pbx_knows_of_a_call() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 7)
    record = json.loads(ticket.ticket)
    assert len(record) == 32
    assert (record["src"], record["dst"], record["userfield"]) == ("4216", "0639981234", "Outbound")
    assert (record["start"], record["answer"]) == ("2026-02-04 13:40:31", "2026-02-04 13:40:40")
    assert (record["duration"], record["billsec"]) == ("441", "432")
    assert record["session"] == f"{record['uniqueid'].split('.')[0]}7-4216"


def test_a_busy_call_has_neither_answer_nor_end() -> None:
    (ticket,) = tickets_of(replace(OUTGOING, outcome="busy", talk_seconds=0), SITE, 1)
    record = json.loads(ticket.ticket)
    assert (record["answer"], record["end"], record["disposition"]) == ("", "", "BUSY")


def test_a_transferred_call_is_two_records_of_one_session() -> None:
    transferred = replace(INCOMING, transferred_to="4230", transferred_after_seconds=30)
    first, second = (json.loads(ticket.ticket) for ticket in tickets_of(transferred, SITE, 1))
    assert first["session"] == second["session"]
    assert (first["dst"], first["billsec"]) == ("4216", "30")
    assert (second["dst"], second["billsec"], second["action_type"]) == ("4230", "402", "TRANSFER")
    assert second["start"] == "2026-02-04 13:41:10"


def test_a_ring_group_leaves_a_leg_of_no_length_before_the_call() -> None:
    before, leg = (json.loads(ticket.ticket) for ticket in tickets_of(INCOMING, SITE, 0))
    assert (before["lastapp"], before["duration"]) == ("ForkCDR", "0")
    assert leg["action_type"] == "RINGGROUP[6400]"


def test_the_pbx_dials_anew_for_each_record() -> None:
    assert SIMULATOR.role == "client"
    assert SIMULATOR.connection_per_ticket


@pytest.mark.postgres
def test_staging_reads_what_the_lab_wrote_in_every_format(warehouse: Settings) -> None:
    calls = list(calls_of_day(SITE, 1, date(2026, 2, 3)))
    truth = [
        ticket
        for form in (as_json, as_xml, as_csv)
        for number, call in enumerate(calls)
        for ticket in tickets_of(call, SITE, number, form)
    ]

    parsed, expected = parsed_beside_truth(warehouse, "grandstream_ucm", truth)

    assert parsed == expected
    assert {row["outcome"] for row in parsed} == {"answered", "no_answer", "busy", "failed"}
