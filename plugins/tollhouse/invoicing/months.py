"""Billing months: civil months, written ``2026-10`` and stored as their first day."""

from __future__ import annotations

import re
from datetime import date

MONTH_PATTERN = re.compile(r"^(20[0-9]{2})-(0[1-9]|1[0-2])$")


class MonthError(Exception):
    """The text is no billing month; the message shows the form."""


def parse_month(text: str) -> date:
    """Return the first day of a month written ``YYYY-MM``.

    Raises:
        MonthError: the text has another form.
    """
    match = MONTH_PATTERN.match(text.strip())
    if match is None:
        raise MonthError(f"{text!r} is no billing month: write it as 2026-10.")
    return date(int(match[1]), int(match[2]), 1)


def month_text(month: date) -> str:
    """Write a month as ``YYYY-MM``."""
    return f"{month:%Y-%m}"


def previous_month(day: date) -> date:
    """Return the first day of the month before the one that holds ``day``."""
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
