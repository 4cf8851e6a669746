"""Which fields are the outcome, the charge, identities, names and codes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tollhouse.layouts.drafting.choices import Code, Survey, quoted
from tollhouse.layouts.drafting.guessing import WHOLE_NUMBER, Facts
from tollhouse.layouts.drafting.lengths import seconds_of_tickets
from tollhouse.layouts.drafting.text import counted, shown
from tollhouse.layouts.drafting.words import OUTCOMES, meaning_of, words_of

#: Columns that a name alone decides, and only one that says nothing else.
NAMED_COLUMNS = (
    "presented_number", "extension_name", "group_name", "subsidiary_name", "trunk_in", "trunk_out",
    "account_code", "authorization_code", "transferred_from", "transferred_to",
)  # fmt: skip
SURE_SCORE = 0.9
#: A code of one letter is the name of nothing.
SHORTEST_NAME = 2
#: No talk time, or zero, however it is written.
NO_TALK = "^[0:.,']*$"
CURRENCY_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
CURRENCY_WORDS = {
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "usd": "USD",
    "gbp": "GBP",
    "chf": "CHF",
}
#: Words of a name that say that a charge is counted in hundredths.
HUNDREDTHS = {"ct", "cts", "cent", "cents", "centime", "centimes", "centimos", "centesimi"}
THOUSANDS = re.compile(r"-?\d{1,3}([ .,'])\d{3}(?:[ .,']\d{3})*(?:[.,]\d+)?")


def choose_details(survey: Survey) -> None:
    """Decide what names alone, or values of a form of their own, tell."""
    _choose_identity(survey)
    _choose_outcome(survey)
    pulses = survey.best_named("pulses", _is_whole_number, least=SURE_SCORE)
    if pulses is not None and not _is_used(survey, pulses):
        survey.choose("pulses", {"from": pulses.field.name}, _name_says(pulses))
    leg = survey.best_named("leg_number", _is_whole_number, least=SURE_SCORE)
    if leg is not None and not _is_used(survey, leg):
        survey.choose("leg_number", {"from": leg.field.name}, _name_says(leg))
    for column in NAMED_COLUMNS:
        facts = survey.best_named(
            column,
            lambda other: any(len(value) >= SHORTEST_NAME for value in other.counts),
            least=SURE_SCORE,
        )
        if facts is not None and not _is_used(survey, facts) and column not in survey.choices:
            survey.choose(column, {"from": facts.field.name}, _name_says(facts))


def _choose_identity(survey: Survey) -> None:
    facts = survey.best_named(
        "source_call_id", tie=lambda facts: len(facts.counts) / max(1, len(facts.field.values))
    )
    if facts is None or _is_used(survey, facts):
        facts = next(
            (
                other
                for other in survey.unused(lambda other: other.kind == "id")
                if not survey.is_named
            ),
            None,
        )
    if facts is None:
        _hint_at_identity(survey)
        return
    reason = (
        f"{counted(len(facts.counts), 'value')} in {counted(len(facts.field.values), 'ticket')}"
    )
    if len(facts.counts) < len(facts.filled):
        reason += ": tickets with the same one are legs of one call"
    doubt = None if facts.field.title else "whether it names the call, or only the ticket"
    survey.choose("source_call_id", {"from": facts.field.name}, reason, doubt)


def _hint_at_identity(survey: Survey) -> None:
    """Name the first field that has another value in each ticket: it may be the call's own name."""
    facts = next(iter(survey.unused(lambda other: other.kind == "id")), None)
    if facts is not None:
        survey.hints["source_call_id"] = (
            f"{facts.field.name} may name the call: it has another value in each ticket"
        )


def _choose_outcome(survey: Survey) -> None:
    facts = survey.best_named("outcome", lambda facts: facts.is_code and _known(facts) == 1)
    if facts is None:
        facts = next(
            (
                other
                for other in survey.unused(lambda other: other.is_code and _known(other) == 1)
                if max(map(len, other.counts)) > 3
            ),
            None,
        )
    if facts is None or _is_used(survey, facts):
        _hint_at_outcome(survey)
        _choose_outcome_by_talk_time(survey)
        return
    codes = [
        Code(code, meaning_of(code, OUTCOMES) or "failed", counted(count, "ticket"))
        for code, count in facts.counts.most_common()
    ]
    reading: dict[str, object] = {"from": facts.field.name, "lookup": codes}
    if len(facts.filled) < len(facts.field.values):
        reading["otherwise"] = "no_answer"
    survey.choose(
        "outcome", reading, "its values are known as outcomes", _contradiction(survey, facts)
    )


def _choose_outcome_by_talk_time(survey: Survey) -> None:
    """Where some tickets have no talk time at all, nobody answered: else they would be rejected."""
    talk = survey.choices.get("talk_seconds")
    name = talk.reading.get("from") if talk else None
    facts = next((facts for facts in survey.facts if facts.field.name == name), None)
    if facts is None or len(facts.filled) == len(facts.field.values):
        return
    empty = counted(len(facts.field.values) - len(facts.filled), "ticket")
    survey.choose(
        "outcome",
        {
            "cases": [{"when": {"field": name, "matches": NO_TALK}, "value": "no_answer"}],
            "value": "answered",
        },
        f"{shown(facts.field.name)} is empty in {empty}: without talk time nobody answered",
        f"whether tickets without {facts.field.name} are calls that nobody answered",
    )


def _known(facts: Facts) -> float:
    known = sum(meaning_of(code, OUTCOMES) is not None for code in facts.counts)
    return known / max(1, len(facts.counts))


def _contradiction(survey: Survey, facts: Facts) -> str | None:
    """Return a doubt where somebody talked though the outcome says that nobody answered."""
    seconds: Sequence[int | None] = seconds_of_tickets(survey) or ()
    talked = [
        code
        for code, length in zip(facts.field.values, seconds, strict=False)
        if length and code and meaning_of(code, OUTCOMES) != "answered"
    ]
    if not talked:
        return None
    return (
        f"{counted(len(talked), 'ticket')} with {quoted(sorted(set(talked)))} have a talk time and "
        "will be rejected: is it the talk time?"
    )


def _hint_at_outcome(survey: Survey) -> None:
    facts = survey.best_named("outcome", lambda facts: bool(facts.filled))
    if facts is not None and not _is_used(survey, facts):
        survey.hints["outcome"] = (
            f"{facts.field.name} may say it, with {quoted(list(facts.counts))}; without, a call "
            "with talk time was answered, the others were not"
        )


def choose_charge(survey: Survey) -> None:
    """Decide which field is the charge, if one is, and its currency."""
    named = survey.best_named(
        "pbx_charge_amount",
        lambda facts: facts.is_decimal or _is_whole_number(facts),
        tie=lambda facts: facts.is_decimal,
    )
    facts = named or _unnamed_amount(survey)
    if facts is None or _is_used(survey, facts):
        return
    decimals = [value for value in facts.filled if re.search(r"[.,]\d+$", value)]
    sign = "," if sum("," in value for value in decimals) * 2 > len(decimals) else "."
    reading: dict[str, object] = {"from": facts.field.name}
    if sign == ",":
        reading["decimal"] = sign
    groups = {match[1] for value in facts.filled if (match := THOUSANDS.fullmatch(value))} - {sign}
    if len(groups) == 1 and any(char != sign for char in groups):
        reading["thousands"] = groups.pop()
    doubt = None if named else "whether this number is what a call costs"
    if HUNDREDTHS & set(words_of(facts.field.title or "")):
        reading["divide_by"] = 100
        doubt = "whether it is counted in hundredths of the currency, as its name says"
    elif not decimals:
        doubt = "whether it is in the currency itself, or in cents (divide_by: 100)"
    reason = _name_says(facts) if named else "numbers with decimals"
    survey.choose("pbx_charge_amount", reading, reason, doubt)
    _choose_currency(survey, facts)


def _unnamed_amount(survey: Survey) -> Facts | None:
    """Return the amount that stands nearest to a currency, or the only one."""
    amounts = survey.unused(lambda facts: facts.kind == "amount")
    currencies = [place for place, facts in enumerate(survey.facts) if facts.is_currency]
    if not currencies:
        return amounts[0] if len(amounts) == 1 else None
    places = {facts.field.name: place for place, facts in enumerate(survey.facts)}
    return min(
        amounts, key=lambda facts: abs(places[facts.field.name] - currencies[0]), default=None
    )


def _choose_currency(survey: Survey, amount: Facts) -> None:
    facts = survey.best_named("pbx_charge_currency", lambda facts: facts.is_currency) or next(
        iter(survey.unused(lambda other: other.is_currency)), None
    )
    if facts is not None:
        count = counted(len(facts.counts), "code")
        survey.choose("pbx_charge_currency", {"from": facts.field.name}, f"{count} of currencies")
        return
    title = amount.field.title or ""
    code = next((code for sign, code in CURRENCY_SIGNS.items() if sign in title), None)
    code = code or next(
        (CURRENCY_WORDS[word] for word in words_of(title) if word in CURRENCY_WORDS), None
    )
    if code is not None:
        survey.choose("pbx_charge_currency", {"value": code}, f"the name {shown(title)} says so")
        return
    survey.choose(
        "pbx_charge_currency",
        {"value": survey.currency},
        "no field says it: that of the country",
        "which currency the charge is in",
    )


def _is_whole_number(facts: Facts) -> bool:
    return facts.share(WHOLE_NUMBER) >= SURE_SCORE


def _is_used(survey: Survey, facts: Facts) -> bool:
    return facts.field.name in survey.used_names()


def _name_says(facts: Facts) -> str:
    return f"the name {shown(facts.field.title or facts.field.name)} says so"
