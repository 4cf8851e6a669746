"""The answer key: written whole, gone on with, counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lab.truth import TicketTruth, expected_counts, open_ledger, read_truth

SINCE = datetime(2026, 10, 1, tzinfo=UTC)
UNTIL = datetime(2026, 10, 2, tzinfo=UTC)
LEG = TicketTruth(
    call_id="paris_hq/20261001/1",
    source_call_id="M0100001",
    state="ticket",
    direction="outgoing",
    outcome="answered",
    started_at="2026-10-01T08:00:00+00:00",
    ring_seconds=None,
    talk_seconds=61,
    extension="4216",
    outside_number="0199005001",
    destination="national_fixed",
    account_code="",
    written_at="2026-10-01T08:01:10+00:00",
    ticket="é",
)


def test_a_new_lab_starts_where_it_is_told(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, "paris_hq", seed=3, since=SINCE)
    assert (ledger.until, ledger.calls_sent, ledger.tickets) == (SINCE, 0, [])


def test_a_later_lab_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    open_ledger(tmp_path, "paris_hq", seed=3, since=SINCE).add([LEG], call_count=1, until=UNTIL)
    again = open_ledger(tmp_path, "paris_hq", seed=99, since=UNTIL)
    assert (again.seed, again.since, again.until) == (3, SINCE, UNTIL)
    assert (again.calls_sent, again.tickets) == (1, [LEG])


def test_the_count_knows_legs_from_what_is_not_one(tmp_path: Path) -> None:
    sent = [
        LEG,
        replace(LEG, talk_seconds=0, outcome="no_answer", source_call_id="M0100002"),
        replace(LEG, direction="incoming", talk_seconds=9),
        replace(LEG, state="ignored", talk_seconds=61),
    ]
    open_ledger(tmp_path, "paris_hq", seed=3, since=SINCE).add(sent, call_count=2, until=UNTIL)
    counts = expected_counts(tmp_path, "paris_hq")
    assert counts.tickets == 4
    assert counts.tickets_by_state == {"ticket": 3, "ignored": 1}
    assert (counts.calls, counts.talk_seconds) == (2, 70)
    assert counts.legs_by_direction == {"outgoing": (2, 61), "incoming": (1, 9)}
    assert counts.legs_by_extension == {"4216": (3, 70)}
    assert (counts.outgoing_answered, counts.outgoing_not_answered) == (1, 1)


def test_a_pbx_that_never_played_has_no_truth(tmp_path: Path) -> None:
    assert read_truth(tmp_path, "paris_hq") == []
