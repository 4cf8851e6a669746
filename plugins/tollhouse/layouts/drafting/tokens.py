"""Samples of lines that are nothing but words: a regular expression takes them apart."""

from __future__ import annotations

import re
from collections import Counter

from tollhouse.layouts.drafting.content import Sample
from tollhouse.layouts.drafting.naming import named_by_kind, unique_names
from tollhouse.layouts.drafting.shape import SampledField, Shape
from tollhouse.layouts.drafting.text import counted, shown

#: Words beyond go into one field: patterns of more groups are unreadable.
MOST_WORDS = 40
MOST_KEYS = 60
FEWEST_KEYS = 3
ENOUGH_SHARE = 0.8

KEY_AND_VALUE = re.compile(r'(?:^|[\s,;|])([A-Za-z_][\w.-]{0,40})=("[^"]*"|[^\s,;|]*)')


def named_values_shape(sample: Sample) -> Shape | None:
    """Return a regular expression for lines such as ``start=… duration=…``, if they are such."""
    lines = sample.lines
    keys = Counter(key for line in lines for key in dict(KEY_AND_VALUE.findall(line)))
    usual_keys = [key for key, count in keys.items() if count >= ENOUGH_SHARE * len(lines)]
    if not FEWEST_KEYS <= len(usual_keys) <= MOST_KEYS:
        return None
    return _keys_and_values(lines, usual_keys)


def words_shape(sample: Sample) -> Shape:
    """Return a regular expression that takes the lines of a sample apart at their blanks."""
    lines = sample.lines
    counts = Counter(len(line.split()) for line in lines)
    word_count, number = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    group_count = min(word_count, MOST_WORDS)
    is_open = number < len(lines) or word_count > MOST_WORDS
    if is_open:
        group_count = min(counts) if min(counts) <= MOST_WORDS else MOST_WORDS
    rows = [line.split(maxsplit=group_count) for line in lines if len(line.split()) >= group_count]
    columns = [tuple(row[place] for row in rows) for place in range(group_count)]
    if is_open:
        columns.append(tuple(row[group_count] if len(row) > group_count else "" for row in rows))
    fields = named_by_kind(columns)
    names = [field.name for field in fields]
    groups = [rf"(?P<{name}>\S+)" for name in names[:group_count]]
    pattern = r"^\s*" + r"\s+".join(groups) + (rf"\s*(?P<{names[-1]}>.*)$" if is_open else r"\s*$")
    doubts = [
        "no separator and no columns were found, so the lines are taken apart at their blanks: "
        "check the pattern"
    ]
    if is_open:
        doubts.append(
            f"lines have from {min(counts)} to {counted(max(counts), 'word')}: what comes behind "
            f"the word {group_count} is one field, {names[-1]}"
        )
    return Shape(
        "pattern",
        f"{number} of {counted(len(lines), 'line')} have {counted(word_count, 'word')} with blanks "
        "between them",
        (("pattern", pattern, "named groups are the fields"),),
        fields,
        doubts=tuple(doubts),
    )


def _keys_and_values(lines: list[str], keys: list[str]) -> Shape:
    """Return the shape of names and values, in the order of the line that has most of them.

    A regular expression reads names in one order; lines in another are rejected, and seen.
    """
    rows = [dict(KEY_AND_VALUE.findall(line)) for line in lines]
    order = [key for key in max(rows, key=len) if key in keys]
    names = unique_names(re.sub(r"\W", "_", key) for key in order)
    fields = tuple(
        SampledField(name, tuple(row.get(key, "").strip('"').strip() for row in rows), title=key)
        for name, key in zip(names, order, strict=True)
    )
    groups = []
    for name, key in zip(names, order, strict=True):
        is_quoted = all(row.get(key, '"').startswith('"') for row in rows)
        group = f'"(?P<{name}>[^"]*)"' if is_quoted else f'"?(?P<{name}>[^",;|\\s]*)'
        groups.append(f"{re.escape(key)}={group}")
    return Shape(
        "pattern",
        f"{counted(len(lines), 'line')} of names and values such as {shown(lines[0], 30)}",
        (("pattern", "^.*" + ".*".join(groups), "named groups are the fields"),),
        fields,
        doubts=("names and values are read in one order: check that all lines have it",),
    )
