"""Which fields say who called whom, and in which direction."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tollhouse.layouts.drafting.choices import ENOUGH_SCORE, Code, Survey, quoted
from tollhouse.layouts.drafting.guessing import ENOUGH_SHARE, EXTENSION, Facts, is_number
from tollhouse.layouts.drafting.text import counted, of, shown
from tollhouse.layouts.drafting.words import AMBIGUOUS_DIRECTIONS, DIRECTIONS, meaning_of

#: A field of numbers may hold names too, and be empty where a number was withheld.
NUMBER_SHARE = 0.6
SAME_SHARE = 0.6
#: What only a few tickets have is no side of a call.
FEWEST_FILLED = 0.3
#: Stations of some PBXs have a letter before their digits.
LETTER_AND_DIGITS = re.compile(r"[A-Za-z]?\d{2,6}")
#: A number with more digits is one outside.
LONGEST_EXTENSION = 5
#: A name of an extension says so and nothing else: those of channels have the word too.
SURE_SCORE = 0.9
MOST_LISTED_CODES = 20
#: What fields of digits are, beside telephone numbers.
OTHER_ROLES = (
    "source_call_id", "account_code", "authorization_code", "pulses", "pbx_charge_amount",
    "leg_number", "duration", "talk_seconds", "ring_seconds", "trunk_in", "trunk_out",
)  # fmt: skip


def choose_direction(survey: Survey) -> None:
    """Decide which field is the direction, if one is: its codes are listed with what they mean."""
    named = survey.best_named(
        "direction",
        lambda facts: (
            facts.is_code
            and not facts.is_decimal
            and (survey.score(facts, "direction") == 1.0 or _known(facts) > 0)
        ),
        tie=_known,
    )
    facts = named or next((facts for facts in survey.facts if _is_direction(survey, facts)), None)
    if facts is None:
        return
    codes = [
        Code(code, meaning_of(code, DIRECTIONS) or "unknown", counted(count, "ticket"))
        for code, count in facts.counts.most_common(MOST_LISTED_CODES)
    ]
    reading: dict[str, object] = {"from": facts.field.name, "lookup": codes}
    empty = len(facts.field.values) - len(facts.filled)
    if empty:
        reading["otherwise"] = "unknown"
    unknown = [code.text for code in codes if code.meaning == "unknown"]
    ambiguous = [code.text for code in codes if code.text.lower() in AMBIGUOUS_DIRECTIONS]
    doubts = []
    if unknown:
        doubts.append(f"what {quoted(unknown)} stand{'s' if len(unknown) == 1 else ''} for")
    if ambiguous:
        doubts.append(f"whether {quoted(ambiguous)} mean{'s' if len(ambiguous) == 1 else ''} that")
    if len(codes) == 1:
        doubts.append("which other codes there are: the sample has one only")
    known = "some" if unknown else "all"
    reason = f"{shown(facts.field.name)} has few values" + (
        f", {known} known as directions" if len(unknown) < len(codes) else ""
    )
    if not empty:
        reason += "; a ticket with another code is rejected, so that it is seen"
    survey.choose("direction", reading, reason, "; ".join(doubts) or None)


def _known(facts: Facts) -> float:
    codes = facts.counts
    return sum(meaning_of(code, DIRECTIONS) is not None for code in codes) / max(1, len(codes))


def _is_direction(survey: Survey, facts: Facts) -> bool:
    """Whether all codes of a field are directions, and not by the chance of one letter."""
    if not facts.is_code or _known(facts) < 1 or survey.score(facts, "outcome", "extension_name"):
        return False
    meanings = {meaning_of(code, DIRECTIONS) for code in facts.counts}
    sure = [
        code for code in facts.counts if len(code) > 1 and code.lower() not in AMBIGUOUS_DIRECTIONS
    ]
    return {"outgoing", "incoming"} <= meanings or (bool(sure) and len(facts.filled) > 1)


def choose_parties(survey: Survey) -> None:
    """Decide which fields are caller, called and extension."""
    caller = _named(survey, "caller_number", ENOUGH_SCORE, ())
    called = _named(survey, "called_number", ENOUGH_SCORE, (caller,))
    extension = _named(survey, "extension", SURE_SCORE, (caller, called))
    is_assumed = called is None or (caller is None and extension is None)
    if is_assumed:
        caller, called, extension = _with_unnamed(survey, caller, called, extension)
    if is_assumed and caller is not None and called is not None:
        survey.doubts.append(
            "caller_number, called_number: which of the two numbers called and which was called: "
            "compare one call you know"
        )
    if called is not None and "direction" not in survey.choices:
        _choose_direction_by_prefix(survey, called)
    if extension is not None and caller is None and called is not None:
        _choose_inside_and_outside(survey, extension, called)
    else:
        _choose_plainly(survey, caller, called, extension)
    if "direction" not in survey.choices:
        _choose_direction_by_numbers(survey, caller or extension, called)


def _with_unnamed(
    survey: Survey, caller: Facts | None, called: Facts | None, extension: Facts | None
) -> tuple[Facts | None, Facts | None, Facts | None]:
    """Return caller, called and extension with what the values alone say of those not named."""
    named = [facts for facts in (caller, called, extension) if facts is not None]
    found = _unnamed(survey, named)
    if not named and len(found) >= 2:
        caller, called = found[0], found[1]
        is_inside = caller.share(EXTENSION) >= ENOUGH_SHARE and called.is_phone_number
        if is_inside and "incoming" in _directions(survey):
            # Of an extension beside a number the direction says who called.
            return None, called, caller
        return caller, called, None
    if called is None and found:
        return caller, max(found, key=lambda facts: facts.is_phone_number), extension
    if caller is None and extension is None and found:
        return found[0], called, None
    return caller, called, extension


def _named(survey: Survey, role: str, least: float, taken: Sequence[Facts | None]) -> Facts | None:
    return survey.best_named(
        role,
        lambda facts: (
            (_number_share(facts) >= NUMBER_SHARE and not _is_time(facts))
            or (role == "extension" and facts.share(LETTER_AND_DIGITS) >= ENOUGH_SHARE)
        ),
        least=least,
        without=[facts for facts in taken if facts is not None],
        tie=lambda facts: _number_share(facts) * len(facts.filled),
    )


def _number_share(facts: Facts) -> float:
    return sum(is_number(value) for value in facts.filled) / max(1, len(facts.filled))


def _is_time(facts: Facts) -> bool:
    return facts.kind in ("time", "date", "clock", "duration")


def _unnamed(survey: Survey, taken: Sequence[Facts]) -> list[Facts]:
    """Return the fields that hold numbers and nothing else is known of, from the left."""
    found: list[Facts] = []
    for facts in survey.unused(lambda facts: not _is_time(facts)):
        if facts in taken or (survey.is_named and _has_other_role(survey, facts)):
            continue
        is_short = max(map(len, facts.numbers), default=0) < 3
        is_filled = len(facts.filled) >= FEWEST_FILLED * len(facts.field.values)
        is_numbers = _number_share(facts) >= NUMBER_SHARE and not facts.is_decimal
        # Called and dialled are often two fields, and mostly the same.
        is_repeated = any(_share_alike(facts, other) > SAME_SHARE for other in found)
        if is_numbers and is_filled and not is_short and not facts.is_counter and not is_repeated:
            found.append(facts)
    varying = [facts for facts in found if not _is_constant(facts)]
    phone_numbers = [facts for facts in varying if facts.is_phone_number]
    if len(phone_numbers) == 1:
        # The other side of the call mostly stands beside it.
        place = survey.facts.index(phone_numbers[0])
        beside = survey.facts[max(0, place - 1) : place + 2]
        pair = [facts for facts in found if facts in beside][:2]
        return pair if len(pair) == 2 else varying
    return next((few for few in (phone_numbers, varying) if len(few) >= 2), found)


def _has_other_role(survey: Survey, facts: Facts) -> bool:
    return survey.score(facts, *OTHER_ROLES) >= ENOUGH_SCORE


def _share_alike(first: Facts, second: Facts) -> float:
    pairs = [
        (one, other)
        for one, other in zip(first.field.values, second.field.values, strict=True)
        if one and other
    ]
    return sum(one == other for one, other in pairs) / max(1, len(pairs))


def _is_constant(facts: Facts) -> bool:
    return len(facts.counts) == 1 and len(facts.filled) > 3


def _choose_inside_and_outside(survey: Survey, extension: Facts, number: Facts) -> None:
    """Read an extension and the number outside, of which the direction says who called."""
    inside, outside = _number_reading(extension), _number_reading(number)
    survey.choose("extension", inside, _numbers_in(extension))
    if "incoming" not in _directions(survey):
        survey.choose("called_number", outside, _numbers_in(number))
        survey.choose("caller_number", inside, "the extension called")
        return
    name = number.field.name
    reason = f"{shown(name)} is the number outside: the direction says who called"
    when = {"when": {"column": "direction", "is": "incoming"}}
    doubt = f"whether {name} is the caller's number where a call came in"
    survey.choose(
        "caller_number", {**outside, **inside, "cases": [{**when, "from": name}]}, reason, doubt
    )
    case = {**when, "from": extension.field.name}
    survey.choose("called_number", {**outside, "cases": [case]}, reason)


def _directions(survey: Survey) -> set[str]:
    """Return the directions that can come out of the draft."""
    direction = survey.choices.get("direction")
    listed: list[object] = []
    for key in ("lookup", "cases"):
        part = direction.reading.get(key) if direction else None
        listed += part if isinstance(part, list) else []
    return {
        item.meaning if isinstance(item, Code) else str(item.get("value"))
        for item in listed
        if isinstance(item, Code | dict)
    }


def _choose_plainly(
    survey: Survey, caller: Facts | None, called: Facts | None, extension: Facts | None
) -> None:
    for column, facts in (
        ("caller_number", caller),
        ("called_number", called),
        ("extension", extension),
    ):
        if facts is not None:
            survey.choose(column, _number_reading(facts), _numbers_in(facts))
    if extension is None and caller is not None and called is not None:
        inside = [facts for facts in (caller, called) if _has_short_and_long(facts)]
        if len(inside) == 2:
            cases: list[object] = [
                {"when": _short(facts), "from": facts.field.name} for facts in (caller, called)
            ]
            prefixes = list(dict.fromkeys([*caller.number_prefixes, *called.number_prefixes]))
            reading: dict[str, object] = {"cases": cases}
            if prefixes:
                reading["strip_prefix"] = prefixes
            reason = "of caller and called the one with a short number is inside"
            survey.choose("extension", reading, reason)


def _number_reading(facts: Facts) -> dict[str, object]:
    reading: dict[str, object] = {"from": facts.field.name}
    if any("@" in value for value in facts.filled):
        reading["before"] = "@"
    if facts.number_prefixes:
        reading["strip_prefix"] = facts.number_prefixes
    return reading


def _numbers_in(facts: Facts) -> str:
    numbers = sum(is_number(value) for value in facts.filled)
    looks = f"{of(numbers, len(facts.filled))} can be dialled"
    empty = len(facts.field.values) - len(facts.filled)
    if empty:
        looks += f", {counted(empty, 'ticket')} without"
    return f"the name {shown(facts.field.title)} says so; {looks}" if facts.field.title else looks


def _choose_direction_by_prefix(survey: Survey, number: Facts) -> None:
    """Take the direction from what stands before numbers, such as <I> where a call came in."""
    name = number.field.name
    known = {
        prefix: meaning
        for prefix in number.number_prefixes
        if (meaning := meaning_of(prefix.strip("<>.: "), DIRECTIONS))
    }
    if not known:
        return
    cases: list[object] = [{"when": _short(number), "value": "internal"}]
    cases += [
        {"when": {"field": name, "starts_with": prefix}, "value": meaning}
        for prefix, meaning in known.items()
    ]
    rest = "incoming" if set(known.values()) == {"outgoing"} else "outgoing"
    survey.choose(
        "direction",
        {"cases": cases, "value": rest},
        f"no field says it; numbers in {shown(name)} have {quoted(list(known))} before them",
        f"whether calls without {quoted(list(known))} are {rest}, and short numbers internal",
    )


def _choose_direction_by_numbers(
    survey: Survey, caller: Facts | None, called: Facts | None
) -> None:
    """Take the direction from what the numbers look like: extensions are short."""
    if caller is None or called is None:
        return
    if not any(map(_is_short, (*caller.numbers, *called.numbers))):
        survey.choose(
            "direction",
            {"value": "outgoing"},
            "no field says it, and no number is as short as an extension: a carrier bills what "
            "goes out",
            "whether all calls of this feed go out",
        )
        return
    cases: list[object] = [
        {"when": {"all": [_short(caller), _short(called)]}, "value": "internal"},
        {"when": _short(caller), "value": "outgoing"},
        {"when": _short(called), "value": "incoming"},
    ]
    survey.choose(
        "direction",
        {"cases": cases, "value": "unknown"},
        "no field says it; an extension has two to five digits here, a number outside has more",
        "whether extensions can be told from short and special numbers (15, 112, 3900) by their "
        "length: if not, write the extensions' range into the patterns",
    )


def _short(facts: Facts) -> dict[str, object]:
    """Return the condition that a field has the number of an extension."""
    prefixes = "|".join(map(_as_pattern, facts.number_prefixes))
    before = f"({prefixes})?" if prefixes else ""
    return {"field": facts.field.name, "matches": f"^{before}[0-9]{{2,5}}$"}


def _as_pattern(text: str) -> str:
    return "".join(f"[{sign}]" if sign in ".:" else sign for sign in text)


def _is_short(number: str) -> bool:
    return len(number) <= LONGEST_EXTENSION and EXTENSION.fullmatch(number) is not None


def _has_short_and_long(facts: Facts) -> bool:
    return 0 < sum(map(_is_short, facts.numbers)) < len(facts.numbers)
