"""The simulated IP Office: documented fields, segments of a transfer, and a truth that holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lab.avaya_ipoffice import CALLS_BETWEEN_RESTARTS, SIMULATOR, tickets_of
from lab.traffic import Call, Site, calls_between
from tollhouse.framing import Ticket
from tollhouse.parsing import AssumedPbx, known_model, parse_tickets
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

SITE = Site(
    pbx_id="nice_hotel",
    first_extension=4200,
    last_extension=4299,
    public_base="0199001200",
    calls_per_working_day=100,
    account_codes=("240117",),
)
OUTGOING = Call(
    pbx_id="nice_hotel",
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


def fields_of(call: Call, number: int) -> list[list[str]]:
    return [ticket.ticket.split(",") for ticket in tickets_of(call, SITE, number)]


def test_an_outgoing_call_is_a_line_of_34_fields() -> None:
    (fields,) = fields_of(OUTGOING, 3)
    assert len(fields) == 34
    assert fields[:11] == [
        "2026/02/04 13:40:31", "00:07:12", "0", "4216", "O", "0639981234", "00639981234",
        "240117", "0", "1000003", "0",
    ]  # fmt: skip
    assert fields[11:15] == ["E4216", "Hôtel 4216", "T9004", "Line 4.1"]


def test_a_failed_call_seizes_no_line() -> None:
    (fields,) = fields_of(replace(OUTGOING, outcome="failed", talk_seconds=0), 1)
    assert fields[1] == "00:00:00"
    assert fields[13] == "V8000"


def test_an_incoming_call_shows_the_number_dialled_and_the_ringing() -> None:
    (fields,) = fields_of(INCOMING, 1)
    assert fields[2:7] == ["9", "0199005122", "I", "4216", "0199001216"]


def test_the_caller_on_a_sip_line_comes_with_an_address() -> None:
    (fields,) = fields_of(INCOMING, 5)
    assert fields[3] == "0199005122@192.0.2.7"


def test_a_transferred_call_is_two_segments_with_one_start_and_one_id() -> None:
    transferred = replace(INCOMING, transferred_to="4230", transferred_after_seconds=30)
    first, second = fields_of(transferred, 1)
    assert (first[1], second[1]) == ("00:00:30", "00:06:42")
    assert (first[0], first[9]) == (second[0], second[9])
    assert (first[10], second[10]) == ("1", "0")
    assert (second[11], second[27:29]) == ("E4230", ["U Xfd", "Hôtel 4216"])


def test_call_ids_begin_again_after_a_restart_and_tie_nothing() -> None:
    (before,) = tickets_of(OUTGOING, SITE, 0)
    later = replace(OUTGOING, started_at=OUTGOING.started_at + timedelta(minutes=3))
    (after,) = tickets_of(later, SITE, CALLS_BETWEEN_RESTARTS)
    assert before.ticket.split(",")[9] == after.ticket.split(",")[9]
    assert before.source_call_id != after.source_call_id


def test_names_go_over_the_wire_in_utf_8() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 1)
    assert b"H\xc3\xb4tel 4216" in SIMULATOR.encode(ticket.ticket)


@pytest.mark.postgres
def test_staging_finds_in_a_fortnight_of_tickets_what_the_lab_says(warehouse: Settings) -> None:
    since = datetime(2026, 2, 1, tzinfo=UTC)
    calls = calls_between(SITE, 7, since, since + timedelta(days=14))
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]
    assumed = AssumedPbx(
        model=known_model("avaya_ipoffice"),
        time_zone="Europe/Paris",
        country="FR",
        received_at=since + timedelta(days=15),
    )
    bodies = [Ticket(number, ticket.ticket) for number, ticket in enumerate(truth)]
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        parsed = [ticket.columns for ticket in parse_tickets(connection, assumed, bodies)]

    assert any(call.transferred_to for call in calls)
    for told, columns in zip(truth, parsed, strict=True):
        outside = "caller_number" if told.direction == "incoming" else "called_number"
        assert (
            columns["state"], columns["source_call_id"], columns["direction"], columns["outcome"],
            columns["ring_seconds"], columns["talk_seconds"], columns["extension"],
            columns["account_code"] or "",
        ) == (
            told.state, told.source_call_id, told.direction, told.outcome, told.ring_seconds,
            told.talk_seconds, told.extension, told.account_code,
        )  # fmt: skip
        assert datetime.fromisoformat(columns["started_at"]).isoformat() == told.started_at
        if told.direction != "internal":
            assert (columns[outside] or "") == told.outside_number
