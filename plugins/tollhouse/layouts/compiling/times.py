"""Instants: the clock of a ticket read by its format, exactly or in the zone of a clock on a wall.

A reading gives up to two columns: ``<column>_local``, what the clock shows (timestamp), and
``<column>_exact``, an instant that the text itself names (timestamptz).
"""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse.layouts import patterns, time_formats
from tollhouse.layouts.compiling.conditions import Known
from tollhouse.layouts.compiling.literal import expression_literal, literal
from tollhouse.layouts.compiling.phases import FIRST, Phases
from tollhouse.layouts.compiling.steps import Fault, case_of
from tollhouse.layouts.compiling.texts import name_of, source_text
from tollhouse.layouts.declaration.readings import TimeReading
from tollhouse.layouts.time_formats import FormatPart, TimeFormat

#: Regular expressions of the parts of a format, by their letters or by what they are.
EXPRESSIONS = {
    "yyyy": "[0-9]{4}", "yy": "[0-9]{2}", "MMM": "[A-Za-z]{3}", "MM": "[0-9]{2}",
    "M": "[0-9]{1,2}", "dd": "[0-9]{2}", "d": "[0-9]{1,2}", "HH": "[0-9]{2}", "H": "[0-9]{1,2}",
    "hh": "0[1-9]|1[0-2]", "h": "0?[1-9]|1[0-2]", "mm": "[0-9]{2}", "m": "[0-9]{1,2}",
    "ss": "[0-9]{2}", "s": "[0-9]{1,2}", "a": "[AaPp][.]? ?[Mm][.]?",
    "Z": "[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?",
}  # fmt: skip

DIGITS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH", "minute": "mm", "second": "ss"}

ISO_8601 = (
    "^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2}([.,][0-9]{1,9})?)?"
    " ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?$"
)
#: What framing or a PBX writes is no longer, and PostgreSQL reads no longer time.
LONGEST_TEXT_BYTES = 80


@dataclass(frozen=True)
class Instant:
    """An instant of a ticket, read.

    Attributes:
        column: of the contract.
        source: column of its text.
        exact: column of the instant that the text names; None where it never does.
        local: column of what a clock on a wall shows; None where it is never needed.
        zone: column of that clock's zone.
        is_minute: SQL of whether the clock has no seconds.
        is_year_inferred: whether the text has no year.
        faults: why it cannot be read.
    """

    column: str
    source: str
    exact: str | None
    local: str | None
    zone: str
    is_minute: str
    is_year_inferred: bool
    faults: tuple[Fault, ...]

    @property
    def is_absent(self) -> str:
        """SQL of whether the ticket has it not."""
        return " and ".join(f"{column} is null" for column in (self.exact, self.local) if column)


def zone_columns(readings: dict[str, TimeReading]) -> dict[str, str]:
    """Return the zones that a layout names, guarded: PostgreSQL may not know each of them."""
    return {
        f"{column}_zone": (
            "case\n"
            f"    when pg_input_is_valid('2000-01-01 00:00:00 ' || {literal(reading.zone)},"
            " 'timestamp with time zone')\n"
            f"        then {literal(reading.zone)}\n"
            "end"
        )
        for column, reading in readings.items()
        if reading.zone not in ("pbx", "utc")
    }


def read_time(column: str, reading: TimeReading, known: Known, phases: Phases) -> Instant:
    """Return an instant; a text that is none is a fault."""
    form = time_formats.parsed(reading.format)
    source = phases.add(FIRST.texts, f"{column}_source", source_text(reading, known, is_whole=True))
    zone = {"pbx": "time_zone", "utc": "'UTC'"}.get(reading.zone, f"{column}_zone")
    field = name_of(column, reading)
    exact: str | None = None
    local: str | None = None
    is_minute = "false" if form.has_seconds else "true"
    if form.word in ("epoch_seconds", "epoch_milliseconds"):
        exact = phases.add(FIRST.readings, f"{column}_exact", _epoch(source, form.word))
    elif form.word == "iso8601":
        local, exact, is_minute = _iso_8601(column, source, reading, phases)
    else:
        local, exact = _formatted(column, source, form, reading, phases, zone)
    instant = Instant(column, source, exact, local, zone, is_minute, not form.has_year, faults=())
    faults = [Fault(f"{source} is not null and {instant.is_absent}", "no_such_time", field)]
    if local is not None:
        unknown = "unknown_time_zone", "time_zone" if reading.zone == "pbx" else "zone"
        faults.insert(0, Fault(f"{zone} is null", *unknown))
    return Instant(column, source, exact, local, zone, is_minute, not form.has_year, tuple(faults))


def _epoch(source: str, unit: str) -> str:
    factor = "1000" if unit == "epoch_milliseconds" else "1"
    digits = 14 if unit == "epoch_milliseconds" else 11
    signs = f"translate({source}, '0123456789', '')"
    second = f"trunc({source}::numeric / {factor})"
    return case_of(
        [
            f"when octet_length({source}) > 30 then null",
            f"when {signs} = '' and octet_length({source}) <= {digits}\n"
            f"    then to_timestamp({source}::bigint / {factor})"
            + (f" + {source}::bigint % 1000 * interval '1 millisecond'" if factor != "1" else ""),
            f"when {signs} = '.' and strpos({source}, '.') between 2 and {digits + 1}\n"
            f"    then to_timestamp({second}::bigint)"
            f" + ({source}::numeric / {factor} - {second})::float8 * interval '1 second'",
        ]
    )


def _iso_8601(
    column: str, source: str, reading: TimeReading, phases: Phases
) -> tuple[str | None, str, str]:
    parts = phases.add(
        FIRST.cuts,
        f"{column}_parts",
        "case\n"
        f"    when octet_length({source}) <= {LONGEST_TEXT_BYTES}"
        f" then regexp_match({source}, '{ISO_8601}')\n"
        "end",
    )
    offset = f"{parts}[5]" if reading.zone != "utc" else f"coalesce({parts}[5], 'Z')"
    clock = phases.add(
        FIRST.clocks,
        f"{column}_clock",
        f"{parts}[1] || ' ' || {parts}[2] || replace(coalesce({parts}[3], ':00'), ',', '.')",
    )
    exact = phases.add(
        FIRST.readings, f"{column}_exact", _valid(f"{clock} || {offset}", clock, "timestamptz")
    )
    is_minute = f"{parts}[3] is null"
    if reading.zone == "utc":
        return None, exact, is_minute
    local = phases.add(
        FIRST.readings,
        f"{column}_local",
        _valid(f"case when {offset} is null then {clock} end", clock, "timestamp"),
    )
    return local, exact, is_minute


def _valid(text: str, clock: str, type_name: str) -> str:
    """Return a text as a time, null where it is none: 30 February, 24:00, a sixtieth second."""
    return (
        "case\n"
        f"    when pg_input_is_valid({text}, '{type_name}')\n"
        f"        and {clock} not like '% 24:%' and {clock} not like '%:60%'\n"
        f"        then {text if text.isidentifier() else f'({text})'}::{type_name}\n"
        "end"
    )


def _formatted(
    column: str,
    source: str,
    form: TimeFormat,
    reading: TimeReading,
    phases: Phases,
    zone: str,
) -> tuple[str | None, str | None]:
    if _is_of_fixed_digits(form):
        clock = phases.add(FIRST.cuts, f"{column}_clock", _cut_clock(source, form))
    else:
        parts = phases.add(FIRST.cuts, f"{column}_parts", _matched(source, form))
        clock = phases.add(FIRST.clocks, f"{column}_clock", _joined_clock(parts, form))
    if form.has_offset:
        return None, phases.add(
            FIRST.readings, f"{column}_exact", _valid(clock, clock, "timestamptz")
        )
    if form.has_year:
        local = _valid(clock, clock, "timestamp")
    else:
        local = _with_year(column, clock, phases, zone)
    if reading.zone == "utc":
        local = phases.add(FIRST.readings, f"{column}_local", local)
        return None, phases.add(FIRST.codes, f"{column}_exact", f"{local} at time zone 'UTC'")
    return phases.add(FIRST.readings, f"{column}_local", local), None


def _with_year(column: str, clock: str, phases: Phases, zone: str) -> str:
    """Rule R4: the newest year that puts the ticket at most one day behind its receipt."""
    latest = phases.add(
        FIRST.texts,
        f"{column}_latest",
        f"(received_at + interval '24 hours') at time zone {zone}",
    )
    newest = phases.add(FIRST.cuts, f"{column}_newest_year", f"date_part('year', {latest})::int")
    oldest = phases.add(
        FIRST.cuts,
        f"{column}_oldest_year",
        f"date_part('year', {latest} - interval '24 hours')::int - 1",
    )
    branches = [f"when {clock} like '% 24:%' or {clock} like '%:60%' then null"]
    for age in range(3):
        text = f"({newest} - {age})::text || {clock}" if age else f"{newest}::text || {clock}"
        condition = f"when pg_input_is_valid({text}, 'timestamp')"
        if age:
            condition += f" and {newest} - {age} >= {oldest}"
            branches.append(f"{condition}\n    then ({text})::timestamp")
        else:
            # The condition is met in this order: a text that is no time is never cast.
            branches.append(
                f"{condition}\n    and case when pg_input_is_valid({text}, 'timestamp')"
                f" then ({text})::timestamp <= {latest} end\n    then ({text})::timestamp"
            )
    return case_of(branches)


def _is_of_fixed_digits(form: TimeFormat) -> bool:
    """Whether every part has its place: digits doubled, and no digit among the literals."""
    return all(
        part.letters == DIGITS.get(part.kind)
        or (part.kind == "short_year")
        or (part.kind == "literal" and not any(map(str.isdigit, part.letters)))
        for part in form.parts
    )


def _cut_clock(source: str, form: TimeFormat) -> str:
    """Cut a time of fixed places into the order of ISO 8601, where its shape is right.

    One look at the shape (any digit counts as 0) costs a fraction of a regular expression.
    """
    shape = "".join(
        part.letters if part.kind == "literal" else "0" * len(part.letters) for part in form.parts
    )
    places: dict[str, tuple[int, int]] = {}
    column = 1
    for part in form.parts:
        if part.kind != "literal":
            places[part.kind] = (column, len(part.letters))
        column += len(part.letters)
    pieces = {
        kind: f"substr({source}, {start}, {width})" for kind, (start, width) in places.items()
    }
    clock = _joined(pieces)
    if shape == "0000-00-00 00:00:00" and list(places) == list(DIGITS):
        clock = source
    elif ":00:00" in shape and _follow(places, "hour", "minute", "second"):
        start = places["hour"][0]
        if shape[start - 1 : start + 7] == "00:00:00":
            clock = _joined(pieces, time=f"substr({source}, {start}, 8)")
    return (
        f"case\n    when translate({source}, '123456789', '000000000') = {literal(shape)}\n"
        f"        then {clock}\nend"
    )


def _follow(places: dict[str, tuple[int, int]], *kinds: str) -> bool:
    starts = [places[kind][0] for kind in kinds if kind in places]
    return len(starts) == len(kinds) and starts == list(range(starts[0], starts[0] + 9, 3))


def _joined(pieces: dict[str, str], *, time: str | None = None) -> str:
    """Return a time in the order of ISO 8601 of its pieces, without its year where it has none."""
    year = pieces.get("year", "")
    if "short_year" in pieces:
        century = f"case when {pieces['short_year']} < '70' then '20' else '19' end"
        year = f"{century} || {pieces['short_year']}"
    date = f"{year} || '-' || " if year else "'-' || "
    date += f"{pieces['month']} || '-' || {pieces['day']}"
    if time is None:
        time = f"{pieces['hour']} || ':' || {pieces['minute']} || "
        time += f"':' || {pieces['second']}" if "second" in pieces else "':00'"
    if "fraction" in pieces:
        time += f" || '.' || {pieces['fraction']}"
    for last in ("half_day", "offset"):
        if last in pieces:
            time += f" || {pieces[last]}"
    return f"{date} || ' ' || {time}"


def _matched(source: str, form: TimeFormat) -> str:
    expression = "".join(f"({_expression(part)})" for part in form.parts if part.kind)
    return (
        "case\n"
        f"    when octet_length({source}) <= {LONGEST_TEXT_BYTES}\n"
        f"        then regexp_match({source}, {expression_literal(f'^{expression}$')})\n"
        "end"
    )


def _expression(part: FormatPart) -> str:
    if part.kind == "literal":
        return "".join(patterns.escaped(ord(sign)) for sign in part.letters)
    if part.kind == "fraction":
        return f"[0-9]{{{'1,9' if part.letters == 'S' else len(part.letters)}}}"
    return EXPRESSIONS[part.letters]


def _joined_clock(parts: str, form: TimeFormat) -> str:
    pieces: dict[str, str] = {
        part.kind if part.kind != "half_day_hour" else "hour": f"{parts}[{place}]"
        for place, part in enumerate(form.parts, start=1)
        if part.kind != "literal"
    }
    if "month_name" in pieces:
        name = pieces.pop("month_name")
        branches = " ".join(
            f"when '{month}' then '{number:02d}'"
            for number, month in enumerate(time_formats.MONTHS, start=1)
        )
        pieces["month"] = f"case lower({name}) {branches} end"
    if "half_day" in pieces:
        pieces["half_day"] = f"' ' || left({pieces['half_day']}, 1) || 'M'"
    return _joined(pieces)
