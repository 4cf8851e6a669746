"""The simulated OpenScape: elements between bars, clocks of the end, and a truth that holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lab.traffic import Call, Site, calls_between
from lab.unify_openscape import SIMULATOR, tickets_of
from tollhouse.framing import Ticket
from tollhouse.parsing import AssumedPbx, known_model, parse_tickets
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

SITE = Site(
    pbx_id="reims_cellar",
    first_extension=4200,
    last_extension=4299,
    public_base="0199001200",
    calls_per_working_day=100,
    account_codes=("240117",),
)
OUTGOING = Call(
    pbx_id="reims_cellar",
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


def test_an_outgoing_call_ends_when_its_ticket_says() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 3)
    assert ticket.ticket == (
        "04.02.26|13:47:52|204|4216||00:07:12|0639981234||2|240117|0199001216|||"
    )
    assert ticket.started_at == "2026-02-04T12:40:40+00:00", "the ringing is not shown"
    assert ticket.ring_seconds is None


def test_a_missed_call_shows_how_long_it_rang_and_no_conversation() -> None:
    (ticket,) = tickets_of(replace(INCOMING, outcome="no_answer", talk_seconds=0), SITE, 3)
    assert ticket.ticket == "04.02.26|13:40:40|204|4216|00:09||0199005122||1||0199001216|||"
    assert ticket.outcome == "no_answer"


def test_an_outgoing_call_that_nobody_took_lasts_no_time() -> None:
    (ticket,) = tickets_of(replace(OUTGOING, outcome="busy", talk_seconds=0), SITE, 3)
    assert ticket.ticket.split("|")[5] == "00:00:00"


def test_a_transferred_call_is_a_ticket_for_each_extension() -> None:
    transferred = replace(INCOMING, transferred_to="4230", transferred_after_seconds=30)
    first, second = (ticket.ticket.split("|") for ticket in tickets_of(transferred, SITE, 3))
    assert (first[1], first[3], first[5], first[8]) == ("13:41:10", "4216", "00:00:30", "1")
    assert (second[1], second[3], second[5], second[8]) == ("13:47:52", "4230", "00:06:42", "35")


def test_internal_calls_leave_no_ticket() -> None:
    internal = replace(OUTGOING, direction="internal", outside_number="", other_extension="4217")
    assert tickets_of(internal, SITE, 3) == []


def test_a_line_ends_as_on_a_serial_port() -> None:
    assert SIMULATOR.encode("1|2|") == b"1|2|\r\n"


@pytest.mark.postgres
def test_staging_finds_in_a_fortnight_of_tickets_what_the_lab_says(warehouse: Settings) -> None:
    since = datetime(2026, 2, 1, tzinfo=UTC)
    calls = calls_between(SITE, 7, since, since + timedelta(days=14))
    truth = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]
    assumed = AssumedPbx(
        model=known_model("unify_openscape"),
        time_zone="Europe/Paris",
        country="FR",
        received_at=since + timedelta(days=15),
    )
    bodies = [Ticket(number, ticket.ticket) for number, ticket in enumerate(truth)]
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        parsed = [ticket.columns for ticket in parse_tickets(connection, assumed, bodies)]

    assert {ticket.state for ticket in truth} == {"ticket", "ignored"}
    for told, columns in zip(truth, parsed, strict=True):
        assert columns["state"] == told.state
        if told.state == "ignored":
            continue
        outside = "caller_number" if told.direction == "incoming" else "called_number"
        assert (
            columns["direction"], columns["outcome"], columns["ring_seconds"],
            columns["talk_seconds"], columns["extension"], columns["account_code"] or "",
            columns[outside] or "",
        ) == (
            told.direction, told.outcome, told.ring_seconds, told.talk_seconds, told.extension,
            told.account_code, told.outside_number,
        )  # fmt: skip
        assert datetime.fromisoformat(columns["started_at"]).isoformat() == told.started_at
