"""Columns of text, flags, and the text that any other column is read from."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tollhouse.layouts import patterns
from tollhouse.layouts.compiling.conditions import Known, condition_sql, is_one_of
from tollhouse.layouts.compiling.lines import plain, trimmed
from tollhouse.layouts.compiling.literal import expression_literal, literal, literals
from tollhouse.layouts.compiling.phases import FIRST, Phases, Stage
from tollhouse.layouts.compiling.steps import Fault, case_of
from tollhouse.layouts.declaration.readings import FlagReading, Source, TextCase, TextReading

#: Of more codes than these PostgreSQL finds one faster in jsonb than in a case.
MOST_CODES_OF_A_CASE = 12


@dataclass(frozen=True)
class Read:
    """A column, read.

    Attributes:
        expression: SQL of its value.
        faults: why a ticket cannot be read, the first that holds counts.
    """

    expression: str
    faults: tuple[Fault, ...] = ()


def name_of(column: str, reading: Source) -> str:
    """Return the state_field of what is wrong with a column: its first field, or its own name."""
    return next(iter(reading.field_names()), column)


def source_text(reading: Source, known: Known, *, is_whole: bool = False) -> str:
    """Return the text that a reading begins with, null where there is none.

    Args:
        reading: whose text.
        known: its fields.
        is_whole: the text of several fields is null where one of them is.
    """
    if reading.first_of:
        columns = [_unless(known.fields[name], reading.empty_when) for name in reading.first_of]
        return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"
    columns = [known.fields[name] for name in reading.from_]
    if len(columns) == 1 or not columns:
        return _unless(columns[0], reading.empty_when) if columns else "null"
    join = literal(reading.join)
    if is_whole:
        separator = f" || {join} || " if reading.join else " || "
        return _unless(f"{separator.join(columns)}", reading.empty_when)
    return _unless(f"nullif(concat_ws({join}, {', '.join(columns)}), '')", reading.empty_when)


def _unless(text: str, words: tuple[str, ...]) -> str:
    """Return a text, or null where it is one of these."""
    words = tuple(plain(word) for word in words if plain(word))
    if not words:
        return text
    if len(words) == 1:
        return f"nullif({text}, {literal(words[0])})"
    return f"case when {text} not in ({literals(words)}) then {text} end"


def read_text(
    column: str, reading: TextReading, known: Known, phases: Phases, stage: Stage
) -> Read:
    """Return a column of text: constants as they are, the text of fields taken apart."""
    number = "0"
    if reading.cases:
        number = phases.add(stage.texts, f"{column}_case", _number_of_case(reading, known))
    source = _source(column, reading, known, phases, stage, number)
    faults: tuple[Fault, ...] = ()
    text = "null"
    if source != "null":
        text = _taken_apart(column, reading, source, phases, stage)
        if reading.lookup:
            text = phases.add(stage.codes, f"{column}_code", _looked_up(reading, text))
            if reading.otherwise is None:
                unknown = f"{source} is not null and {text} is null"
                faults = (Fault(unknown, "unknown_code", name_of(column, reading)),)
    text = _by_case(number, _constants(reading), text)
    if reading.otherwise is not None:
        text = f"coalesce({text}, {literal(plain(reading.otherwise))})"
    if "" in map(plain, reading.results()):
        text = f"nullif({text}, '')"
    return Read(text, faults)


def _constants(reading: TextReading) -> dict[int, str]:
    """Return the constants of a reading by the number of their case; no case holds in case 0."""
    constants = {
        place: literal(plain(case.value))
        for place, case in enumerate(reading.cases, start=1)
        if case.value is not None
    }
    if reading.value is not None:
        constants[0] = literal(plain(reading.value))
    return constants


def _source(
    column: str, reading: TextReading, known: Known, phases: Phases, stage: Stage, number: str
) -> str:
    """Return the text of fields that a reading begins with, of the case that holds."""
    source = source_text(reading, known)
    texts = {
        place: _text_of_case(known.fields[case.from_], case)
        for place, case in enumerate(reading.cases, start=1)
        if case.from_ is not None
    }
    if source == "null" and not texts:
        return source
    if not reading.cases:
        return phases.add(stage.texts, f"{column}_source", source)
    results = texts | dict.fromkeys(_constants(reading), "null")
    return phases.add(stage.cuts, f"{column}_source", _by_case(number, results, source))


def _text_of_case(field: str, case: TextCase) -> str:
    return f"{literal(case.prepend)} || {field}" if case.prepend else field


def _number_of_case(reading: TextReading, known: Known) -> str:
    return case_of(
        [
            f"when {condition_sql(case.when, known)} then {place}"
            for place, case in enumerate(reading.cases, start=1)
        ]
        + ["else 0"]
    )


def _by_case(number: str, results: dict[int, str], otherwise: str) -> str:
    """Return the result of the case that holds; without cases that of case 0."""
    if not results or number == "0":
        return results.get(0, otherwise)
    branches = [f"when {place} then {result}" for place, result in results.items()]
    return f"case {number} {' '.join(branches)} else {otherwise} end"


def _taken_apart(
    column: str, reading: TextReading, source: str, phases: Phases, stage: Stage
) -> str:
    """Return what is left of a text, which the expression may use as often as it likes."""
    text = source
    if reading.extract is not None:
        expression = expression_literal(patterns.checked(reading.extract).expression)
        text = phases.add(stage.clocks, f"{column}_extract", f"substring({text} from {expression})")
    if reading.after:
        start = f"nullif(strpos({text}, {literal(reading.after)}), 0)"
        text = f"substr({text}, coalesce({start} + {len(reading.after)}, 1))"
    if reading.before:
        text = f"split_part({text}, {literal(reading.before)}, 1)"
    if text == source and not reading.strip_prefix and not reading.remove:
        return text
    if reading.strip_prefix:
        text = phases.add(stage.readings, f"{column}_cut", f"ltrim({text})")
        text = case_of(
            [
                f"when starts_with({text}, {literal(prefix)})"
                f" then substr({text}, {len(prefix) + 1})"
                for prefix in reading.strip_prefix
            ]
            + [f"else {text}"]
        )
    if reading.remove:
        text = f"translate({text}, {literal(reading.remove)}, '')"
    return trimmed(text)


def _looked_up(reading: TextReading, text: str) -> str:
    codes = {plain(code): plain(result) for code, result in reading.lookup.items()}
    nothing = codes.pop("", None)
    if len(codes) > MOST_CODES_OF_A_CASE:
        document = literal(json.dumps(codes, ensure_ascii=False, separators=(",", ":")))
        found = f"{document}::jsonb ->> ({text})"
    else:
        branches = [
            f"when {literal(code)} then {literal(result)}" for code, result in codes.items()
        ]
        found = f"case {text}\n    " + "\n    ".join(branches) + "\nend" if branches else "null"
    if nothing is None:
        return found
    return f"case when {text} is null then {literal(nothing)} else {found} end"


def read_flag(column: str, reading: FlagReading, known: Known, phases: Phases) -> Read:
    """Return a column that is true or false."""
    if reading.value is not None:
        return Read("true" if reading.value else "false")
    if reading.when is not None:
        return Read(condition_sql(reading.when, known))
    text = phases.add(FIRST.texts, f"{column}_source", source_text(reading, known))
    return Read(is_one_of(text, reading.true_when))
