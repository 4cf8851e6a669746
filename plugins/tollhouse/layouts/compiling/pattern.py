"""Lines that a regular expression takes apart."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse.layouts import patterns
from tollhouse.layouts.compiling.lines import WHOLE, blank_line, lines_step, trimmed
from tollhouse.layouts.compiling.literal import expression_literal
from tollhouse.layouts.compiling.steps import Fault, FieldSteps, step_of
from tollhouse.layouts.declaration.tickets import PatternTickets

#: What it costs to take a line apart rises with the square of its length; no ticket is so long.
LONGEST_LINE_BYTES = 8_000


def field_steps(tickets: PatternTickets, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps that match a line and name the groups of the match."""
    pattern = patterns.checked(tickets.pattern)
    places = {name: place for place, name in enumerate(pattern.group_names, start=1)}
    groups = (
        "case\n"
        f"    when octet_length(line) <= {LONGEST_LINE_BYTES}\n"
        f"        then regexp_match(line, {expression_literal(f'^(?:{pattern.expression})$')})\n"
        "end"
    )
    return FieldSteps(
        steps=(
            lines_step(),
            step_of("matches", "lines", {"matched_groups": groups}),
            step_of(
                "fields",
                "matches",
                {
                    column: trimmed(f"matched_groups[{places[name]}]")
                    for name, column in columns.items()
                },
            ),
        ),
        faults=(Fault("matched_groups is null", "unknown_layout", WHOLE),),
        ignored=(blank_line(),),
        line="line",
    )
