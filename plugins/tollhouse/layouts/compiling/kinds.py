"""The kinds of tickets that a layout can have, each with the module that knows its fields."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse.layouts.compiling import delimited, fixed, json, pattern, xml
from tollhouse.layouts.compiling.steps import FieldSteps
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.tickets import (
    DelimitedTickets,
    FixedTickets,
    JsonTickets,
    PatternTickets,
    XmlTickets,
)


def field_columns(layout: Layout, names: list[str]) -> dict[str, str]:
    """Return the columns of fields: the first field of a layout is f1 wherever it is read."""
    places = {name: place for place, name in enumerate(layout.field_names, start=1)}
    return {name: f"f{places[name]}" for name in sorted(names, key=places.__getitem__)}


def field_steps(layout: Layout, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps that turn the tickets of a layout into the fields asked for."""
    match layout.tickets:
        case DelimitedTickets() as tickets:
            return delimited.field_steps(tickets, columns)
        case FixedTickets() as tickets:
            return fixed.field_steps(tickets, columns)
        case PatternTickets() as tickets:
            return pattern.field_steps(tickets, columns)
        case XmlTickets() as tickets:
            return xml.field_steps(tickets, columns)
        case JsonTickets() as tickets:
            return json.field_steps(tickets, columns)
