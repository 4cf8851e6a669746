"""Which fields say when a call was, and whether they mean its start, its answer or its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollhouse.layouts.drafting.choices import ENOUGH_SCORE, Survey
from tollhouse.layouts.drafting.guessing import Facts
from tollhouse.layouts.drafting.instants import NEW_YEAR, TimeGuess, read_instant
from tollhouse.layouts.drafting.text import of, shown

INSTANTS = ("started_at", "answered_at", "ended_at")
#: Instants of one call lie no further apart.
LONGEST_CALL = timedelta(days=1)
#: A clock that most tickets have not is the code of something else.
FEWEST_FILLED = 0.5
#: So many pairs of neighbours tell the order of a file.
FEWEST_NEIGHBOURS = 3

EXACT = ("iso8601", "epoch_seconds", "epoch_milliseconds")


@dataclass(frozen=True)
class Clock:
    """A field, or a date and a time of day, that names an instant.

    Attributes:
        names: of the fields.
        facts: of the field whose name says what the instant means.
        guess: format and values.
    """

    names: tuple[str, ...]
    facts: Facts
    guess: TimeGuess

    @property
    def is_exact(self) -> bool:
        """Whether its texts name instants in any zone."""
        return self.guess.format in EXACT or self.guess.format.endswith("Z")


def clocks_of(survey: Survey) -> list[Clock]:
    """Return what may name instants: whole ones, and dates with a time of day beside them."""
    whole = [
        Clock((facts.field.name,), facts, facts.instant)
        for facts in survey.facts
        if facts.instant is not None and _may_be_instant(survey, facts)
    ]
    return whole or _pairs(survey)


def _may_be_instant(survey: Survey, facts: Facts) -> bool:
    is_word = facts.instant is not None and facts.instant.format.startswith("epoch")
    other = survey.score(facts, "caller_number", "called_number", "source_call_id", "account_code")
    return not is_word or other < survey.score(facts, *INSTANTS, "instant") or not other


def _pairs(survey: Survey) -> list[Clock]:
    """Return each time of day with the date that stands nearest before it."""
    places = {facts.field.name: place for place, facts in enumerate(survey.facts)}
    dates = [facts for facts in survey.facts if facts.date is not None and _is_date(survey, facts)]
    found = []
    for facts in survey.facts:
        place = places[facts.field.name]
        before = survey.facts[place - 1] if place else facts
        is_behind_date = before is not facts and before in dates
        if facts.time_of_day is None or not dates:
            continue
        if not _is_time_of_day(survey, facts, is_behind_date=is_behind_date):
            continue
        others = [other for other in dates if other is not facts]
        if not others:
            continue
        day = min(
            others,
            key=lambda other: (
                -survey.score(other, "date"),
                places[other.field.name] > place,
                abs(places[other.field.name] - place),
            ),
        )
        found.append(Clock((day.field.name, facts.field.name), facts, _joined(day, facts)))
    return [clock for clock in found if clock.guess.count]


def _is_date(survey: Survey, facts: Facts) -> bool:
    return facts.kind == "date" or survey.score(facts, "date", *INSTANTS) >= ENOUGH_SCORE


def _is_time_of_day(survey: Survey, facts: Facts, *, is_behind_date: bool) -> bool:
    if survey.score(facts, "duration", "talk_seconds", "ring_seconds") >= ENOUGH_SCORE:
        return False
    if len(facts.filled) < FEWEST_FILLED * len(facts.field.values):
        return False
    # Where a date stands alone, what is written as a time behind it is its time of day.
    return (
        facts.kind == "clock"
        or is_behind_date
        or survey.score(facts, "clock", *INSTANTS) >= ENOUGH_SCORE
    )


def _joined(day: Facts, clock: Facts) -> TimeGuess:
    """Return what a date and a time of day make together."""
    dates, times = day.date, clock.time_of_day
    if dates is None or times is None:
        raise ValueError("a date and a time of day are needed")

    def values(of_dates: TimeGuess) -> tuple[datetime | None, ...]:
        zero = read_instant(f"{NEW_YEAR[0]}HH:mm", f"{NEW_YEAR[1]}00:00")
        return tuple(
            date + (time - zero) if date and time and zero else None
            for date, time in zip(of_dates.values, times.values, strict=True)
        )

    def guess(of_dates: TimeGuess, rivals: tuple[TimeGuess, ...] = ()) -> TimeGuess:
        read = values(of_dates)
        count = sum(value is not None for value in read)
        filled = min(of_dates.filled, times.filled)
        return TimeGuess(f"{of_dates.format} {times.format}", read, count, filled, rivals)

    return guess(dates, tuple(guess(rival) for rival in dates.rivals))


def choose_instants(survey: Survey, seconds: Sequence[int | None] | None) -> dict[str, Clock]:
    """Decide which clocks mean start, answer and end.

    Args:
        survey: of the sample; takes the choices.
        seconds: the duration of each ticket, where one is known: it tells start and end apart.

    Returns:
        The clocks by column.
    """
    clocks = clocks_of(survey)
    if not clocks:
        _hint_at_dates(survey)
        return {}
    meant, reasons = _by_name(survey, clocks)
    if not meant:
        meant, reasons = _by_order(survey, _of_one_call(clocks), seconds)
    for column in INSTANTS:
        if column in meant:
            _choose(survey, column, meant[column], reasons[column])
    return meant


def _by_name(survey: Survey, clocks: Sequence[Clock]) -> tuple[dict[str, Clock], dict[str, str]]:
    meant: dict[str, Clock] = {}
    for column in INSTANTS:
        scored = [
            (survey.score(clock.facts, column), clock.guess.count, clock)
            for clock in clocks
            if clock not in meant.values()
        ]
        score, _, clock = max(scored, key=lambda item: item[:2], default=(0.0, 0, clocks[0]))
        if score >= ENOUGH_SCORE:
            meant[column] = clock
    reasons = {
        column: f"the name {shown(clock.facts.field.title or '')} says so"
        for column, clock in meant.items()
    }
    return meant, reasons


def _of_one_call(clocks: Sequence[Clock]) -> list[Clock]:
    """Return the clocks that lie near the first one in all tickets, the earliest first."""
    first = max(clocks, key=lambda clock: clock.guess.count)
    near: list[tuple[float, Clock]] = []
    for clock in clocks:
        gaps = [
            (there - here).total_seconds()
            for here, there in zip(first.guess.values, clock.guess.values, strict=True)
            if here is not None and there is not None
        ]
        is_near = gaps and all(abs(gap) <= LONGEST_CALL.total_seconds() for gap in gaps)
        if is_near and clock.guess.values not in [other.guess.values for _, other in near]:
            near.append((sum(gaps) / len(gaps), clock))
    near.sort(key=lambda pair: pair[0])
    return [clock for _, clock in near]


def _by_order(
    survey: Survey, clocks: list[Clock], seconds: Sequence[int | None] | None
) -> tuple[dict[str, Clock], dict[str, str]]:
    if len(clocks) >= 3:
        why = "no name says so: of several instants of a ticket it is the {}"
        meant = {"started_at": clocks[0], "answered_at": clocks[1], "ended_at": clocks[-1]}
        words = ("earliest", "second", "latest")
        return meant, dict(zip(INSTANTS, (why.format(word) for word in words), strict=True))
    if len(clocks) == 2:
        second = _meaning_of_second(clocks, seconds)
        why = "of the two instants of a ticket it is the {}"
        reasons = {"started_at": why.format("earlier"), second: why.format("later")}
        return {"started_at": clocks[0], second: clocks[1]}, reasons
    column, reason, doubt = _meaning_of_one(survey, clocks[0], seconds)
    if doubt:
        survey.doubts.append(f"{column}: {doubt}")
    return {column: clocks[0]}, {column: reason}


def _meaning_of_second(clocks: Sequence[Clock], seconds: Sequence[int | None] | None) -> str:
    """Return what the later of two instants is: a call may last longer than what is between."""
    pairs = [
        ((later - earlier).total_seconds(), length)
        for earlier, later, length in zip(
            clocks[0].guess.values, clocks[1].guess.values, seconds or (), strict=False
        )
        if earlier is not None and later is not None and length
    ]
    shorter = sum(gap < length - 1 for gap, length in pairs)
    return "answered_at" if shorter * 2 > len(pairs) else "ended_at"


def _meaning_of_one(
    survey: Survey, clock: Clock, seconds: Sequence[int | None] | None
) -> tuple[str, str, str | None]:
    """Return what the only instant means by the order of the file, the reason, and the doubt.

    A PBX writes a ticket when the call is over: its file is in the order of ends.
    """
    moments = clock.guess.values
    ends = [
        None if moment is None or length is None else moment + timedelta(seconds=length)
        for moment, length in zip(moments, seconds or [None] * len(moments), strict=True)
    ]
    pairs = [
        (a, b, c, d)
        for a, b, c, d in zip(moments, moments[1:], ends, ends[1:], strict=False)
        if a is not None and b is not None and c is not None and d is not None
    ]
    in_order = sum(earlier <= later for earlier, later, _, _ in pairs)
    in_order_of_ends = sum(earlier <= later for _, _, earlier, later in pairs)
    name = " and ".join(clock.names)
    check = f"whether {name} is the start, the answer or the end of a call: ask who writes the file"
    if len(pairs) < FEWEST_NEIGHBOURS or seconds is None:
        return "started_at", "too little to tell start from end: start is the usual", check
    if in_order_of_ends == len(pairs) and in_order < len(pairs):
        reason = "the file is in the order of this time + duration, as one of starts is"
        return "started_at", reason, f"{check} (the order of the file speaks for start or answer)"
    if in_order == len(pairs) and in_order_of_ends < len(pairs):
        reason = "the file is in the order of this time, not of this time + duration"
        if survey.shape.kind in ("fixed", "pattern"):
            return "ended_at", f"{reason}: a PBX writes when a call is over", check
        return "started_at", f"{reason}: the clock of ends, or sorted by starts", check
    reason = "the order of the file fits start and end alike: start is the usual"
    return "started_at", reason, check


def _choose(survey: Survey, column: str, clock: Clock, why: str) -> None:
    guess = clock.guess
    reading: dict[str, object] = {
        "from": clock.names[0] if len(clock.names) == 1 else list(clock.names),
        "format": guess.format,
        "zone": "utc" if clock.is_exact else "pbx",
    }
    verb = "looks" if guess.filled == 1 else "look"
    looks = f"{of(guess.count, guess.filled)} {verb} like {guess.format}"
    reasons = [looks, why]
    if guess.rivals:
        rival = guess.rivals[0]
        told = f"{rival.format} would read them all too"
        if (rival.span, rival.descents) != (guess.span, guess.descents):
            told += f"; read so, they lie {rival.span.days} days apart instead of {guess.span.days}"
        reasons.append(told)
        question = (
            f"{guess.format} or {rival.format}? The sample cannot tell; look at a day after the "
            "12th of a month"
        )
        if not any(question in doubt for doubt in survey.doubts):
            survey.doubts.append(f"{column}: {question}")
    if clock.is_exact:
        reasons.append("it names an instant in any zone")
    elif column == min(set(INSTANTS) & ({column} | set(survey.choices)), key=INSTANTS.index):
        survey.doubts.append(
            f"{column}: the clock is taken for that of the PBX's own time zone; carriers often "
            "write UTC (zone: utc)"
        )
    empty = sum(value is None for value in guess.values)
    if empty and guess.count == guess.filled and column != "answered_at":
        survey.doubts.append(f"{column}: empty in {of(empty, len(guess.values), 'ticket')}")
    survey.choose(column, reading, "; ".join(reasons))


def _hint_at_dates(survey: Survey) -> None:
    dates = [
        facts.field.name
        for facts in survey.facts
        if facts.date is not None and facts.kind == "date"
    ]
    times = [facts.field.name for facts in survey.facts if facts.time_of_day is not None]
    if dates:
        survey.hints["instant"] = (
            f"dates alone are in {', '.join(dates)}; no time of day beside them"
        )
    elif times:
        survey.hints["instant"] = f"times of day are in {', '.join(times[:3])}; no date beside them"
