"""Values with a separator between them."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

from tollhouse.layouts.compiling.lines import WHOLE, blank_line, lines_step, trimmed
from tollhouse.layouts.compiling.literal import literal
from tollhouse.layouts.compiling.steps import INDENT, Fault, FieldSteps, Step, select_of, step_of
from tollhouse.layouts.declaration.tickets import DelimitedTickets

#: The header of the delivery that a line belongs to. As a join beside the lines it is looked up for
#: the deliveries that are read, and taken apart once for each; one of whole tables would take apart
#: the headers of all files that ever came.
OWN_HEADER = "{{ source('raw', 'deliveries') }}\nwhere delivery_id = lines.delivery_id"


def field_steps(tickets: DelimitedTickets, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps that cut lines at their separators, and find fields by place or by name."""
    if tickets.header:
        return _named_fields(tickets, columns)
    places = {name: place for place, name in enumerate(tickets.fields, start=1)}
    fields = {
        column: _value(tickets, f"elements[{places[name]}]") for name, column in columns.items()
    }
    shape_faults = [_surplus(str(len(places)))]
    if columns:
        last = max(columns, key=places.__getitem__)
        shape_faults.append(Fault(f"cardinality(elements) < {places[last]}", "truncated", last))
    return FieldSteps(
        steps=(
            lines_step(separator=tickets.separator),
            step_of("splits", "lines", {"elements": _elements(tickets, "line")}),
            step_of("fields", "splits", fields),
        ),
        faults=_open_mark(tickets),
        shape_faults=tuple(shape_faults),
        ignored=(blank_line(tickets.separator),),
        line="line",
    )


def _named_fields(tickets: DelimitedTickets, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps for files whose first line names the fields."""
    fields = {column: _value(tickets, f"elements[{column}_place]") for column in columns.values()}
    faults = [
        Fault("names_line is null", "missing_header", WHOLE),
        Fault("names is null", "open_quotation_mark", "header"),
    ]
    faults += [
        Fault(f"{column}_place is null", "missing_field", name) for name, column in columns.items()
    ]
    faults += _open_mark(tickets)
    shape_faults = [
        Fault(
            f"cardinality(elements) < last_place and cardinality(elements) < {column}_place",
            "truncated",
            name,
        )
        for name, column in columns.items()
    ]
    shape_faults.append(_surplus("cardinality(names)"))
    steps = _header_steps(tickets, columns)
    return FieldSteps(
        steps=(
            lines_step(separator=tickets.separator),
            Step("named_lines", select_of(_named_line(tickets, columns), _with_places(steps))),
            step_of("fields", "named_lines", fields),
        ),
        faults=tuple(faults),
        shape_faults=tuple(shape_faults),
        ignored=(
            blank_line(tickets.separator),
            Fault("btrim(line) = btrim(names_line)", "column_names"),
        ),
        line="line",
        all_fields=_all_fields(tickets),
    )


def _named_line(tickets: DelimitedTickets, columns: Mapping[str, str]) -> list[str]:
    places = [f"places.{column}_place" for column in columns.values()]
    last = ["places.last_place"] if columns else []
    elements = f"{_elements(tickets, 'lines.line')} as elements"
    return ["lines.*", "places.names_line", "places.names", *places, *last, elements]


def _with_places(steps: tuple[Step, ...]) -> str:
    """Return the lines, each beside the places of its fields."""
    places = f"with {f',{chr(10)}{chr(10)}'.join(map(str, steps))}\n\nselect *\nfrom places"
    return f"lines\nleft join lateral (\n{indent(places, INDENT)}\n) as places on true"


def _header_steps(tickets: DelimitedTickets, columns: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the steps that find the fields in the line of a file that names them."""
    separator = f"chr({ord(tickets.separator)})"
    names = f"raw.names_of_columns(header_elements, {separator}, {{{{ csv_quoted_separator() }}}})"
    places = {
        f"{column}_place": (
            "coalesce(\n"
            f"    array_position(names, {literal(name)}),\n"
            f"    array_position(lower(names::text)::text[], lower({literal(name)}))\n"
            ")"
        )
        for name, column in columns.items()
    }
    elements = f"{_elements(tickets, 'names_line')} as header_elements"
    steps = [
        Step("headers", select_of([f"{_names_line(tickets)} as names_line"], OWN_HEADER)),
        Step("header_values", select_of(["*", elements], "headers")),
        Step("header_names", select_of(["*", f"{names} as names"], "header_values")),
    ]
    if not columns:
        return (*steps, step_of("places", "header_names", {}))
    last = f"greatest({', '.join(places)})"
    return (
        *steps,
        step_of("first_places", "header_names", places),
        step_of("places", "first_places", {"last_place": last}),
    )


def _names_line(tickets: DelimitedTickets) -> str:
    """Return the line of a delivery's header that names the fields: the last, which may be long."""
    header = "header"
    if tickets.skip_lines:
        header = f"substring(header from '^(?:[^\\n]*\\n){{{tickets.skip_lines}}}(.*)$')"
    return rf"ltrim({header}, e'\uFEFF')"


def _all_fields(tickets: DelimitedTickets) -> str:
    """All values by the names of the header; what stands behind the last name, by its place."""
    pair = "coalesce(nullif(pairs.name, ''), '#' || pairs.place)"
    value = _value(tickets, "pairs.element")
    # Of two columns of one name the first counts, and the last to come in stays.
    fields = f"jsonb_object_agg({pair}, {value} order by pairs.place desc)"
    pairs = "unnest(names, elements) with ordinality as pairs (name, element, place)"
    return f"(\n{indent(select_of([fields], pairs, is_once=False), INDENT)}\n)"


def _elements(tickets: DelimitedTickets, line: str) -> str:
    separator = f"chr({ord(tickets.separator)})"
    if tickets.quote == "none":
        return f"string_to_array({line}, {separator})"
    mark = f"chr({ord(tickets.quote)})"
    return f'{{{{ csv_values("{line}", separator="{separator}", mark="{mark}") }}}}'


def _whole_value(tickets: DelimitedTickets, element: str) -> str:
    if tickets.quote == "none":
        return element
    separator = f"chr({ord(tickets.separator)})"
    return f"replace({element}, {{{{ csv_quoted_separator() }}}}, {separator})"


def _value(tickets: DelimitedTickets, element: str) -> str:
    return trimmed(_whole_value(tickets, element))


def _open_mark(tickets: DelimitedTickets) -> tuple[Fault, ...]:
    """Return the fault of a quotation mark that stays open, or has text beside it."""
    if tickets.quote == "none":
        return ()
    return (Fault("elements is null", "open_quotation_mark", WHOLE),)


def _surplus(value_count: str) -> Fault:
    """Return the fault of more values than fields, unless nothing stands in them."""
    return Fault(
        f"cardinality(elements) > {value_count}\n"
        f"        and btrim(array_to_string(elements[{value_count} + 1:], '')) <> ''",
        "too_many_values",
        WHOLE,
    )
