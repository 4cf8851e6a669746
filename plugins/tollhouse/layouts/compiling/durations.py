"""Durations: whole seconds, a part of one rounded up once (rule R11)."""

from __future__ import annotations

from tollhouse.layouts.compiling.conditions import Known
from tollhouse.layouts.compiling.phases import FIRST, Phases
from tollhouse.layouts.compiling.steps import Fault, case_of
from tollhouse.layouts.compiling.texts import Read, name_of, source_text
from tollhouse.layouts.declaration.readings import DurationFormat, DurationReading

#: Signs of the longest duration that any format writes; so no number of it overflows.
MOST_SIGNS = 16

LONGEST = "{{ longest_call_seconds() }}"


def read_duration(column: str, reading: DurationReading, known: Known, phases: Phases) -> Read:
    """Return a duration in whole seconds; what is none, or longer than any call, is a fault."""
    if reading.value is not None:
        return Read(str(reading.value))
    field = name_of(column, reading)
    if reading.between is not None:
        earlier, later = (f"{name}_exact" for name in reading.between)
        seconds = f"ceil(extract(epoch from {later} - {earlier}))::bigint"
        if reading.between[0] == "answered_at":
            # Nobody talked where nobody answered.
            seconds = f"case when {earlier} is null then 0 else {seconds} end"
        value = phases.add("durations", f"{column}_read", seconds)
        return Read(value, (Fault(_out_of_bounds(value), "no_such_duration", column),))
    source = phases.add(FIRST.texts, f"{column}_source", source_text(reading, known))
    is_exact = reading.minus is not None
    value = phases.add(
        FIRST.readings,
        f"{column}_read",
        _seconds(column, source, reading, phases, is_exact=is_exact),
    )
    faults = [Fault(f"{source} is not null and {value} is null", "no_such_duration", field)]
    if reading.minus is not None:
        less = phases.add(FIRST.texts, f"{column}_less_source", known.fields[reading.minus])
        deducted = phases.add(
            FIRST.readings,
            f"{column}_less",
            _seconds(f"{column}_less", less, reading, phases, is_exact=True),
        )
        unread = f"{less} is not null and {deducted} is null"
        faults.append(Fault(unread, "no_such_duration", reading.minus))
        value = phases.add(
            "durations", f"{column}_left", f"ceil({value} - coalesce({deducted}, 0))::bigint"
        )
    faults.append(Fault(_out_of_bounds(value), "no_such_duration", field))
    return Read(value, tuple(faults))


def _out_of_bounds(value: str) -> str:
    return f"{value} not between 0 and {LONGEST}"


def _seconds(
    column: str,
    source: str,
    reading: DurationReading,
    phases: Phases,
    *,
    is_exact: bool,
) -> str:
    text = phases.add(FIRST.cuts, f"{column}_digits", _in_digits(source, reading))
    if reading.format in ("seconds", "milliseconds", "minutes"):
        return _number(text, reading.format, is_exact=is_exact)
    digits = phases.add(FIRST.clocks, f"{column}_clock", _clock_digits(text, reading.format))
    return _seconds_of_clock(digits, text, reading.format, is_exact=is_exact)


def _in_digits(text: str, reading: DurationReading) -> str:
    """Return a duration with a point as its decimal sign and colons between its parts."""
    if reading.format == "m'ss":
        text = f"""translate(rtrim({text}, '"'''), '''', ':')"""
    return f"translate({text}, ',.', '.?')" if reading.decimal == "," else text


def _number(text: str, unit: DurationFormat, *, is_exact: bool) -> str:
    """Return the seconds that a number of a unit is."""
    signs = f"translate({text}, '0123456789', '')"
    exact = {
        "seconds": f"{text}::numeric",
        "milliseconds": f"{text}::numeric * 0.001",
        "minutes": f"{text}::numeric * 60",
    }[unit]
    whole = {
        "seconds": f"{text}::bigint",
        "milliseconds": f"({text}::bigint + 999) / 1000",
        "minutes": f"{text}::bigint * 60",
    }[unit]
    return case_of(
        [
            f"when octet_length({text}) > {MOST_SIGNS} then null",
            f"when {signs} = '' then {exact if is_exact else whole}",
            f"when {signs} = '.' and octet_length({text}) > 1"
            f" then {exact if is_exact else f'ceil({exact})::bigint'}",
        ]
    )


def _clock_digits(text: str, form: DurationFormat) -> str:
    """Return the digits of hours, minutes and seconds as one number: cheaper than three casts."""
    whole = f"replace({text}, ':', '')::bigint"
    begun = f"replace(split_part({text}, '.', 1), ':', '')::bigint"
    signs = f"translate({text}, '0123456789', '')"
    minutes = f"{text} like '_:__' or {text} like '__:__'"
    begun_minutes = f"{text} like '_:__.%' or {text} like '__:__.%'"
    if form != "hh:mm:ss":
        minutes, begun_minutes = f"{text} like '_%:__'", f"{text} like '_%:__.%'"
    branches = [f"when octet_length({text}) > {MOST_SIGNS} then null"]
    if form in ("hh:mm:ss", "m'ss"):
        branches += [
            f"when {signs} = '::' and {text} like '_%:__:__' then {whole}",
            f"when {signs} = '::.' and {text} like '_%:__:__.%' then {begun}",
        ]
    branches += [
        f"when {signs} = ':' and ({minutes}) then {whole}",
        f"when {signs} = ':.' and ({begun_minutes}) then {begun}",
    ]
    return case_of(branches)


def _seconds_of_clock(digits: str, text: str, form: DurationFormat, *, is_exact: bool) -> str:
    fraction = f"split_part({text}, '.', 2)"
    part = f"(rtrim({fraction}, '0') <> '')::int"
    if is_exact:
        part = f"('0.' || {fraction} || '0')::numeric"
    begun = f"case when strpos({text}, '.') > 0 then {part} else 0 end"
    minutes, seconds = f"{digits} / 100 % 100", f"{digits} % 100"
    with_hours = (
        f"when {minutes} < 60 and {seconds} < 60\n"
        f"        then {digits} / 10000 * 3600 + {minutes} * 60 + {seconds} + {begun}"
    )
    of_minutes = f"when {seconds} < 60\n        then {digits} / 100 * 60 + {seconds} + {begun}"
    if form == "m'ss":
        # Where hours stand before the minutes, those are fewer than sixty.
        branch = f"when {text} like '%:%:%' then case {with_hours} end\n    {of_minutes}"
    else:
        branch = with_hours if form == "hh:mm:ss" else of_minutes
    return f"case\n    {branch}\nend"
