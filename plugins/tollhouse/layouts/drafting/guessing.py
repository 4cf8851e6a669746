"""What the values of a field look like, whatever its name says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from babel import Locale

from tollhouse.layouts.drafting.durations import DurationGuess, durations
from tollhouse.layouts.drafting.instants import (
    TimeGuess,
    dates,
    is_plausible_epoch,
    times_of_day,
    whole_instants,
)
from tollhouse.layouts.drafting.shape import SampledField

ENOUGH_SHARE = 0.9
#: Codes of a field: few texts that come again and again.
MOST_CODES = 12
LONGEST_CODE = 24

PHONE_NUMBER = re.compile(r"\+?[0-9*#][0-9*#() ./-]{5,19}(?:@\S+)?", re.IGNORECASE)
#: What PBXs write before a number: Ext.201, <I>0199001001, sip:201.
NUMBER_PREFIX = re.compile(r"(?:[A-Za-z]{2,4}[.:]|<[A-Za-z]{1,4}>)(?=[0-9+*#])")
EXTENSION = re.compile(r"\d{2,6}")
MASKED_NUMBER = re.compile(r"\+?\d{3,}[xX*.]{2,}")
WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
#: Longer numbers that grow are telephone numbers in order.
COUNTER = re.compile(r"[1-9]\d{0,8}")
DECIMAL_NUMBER = re.compile(r"-?\d{1,3}(?:[ .,']?\d{3})*[.,]\d{1,8}|-?\d+[.,]\d{1,8}")
#: Seconds of an epoch and a counter, as Asterisk names calls.
ONE_DOT = re.compile(r"\d+[.,]\d+")
PLACEHOLDERS = frozenset({"-", "--", "null", "(null)", "none", "n/a", "nan", "\\n"})
ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
IDENTITY = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:@/{}-]{3,}")


@dataclass(frozen=True)
class Facts:
    """What is known of a field by its values.

    Attributes:
        field: the field, empty where its text means nothing.
        month_first: whether a month stands before its day where the values cannot tell.
        placeholders: texts of it that mean nothing.
    """

    field: SampledField
    month_first: bool = False
    placeholders: tuple[str, ...] = ()

    @cached_property
    def filled(self) -> tuple[str, ...]:
        """The values that are not empty."""
        return tuple(value for value in self.field.values if value)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The values without what a PBX writes before a number."""
        return tuple(NUMBER_PREFIX.sub("", value, count=1) for value in self.filled)

    @cached_property
    def number_prefixes(self) -> list[str]:
        """What stands before numbers, the more frequent first."""
        matches = (NUMBER_PREFIX.match(value) for value in self.filled)
        found = Counter(match[0] for match in matches if match)
        return [prefix for prefix, _ in found.most_common(5)]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value is there."""
        return Counter(self.filled)

    @cached_property
    def instant(self) -> TimeGuess | None:
        """Date and time of day in one."""
        values = self.field.values
        if "0" in self.counts:
            # Of an epoch it is the instant that there was not.
            values = tuple("" if value == "0" else value for value in values)
        guess = whole_instants(values, month_first=self.month_first)
        if guess and guess.format.startswith("epoch") and not is_plausible_epoch(values):
            return None
        return guess

    @cached_property
    def date(self) -> TimeGuess | None:
        """A date alone."""
        return dates(self.field.values, month_first=self.month_first)

    @cached_property
    def time_of_day(self) -> TimeGuess | None:
        """A time of day alone."""
        return times_of_day(self.field.values)

    @cached_property
    def duration(self) -> DurationGuess | None:
        """A duration, which any field of numbers may be."""
        return durations(self.field.values)

    def share(self, expression: re.Pattern[str]) -> float:
        """Return the share of the values that are of a form."""
        if not self.filled:
            return 0.0
        return sum(1 for value in self.filled if expression.fullmatch(value)) / len(self.filled)

    @cached_property
    def is_decimal(self) -> bool:
        """Whether its values are numbers of which some have decimals."""
        has_decimals = any(DECIMAL_NUMBER.fullmatch(value) for value in self.filled)
        numbers = sum(
            1
            for value in self.filled
            if DECIMAL_NUMBER.fullmatch(value) or WHOLE_NUMBER.fullmatch(value)
        )
        return has_decimals and numbers >= ENOUGH_SHARE * len(self.filled)

    @cached_property
    def is_phone_number(self) -> bool:
        """Whether some values are telephone numbers and the others extensions or short numbers."""
        if self.is_counter or self.share(ADDRESS) > 0:
            return False
        numbers = sum(1 for value in self.filled if is_number(value))
        long_numbers = sum(
            1 for value in self.filled if is_number(value) and sum(map(str.isdigit, value)) > 6
        )
        return (
            bool(self.filled)
            and numbers >= ENOUGH_SHARE * len(self.filled)
            and long_numbers >= 0.1 * len(self.filled)
        )

    @cached_property
    def is_extension(self) -> bool:
        """Whether its values are short numbers of one length or two, of which some come again."""
        lengths = {len(value) for value in self.filled}
        return (
            self.share(EXTENSION) >= ENOUGH_SHARE
            and max(lengths, default=0) - min(lengths, default=0) <= 2
            and max(lengths, default=0) >= 3
        )

    @cached_property
    def is_identity(self) -> bool:
        """Whether every ticket has another value, and not by chance."""
        return (
            len(self.filled) > 1
            and len(self.filled) == len(self.field.values) == len(self.counts)
            and self.share(IDENTITY) == 1.0
        )

    @cached_property
    def is_counter(self) -> bool:
        """Whether its values are whole numbers that grow from ticket to ticket."""
        if not self.is_identity or self.share(COUNTER) < 1:
            return False
        numbers = [int(value) for value in self.filled]
        return all(before < after for before, after in pairwise(numbers))

    @cached_property
    def is_currency(self) -> bool:
        """Whether its values are codes of currencies."""
        known = Locale("en").currencies
        return bool(self.filled) and all(value.upper() in known for value in self.counts)

    @cached_property
    def is_code(self) -> bool:
        """Whether its values are few short texts."""
        return (
            len(self.filled) > 1
            and len(self.counts) <= MOST_CODES
            and max(map(len, self.counts)) <= LONGEST_CODE
            and (len(self.counts) == 1 or len(self.counts) * 2 <= len(self.filled))
        )

    @cached_property
    def kind(self) -> str:
        """One word or two for people, of the kinds that the values may be the likeliest."""
        if not self.filled:
            return "empty"
        for kind, holds in (
            ("time", self.instant is not None),
            ("date", (self.date is not None and not self.is_code) or self._is_separated_date),
            ("clock", self._is_clock),
            ("duration", self.duration is not None and not self.duration.is_number),
            ("currency", self.is_currency),
            ("constant", len(self.counts) == 1 and len(self.filled) > 1),
            ("number", self.is_phone_number),
            ("amount", self.is_decimal),
            ("code", self.is_code),
            ("extension", self.is_extension),
            ("id", self.is_identity),
            ("count", self.share(WHOLE_NUMBER) >= ENOUGH_SHARE),
        ):
            if holds:
                return kind
        return "text"

    @cached_property
    def _is_separated_date(self) -> bool:
        return self.date is not None and not self.filled[0].isdecimal()

    @cached_property
    def _is_clock(self) -> bool:
        """Whether its values are times of day rather than durations: those begin with zeros."""
        guess = self.time_of_day
        if guess is None or (self.filled[0].isdecimal() and len(self.filled[0]) != 6):
            return False
        if guess.format.endswith("a"):
            return True
        hours = [moment.hour for moment in guess.values if moment is not None]
        return sum(hour >= 6 for hour in hours) > 0.5 * len(hours)


def facts_of(field: SampledField, *, month_first: bool = False) -> Facts:
    """Return what is known of a field, its placeholders taken for nothing."""
    found = tuple(dict.fromkeys(value for value in field.values if is_placeholder(value)))
    if not found or len(found) == len(set(field.values)):
        return Facts(field, month_first)
    values = tuple("" if value in found else value for value in field.values)
    return Facts(replace(field, values=values), month_first, found)


def is_placeholder(value: str) -> bool:
    """Whether a text is what programs write where they have nothing."""
    return value.lower() in PLACEHOLDERS or value.startswith("0000-00-00")


def is_number(value: str) -> bool:
    """Whether a value can be dialled, or is one of which the last digits are masked."""
    plain = NUMBER_PREFIX.sub("", value, count=1)
    if ONE_DOT.fullmatch(plain):
        return False
    return any(form.fullmatch(plain) for form in (PHONE_NUMBER, EXTENSION, MASKED_NUMBER))


def shown_values(facts: Facts, most: int = 3) -> Sequence[str]:
    """Return some values of a field, the more frequent first."""
    return [value for value, _ in facts.counts.most_common(most)]
