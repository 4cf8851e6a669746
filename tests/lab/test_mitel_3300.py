"""The simulated Mitel: documented columns, and a truth that knows no more than they tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from lab.mitel_3300 import tickets_of
from lab.sites import SITES
from lab.traffic import Call

SITE = SITES[0].site
OUTGOING = Call(
    pbx_id="paris_hq",
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


def test_an_outgoing_call_stands_at_the_documented_columns() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 377)
    line = ticket.ticket
    assert len(line) == 131
    assert line[0] == "-"
    assert line[1:6] == "02/04"
    assert line[7:12] == "13:40"
    assert line[14:22] == "00:07:12"
    assert line[23:27] == "4216"
    assert line[29:32] == "   "
    assert line[33:59].rstrip() == "4216 00639981234"
    assert line[59] == "A"
    assert line[61:65] == "T006"
    assert line[72:84].rstrip() == "240117"
    assert line[85:88] == "010"
    assert line[113:122] == "M0100377A"


def test_an_incoming_call_names_the_caller_twice_and_counts_the_ringing() -> None:
    (ticket,) = tickets_of(INCOMING, SITE, 378)
    line = ticket.ticket
    assert line[23:27] == "T007"
    assert line[29:32] == "009"
    assert line[33:59].rstrip() == "0199005122 4216"
    assert line[61:65] == "4216"
    assert line[91:101] == "0199005122"


def test_a_missed_call_shows_stars_and_no_duration() -> None:
    missed = replace(INCOMING, outcome="busy", talk_seconds=0)
    line = tickets_of(missed, SITE, 1)[0].ticket
    assert line[14:22] == "00:00:00"
    assert line[29:32] == "***"
    assert line[59] == "B"


def test_the_truth_knows_no_more_than_the_ticket_tells() -> None:
    (ticket,) = tickets_of(OUTGOING, SITE, 1)
    assert ticket.started_at == "2026-02-04T12:40:00+00:00"
    assert ticket.ring_seconds is None


def test_a_transferred_call_belongs_to_the_third_party() -> None:
    (ticket,) = tickets_of(replace(INCOMING, transferred_to="4230"), SITE, 1)
    assert ticket.ticket[65] == "T"
    assert ticket.ticket[67:71] == "4230"
    assert ticket.extension == "4230"
