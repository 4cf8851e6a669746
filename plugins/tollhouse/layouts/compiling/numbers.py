"""Numbers, exact: charges, pulses, the place of a leg."""

from __future__ import annotations

from decimal import Decimal

from tollhouse.layouts.compiling.conditions import Known
from tollhouse.layouts.compiling.literal import expression_literal, literal
from tollhouse.layouts.compiling.phases import FIRST, Phases
from tollhouse.layouts.compiling.steps import Fault, case_of
from tollhouse.layouts.compiling.texts import Read, name_of, source_text
from tollhouse.layouts.declaration.readings import NumberReading
from tollhouse.layouts.patterns import escaped

#: No ticket has a number of more signs.
MOST_SIGNS = 30
GREATEST_INTEGER = 2_147_483_647
#: What numeric(18, 6) holds.
GREATEST_AMOUNT = 1_000_000_000_000
#: What stands for a text that is no number.
NONE = "else '?'"
#: Blanks that stand between thousands in French.
NARROW_BLANKS = "\u00a0\u202f"


def read_number(
    column: str,
    reading: NumberReading,
    known: Known,
    phases: Phases,
    *,
    is_integer: bool,
) -> Read:
    """Return a column that is a number; what is none is a fault."""
    if reading.value is not None:
        return Read(str(reading.value))
    text = source_text(reading, known)
    if reading.thousands == " ":
        text = f"translate({text}, {literal(NARROW_BLANKS)}, '  ')"
    source = phases.add(FIRST.texts, f"{column}_source", text)
    digits = phases.add(FIRST.cuts, f"{column}_digits", _in_digits(reading, source))
    value = phases.add(FIRST.readings, f"{column}_number", number_of(digits, reading.divide_by))
    field = name_of(column, reading)
    wrong = f"{value} is null"
    if is_integer:
        wrong += f" or {value} not between 0 and {GREATEST_INTEGER} or {value} <> trunc({value})"
    else:
        wrong += f" or abs(round({value}, 6)) >= {GREATEST_AMOUNT}"
    return Read(value, (Fault(f"{source} is not null and ({wrong})", "unknown_value", field),))


def number_of(digits: str, divide_by: int = 1) -> str:
    """Return the number that a text of digits, sign and point is, null where it is none."""
    factor = "" if divide_by == 1 else f" * {Decimal(1) / divide_by:f}"
    return (
        "case\n"
        f"    when octet_length({digits}) <= {MOST_SIGNS}\n"
        f"        and translate({digits}, '0123456789', '') in ('', '.', '-', '-.', '+', '+.')\n"
        f"        and pg_input_is_valid({digits}, 'numeric')\n"
        f"        then {digits}::numeric{factor}\n"
        "end"
    )


def _in_digits(reading: NumberReading, text: str) -> str:
    """Return a number in the signs that PostgreSQL reads; what is none stays none."""
    if not reading.thousands:
        return _with_point(text, reading.decimal)
    thousands, decimal = (escaped(ord(sign)) for sign in (reading.thousands, reading.decimal))
    grouped = expression_literal(f"^[+-]?[0-9]{{1,3}}({thousands}[0-9]{{3}})+({decimal}[0-9]+)?$")
    sign = literal(reading.thousands)
    plain = _with_point(f"replace({text}, {sign}, '')", reading.decimal)
    return case_of(
        [f"when strpos({text}, {sign}) = 0 or {text} ~ {grouped}\n    then {plain}", NONE]
    )


def _with_point(text: str, decimal: str) -> str:
    # A point is no sign of a number with a comma: it becomes one that no number has.
    return f"translate({text}, ',.', '.?')" if decimal == "," else text
