"""Words, numbers and dates of the documents in the invoice's language (I11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from tollhouse.invoicing.arithmetic import round_half_up

LOCALES = {"fr": "fr_FR", "en": "en_GB"}

#: How many of the last digits of a called number are hidden unless the service asks for them (I10).
MASKED_DIGITS = 4

#: Numbers up to this length are short numbers and are never masked.
UNMASKED_LENGTH = 6


class WordingError(Exception):
    """The strings of a language are missing or no YAML; the message names the file."""


@dataclass(frozen=True)
class Wording:
    """One language: its strings, and how it writes amounts, numbers, dates and durations."""

    language: str
    locale: str
    strings: dict[str, Any]

    def money(self, amount: Decimal, currency: str, decimals: int = 2) -> str:
        """Write an amount, rounded half up before Babel sees it (Babel rounds half to even)."""
        pattern = None
        if decimals != 2:
            zeros = "0" * decimals
            pattern = f"#,##0.{zeros}\xa0¤" if self.language == "fr" else f"¤#,##0.{zeros}"
        text = format_currency(
            round_half_up(amount, decimals),
            currency,
            format=pattern,
            locale=self.locale,
            currency_digits=False,
        )
        return _plain_spaces(text)

    def number(self, value: Decimal | int, decimals: int = 0) -> str:
        """Write a number with a fixed count of decimals."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        rounded = round_half_up(Decimal(value), decimals)
        return _plain_spaces(format_decimal(rounded, format=pattern, locale=self.locale))

    def percent(self, rate: Decimal) -> str:
        """Write a VAT rate: 20 %, 5,5 %."""
        text = format_decimal(Decimal(rate).normalize() + 0, format="0.##", locale=self.locale)
        return f"{text}\xa0%" if self.language == "fr" else f"{text}%"

    def day(self, value: date) -> str:
        """Write a date in full: 2 novembre 2026."""
        return format_date(value, "d MMMM y", locale=self.locale)

    def month(self, value: date) -> str:
        """Write a month: octobre 2026."""
        return format_date(value, "LLLL y", locale=self.locale)

    def duration(self, seconds: int) -> str:
        """Write seconds as hours:minutes:seconds; the hours may pass 24."""
        hours, rest = divmod(int(seconds), 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


def load_wording(folders: list[Path], language: str) -> Wording:
    """Load a language from the first folder that has it; English stands in for an unknown one.

    Raises:
        WordingError: no folder has the file, or it is no mapping.
    """
    known = language if language in LOCALES else "en"
    for folder in folders:
        path = folder / "strings" / f"{known}.yml"
        if not path.exists():
            continue
        try:
            strings = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise WordingError(f"{path.name} is not YAML: {error}") from error
        if not isinstance(strings, dict):
            raise WordingError(f"{path.name}: expected a mapping of names to words.")
        return Wording(language=known, locale=LOCALES[known], strings=strings)
    raise WordingError(f"No folder of the templates has strings/{known}.yml.")


def display_number(number: str | None, *, show_in_full: bool) -> str:
    """Write a called number as people read it, the last four digits masked unless asked for."""
    text = (number or "").strip()
    if not show_in_full:
        text = mask_last_digits(text)
    if text.startswith("+33") and len(text) == len("+33123456789"):
        national = "0" + text.removeprefix("+33")
        return " ".join(national[start : start + 2] for start in range(0, 10, 2))
    return text


def mask_last_digits(number: str) -> str:
    """Replace the last four digits by X, whatever stands between them.

    Short and special numbers stay as they are, as for the analysts of the warehouse
    (macro masked_number): they say nothing of a person.
    """
    if len(number) <= UNMASKED_LENGTH:
        return number
    masked = list(number)
    left = MASKED_DIGITS
    for position in range(len(masked) - 1, -1, -1):
        if left and masked[position].isdigit():
            masked[position] = "X"
            left -= 1
    return "".join(masked)


def _plain_spaces(text: str) -> str:
    """Use the no-break space that every font has, where Babel puts the narrow one."""
    return text.replace("\u202f", "\xa0")
