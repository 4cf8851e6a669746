"""The query of a staging view: a row of the contract for each ticket of a layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tollhouse.layouts.compiling.conditions import Known, condition_sql, holds_for_nothing
from tollhouse.layouts.compiling.contract import final_step
from tollhouse.layouts.compiling.durations import read_duration
from tollhouse.layouts.compiling.kinds import field_columns, field_steps
from tollhouse.layouts.compiling.literal import literals
from tollhouse.layouts.compiling.numbers import read_number
from tollhouse.layouts.compiling.outcomes import ANSWERED, add_outcome, call_columns
from tollhouse.layouts.compiling.phases import FIRST, WITH_DIRECTION, WITH_OUTCOME, Phases, Stage
from tollhouse.layouts.compiling.sources import query, source_steps
from tollhouse.layouts.compiling.steps import Fault, FieldSteps, Step, case_of, step_of
from tollhouse.layouts.compiling.texts import Read, name_of, read_flag, read_text
from tollhouse.layouts.compiling.times import Instant, read_time, zone_columns
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.columns import conditions_of
from tollhouse.layouts.declaration.readings import (
    DurationReading,
    FlagReading,
    NumberReading,
    TextReading,
    TimeReading,
)

IGNORED_BY_RULE = "ignored_by_layout"

#: Columns that hold a number of the telephone network, or an extension.
NUMBERS = ("caller_number", "called_number", "presented_number", "extension")
#: What is longer is damage, and no index of the warehouse could hold it.
LONGEST_NUMBER_BYTES = 200
LONGEST_TEXT_BYTES = 1_000


@dataclass
class Readings:
    """The columns of a layout while they are compiled.

    Attributes:
        layout: whose.
        known: its fields.
        phases: what is computed before the verdict.
        expressions: SQL of the columns that are mapped.
        instants: of those the instants.
        faults: why a ticket cannot be read, in the order in which they are looked for.
    """

    layout: Layout
    known: Known
    phases: Phases = field(default_factory=Phases)
    expressions: dict[str, str] = field(default_factory=dict)
    instants: list[Instant] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def compile_tickets(layout: Layout) -> str:
    """Return the query of the tickets of a layout, with the columns of the contract.

    Of a layout that is not confirmed every ticket is rejected; one that is to be tried all the
    same is given as a confirmed copy, and what it does not map is the fault of its tickets.
    """
    if not layout.confirmed:
        sources = "source('raw', 'tickets'), source('raw', 'deliveries')"
        return f"{{{{ captured_tickets('{layout.model_id}', {sources}) }}}}\n"
    columns = field_columns(layout, layout.fields_read())
    kind = field_steps(layout, columns)
    readings = Readings(layout, Known(columns, kind.line))
    _read_columns(readings)
    times = {
        name: reading
        for name, reading in layout.columns.given().items()
        if isinstance(reading, TimeReading)
    }
    before = readings.phases.steps()
    steps: list[Step | str] = [
        *source_steps(layout, zones=zone_columns(times)),
        *kind.steps,
        *before,
        _verdicts(readings, kind, source=before[-1].name if before else "fields"),
    ]
    source = "verdicts"
    for instant in readings.instants:
        if instant.local is not None:
            steps.append(_converted(instant, source))
            source = f"{instant.column}_instants"
    steps += _call_steps(readings, source)
    ignored = [*dict.fromkeys(fault.reason for fault in kind.ignored), IGNORED_BY_RULE]
    steps.append(final_step("calls", readings.expressions, ignored))
    return query(steps)


def _read_columns(readings: Readings) -> None:
    """Read what is mapped: the direction before the outcome, and that before the rest."""
    columns, phases, expressions = readings.layout.columns, readings.phases, readings.expressions
    for name, reading in columns.given().items():
        if isinstance(reading, TimeReading):
            instant = read_time(name, reading, readings.known, phases)
            readings.instants.append(instant)
            readings.faults += instant.faults
        elif isinstance(reading, DurationReading):
            _keep(readings, name, read_duration(name, reading, readings.known, phases))
    direction = "null::text"
    if columns.direction is not None:
        direction = _read_text(readings, "direction", columns.direction)
    phases.name("durations", "direction", direction)
    reported = None
    if columns.outcome is not None:
        reported = _read_text(readings, "outcome", columns.outcome)
    add_outcome(phases, expressions.get("talk_seconds", "null::int"), reported)
    for name, reading in columns.given().items():
        if isinstance(reading, TextReading) and name not in ("direction", "outcome"):
            expressions[name] = _read_text(readings, name, reading)
        elif isinstance(reading, NumberReading):
            is_integer = name != "pbx_charge_amount"
            number = read_number(name, reading, readings.known, phases, is_integer=is_integer)
            _keep(readings, name, number)
        elif isinstance(reading, FlagReading):
            _keep(readings, name, read_flag(name, reading, readings.known, phases))
    expressions["direction"] = "direction"


def _keep(readings: Readings, name: str, read: Read) -> None:
    readings.expressions[name] = read.expression
    readings.faults += read.faults


def _read_text(readings: Readings, name: str, reading: TextReading) -> str:
    read = read_text(name, reading, readings.known, readings.phases, _stage(name, reading))
    readings.faults += read.faults
    return read.expression


def _stage(name: str, reading: TextReading) -> Stage:
    looked_at = {
        column for condition in conditions_of(reading) for column in condition.column_names()
    }
    if not looked_at:
        return FIRST
    return WITH_DIRECTION if name == "outcome" else WITH_OUTCOME


def _rules(readings: Readings) -> tuple[list[Fault], list[Fault], list[Fault]]:
    """Return what the layout ignores: by the line, by fields, and by fields that are empty.

    A ticket that lost its end has empty fields, too: it is no heading.
    """
    by_line: list[Fault] = []
    by_fields: list[Fault] = []
    by_empty_fields: list[Fault] = []
    for rule in readings.layout.tickets.ignore:
        fault = Fault(condition_sql(rule, readings.known), IGNORED_BY_RULE)
        if not next(rule.field_names(), None):
            by_line.append(fault)
        else:
            (by_empty_fields if holds_for_nothing(rule) else by_fields).append(fault)
    return by_line, by_fields, by_empty_fields


def _verdicts(readings: Readings, kind: FieldSteps, *, source: str) -> Step:
    by_line, by_fields, by_empty_fields = _rules(readings)
    faults = [
        *kind.ignored,
        *by_line,
        *kind.faults,
        *by_fields,
        *kind.shape_faults,
        *by_empty_fields,
        *readings.faults,
        *_missing(readings),
        *_damage(readings),
    ]
    return step_of(
        "verdicts",
        source,
        {"fault": case_of([fault.branch() for fault in faults])},
        "Why the ticket is none, as reason:field. The first fault is the one that is named.",
    )


def _missing(readings: Readings) -> Iterator[Fault]:
    """Yield what no ticket can do without."""
    columns, expressions = readings.layout.columns, readings.expressions
    for words in columns.missing():
        yield Fault("true", "not_mapped", words)
    if readings.instants:
        first = readings.instants[0]
        absent = " and ".join(instant.is_absent for instant in readings.instants)
        field_name = name_of(first.column, getattr(columns, first.column))
        yield Fault(absent, "missing", field_name)
    if columns.direction is not None:
        yield Fault("direction is null", "missing", name_of("direction", columns.direction))
    if columns.outcome is not None:
        yield Fault("outcome is null", "missing", name_of("outcome", columns.outcome))
    if columns.talk_seconds is not None:
        talk, name = expressions["talk_seconds"], name_of("talk_seconds", columns.talk_seconds)
        answered = f"outcome in ({literals(ANSWERED)})"
        yield Fault(f"{talk} is null and coalesce({answered}, true)", "missing", name)
        if columns.outcome is not None:
            unanswered = f"reported_outcome not in ({literals(ANSWERED)})"
            yield Fault(f"{talk} > 0 and {unanswered}", "talk_without_answer", name)
    if columns.called_number is not None:
        yield Fault(
            f"direction in ('outgoing', 'transit') and {expressions['called_number']} is null",
            "missing",
            name_of("called_number", columns.called_number),
        )
    if columns.pbx_charge_currency is not None:
        amount, currency = expressions["pbx_charge_amount"], expressions["pbx_charge_currency"]
        name = name_of("pbx_charge_currency", columns.pbx_charge_currency)
        yield Fault(f"{amount} is not null and {currency} is null", "missing", name)
        is_code = f"{currency} ~ '^[A-Z]{{3}}$'"
        yield Fault(f"{amount} is not null and not {is_code}", "unknown_value", name)
        expressions["pbx_charge_currency"] = f"case when {amount} is not null then {currency} end"


def _damage(readings: Readings) -> Iterator[Fault]:
    """Yield what no PBX writes: control characters in a number, texts without end."""
    for name, reading in readings.layout.columns.given().items():
        if not isinstance(reading, TextReading) or name in ("direction", "outcome"):
            continue
        if not next(reading.field_names(), None):
            continue
        text, is_number = readings.expressions[name], name in NUMBERS
        longest = LONGEST_NUMBER_BYTES if is_number else LONGEST_TEXT_BYTES
        field_name = name_of(name, reading)
        yield Fault(f"octet_length({text}) > {longest}", "value_too_long", field_name)
        if is_number:
            yield Fault(f"{text} ~ '[\\x01-\\x1f\\x7f-\\x9f\\\\]'", "unknown_value", field_name)


def _converted(instant: Instant, source: str) -> str:
    local = f"case when fault is null then {instant.local} end"
    return (
        f"{{{{ clock_instants('{instant.column}_instants', '{source}', '{local}',"
        f" '{instant.zone}', prefix='{instant.column}_') }}}}"
    )


def _call_steps(readings: Readings, source: str) -> list[Step]:
    columns = {"is_ticket": "fault is null"}
    for instant in readings.instants:
        first = f"{instant.column}_converted - {instant.column}_gone_back"
        found = [instant.exact] if instant.exact else []
        found += [first, f"{instant.column}_converted"] if instant.local else []
        columns[f"{instant.column}_instant"] = (
            f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]
        )
    return [
        step_of("instants", source, columns),
        step_of("calls", "instants", call_columns(readings.instants, readings.expressions)),
    ]
