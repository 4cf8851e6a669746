"""The calls of a company, invented from a seed: the script that every simulated PBX plays.

Volumes, hours and durations follow published figures of business traffic: two peaks a day with a
lunch dip, hardly anything on Saturdays, Sundays and French public holidays, 62 % of outgoing
attempts answered, talk times from a mixture of three lognormals (mean about 3 minutes, median under
90 seconds). Few numbers get many calls and many get few.

A day of a PBX depends on the seed, the PBX and the date alone, so the same calls come out however
often and in whatever slices they are asked for. Outside parties have numbers kept for fiction.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

Choice = TypeVar("Choice")
Direction = Literal["outgoing", "incoming", "internal"]
Outcome = Literal["answered", "no_answer", "busy", "failed"]

PARIS = ZoneInfo("Europe/Paris")
LONGEST_TALK_SECONDS = 3 * 3600

#: Percentage of a working day's calls that start in each hour; the other hours share one percent.
CALLS_BY_HOUR = {8: 6, 9: 11, 10: 13, 11: 12, 12: 5, 13: 6, 14: 11, 15: 12, 16: 11, 17: 8, 18: 4}
NIGHT_PERCENT = 1

#: Volume of a day against a working day.
SATURDAY, SUNDAY, HOLIDAY = 0.15, 0.05, 0.05

#: Weight, median in seconds and sigma of each lognormal of the talk time.
TALK_MIXTURE = ((0.15, 10.3, 0.55), (0.60, 77.8, 0.83), (0.25, 296.0, 0.89))

OUTCOMES: dict[Direction, dict[Outcome, float]] = {
    "outgoing": {"answered": 62, "no_answer": 26, "busy": 10, "failed": 2},
    "incoming": {"answered": 82, "no_answer": 14, "busy": 4},
    "internal": {"answered": 76, "no_answer": 18, "busy": 6},
}
DIRECTIONS: dict[Direction, float] = {"outgoing": 46, "incoming": 33, "internal": 21}

#: What outgoing calls are made to, in percent.
DESTINATIONS = {
    "national_fixed": 46.0,
    "national_mobile": 38.0,
    "international": 7.5,
    "free": 4.0,
    "special": 3.5,
    "emergency": 1.0,
}

#: Beginnings of numbers kept for fiction, by destination, and how many digits follow. National and
#: short numbers as dialled in France; international ones after 00.
NUMBER_BEGINNINGS: dict[str, tuple[tuple[str, int], ...]] = {
    "national_fixed": (
        ("0199005", 3), ("0199006", 3), ("0261910", 3), ("0261914", 3),
        ("0353015", 3), ("0353017", 3), ("0465715", 3), ("0536490", 3),
    ),
    "national_mobile": (("063998", 4),),
    "international": (
        ("0044207946", 4), ("00447700900", 3), ("004930231", 5), ("0012125550", 3),
        ("0046846500", 3), ("003531209", 4), ("0061255501", 3),
    ),
    "free": (("08000000", 2), ("08050000", 2), ("3000", 0)),
    "special": (("08920000", 2), ("08250000", 2), ("3201", 0), ("118000", 0)),
    "emergency": (("15", 0), ("17", 0), ("18", 0), ("112", 0)),
}  # fmt: skip

#: How many different numbers of each kind one company calls.
NUMBERS_KNOWN = {
    "national_fixed": 160,
    "national_mobile": 140,
    "international": 40,
    "free": 6,
    "special": 6,
    "emergency": 4,
}


@dataclass(frozen=True)
class Site:
    """One company site with its PBX.

    Attributes:
        first_extension: its extensions are numbered from here ...
        last_extension: ... to here.
        public_base: public number of the first extension, in national form.
        calls_per_working_day: mean of a working day.
        account_codes: codes that some callers enter before the number.
    """

    pbx_id: str
    first_extension: int
    last_extension: int
    public_base: str
    calls_per_working_day: float
    time_zone: ZoneInfo = PARIS
    account_codes: tuple[str, ...] = ()

    def public_number(self, extension: str) -> str:
        """Direct number of an extension, in national form."""
        width = len(self.public_base)
        return f"{int(self.public_base) + int(extension) - self.first_extension:0{width}d}"


@dataclass(frozen=True)
class Call:
    """One call as it happened.

    Attributes:
        number: counts the calls of a site's day from 0.
        outside_number: the party outside as dialled in France (0…, 00…, short); empty when it hid
            its number, and for internal calls.
        extension: the caller of outgoing and internal calls, the called of incoming ones.
        other_extension: the called party of internal calls.
        transferred_to: the extension that took the call over, if any ...
        transferred_after_seconds: ... after so many seconds of talk.
    """

    pbx_id: str
    day: date
    number: int
    direction: Direction
    outcome: Outcome
    started_at: datetime
    ring_seconds: int
    talk_seconds: int
    extension: str
    destination: str = ""
    outside_number: str = ""
    other_extension: str = ""
    account_code: str = ""
    transferred_to: str = ""
    transferred_after_seconds: int = 0

    @property
    def ended_at(self) -> datetime:
        """When the line was free again; PBXs write the ticket then."""
        return self.started_at + timedelta(seconds=self.ring_seconds + self.talk_seconds)

    @property
    def call_id(self) -> str:
        """Identity of the call in the lab's truth."""
        return f"{self.pbx_id}/{self.day:%Y%m%d}/{self.number}"


def in_e164(number: str) -> str:
    """Return a number that is dialled in France as networks write it; short ones as they are."""
    if number.startswith("00"):
        return f"+{number[2:]}"
    return f"+33{number[1:]}" if number.startswith("0") else number


def calls_between(site: Site, seed: int, after: datetime, until: datetime) -> list[Call]:
    """Return the calls of a site that ended in (after, until], in the order of their ends."""
    first_day = (after - timedelta(seconds=LONGEST_TALK_SECONDS + 600)).astimezone(site.time_zone)
    last_day = until.astimezone(site.time_zone)
    calls = []
    day = first_day.date()
    while day <= last_day.date():
        calls += [call for call in calls_of_day(site, seed, day) if after < call.ended_at <= until]
        day += timedelta(days=1)
    return sorted(calls, key=lambda call: (call.ended_at, call.started_at, call.number))


def calls_of_day(site: Site, seed: int, day: date) -> Iterator[Call]:
    """Invent the calls that start on a civil day of the site."""
    contacts = _contacts(site, seed)
    # S311: repeatable on purpose, nothing here is secret.
    chance = random.Random(f"{seed}/{site.pbx_id}/{day:%Y-%m-%d}")
    mean = site.calls_per_working_day * day_factor(day)
    count = max(0, round(chance.gauss(mean, mean**0.5)))
    for number in range(count):
        yield _invent_call(site, chance, contacts, day, number)
    if day.day == 1:
        yield _line_test(site, day, count)


def day_factor(day: date) -> float:
    """Volume of a day against a working day."""
    if is_french_holiday(day):
        return HOLIDAY
    return {5: SATURDAY, 6: SUNDAY}.get(day.weekday(), 1.0)


def is_french_holiday(day: date) -> bool:
    """Whether a day is a public holiday of metropolitan France."""
    fixed = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
    easter = easter_sunday(day.year)
    movable = {easter + timedelta(days=days) for days in (1, 39, 50)}
    return (day.month, day.day) in fixed or day in movable


def easter_sunday(year: int) -> date:
    """Easter of the Gregorian calendar (the anonymous algorithm of 1876)."""
    golden, century, in_century = year % 19, year // 100, year % 100
    leap_centuries, rest = divmod(century, 4)
    moon_correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon_correction + 15) % 30
    leap_years, odd_years = divmod(in_century, 4)
    weekday = (32 + 2 * rest + 2 * leap_years - epact - odd_years) % 7
    adjustment = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * adjustment + 114, 31)
    return date(year, month, day + 1)


def _contacts(site: Site, seed: int) -> dict[str, list[str]]:
    """The numbers that this company calls and is called from, the most frequent first."""
    chance = random.Random(f"{seed}/{site.pbx_id}/contacts")
    contacts = {}
    for destination, beginnings in NUMBER_BEGINNINGS.items():
        numbers: dict[str, None] = {}
        while len(numbers) < NUMBERS_KNOWN[destination]:
            beginning, digits = chance.choice(beginnings)
            ending = f"{chance.randrange(10**digits):0{digits}d}" if digits else ""
            numbers[beginning + ending] = None
        contacts[destination] = list(numbers)
    return contacts


def _invent_call(
    site: Site, chance: random.Random, contacts: dict[str, list[str]], day: date, number: int
) -> Call:
    direction = _pick(chance, DIRECTIONS)
    outcome = _pick(chance, OUTCOMES[direction])
    extension = _extension(site, chance)
    destination = outside_number = other_extension = account_code = ""
    if direction == "outgoing":
        destination = _pick(chance, DESTINATIONS)
        outside_number = _by_rank(chance, contacts[destination])
        if site.account_codes and chance.random() < 0.06:
            account_code = chance.choice(site.account_codes)
    elif direction == "incoming":
        is_hidden = chance.random() < 0.05
        kind = "national_mobile" if chance.random() < 0.45 else "national_fixed"
        outside_number = "" if is_hidden else _by_rank(chance, contacts[kind])
    else:
        other_extension = _other_extension(site, chance, extension)
    talk_seconds = _talk_seconds(chance) if outcome == "answered" else 0
    transferred_to, transferred_after = "", 0
    if direction == "incoming" and talk_seconds >= 20 and chance.random() < 0.05:
        transferred_to = _other_extension(site, chance, extension)
        transferred_after = chance.randrange(5, talk_seconds // 2)
    return Call(
        pbx_id=site.pbx_id,
        day=day,
        number=number,
        direction=direction,
        outcome=outcome,
        started_at=_start(site, chance, day),
        ring_seconds=_ring_seconds(chance, outcome),
        talk_seconds=talk_seconds,
        extension=extension,
        destination=destination,
        outside_number=outside_number,
        other_extension=other_extension,
        account_code=account_code,
        transferred_to=transferred_to,
        transferred_after_seconds=transferred_after,
    )


def _line_test(site: Site, day: date, number: int) -> Call:
    """The test call that opens each month: no source has been silent since then."""
    midnight = datetime.combine(day, time(), site.time_zone).astimezone(UTC)
    return Call(
        pbx_id=site.pbx_id,
        day=day,
        number=number,
        direction="internal",
        outcome="answered",
        started_at=midnight + timedelta(minutes=1),
        ring_seconds=2,
        talk_seconds=3,
        extension=str(site.first_extension),
        other_extension=str(site.first_extension + 1),
    )


def _pick(chance: random.Random, weights: dict[Choice, float]) -> Choice:
    return chance.choices(list(weights), list(weights.values()))[0]


def _by_rank(chance: random.Random, numbers: list[str]) -> str:
    """Zipf: the first number is called ten times as often as the tenth."""
    weights = [1 / rank for rank in range(1, len(numbers) + 1)]
    return chance.choices(numbers, weights)[0]


def _extension(site: Site, chance: random.Random) -> str:
    # A square favours the low extensions, as reception and sales phone more than the workshop.
    span = site.last_extension - site.first_extension + 1
    return str(site.first_extension + int(span * chance.random() ** 2))


def _other_extension(site: Site, chance: random.Random, extension: str) -> str:
    while (other := _extension(site, chance)) == extension:
        pass
    return other


def _start(site: Site, chance: random.Random, day: date) -> datetime:
    if chance.random() * 100 < NIGHT_PERCENT:
        hour = chance.choice([hour for hour in range(24) if hour not in CALLS_BY_HOUR])
    else:
        hour = chance.choices(list(CALLS_BY_HOUR), list(CALLS_BY_HOUR.values()))[0]
    wall = datetime.combine(day, time(hour), site.time_zone)
    # Added in UTC: an hour that the clock change repeats or leaves out is passed over once.
    return wall.astimezone(UTC) + timedelta(seconds=chance.randrange(3600))


def _ring_seconds(chance: random.Random, outcome: Outcome) -> int:
    if outcome == "answered":
        return min(60, 2 + round(chance.lognormvariate(1.9, 0.6)))
    if outcome == "no_answer":
        return chance.randrange(8, 46)
    return chance.randrange(1, 6)


def _talk_seconds(chance: random.Random) -> int:
    weights = [weight for weight, _, _ in TALK_MIXTURE]
    _, median, sigma = chance.choices(TALK_MIXTURE, weights)[0]
    seconds = median * chance.lognormvariate(0, sigma)
    return max(1, min(LONGEST_TALK_SECONDS, round(seconds)))
