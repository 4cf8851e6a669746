"""Conditions on a ticket as SQL that is true or false, never null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tollhouse.layouts import patterns
from tollhouse.layouts.compiling.lines import plain
from tollhouse.layouts.compiling.literal import expression_literal, literal, literals, number
from tollhouse.layouts.declaration.conditions import Condition


@dataclass(frozen=True)
class Known:
    """What conditions and readings find the texts of a ticket by.

    Attributes:
        fields: column of each field.
        line: column of the whole line, of kinds that have lines.
    """

    fields: Mapping[str, str]
    line: str | None = None


def condition_sql(condition: Condition, known: Known) -> str:
    """Return a condition as SQL."""
    if condition.parts:
        joint = " and " if condition.all_ is not None else " or "
        whole = "(" + joint.join(condition_sql(part, known) for part in condition.parts) + ")"
        return f"(not {whole})" if condition.none_ is not None else whole
    if condition.field is not None:
        text, untrimmed = (known.fields[condition.field],) * 2
    elif condition.column is not None:
        text, untrimmed = (condition.column,) * 2
    else:
        text, untrimmed = f"nullif(btrim({known.line}), '')", f"{known.line}"
    return _test(condition, text, untrimmed)


def _test(condition: Condition, text: str, untrimmed: str) -> str:
    if condition.is_ is not None:
        return is_one_of(text, condition.is_)
    if condition.is_not is not None:
        return f"(not {is_one_of(text, condition.is_not)})"
    if condition.empty is not None:
        return f"({text} is {'' if condition.empty else 'not '}null)"
    if condition.starts_with is not None:
        starts = [f"starts_with({untrimmed}, {literal(start)})" for start in condition.starts_with]
        return f"coalesce({' or '.join(starts) or 'false'}, false)"
    if condition.matches is not None:
        expression = patterns.checked(condition.matches).expression
        return f"(coalesce({untrimmed}, '') ~ {expression_literal(expression)})"
    sign, limit = (">", condition.above) if condition.above is not None else ("<", condition.below)
    assert limit is not None
    value = f"replace({text}, ',', '.')"
    # Digits, a sign and a point only: what else a number may be for PostgreSQL is none here.
    is_number = (
        f"octet_length({text}) <= 40 and translate({value}, '0123456789.-', '') = ''"
        f" and pg_input_is_valid({value}, 'numeric')"
    )
    exceeds = f"{value}::numeric {sign} {number(limit)}"
    return f"coalesce(case when {is_number} then {exceeds} end, false)"


def is_one_of(text: str, words: tuple[str, ...]) -> str:
    """Return whether a text is one of these; nothing is the empty text."""
    some = [plain(word) for word in words if plain(word)]
    tests = [f"{text} in ({literals(some)})"] if some else []
    tests += [f"{text} is null"] if len(some) < len(words) else []
    return f"coalesce({' or '.join(tests) or 'false'}, false)"


def holds_for_nothing(condition: Condition) -> bool:
    """Whether a condition holds for a ticket none of whose fields is there."""
    if condition.parts:
        held = [holds_for_nothing(part) for part in condition.parts]
        if condition.all_ is not None:
            return all(held)
        return any(held) != (condition.none_ is not None)
    if condition.is_ is not None:
        return any(not plain(word) for word in condition.is_)
    if condition.is_not is not None:
        return all(plain(word) for word in condition.is_not)
    # A pattern may match the empty text; it is looked at as if it did.
    return bool(condition.empty) or condition.matches is not None
