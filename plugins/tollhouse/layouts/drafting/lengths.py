"""Which fields say how long a call lasted and rang, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from tollhouse.layouts.declaration.readings import DurationFormat
from tollhouse.layouts.drafting.choices import Survey
from tollhouse.layouts.drafting.clocks import Clock, clocks_of
from tollhouse.layouts.drafting.durations import LONGEST_USUAL_SECONDS, DurationGuess
from tollhouse.layouts.drafting.guessing import Facts
from tollhouse.layouts.drafting.text import of, shown
from tollhouse.layouts.drafting.words import unit_of

ENOUGH_SHARE = 0.9
#: Clocks and counters of a PBX round on their own.
TOLERANCE_SECONDS = 1
#: A field with fewer values is a code.
FEW_VALUES = 3
#: Nobody writes the seconds of a call with two decimals, and minutes are few.
MOST_MINUTES = 300

DURATION_ROLES = ("talk_seconds", "duration", "ring_seconds")
OTHER_ROLES = (
    "source_call_id", "leg_number", "extension", "caller_number", "called_number", "account_code",
    "authorization_code", "trunk_in", "trunk_out", "pulses", "pbx_charge_amount", "outcome",
    "direction",
)  # fmt: skip


def seconds_of_tickets(survey: Survey) -> Sequence[int | None] | None:
    """Return the likeliest duration of each ticket, before anything is decided."""
    facts = _named(survey, "talk_seconds") or _named(survey, "duration") or _unnamed(survey)
    guess = _guess(facts) if facts else None
    return guess.seconds if guess else None


def choose_durations(survey: Survey, clocks: Mapping[str, Clock]) -> None:
    """Decide which fields are talk time and ringing."""
    talk = _named(survey, "talk_seconds")
    whole = _named(survey, "duration")
    ring = _named(survey, "ring_seconds")
    is_a_guess = False
    if talk is None and whole is None:
        talk = _told_by_clocks(survey, clocks, "answered_at")
        whole = _told_by_clocks(survey, clocks, "started_at", without=talk) or (
            _unnamed(survey) if talk is None else None
        )
    if talk is None and whole is None:
        talk, is_a_guess = _only_number(survey), True
    chosen = talk or whole
    if chosen is None:
        _choose_between(survey, clocks)
        return
    guess = _with_unit(survey, chosen, clocks, "talk_seconds")
    reasons = [_looks_like(guess), _name_says(chosen)]
    reading: dict[str, object] = {"from": chosen.field.name, **_format(guess)}
    doubt = None
    if is_a_guess:
        doubt = f"whether {chosen.field.name} is a duration at all"
    elif talk is None and whole is not None:
        doubt = _whole_or_talk(survey, whole, guess, ring, clocks, reading, reasons)
    survey.choose("talk_seconds", reading, "; ".join(filter(None, reasons)), doubt)
    if ring is not None:
        ringing = _with_unit(survey, ring, clocks, "ring_seconds")
        reason = f"{_looks_like(ringing)}; {_name_says(ring)}"
        survey.choose("ring_seconds", {"from": ring.field.name, **_format(ringing)}, reason)
    elif talk is not None and whole is not None:
        _choose_ring_as_rest(survey, talk, whole, guess)


def _named(survey: Survey, role: str) -> Facts | None:
    others = set(DURATION_ROLES) - {role}
    return survey.best_named(
        role,
        lambda facts: (
            facts.duration is not None
            and survey.score(facts, role) >= survey.score(facts, *others)
            and (facts.instant is None or facts.duration.is_number)
        ),
        tie=lambda facts: len(set(facts.filled)),
    )


def _unnamed(survey: Survey) -> Facts | None:
    """Return the first field that is written as a duration and as nothing else."""
    dates_and_times = {name for clock in clocks_of(survey) for name in clock.names}
    found = [
        facts
        for facts in survey.facts
        if facts.duration is not None
        and not facts.duration.is_number
        and facts.field.name not in dates_and_times
        and facts.instant is None
        and not survey.score(facts, "ring_seconds")
    ]
    # One that is not always zero tells more: ringing and parking are written the same way.
    return max(
        found, key=lambda facts: (facts.kind == "duration", len(facts.counts) > 1), default=None
    )


def _told_by_clocks(
    survey: Survey, clocks: Mapping[str, Clock], first: str, *, without: Facts | None = None
) -> Facts | None:
    """Return the field that is the time from a clock of the tickets to their end."""
    gaps = _gaps(clocks, first, "ended_at")
    if not any(gaps):
        return None
    for facts in survey.facts:
        guess = facts.duration
        if guess is None or facts.instant is not None or facts is without:
            continue
        if _share_alike(guess.seconds, gaps) >= ENOUGH_SHARE:
            return facts
    return None


def _only_number(survey: Survey) -> Facts | None:
    """Return the field of bare numbers that can be a duration, if there is no other."""
    candidates = _bare_numbers(survey)
    return candidates[0] if len(candidates) == 1 else None


def _bare_numbers(survey: Survey) -> list[Facts]:
    """Return the fields of numbers of which some are small and nothing else is known."""
    return survey.unused(
        lambda facts: (
            facts.duration is not None
            and facts.duration.is_number
            and facts.instant is None
            and not facts.is_counter
            and not facts.is_phone_number
            and len(facts.counts) > FEW_VALUES
            and min(len(value.split(".")[0].split(",")[0]) for value in facts.filled) <= 2
            and not survey.score(facts, *OTHER_ROLES)
        )
    )


def _choose_between(survey: Survey, clocks: Mapping[str, Clock]) -> None:
    ends = [name for name in ("answered_at", "ended_at") if name in clocks]
    if len(ends) == 2 and all(clocks[name].is_exact for name in ends):
        reading: dict[str, object] = {"between": ends}
        reason = "no field has a duration; both instants are exact, so it lies between them"
        survey.choose("talk_seconds", reading, reason)
        if "started_at" in clocks and clocks["started_at"].is_exact:
            survey.choose(
                "ring_seconds",
                {"between": ["started_at", "answered_at"]},
                "no field has it; both instants are exact, so it lies between them",
            )
        return
    candidates = [facts.field.name for facts in _bare_numbers(survey)]
    if candidates:
        survey.hints["talk_seconds"] = f"bare numbers are in {', '.join(candidates[:8])}"


def _whole_or_talk(
    survey: Survey,
    whole: Facts,
    guess: DurationGuess,
    ring: Facts | None,
    clocks: Mapping[str, Clock],
    reading: dict[str, object],
    reasons: list[str],
) -> str | None:
    """Say whether a duration is the talk time alone; return the doubt where that is not sure."""
    name = whole.field.name
    talk_share = _share_alike(guess.seconds, _gaps(clocks, "answered_at", "ended_at"))
    whole_share = _share_alike(guess.seconds, _gaps(clocks, "started_at", "ended_at"))
    if talk_share >= ENOUGH_SHARE:
        reasons.append("it is the time from answer to end: talk time")
        return None
    if whole_share >= ENOUGH_SHARE and "answered_at" in clocks:
        if ring is not None and ring.duration is not None:
            reading["minus"] = ring.field.name
            reasons.append("it is the time from start to end, so that ringing is taken off")
            return None
        return f"{name} is the time from start to end, ringing included: find the talk time"
    return f"whether {name} is talk time only, or has the ringing in it"


def _choose_ring_as_rest(survey: Survey, talk: Facts, whole: Facts, guess: DurationGuess) -> None:
    """Take ringing for what the whole duration has more than the talk time, if it always has."""
    total = whole.duration
    if total is None or total.is_number != guess.is_number:
        return
    pairs = [
        (long, short)
        for long, short in zip(total.seconds, guess.seconds, strict=True)
        if long is not None and short is not None
    ]
    if not pairs or any(short > long for long, short in pairs):
        survey.doubts.append(
            f"talk_seconds: {whole.field.name} is not always longer than {talk.field.name}: which "
            "one is the talk time?"
        )
        return
    reading: dict[str, object] = {
        "from": whole.field.name,
        "minus": talk.field.name,
        **_format(guess),
    }
    reason = f"{whole.field.name} is never shorter than {talk.field.name}: the rest is ringing"
    survey.choose("ring_seconds", reading, reason)


def _with_unit(
    survey: Survey, facts: Facts, clocks: Mapping[str, Clock], column: str
) -> DurationGuess:
    """Return how a duration is counted; a bare number by its name, the clocks or its size."""
    guess = _guess(facts)
    if not guess.is_number or unit_of(facts.field.title or "") is not None:
        if guess.format == "mm:ss" and max(filter(None, guess.seconds), default=0) < 24 * 60:
            survey.doubts.append(f"{column}: {facts.field.name} may be hh:mm instead of mm:ss")
        return guess
    units: tuple[DurationFormat, ...] = ("seconds", "milliseconds", "minutes")
    for unit in units:
        read = guess.in_unit(unit)
        for first, last in (("answered_at", "ended_at"), ("started_at", "ended_at")):
            if _share_alike(read.seconds, _gaps(clocks, first, last)) >= ENOUGH_SHARE:
                return read
    survey.doubts.append(
        f"{column}: {facts.field.name} is a bare number and taken for {guess.format}: compare one "
        "call with your own clock"
    )
    return guess


def _guess(facts: Facts) -> DurationGuess:
    """Return how a field reads as a duration, bare numbers in the unit of its name or its size."""
    guess = facts.duration
    if guess is None:
        raise ValueError(f"{facts.field.name} is no duration")
    if not guess.is_number:
        return guess
    named = unit_of(facts.field.title or "")
    if named == "milliseconds":
        return guess.in_unit("milliseconds")
    if named == "minutes":
        return guess.in_unit("minutes")
    read = [value for value in guess.seconds if value]
    if named is None and facts.is_decimal and max(read, default=0) <= MOST_MINUTES:
        return guess.in_unit("minutes")
    if named is None and read and median(read) > LONGEST_USUAL_SECONDS:
        return guess.in_unit("milliseconds")
    return guess


def _gaps(clocks: Mapping[str, Clock], first: str, last: str) -> list[int | None]:
    if first not in clocks or last not in clocks:
        return []
    return [
        None if begin is None or end is None else round((end - begin).total_seconds())
        for begin, end in zip(clocks[first].guess.values, clocks[last].guess.values, strict=True)
    ]


def _share_alike(seconds: Sequence[int | None], gaps: Sequence[int | None]) -> float:
    """Return the share of durations that are the gaps between two clocks, zeros left out."""
    pairs = [(a, b) for a, b in zip(seconds, gaps, strict=False) if a is not None and b]
    if not pairs:
        return 0.0
    return sum(abs(a - b) <= TOLERANCE_SECONDS for a, b in pairs) / len(pairs)


def _format(guess: DurationGuess) -> dict[str, object]:
    written: dict[str, object] = {"format": guess.format}
    if guess.decimal == ",":
        written["decimal"] = ","
    return written


def _looks_like(guess: DurationGuess) -> str:
    looks = "is a number" if guess.is_number else f"looks like {guess.format}"
    plural = "are numbers" if guess.is_number else f"look like {guess.format}"
    return f"{of(guess.count, guess.filled)} {looks if guess.filled == 1 else plural}"


def _name_says(facts: Facts) -> str:
    return f"the name {shown(facts.field.title)} says duration" if facts.field.title else ""
