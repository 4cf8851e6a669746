"""Fields that stand in columns of characters."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse.layouts.compiling.lines import WHOLE, blank_line, lines_step, trimmed
from tollhouse.layouts.compiling.steps import Fault, FieldSteps, step_of
from tollhouse.layouts.declaration.tickets import FixedTickets


def field_steps(tickets: FixedTickets, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps that cut fields out of a line."""
    fields = {
        column: trimmed(f"substr(line, {tickets.fields[name].start}, {tickets.fields[name].width})")
        for name, column in columns.items()
    }
    last = max(tickets.fields.values(), key=lambda place: place.start)
    return FieldSteps(
        steps=(lines_step(), step_of("fields", "lines", fields)),
        shape_faults=(
            Fault(f"length(line) < {tickets.shortest_line or last.start}", "truncated", WHOLE),
        ),
        ignored=(blank_line(),),
        line="line",
    )
