"""Samples whose fields stand in columns of characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from statistics import median

from tollhouse.layouts.drafting.content import Sample
from tollhouse.layouts.drafting.naming import named_by_kind, unique_names
from tollhouse.layouts.drafting.shape import IgnoreRule, SampledField, Shape
from tollhouse.layouts.drafting.text import counted, printable, shown

TICKET = re.compile(r"\d{1,2}[:.'hH]\d{2}|\d{8}")
#: With what a heading or a total begins.
WORD = re.compile(r"[^\W\d]{3}")
RULE = re.compile(r"[-=_*+|. ]{3,}")
#: Dates and times of day, which some PBXs write without a blank behind them.
CLOCKS = (
    re.compile(r"(?<!\d)((?:\d\d[./-]){2}(?:19|20)\d\d)(?!:)"),
    re.compile(r"(?<!\d)((?:\d\d[./-]){2}\d\d)(?!\d\d(?!:))"),
    re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"),
)
#: Dates and times are proposed by so many lines, and held against all.
PROPOSING_LINES = 12
ENOUGH_SHARE = 0.95
AMOUNT = re.compile(r"\d+[.,]\d+")
FEWEST_FIELDS = 3
#: Lines beyond do not fit a page, and are no columns that people laid out.
WIDEST_LINE = 1_000
RULER_WIDTH = 116
HEADING_START = 12
#: A heading may stand a little beside its column; one above a column that is empty names none.
NEAR_COLUMNS = 1


def fixed_shape(sample: Sample) -> Shape | None:
    """Return how the lines of a sample are columns of characters, or None if they are not."""
    lines = [line.rstrip() for line in sample.lines]
    tickets = _tickets_among(lines)
    if len(tickets) * 2 < len(lines):
        tickets = lines
    width = max(map(len, tickets))
    if width > WIDEST_LINE or any("\t" in line for line in tickets):
        return None
    padded = [line.ljust(width) for line in tickets]
    spans = _spans(padded, width)
    words = median(len(line.split()) for line in tickets)
    # Where the words of lines do not stand below each other no column stays blank.
    if len(spans) < FEWEST_FIELDS or len(spans) < 0.6 * words:
        return None
    used, spans = spans, _with_blanks_beside(padded, spans)
    columns = [
        tuple(line[start : start + size].strip() for line in tickets) for start, size in spans
    ]
    known = set(tickets)
    others = [line for line in lines if line not in known]
    titles = _titles(others, used)
    places = [(start + 1, size) for start, size in spans]
    fields = named_by_kind(columns, places)
    if titles:
        names = unique_names(
            title or field.name for title, field in zip(titles, fields, strict=True)
        )
        fields = tuple(
            SampledField(name, field.values, title or None, field.place)
            for name, field, title in zip(names, fields, titles, strict=True)
        )
    ignore, doubts = _headings(others, tickets)
    if len(tickets) < 5:
        doubts.append(
            f"columns were found from {counted(len(tickets), 'line')}: what is blank there by "
            "chance looks like a boundary; give a larger sample"
        )
    return Shape(
        "fixed",
        f"its {counted(len(tickets), 'line')} are blank in the same columns",
        _settings(tickets, spans),
        fields,
        False,
        tuple(ignore),
        _ruler(tickets[0], spans),
        tuple(doubts),
    )


def _tickets_among(lines: Sequence[str]) -> list[str]:
    """Return the lines that have a date or a time, and have it where most have one.

    A total begins with a word and has a duration elsewhere; a page heading has a date elsewhere.
    """
    timed = [line for line in lines if TICKET.search(line)]
    places = Counter(match.start() for line in timed for match in TICKET.finditer(line))
    usual = {place for place, count in places.items() if count * 2 > len(timed)}
    elsewhere = {
        line
        for line in timed
        if WORD.search(line[:HEADING_START])
        and not any(
            abs(match.start() - place) <= NEAR_COLUMNS
            for match in TICKET.finditer(line)
            for place in usual
        )
    }
    return [line for line in timed if line not in elsewhere] if usual else timed


def _spans(lines: Sequence[str], width: int) -> list[tuple[int, int]]:
    """Return start and width of the fields: columns that are not blank in all lines."""
    is_used = [any(line[column] != " " for line in lines) for column in range(width)]
    spans = []
    start = 0
    for used, run in groupby(is_used):
        size = len(list(run))
        if used:
            for left, right in _around_clocks(lines, start, start + size):
                spans += _cut(lines, left, right)
        start += size
    return spans


def _around_clocks(lines: Sequence[str], start: int, end: int) -> list[tuple[int, int]]:
    """Cut columns that are used side by side before and behind dates and times of day."""
    proposed = {
        (start + match.start(1), start + match.end(1))
        for line in lines[:PROPOSING_LINES]
        for form in CLOCKS
        for match in form.finditer(line[start:end])
    }
    ends = {start, end}
    for left, right in sorted(proposed):
        texts = [text for line in lines if (text := line[left:right]).strip()]
        fits = sum(any(form.fullmatch(text) for form in CLOCKS) for text in texts)
        if fits >= ENOUGH_SHARE * len(texts) and fits * 3 >= len(lines):
            ends |= {left, right}
    cuts = sorted(ends)
    pieces = pairwise(cuts)
    return [
        (left, right) for left, right in pieces if any(line[left:right].strip() for line in lines)
    ]


def _with_blanks_beside(
    lines: Sequence[str], spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Give fields the blank columns beside them: values that are longer than the sample's fit.

    Texts grow to the right, numbers that stand at the right grow to the left.
    """
    starts = [start for start, _ in spans]
    ends = [start + size for start, size in spans]
    for index in range(len(spans) - 1):
        left, right = ends[index], starts[index + 1]
        if right - left < 2:
            continue
        grows_right = any(line[left - 1] == " " for line in lines)
        texts = [line[right : ends[index + 1]] for line in lines]
        grows_left = any(text.startswith(" ") for text in texts) or (
            not grows_right and all(AMOUNT.fullmatch(text) for text in texts)
        )
        if grows_right:
            ends[index] = right - 1 - (right - left) // 2 * grows_left
        if grows_left:
            starts[index + 1] = ends[index] + 1
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def _cut(lines: Sequence[str], start: int, end: int) -> list[tuple[int, int]]:
    """Cut columns that are used side by side where one field ends in blanks and the next begins.

    A number that stands at the right has blanks before it: those are no end.
    """
    cuts = [start]
    for column in range(start + 1, end):
        if (
            _ends_before(lines, cuts[-1], column)
            or _turns_before(lines, cuts[-1], column, end)
            or (column == start + 1 and _is_mark_before(lines, column))
        ):
            cuts.append(column)
    return [(left, right - left) for left, right in zip(cuts, [*cuts[1:], end], strict=True)]


def _ends_before(lines: Sequence[str], start: int, column: int) -> bool:
    if any(line[column] == " " for line in lines):
        return False
    blank_before = [line for line in lines if line[column - 1] == " "]
    return bool(blank_before) and all(line[start : column - 1].strip() for line in blank_before)


def _is_mark_before(lines: Sequence[str], column: int) -> bool:
    """Whether a sign that some lines have, such as that of a long call, stands before digits."""
    signs = {line[column - 1] for line in lines}
    has_digits = all(line[column].isdecimal() for line in lines)
    return has_digits and " " in signs and not any(sign.isalnum() for sign in signs)


def _turns_before(lines: Sequence[str], start: int, column: int, end: int) -> bool:
    """Whether a date of digits ends here, or a code of one letter stands between digits."""
    if len(lines) < 3:
        return False
    if column - start == 14 and end > column:
        return all(
            re.fullmatch(r"(19|20)\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d[0-5]\d", line[start:column])
            for line in lines
        )
    before, here = ({line[place] for line in lines} for place in (column - 1, column))
    is_letter_before, is_letter_here = (
        all(sign.isalpha() for sign in signs) for signs in (before, here)
    )
    is_digit_before, is_digit_here = (
        all(sign.isdecimal() for sign in signs) for signs in (before, here)
    )
    codes = here if is_letter_here else before
    is_turn = (is_letter_before and is_digit_here) or (is_digit_before and is_letter_here)
    return is_turn and 2 <= len(codes) <= 6


def _titles(others: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[str]:
    """Return what a heading writes above each field, or nothing where there is no heading."""
    for line in others[:40]:
        words = list(re.finditer(r"\S+", line))
        if len(words) < FEWEST_FIELDS or not all(re.search(r"[^\W\d]", word[0]) for word in words):
            continue
        titles: list[list[str]] = [[] for _ in spans]
        for word in words:
            place = _nearest(word.start(), word.end(), spans)
            left, size = spans[place]
            if word.start() <= left + size + NEAR_COLUMNS and word.end() >= left - NEAR_COLUMNS:
                titles[place].append(word[0])
        joined = [" ".join(parts) for parts in titles]
        if sum(bool(title) for title in joined) >= 0.5 * len(spans):
            return joined
    return []


def _nearest(start: int, end: int, spans: Sequence[tuple[int, int]]) -> int:
    def distance(index: int) -> tuple[int, int]:
        left, size = spans[index]
        overlap = min(end, left + size) - max(start, left)
        return -overlap, abs(left - start)

    return min(range(len(spans)), key=distance)


def _headings(others: Sequence[str], tickets: Sequence[str]) -> tuple[list[IgnoreRule], list[str]]:
    """Return rules for the lines that have no date or time where tickets have one."""
    rules: dict[str, IgnoreRule] = {}
    for line in dict.fromkeys(others):
        if RULE.fullmatch(line):
            rules["rule"] = IgnoreRule({"matches": "^[-=_*+|. ]+$"}, "a rule below a heading")
            continue
        beginning = line[:HEADING_START]
        is_ticket = any(ticket.startswith(beginning) for ticket in tickets)
        if not is_ticket and re.search(r"[^\W\d]{2}", beginning) and len(rules) < 10:
            rules[beginning] = IgnoreRule(
                {"starts_with": beginning}, "no date or time where tickets have one"
            )
    left = [
        line
        for line in others
        if not RULE.fullmatch(line) and not any(line.startswith(start) for start in rules)
    ]
    doubts = []
    if left:
        doubts.append(
            f"{counted(len(left), 'line')} without date or time will be rejected, such as "
            f"{shown(left[0], 60)}"
        )
    return list(rules.values()), doubts


def _settings(
    tickets: Sequence[str], spans: Sequence[tuple[int, int]]
) -> tuple[tuple[str, object, str], ...]:
    """Return the length of the shortest ticket, where that has not all fields."""
    shortest = min(map(len, tickets))
    if shortest > spans[-1][0]:
        return ()
    return (("shortest_line", shortest, "the last fields are left out where they are blank"),)


def _ruler(line: str, spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return a ruler, a ticket below it, and where the fields stand."""
    width = min(max(start + size for start, size in spans), RULER_WIDTH)
    tens = "".join(f"{column:>10}" for column in range(10, width + 10, 10))[:width]
    units = "".join(str(column % 10) for column in range(1, width + 1))
    bars = [" "] * width
    for start, size in spans:
        for column in range(start, min(start + size, width)):
            bars[column] = "="
        if start < width:
            bars[start] = "|"
    cut = () if len(line) <= width else (f"(the first {width} characters of {len(line)})",)
    return tuple(
        text.rstrip() for text in (tens, units, printable(line[:width]), "".join(bars), *cut)
    )
