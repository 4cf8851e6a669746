"""Which format the dates and times of a field are in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

from tollhouse.layouts import time_formats

#: So many values speak for a format, if they read as it.
ENOUGH_SHARE = 0.9
#: Formats are proposed by so many values, and held against all.
PROPOSING_VALUES = 6
EARLIEST_YEAR, LATEST_YEAR = 1995, 2045
#: A year that is not there: dates of a sample are compared as if they were of one leap year.
NO_YEAR = 2000

#: What makes an instant of a date alone and of a time of day alone: formats and texts.
MIDNIGHT = (" HH:mm", " 00:00")
NEW_YEAR = ("dd/MM ", "01/01 ")

#: Orders of a date's parts, the more usual first.
WITH_YEAR = ("dMy", "Mdy", "yMd", "ydM")
#: Where a year of four digits comes first the month is next.
ODD_ORDER = "ydM"
MARK = r"[-/. ]"
SEPARATED_DATE = re.compile(
    rf"(\d{{1,4}}|[A-Za-z]{{3}})({MARK})(\d{{1,2}}|[A-Za-z]{{3}})\2(\d{{2,4}})"
)
SHORT_DATE = re.compile(r"(\d{1,2})([-/.])(\d{1,2})")
COMPACT_DATES = {8: ("yyyyMMdd", "ddMMyyyy", "MMddyyyy"), 6: ("yyMMdd", "ddMMyy", "MMddyy")}
TIME = re.compile(
    r"(?P<h>\d{1,2})(?P<s>[:.hH])(?P<m>\d{2})(?:(?P=s)(?P<sec>\d{2})(?P<f>[.,]\d{1,9})?)?"
    r"(?P<half> ?[AaPp]\.?[Mm]\.?)?(?P<offset> ?(?:Z|[+-]\d{2}:?\d{2}|[+-]\d{2}))?"
)
ISO_8601 = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)")

EXPRESSIONS: dict[str, str] = {
    "year": r"(?P<year>\d{4})", "short_year": r"(?P<short_year>\d{2})",
    "month_name": r"(?P<month_name>[A-Za-z]{3})", "fraction": r"\d+",
    "half_day": r"(?P<half_day>[AaPp])\.?[Mm]\.?",
    "offset": r"(?P<offset>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})",
}  # fmt: skip


@dataclass(frozen=True)
class TimeGuess:
    """A format that the values of a field are in.

    Attributes:
        format: as a layout has it; of a date or a time of day alone, that part of one.
        values: what each value reads as; None where it does not, or is empty.
        count: how many read.
        filled: how many are not empty.
        rivals: formats that read as many, with another meaning, and what they make of the values.
    """

    format: str
    values: tuple[datetime | None, ...]
    count: int
    filled: int
    rivals: tuple[TimeGuess, ...] = ()

    @property
    def span(self) -> timedelta:
        """From the first to the last."""
        read = [value for value in self.values if value is not None]
        return max(read) - min(read) if read else timedelta()

    @property
    def is_to_come(self) -> bool:
        """Whether some values lie in the future."""
        tomorrow = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
        return any(value is not None and value > tomorrow for value in self.values)

    @property
    def descents(self) -> int:
        """How often a value is earlier than the one before it, by more than a day."""
        read = [value for value in self.values if value is not None]
        day = timedelta(days=1)
        return sum(later < earlier - day for earlier, later in pairwise(read))


def whole_instants(values: Sequence[str], *, month_first: bool = False) -> TimeGuess | None:
    """Guess the format of values that have a date and a time of day.

    Args:
        values: of a field, from the top.
        month_first: whether a month stands before its day where the values cannot tell.
    """
    formats = _formats(values, month_first, with_date=True, with_time=True)
    return _guess(values, [*_words(values), *formats])


def dates(values: Sequence[str], *, month_first: bool = False) -> TimeGuess | None:
    """Guess the format of values that are dates."""
    formats = _formats(values, month_first, with_date=True, with_time=False)
    return _guess(values, formats, behind=MIDNIGHT)


def times_of_day(values: Sequence[str]) -> TimeGuess | None:
    """Guess the format of values that are times of day, as in a field beside a date."""
    formats = _formats(values, False, with_date=False, with_time=True)
    return _guess(values, formats, before=NEW_YEAR)


def read_instant(format_text: str, text: str) -> datetime | None:
    """Read a text in a format; None where it is none."""
    if format_text == "iso8601":
        try:
            return _comparable(datetime.fromisoformat(text.replace(",", ".")))
        except ValueError:
            return None
    if format_text in ("epoch_seconds", "epoch_milliseconds"):
        if re.fullmatch(r"\d{9,13}", text) is None:
            return None
        seconds = int(text) / (1000 if format_text == "epoch_milliseconds" else 1)
        moment = (
            datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds < 4e9 else None
        )
        return moment if moment and EARLIEST_YEAR <= moment.year <= LATEST_YEAR else None
    match = _expression(format_text).fullmatch(text)
    return _moment(match.groupdict()) if match else None


@lru_cache(maxsize=512)
def _expression(format_text: str) -> re.Pattern[str]:
    written = []
    for part in time_formats.parsed(format_text).parts:
        if part.kind == "literal":
            written.append(re.escape(part.letters))
        elif part.kind in EXPRESSIONS:
            written.append(EXPRESSIONS[part.kind])
        else:
            digits = r"\d{2}" if len(part.letters) == 2 else r"\d{1,2}"
            written.append(f"(?P<{part.kind}>{digits})")
    return re.compile("".join(written))


def _moment(parts: dict[str, str | None]) -> datetime | None:
    def number(name: str, absent: int) -> int:
        return int(parts.get(name) or absent)

    year = number("year", NO_YEAR)
    if parts.get("short_year"):
        year = 2000 + number("short_year", 0)
    month = number("month", 1)
    if name := parts.get("month_name"):
        if name.lower() not in time_formats.MONTHS:
            return None
        month = time_formats.MONTHS.index(name.lower()) + 1
    hour = number("hour", 0)
    if parts.get("half_day_hour"):
        hour = number("half_day_hour", 0)
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if (parts.get("half_day") or "a").lower() == "p" else 0)
    try:
        # Whose clock it is, nobody knows here.
        clock = time(hour, number("minute", 0), number("second", 0))
        moment = datetime.combine(date(year, month, number("day", 1)), clock)
    except ValueError:
        return None
    return moment if EARLIEST_YEAR <= year <= LATEST_YEAR else None


def _comparable(moment: datetime) -> datetime | None:
    try:
        plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except OverflowError:
        return None
    return plain if EARLIEST_YEAR <= plain.year <= LATEST_YEAR else None


def _words(values: Sequence[str]) -> Iterator[str]:
    telling = [value for value in values if value][:PROPOSING_VALUES]
    if any(ISO_8601.fullmatch(value) for value in telling):
        yield "iso8601"
    for length, word in ((10, "epoch_seconds"), (13, "epoch_milliseconds")):
        if any(len(value) == length and value.isdecimal() for value in telling):
            yield word


def _formats(
    values: Sequence[str], month_first: bool, *, with_date: bool, with_time: bool
) -> list[str]:
    """Return the formats that some values could be in, each once, the more usual first."""
    proposed: dict[str, None] = {}
    for value in list(dict.fromkeys(value for value in values if value))[:PROPOSING_VALUES]:
        heads = _date_formats(value) if with_date else [("", value)]
        for date_format, rest in heads:
            if not with_time:
                if not rest:
                    proposed[date_format] = None
                continue
            for time_format in _time_formats(rest, behind_date=with_date):
                proposed[date_format + time_format] = None
    # Who writes AM and PM mostly writes the month first.
    return sorted(
        proposed,
        key=lambda text: (month_first or text.endswith("a")) and not text.startswith("M"),
    )


def _date_formats(value: str) -> Iterator[tuple[str, str]]:
    """Yield the formats of a date at the beginning of a value, and what follows it."""
    if match := SEPARATED_DATE.match(value):
        mark = match[2]
        for order in WITH_YEAR:
            if parts := _named_parts(order, (match[1], match[3], match[4])):
                yield mark.join(parts), value[match.end() :]
    if (match := SHORT_DATE.match(value)) and value[match.end() :][:1] in ("", " "):
        for order in ("dM", "Md"):
            width = min(len(match[1]), len(match[3]))
            yield match[2].join(letter * width for letter in order), value[match.end() :]
    for length, formats in COMPACT_DATES.items():
        head, rest = value[:length], value[length:]
        if len(head) == length and head.isdecimal() and head.isascii():
            # More digits than a time of day has: it is a number.
            if rest[:1].isdecimal() and len(rest) not in (4, 6):
                continue
            yield from ((date_format, rest) for date_format in formats)


def _named_parts(order: str, texts: tuple[str, ...]) -> list[str] | None:
    # Where a number has one digit, another of the same field may have two.
    is_padded = all(len(text) > 1 for text in texts)
    parts = []
    for letter, text in zip(order, texts, strict=True):
        if letter == "y":
            is_odd = order == ODD_ORDER and len(text) == 4
            if not text.isdecimal() or len(text) not in (2, 4) or is_odd:
                return None
            parts.append("y" * len(text))
        elif text.isalpha():
            if letter != "M":
                return None
            parts.append("MMM")
        elif len(text) > 2:
            return None
        else:
            parts.append(letter * (2 if is_padded else 1))
    return parts


def _time_formats(text: str, *, behind_date: bool) -> Iterator[str]:
    """Yield the formats of a time of day, with what stands between it and its date."""
    between = re.match(r"[T ,;_-]{0,3}", text) if behind_date else None
    joint = between[0] if between else ""
    rest = text[len(joint) :]
    quoted = joint.replace("T", "'T'")
    if re.fullmatch(r"\d{6}", rest):
        yield f"{quoted}HHmmss"
    if re.fullmatch(r"\d{4}", rest):
        yield f"{quoted}HHmm"
    match = TIME.fullmatch(rest)
    if match is None:
        return
    mark = f"'{match['s']}'" if match["s"] in "hH" else match["s"]
    letter = "h" if match["half"] else "H"
    written = f"{letter * len(match['h'])}{mark}mm"
    if match["sec"]:
        written += f"{mark}ss"
        if match["f"]:
            written += match["f"][0] + "S" * (len(match["f"]) - 1)
    for part, sign in (("half", "a"), ("offset", "Z")):
        if match[part]:
            written += " " * match[part].startswith(" ") + sign
    yield quoted + written


def _guess(
    values: Sequence[str],
    formats: Sequence[str],
    *,
    before: tuple[str, str] = ("", ""),
    behind: tuple[str, str] = ("", ""),
) -> TimeGuess | None:
    """Return the format that most values read as, with its rivals.

    Args:
        values: of a field.
        formats: that come into question.
        before: what stands before format and value to make an instant of them.
        behind: ... and behind them.
    """
    filled = sum(1 for value in values if value)
    guesses = []
    for format_text in formats:
        whole = f"{before[0]}{format_text}{behind[0]}"
        read = tuple(
            read_instant(whole, f"{before[1]}{value}{behind[1]}") if value else None
            for value in values
        )
        count = sum(moment is not None for moment in read)
        if count and count >= ENOUGH_SHARE * filled:
            guesses.append(TimeGuess(format_text, read, count, filled))
    if not guesses:
        return None
    # Calls of a sample lie in the past and close together, and follow each other.
    guesses.sort(key=lambda guess: (-guess.count, guess.is_to_come, guess.descents, guess.span))
    best = guesses[0]
    rivals = [
        guess for guess in guesses[1:] if guess.count == best.count and guess.values != best.values
    ]
    if best.format == "iso8601":
        rivals = []  # its order is fixed; a format with an offset says the same
    return TimeGuess(best.format, best.values, best.count, best.filled, tuple(rivals[:3]))


def is_plausible_epoch(values: Sequence[str]) -> bool:
    """Whether numbers that read as epochs lie close together, as those of a sample do."""
    numbers = sorted(int(value) for value in values if value.isdecimal())
    return bool(numbers) and numbers[-1] - numbers[0] <= 0.1 * numbers[-1]
