"""Regular expressions of layouts: a subset that Python and PostgreSQL read alike.

A pattern is taken apart by Python's own parser and written anew as an advanced regular expression
of PostgreSQL, so that whatever is accepted here compiles there. Left out is what PostgreSQL has not
or means otherwise: look-around, back-references, lazy and possessive quantifiers, flags.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

# The parser has no public name; its tree is the only way to a pattern that is not text.
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

#: PostgreSQL counts repetitions up to 255 and keeps a state for each of them.
MOST_REPETITIONS = 255
MOST_STATES = 2_500
DEEPEST_GROUPS = 20


CATEGORIES = {
    code.CATEGORY_DIGIT: "0-9",
    code.CATEGORY_SPACE: r" \t\n\r\f\v",
    code.CATEGORY_WORD: "a-zA-Z0-9_",
}
NEGATED_CATEGORIES = {
    code.CATEGORY_NOT_DIGIT: "0-9",
    code.CATEGORY_NOT_SPACE: r" \t\n\r\f\v",
    code.CATEGORY_NOT_WORD: "a-zA-Z0-9_",
}
ANCHORS = {
    code.AT_BEGINNING: "^",
    code.AT_BEGINNING_STRING: "^",
    code.AT_END: "$",
    code.AT_END_STRING: "$",
}


@dataclass(frozen=True)
class Pattern:
    """A pattern of a layout.

    Attributes:
        expression: for PostgreSQL; groups without a name do not capture.
        group_names: named groups, from the left.
        group_count: how many groups there are, with a name or without.
    """

    expression: str
    group_names: tuple[str, ...]
    group_count: int


@lru_cache(maxsize=1024)
def checked(pattern: str) -> Pattern:
    """Return a pattern for PostgreSQL.

    In a pattern without names the groups capture; in one with names only those do.

    Raises:
        ValueError: it is none, or none of the subset; the message says what is not allowed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    if tree.state.flags & ~re.UNICODE.value:
        raise ValueError(f"{pattern!r} has flags, which layouts do not know")
    groups = tree.state.groupdict
    names = tuple(sorted(groups, key=groups.__getitem__))
    writer = _Writer(pattern, frozenset(groups.values()) or None)
    return Pattern(writer.sequence(tree, 0), names, tree.state.groups - 1)


class _Writer:
    """Writes the tree of a pattern for PostgreSQL."""

    def __init__(self, pattern: str, capturing: frozenset[int] | None) -> None:
        self._pattern = pattern
        self._capturing = capturing
        self._states = 0

    def sequence(self, items: Iterable[tuple[Any, Any]], depth: int, factor: int = 1) -> str:
        if depth > DEEPEST_GROUPS:
            raise ValueError(f"{self._pattern!r} has groups too deep in each other")
        return "".join(self._item(kind, value, depth, factor) for kind, value in items)

    def _item(self, kind: Any, value: Any, depth: int, factor: int) -> str:
        self._states += factor
        if self._states > MOST_STATES:
            raise ValueError(f"{self._pattern!r} is too large")
        if kind is code.AT and value in ANCHORS:
            return ANCHORS[value]
        if kind in (code.LITERAL, code.NOT_LITERAL, code.ANY, code.IN):
            return self._one_character(kind, value)
        if kind is code.BRANCH:
            branches = [self.sequence(branch, depth + 1, factor) for branch in value[1]]
            return f"(?:{'|'.join(branches)})"
        if kind is code.SUBPATTERN:
            number, added, removed, items = value
            if added or removed:
                raise ValueError(f"{self._pattern!r} has flags, which layouts do not know")
            captures = number is not None and (self._capturing is None or number in self._capturing)
            return f"({'' if captures else '?:'}{self.sequence(items, depth + 1, factor)})"
        if kind is code.MAX_REPEAT:
            return self._repeat(value, depth, factor)
        raise ValueError(
            f"{self._pattern!r} uses {str(kind).lower()}, which layouts do not know: look-around, "
            "back-references, word boundaries, lazy and possessive quantifiers are left out"
        )

    def _one_character(self, kind: Any, value: Any) -> str:
        if kind is code.LITERAL:
            return _character(value)
        if kind is code.NOT_LITERAL:
            return f"[^{_character(value)}]"
        return r"[^\n]" if kind is code.ANY else self._class(value)

    def _repeat(self, value: Any, depth: int, factor: int) -> str:
        least, most, items = value
        is_endless = most is code.MAXREPEAT
        if least > MOST_REPETITIONS or (not is_endless and most > MOST_REPETITIONS):
            raise ValueError(f"{self._pattern!r} repeats more than {MOST_REPETITIONS} times")
        is_counted = least > 1 or (not is_endless and most > 1)
        if is_counted and not items.getwidth()[0]:
            # PostgreSQL would try every way to repeat nothing: seconds for a pattern of a line.
            raise ValueError(
                f"{self._pattern!r} counts how often something comes that may be nothing"
            )
        repeated = self.sequence(items, depth + 1, factor * max(1, least if is_endless else most))
        if "^" in (repeated[:1], repeated[-1:]) or repeated in ("$", ""):
            raise ValueError(f"{self._pattern!r} repeats what has no width")
        bounds = f"{{{least},{'' if is_endless else most}}}"
        return f"(?:{repeated}){bounds}"

    def _class(self, items: list[tuple[Any, Any]]) -> str:
        negated = items[0][0] is code.NEGATE
        parts: list[str] = []
        for kind, value in items[negated:]:
            if kind is code.LITERAL:
                parts.append(_character(value))
            elif kind is code.RANGE:
                parts.append(f"{_character(value[0])}-{_character(value[1])}")
            elif kind is code.CATEGORY and value in CATEGORIES:
                parts.append(CATEGORIES[value])
            elif kind is code.CATEGORY and value in NEGATED_CATEGORIES and len(items) == 1:
                return f"[^{NEGATED_CATEGORIES[value]}]"
            else:
                raise ValueError(f"{self._pattern!r} has a class with \\D, \\S or \\W among others")
        return f"[{'^' if negated else ''}{''.join(parts)}]"


def _character(number: int) -> str:
    """A character outside a class, escaped unless it is a letter, a digit or a blank."""
    if not number or 0xD800 <= number <= 0xDFFF:
        raise ValueError("no ticket has the character NUL, or half of a surrogate pair")
    sign = chr(number)
    return sign if sign.isascii() and (sign.isalnum() or sign == " ") else escaped(number)


def escaped(number: int) -> str:
    """Return a character by its code point, as PostgreSQL's regular expressions name it."""
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
