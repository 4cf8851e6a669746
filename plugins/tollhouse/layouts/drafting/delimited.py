"""Samples whose lines are values with a separator between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tollhouse.layouts.declaration.conditions import MOST_FIELDS
from tollhouse.layouts.drafting.content import LINE_END, Sample
from tollhouse.layouts.drafting.naming import is_usable, named_by_kind, unique_names
from tollhouse.layouts.drafting.shape import IgnoreRule, SampledField, Shape
from tollhouse.layouts.drafting.text import counted, of, shown
from tollhouse.layouts.drafting.words import roles_of

SEPARATORS = ";\t|,^~!"
SEPARATOR_WORDS = {"\t": "tab", " ": "blank"}
#: Fewer values are as likely a line of text with a comma in it.
FEWEST_FIELDS = 3
ENOUGH_SHARE = 0.6
#: Among so many lines at the top a header is looked for.
HEADER_LINES = 20
COMMENT_SIGNS = ("#", "//", "--", "*", ";", "'")

TYPED_VALUE = re.compile(r"[\d:/.,+ T*#Z-]*\d[\d:/.,+ T*#Z-]*")
SQL_TYPE = re.compile(
    r"(INTEGER|BIGINT|SMALLINT|VARCHAR|CHAR|UNIQUEIDENTIFIER|DATETIME|DECIMAL|TEXT)(\(\d+\))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Split:
    """A way of taking lines apart."""

    separator: str
    quote: str
    field_count: int
    share: float

    def values(self, line: str) -> list[str]:
        return split(line, self.separator, self.quote)


def delimited_shape(sample: Sample) -> Shape | None:
    """Return how the lines of a sample are values with a separator, or None if they are not."""
    lines = sample.lines
    way = _best_split(lines)
    if way is None:
        return None
    header = _header(lines, way)
    tickets, others = _tickets_and_others(lines, way, header)
    if not tickets:
        return None
    names = way.values(header) if header is not None else []
    by_file = is_usable(names) and len(names) == way.field_count <= MOST_FIELDS
    ignore, doubts = _other_lines(others, tickets, way)
    rows = [way.values(line) for line in tickets]
    if by_file and len(rows) > 1 and _is_row_of_types(rows[0]):
        condition = {"field": names[0], "is": rows[0][0]}
        ignore.append(IgnoreRule(condition, "the line below the header names types, no call"))
        rows = rows[1:]
    if header is not None and not by_file:
        doubts.append("the header does not name every field once: the names go by position")
    if way.field_count > MOST_FIELDS:
        doubts.append(f"a ticket has {way.field_count} values; the first {MOST_FIELDS} are read")
    return Shape(
        "delimited",
        f"{of(len(tickets), len(tickets) + len(others), 'line')} "
        f"{'has' if len(tickets) == 1 else 'have'} {way.field_count} values with "
        f"{shown(way.separator)} between them",
        _settings(sample, way, header, by_file=by_file),
        _fields(rows, names, by_file=by_file),
        by_file,
        tuple(ignore),
        doubts=tuple(doubts),
    )


def _fields(
    rows: Sequence[Sequence[str]], names: Sequence[str], *, by_file: bool
) -> tuple[SampledField, ...]:
    columns = [tuple(column) for column in zip(*rows, strict=True)][:MOST_FIELDS]
    if not names:
        return named_by_kind(columns)
    titles = [*names, *[""] * len(columns)][: len(columns)]
    unique = titles if by_file else unique_names(titles)
    return tuple(
        SampledField(name, values, title=title)
        for name, values, title in zip(unique, columns, titles, strict=True)
    )


def split(line: str, separator: str, quote: str) -> list[str]:
    """Take a line apart; quotation marks around values are taken off, doubled ones within too."""
    if quote == "none" or quote not in line:
        return [value.strip() for value in line.split(separator)]
    values: list[str] = []
    position, expression = 0, _value_expression(separator, quote)
    while position <= len(line):
        match = expression.match(line, position)
        if match is None:
            return [value.strip() for value in line.split(separator)]
        quoted, plain = match.groups()
        value = plain if quoted is None else quoted.replace(quote * 2, quote)
        values.append(value.strip())
        position = match.end() + 1
    return values


@lru_cache(maxsize=64)
def _value_expression(separator: str, quote: str) -> re.Pattern[str]:
    sign, mark = re.escape(separator), re.escape(quote)
    return re.compile(
        rf"(?:[ ]*{mark}((?:[^{mark}]|{mark}{mark})*+){mark}[ ]*|([^{sign}]*))(?={sign}|$)"
    )


def _best_split(lines: Sequence[str]) -> _Split | None:
    best: tuple[float, _Split] | None = None
    for separator in SEPARATORS:
        quote = _quote(lines, separator)
        counts = Counter(len(split(line, separator, quote)) for line in lines)
        usual = [(count, number) for count, number in counts.items() if count >= FEWEST_FIELDS]
        if not usual:
            continue
        field_count, number = max(usual, key=lambda pair: (pair[1], pair[0]))
        share = number / len(lines)
        # A price with a comma and a list within a value repeat too: more values count for more.
        score = share * min(field_count, 12)
        if share >= ENOUGH_SHARE and (best is None or score > best[0]):
            best = score, _Split(separator, quote, field_count, share)
    return best[1] if best else None


def _quote(lines: Sequence[str], separator: str) -> str:
    for mark in ('"', "'"):
        around = sum(
            line.startswith(mark) or f"{separator}{mark}" in line or line.endswith(mark)
            for line in lines
        )
        within = sum(mark in line for line in lines)
        # An apostrophe is more often part of a name.
        if around and (mark == '"' or around > 0.5 * len(lines)) and around >= 0.5 * within:
            return mark
    return "none" if any('"' in line for line in lines) else '"'


def _header(lines: Sequence[str], way: _Split) -> str | None:
    """Return the line that names the fields, if one does."""
    rows = [way.values(line) for line in lines]
    for index, row in enumerate(rows[:HEADER_LINES]):
        if abs(len(row) - way.field_count) > 1 or len(row) < FEWEST_FIELDS:
            continue
        if any(TYPED_VALUE.fullmatch(value) for value in row):
            # The first ticket: what comes behind is no header.
            if len(row) == way.field_count:
                return None
            continue
        named = [value for value in row if value]
        known = sum(bool(roles_of(value)) for value in named)
        below = [other for other in rows[index + 1 :] if len(other) == way.field_count]
        typed = sum(
            any(TYPED_VALUE.fullmatch(other[place]) for other in below)
            for place in range(min(len(row), way.field_count))
        )
        if len(named) * 2 >= len(row) and (typed >= 1 or known >= 2):
            return lines[index]
    return None


def _tickets_and_others(
    lines: Sequence[str], way: _Split, header: str | None
) -> tuple[list[str], list[str]]:
    """Return the lines with as many values as most have, and the others; the header is neither."""
    before_header = lines.index(header) if header is not None else 0
    kept = [line for line in lines[before_header:] if line != header]
    tickets = [line for line in kept if len(way.values(line)) == way.field_count]
    others = [line for line in kept if len(way.values(line)) != way.field_count]
    return tickets, others


def _is_row_of_types(row: Sequence[str]) -> bool:
    filled = [value for value in row if value]
    return bool(filled) and all(SQL_TYPE.fullmatch(value) for value in filled)


def _other_lines(
    others: Sequence[str], tickets: Sequence[str], way: _Split
) -> tuple[list[IgnoreRule], list[str]]:
    """Return rules for lines that are plainly no tickets, and doubts about the others."""
    rules: dict[str, int] = {}
    unexplained: list[str] = []
    for line in others:
        beginning = _beginning(line, way)
        if beginning and not any(ticket.startswith(beginning) for ticket in tickets):
            rules[beginning] = rules.get(beginning, 0) + 1
        else:
            unexplained.append(line)
    doubts = []
    if unexplained:
        doubts.append(
            f"{counted(len(unexplained), 'line')} of the sample without {way.field_count} values "
            f"will be rejected, such as {shown(unexplained[0], 60)}"
        )
    proposed = [
        IgnoreRule({"starts_with": text}, f"{counted(number, 'line')} of the sample; no call")
        for text, number in list(rules.items())[:10]
    ]
    return proposed, doubts


def _beginning(line: str, way: _Split) -> str | None:
    """Return by what a heading or a total is recognised, if a line is one beyond doubt."""
    for sign in COMMENT_SIGNS:
        if line.startswith(sign) and sign != way.separator:
            return sign
    row = way.values(line)
    has_clock = any(re.search(r"\d{1,2}:\d{2}", value) for value in row)
    if re.fullmatch(r"[^\W\d]{1,20}", row[0]) and not has_clock and len(row) <= way.field_count / 2:
        return row[0] if len(row) == 1 else f"{row[0]}{way.separator}"
    return None


def _settings(
    sample: Sample, way: _Split, header: str | None, *, by_file: bool
) -> tuple[tuple[str, object, str], ...]:
    settings: list[tuple[str, object, str]] = [
        ("separator", SEPARATOR_WORDS.get(way.separator, way.separator), ""),
        ("quote", way.quote, _quote_reason(sample.lines, way.quote)),
    ]
    if header is None:
        settings.append(("header", False, "the first line looks like the others"))
        return tuple(settings)
    skipped = _lines_before(sample, header)
    if by_file:
        if skipped:
            settings.append(("skip_lines", skipped, "above the header"))
        settings.append(("header", True, "the first line names the fields"))
    else:
        settings.append(("skip_lines", skipped + 1, "the header and what is above it"))
        reason = "its names are empty, repeated or not of the number of values: see the fields"
        settings.append(("header", False, reason))
    return tuple(settings)


def _quote_reason(lines: Sequence[str], quote: str) -> str:
    if quote == "none":
        return "quotation marks stand within values, not around them"
    return "" if any(quote in line for line in lines) else "none in the sample; this is the usual"


def _lines_before(sample: Sample, header: str) -> int:
    text = sample.files[0].text
    sign = sample.record_separator
    lines = LINE_END.split(text) if sign == "newline" else text.split(sign)
    return next((place for place, line in enumerate(lines) if line == header), 0)
