"""Formats of instants in tickets: ``dd/MM/yyyy HH:mm:ss`` and its like, taken apart.

The letters are those of Unicode's date patterns, which Java, Excel and most manuals of PBXs use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import available_timezones

Part = Literal[
    "year", "short_year", "month", "month_name", "day", "hour", "half_day_hour", "half_day",
    "minute", "second", "fraction", "offset", "literal",
]  # fmt: skip

#: Letters of a format and what they stand for; two digits where a letter is doubled, one or two
#: where it is single.
PARTS: dict[str, Part] = {
    "yyyy": "year", "yy": "short_year", "MMM": "month_name", "MM": "month", "M": "month",
    "dd": "day", "d": "day", "HH": "hour", "H": "hour", "hh": "half_day_hour",
    "h": "half_day_hour", "mm": "minute", "m": "minute", "ss": "second", "s": "second",
    "S": "fraction", "a": "half_day", "Z": "offset",
}  # fmt: skip

#: Text between quotation marks; two of them stand for one, also outside.
QUOTED = re.compile(r"'((?:[^']|'')*)'(?!')|''")

#: What MMM stands for, in small letters.
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

WORDS = ("iso8601", "epoch_seconds", "epoch_milliseconds")
LONGEST_FORMAT = 60


@dataclass(frozen=True)
class FormatPart:
    """A part of a format.

    Attributes:
        kind: what stands there.
        letters: as the format has it: ``MM``, or the text of a literal.
    """

    kind: Part
    letters: str


@dataclass(frozen=True)
class TimeFormat:
    """A format of instants.

    Attributes:
        word: ``iso8601``, ``epoch_seconds`` or ``epoch_milliseconds``; then there are no parts.
        parts: from the left.
    """

    word: str | None
    parts: tuple[FormatPart, ...] = ()

    def has(self, kind: Part) -> bool:
        """Whether a part of this kind is in it."""
        return any(part.kind == kind for part in self.parts)

    @property
    def has_offset(self) -> bool:
        """Whether the text itself says its offset from UTC, always."""
        return self.word in ("epoch_seconds", "epoch_milliseconds") or self.has("offset")

    @property
    def has_year(self) -> bool:
        """Whether the text says its year (R4)."""
        return self.word is not None or self.has("year") or self.has("short_year")

    @property
    def has_seconds(self) -> bool:
        """Whether the text says more than the minute."""
        return self.word is not None or self.has("second")


@lru_cache(maxsize=256)
def parsed(text: str) -> TimeFormat:
    """Take a format apart.

    Raises:
        ValueError: it is none; the message says what is wrong and what is allowed.
    """
    if text in WORDS:
        return TimeFormat(text)
    if len(text) > LONGEST_FORMAT:
        raise ValueError(f"a format has at most {LONGEST_FORMAT} characters")
    parts = tuple(_parts(text))
    _check(text, parts)
    return TimeFormat(None, parts)


def _parts(text: str) -> list[FormatPart]:
    parts: list[FormatPart] = []
    rest = text
    while rest:
        sign = rest[0]
        if sign == "'":
            quoted = QUOTED.match(rest)
            if quoted is None:
                raise ValueError(f"{text!r} opens a quotation mark and does not close it")
            parts.append(FormatPart("literal", quoted[1].replace("''", "'") or "'"))
            rest = rest[quoted.end() :]
            continue
        if not (sign.isascii() and sign.isalpha()):
            parts.append(FormatPart("literal", sign))
            rest = rest[1:]
            continue
        letters = rest[: len(rest) - len(rest.lstrip(sign))]
        kind = "fraction" if sign == "S" else PARTS.get(letters)
        if kind is None:
            raise ValueError(
                f"{text!r} has {letters!r}; known are {', '.join(PARTS)}, or one of "
                f"{', '.join(WORDS)}; other letters stand between quotation marks: 'T'"
            )
        parts.append(FormatPart(kind, letters))
        rest = rest[len(letters) :]
    return parts


def _check(text: str, parts: tuple[FormatPart, ...]) -> None:
    kinds = [part.kind for part in parts if part.kind != "literal"]
    for kind in set(kinds):
        if kinds.count(kind) > 1:
            raise ValueError(f"{text!r} says the {kind.replace('_', ' ')} twice")
    for needed, words in (
        (("day",), "a day (dd)"),
        (("month", "month_name"), "a month (MM or MMM)"),
        (("hour", "half_day_hour"), "an hour (HH, or hh with a)"),
        (("minute",), "minutes (mm)"),
    ):
        if sum(kind in kinds for kind in needed) != 1:
            raise ValueError(f"{text!r} does not say {words}, once")
    if {"year", "short_year"} <= set(kinds):
        raise ValueError(f"{text!r} says the year twice")
    if ("half_day_hour" in kinds) != ("half_day" in kinds):
        raise ValueError(
            f"{text!r}: hours from 1 to 12 (hh) and their half of the day (a) come together"
        )
    if "fraction" in kinds and "second" not in kinds:
        raise ValueError(f"{text!r} has parts of seconds without seconds")
    for left, right in pairwise(parts):
        if (
            len(left.letters) == 1
            and left.kind not in ("literal", "half_day", "offset")
            and (right.kind not in ("literal", "half_day", "offset"))
        ):
            raise ValueError(
                f"{text!r}: {left.letters!r} may have one digit or two, so that a sign must stand "
                f"between it and {right.letters!r}"
            )


@cache
def _zones() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if "/" in name)


def is_zone(name: str) -> bool:
    """Whether a layout may name this zone."""
    return name in ("pbx", "utc") or name in _zones()
