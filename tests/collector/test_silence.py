"""When silence is an alarm: only in the hours in which people telephone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from tollhouse.collector.silence import busy_time, is_silent
from tollhouse.installed_pbxs import Pbx

PARIS = ZoneInfo("Europe/Paris")


def pbx(**keys: Any) -> Pbx:
    entry = {"id": "paris_hq", "model": "mitel_3300", "time_zone": "Europe/Paris", "country": "FR"}
    return Pbx.model_validate(entry | keys)


def paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


def busy_hours(since: str, until: str, **keys: Any) -> float:
    return busy_time(pbx(**keys), paris(since), paris(until)) / timedelta(hours=1)


def test_a_night_and_a_weekend_do_not_count() -> None:
    assert busy_hours("2026-10-06 18:30", "2026-10-07 07:45") == 0
    # Friday 17:00 to Monday 09:00.
    assert busy_hours("2026-10-09 17:00", "2026-10-12 09:00") == 2


def test_what_counts_is_the_part_within_the_hours() -> None:
    assert busy_hours("2026-10-07 09:15", "2026-10-07 11:00") == 1.75
    assert busy_hours("2026-10-07 07:00", "2026-10-07 23:00") == 10
    assert busy_hours("2026-10-05 08:00", "2026-10-12 08:00") == 50


def test_a_public_holiday_of_the_country_is_no_busy_day() -> None:
    # Bastille Day 2026 is a Tuesday; in Germany it is a day like another.
    assert busy_hours("2026-07-14 00:00", "2026-07-15 00:00") == 0
    assert busy_hours("2026-07-14 00:00", "2026-07-15 00:00", country="DE") == 10
    assert (
        busy_hours("2026-07-14 00:00", "2026-07-15 00:00", busy_hours={"on_holidays": True}) == 10
    )


def test_a_country_without_known_holidays_has_none() -> None:
    assert busy_hours("2026-07-14 00:00", "2026-07-15 00:00", country="XK") == 10


def test_the_hours_are_those_of_the_pbx_and_not_of_the_collector() -> None:
    pacific = pbx(time_zone="Pacific/Noumea", country="NC")
    noumea = ZoneInfo("Pacific/Noumea")
    since = datetime(2026, 10, 7, 7, 0, tzinfo=noumea)
    assert busy_time(pacific, since, since + timedelta(hours=3)) == timedelta(hours=2)
    assert busy_time(pbx(), since, since + timedelta(hours=3)) == timedelta()


def test_a_change_of_clocks_neither_makes_nor_takes_an_hour_of_the_day() -> None:
    whole_day = {"days": "sun", "from": "00:00", "to": "24:00"}
    assert busy_hours("2026-10-25 00:00", "2026-10-26 00:00", busy_hours=whole_day) == 25
    assert busy_hours("2026-03-29 00:00", "2026-03-30 00:00", busy_hours=whole_day) == 23
    office = {"days": "sun"}
    assert busy_hours("2026-10-25 00:00", "2026-10-26 00:00", busy_hours=office) == 10


def test_silence_begins_behind_the_threshold() -> None:
    monday = paris("2026-10-05 10:00")
    assert not is_silent(pbx(), monday, paris("2026-10-05 18:00"))
    assert not is_silent(pbx(), monday, paris("2026-10-06 08:00"))
    assert is_silent(pbx(), monday, paris("2026-10-06 08:01"))
    assert not is_silent(pbx(silent_after_hours=20), monday, paris("2026-10-07 10:00"))
    assert is_silent(pbx(silent_after_hours=20), monday, paris("2026-10-07 10:01"))


def test_a_pbx_that_was_heard_years_ago_is_silent_and_quickly_known_to_be() -> None:
    assert is_silent(pbx(), paris("1970-01-01 00:00"), paris("2026-10-05 10:00"))


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("mon, wed, sat-sun", {0, 2, 5, 6}),
        ("sat-mon", {5, 6, 0}),
        ("sun", {6}),
    ],
)
def test_days_are_written_by_name(written: str, days: set[int]) -> None:
    assert pbx(busy_hours={"days": written}).busy_hours.days == days


def test_times_may_lack_their_quotes_in_yaml() -> None:
    hours = pbx(busy_hours={"from": "08:30", "to": 18 * 60}).busy_hours
    assert (hours.from_minute, hours.to_minute) == (510, 1080)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"days": "monday"}, "days are written as mon-fri"),
        ({"days": ""}, "days are written as mon-fri"),
        ({"from": "8h"}, "a time of day is written"),
        ({"from": "08:60"}, "a time of day is written"),
        ({"to": "24:01"}, "a time of day is written"),
        ({"from": True}, "a time of day is written"),
        ({"from": "22:00", "to": "06:00"}, "end before they begin"),
        ({"until": "18:00"}, "Extra inputs"),
    ],
)
def test_hours_that_do_not_hold_are_refused(written: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        pbx(busy_hours=written)
