"""Which format the durations of a field are in."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tollhouse.layouts.declaration.readings import DurationFormat

ENOUGH_SHARE = 0.9
#: A conversation of more seconds is rare, one of more milliseconds is not.
LONGEST_USUAL_SECONDS = 36_000

CLOCK = re.compile(r"(?P<h>\d{1,4}):(?P<m>[0-5]\d):(?P<s>[0-5]\d)(?:[.,]\d+)?")
SHORT_CLOCK = re.compile(r"(?P<m>\d{1,4}):(?P<s>[0-5]\d)")
APOSTROPHE = re.compile(r"(?:(?P<h>\d{1,4}):)?(?P<m>\d{1,4})'(?P<s>[0-5]\d)(?:''|\")?")
NUMBER = re.compile(r"\d{1,9}(?:[.,]\d{1,6})?")


@dataclass(frozen=True)
class DurationGuess:
    """A format that the values of a field may be in.

    Attributes:
        format: as a layout has it.
        seconds: what each value reads as; None where it does not, or is empty.
        count: how many read.
        filled: how many are not empty.
        is_number: whether they are bare numbers, which durations only are among other things.
        decimal: the decimal sign, where there is one.
        numbers: bare numbers as they are written.
    """

    format: DurationFormat
    seconds: tuple[int | None, ...]
    count: int
    filled: int
    is_number: bool = False
    decimal: str = "."

    numbers: tuple[float | None, ...] = ()

    def in_unit(self, unit: DurationFormat) -> DurationGuess:
        """Return bare numbers read in another unit."""
        factor = {"milliseconds": 0.001, "minutes": 60.0}.get(unit, 1.0)
        seconds = tuple(
            None if number is None else math.ceil(round(number * factor, 3))
            for number in self.numbers
        )
        return replace(self, format=unit, seconds=seconds)


def durations(values: Sequence[str]) -> DurationGuess | None:
    """Guess the format of durations; bare numbers are taken for seconds for the time being."""
    filled = sum(1 for value in values if value)
    formats: tuple[tuple[DurationFormat, re.Pattern[str]], ...] = (
        ("hh:mm:ss", CLOCK), ("m'ss", APOSTROPHE), ("mm:ss", SHORT_CLOCK),
    )  # fmt: skip
    for name, expression in formats:
        read = tuple(_clock_seconds(expression, value) for value in values)
        count = sum(value is not None for value in read)
        if count and count >= ENOUGH_SHARE * filled:
            return DurationGuess(name, read, count, filled)
    numbers = tuple(
        float(value.replace(",", ".")) if NUMBER.fullmatch(value) else None for value in values
    )
    count = sum(number is not None for number in numbers)
    if not count or count < ENOUGH_SHARE * filled:
        return None
    decimal = "," if any("," in value for value in values) else "."
    return DurationGuess("seconds", (), count, filled, True, decimal, numbers).in_unit("seconds")


def _clock_seconds(expression: re.Pattern[str], value: str) -> int | None:
    match = expression.fullmatch(value)
    if match is None:
        return None
    parts = match.groupdict()
    return 3600 * int(parts.get("h") or 0) + 60 * int(parts["m"]) + int(parts["s"])
