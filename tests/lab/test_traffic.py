"""The invented calls: repeatable, plausible, and with numbers that belong to nobody."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from lab.sites import SITES
from lab.traffic import (
    PARIS,
    Call,
    Site,
    calls_between,
    calls_of_day,
    day_factor,
    easter_sunday,
    is_french_holiday,
)

SITE = SITES[0].site
BUSY_SITE = Site("busy", 4000, 4999, "0199001000", calls_per_working_day=3000)
MONTH_START = datetime(2026, 9, 30, 22, tzinfo=UTC)
MONTH_END = datetime(2026, 10, 31, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def working_day() -> list[Call]:
    return list(calls_of_day(BUSY_SITE, 1, date(2026, 10, 6)))


def test_the_same_seed_tells_the_same_story() -> None:
    assert calls_between(SITE, 7, MONTH_START, MONTH_END) == calls_between(
        SITE, 7, MONTH_START, MONTH_END
    )
    assert calls_between(SITE, 7, MONTH_START, MONTH_END) != calls_between(
        SITE, 8, MONTH_START, MONTH_END
    )


def test_slices_of_time_hold_every_call_once() -> None:
    cuts = [MONTH_START, MONTH_START + timedelta(days=9, hours=11, minutes=13), MONTH_END]
    sliced = [
        call for after, until in pairwise(cuts) for call in calls_between(SITE, 1, after, until)
    ]
    assert sliced == calls_between(SITE, 1, MONTH_START, MONTH_END)


def test_calls_come_in_the_order_of_their_ends() -> None:
    ends = [call.ended_at for call in calls_between(SITE, 1, MONTH_START, MONTH_END)]
    assert ends == sorted(ends)


def test_hardly_anybody_phones_at_weekends_and_on_holidays() -> None:
    assert day_factor(date(2026, 10, 6)) == 1.0
    assert day_factor(date(2026, 10, 10)) < 0.2
    assert day_factor(date(2026, 10, 11)) < 0.1
    assert day_factor(date(2026, 11, 11)) < 0.1


@pytest.mark.parametrize(
    ("year", "easter"),
    [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5))],
)
def test_movable_holidays_follow_easter(year: int, easter: date) -> None:
    assert easter_sunday(year) == easter
    assert is_french_holiday(easter + timedelta(days=1))
    assert is_french_holiday(easter + timedelta(days=39))
    assert not is_french_holiday(easter + timedelta(days=2))


def test_the_day_has_two_peaks_and_a_lunch_dip(working_day: list[Call]) -> None:
    by_hour = Counter(call.started_at.astimezone(PARIS).hour for call in working_day)
    assert by_hour[10] > by_hour[12] * 1.5
    assert by_hour[15] > by_hour[12] * 1.5
    assert sum(by_hour[hour] for hour in range(8, 19)) > 0.97 * len(working_day)


def test_talk_times_have_the_published_shape(working_day: list[Call]) -> None:
    talks = [call.talk_seconds for call in working_day if call.outcome == "answered"]
    assert 150 < statistics.mean(talks) < 205
    assert 70 < statistics.median(talks) < 105
    assert all(call.talk_seconds == 0 for call in working_day if call.outcome != "answered")


def test_about_six_outgoing_attempts_in_ten_are_answered(working_day: list[Call]) -> None:
    outgoing = [call for call in working_day if call.direction == "outgoing"]
    answered = sum(call.outcome == "answered" for call in outgoing) / len(outgoing)
    assert 0.57 < answered < 0.67


def test_every_kind_of_destination_is_called(working_day: list[Call]) -> None:
    kinds = Counter(call.destination for call in working_day if call.direction == "outgoing")
    assert set(kinds) == {
        "national_fixed", "national_mobile", "international", "free", "special", "emergency",
    }  # fmt: skip
    assert kinds["national_fixed"] > kinds["international"] > kinds["emergency"]


def test_every_month_opens_with_a_test_call() -> None:
    first = calls_between(SITE, 1, MONTH_END, MONTH_END + timedelta(minutes=5))
    assert [call.direction for call in first] == ["internal"]


def test_direct_numbers_follow_the_extensions() -> None:
    assert SITE.public_number("4216") == "0199001216"
