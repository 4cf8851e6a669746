"""How long a PBX has been silent, counted in its busy hours: a night is not an alarm."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tollhouse.installed_pbxs import Pbx

#: Longer silences are not counted on: the number of busy hours says nothing more by then.
LONGEST_SILENCE = timedelta(days=400)


def busy_time(pbx: Pbx, since: datetime, until: datetime) -> timedelta:
    """Return how much of a stretch of time lies in the busy hours of a PBX."""
    zone = ZoneInfo(pbx.time_zone)
    hours = pbx.busy_hours
    since = max(since, until - LONGEST_SILENCE)
    total = timedelta()
    day = since.astimezone(zone).date()
    last_day = until.astimezone(zone).date()
    while day <= last_day:
        if day.weekday() in hours.days and (
            hours.on_holidays or day not in public_holidays(pbx.country)
        ):
            opening = _instant(day, hours.from_minute, zone)
            closing = _instant(day, hours.to_minute, zone)
            total += max(timedelta(), min(closing, until) - max(opening, since))
        day += timedelta(days=1)
    return total


def is_silent(pbx: Pbx, since: datetime, now: datetime) -> bool:
    """Whether nothing has come for more busy hours than the entry of the PBX allows."""
    return busy_time(pbx, since, now) > timedelta(hours=pbx.silent_after_hours)


@lru_cache(maxsize=64)
def public_holidays(country: str) -> Container[date]:
    """Return the public holidays of a country; none where the list of countries lacks it."""
    import holidays  # the calendars of all countries: a tenth of a second, only where needed

    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return frozenset()


def _instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the instant of a minute of a local day; minute 1,440 is the next day's first."""
    midnight = datetime.combine(day, time(), zone)
    # Added to the wall clock, so that 18:00 is 18:00 on the day of a change of clocks too.
    return (midnight + timedelta(minutes=minute)).astimezone(UTC)
