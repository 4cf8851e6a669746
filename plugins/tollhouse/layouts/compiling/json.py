"""Fields that stand in JSON: paths of names and places."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse.layouts.compiling.lines import WHOLE
from tollhouse.layouts.compiling.literal import literal
from tollhouse.layouts.compiling.steps import Fault, FieldSteps, step_of
from tollhouse.layouts.compiling.xml import BLANKS
from tollhouse.layouts.declaration.json_paths import json_path
from tollhouse.layouts.declaration.tickets import JsonTickets


def field_steps(tickets: JsonTickets, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps that find fields in an object, or in a list of values.

    A number stays as it was written, its zeros too. Where a text is expected and an object or a
    list is found, the ticket is rejected: the feed has changed, and an amount must not be lost.
    """
    found = {f"{column}_found": _value(tickets.fields[name]) for name, column in columns.items()}
    fields = {
        column: f"nullif(btrim({column}_found #>> '{{}}', {BLANKS}), '')"
        for column in columns.values()
    }
    return FieldSteps(
        steps=(
            step_of("documents", "tickets", {"document": "{{ json_document('body') }}"}),
            step_of("finds", "documents", found),
            step_of("fields", "finds", fields),
        ),
        faults=(
            Fault(
                f"jsonb_typeof(document) is distinct from '{_shape(tickets)}'", "not_json", WHOLE
            ),
        ),
        shape_faults=tuple(
            Fault(f"jsonb_typeof({column}_found) in ('object', 'array')", "unknown_value", name)
            for name, column in columns.items()
        ),
    )


def _shape(tickets: JsonTickets) -> str:
    """Return what a ticket is: a list where every field has a place in it, else an object."""
    first_steps = [json_path(path)[0] for path in tickets.fields.values()]
    return "array" if all(isinstance(step, int) for step in first_steps) else "object"


def _value(path: str) -> str:
    """Return what a path leads to as SQL: a name is never a place, nor a place a name."""
    value = "document"
    for step in json_path(path):
        if isinstance(step, int):
            # Not `-> 0`, which takes a single value for a list of one.
            value = f"jsonb_path_query_first({value}, 'strict $[{step}]', silent => true)"
        else:
            value = f"{value} -> {literal(step)}"
    return value
