"""Fields that stand in XML: paths to elements and attributes.

The function raw.xml_document() makes jsonb of an element, in which its children stand in a list,
each under its own name, and an attribute under its name with @ before it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse.layouts.compiling.lines import WHOLE
from tollhouse.layouts.compiling.literal import literal
from tollhouse.layouts.compiling.steps import Fault, FieldSteps, step_of
from tollhouse.layouts.declaration.tickets import XmlTickets

#: Blanks around texts, line ends among them: tickets may be indented.
BLANKS = r"e' \t\n\r'"


def field_steps(tickets: XmlTickets, columns: Mapping[str, str]) -> FieldSteps:
    """Return the steps that find fields in an element."""
    found = {
        f"{column}_found": (
            f"jsonb_path_query_first(document, ({_path(tickets.fields[name])})::jsonpath)"
        )
        for name, column in columns.items()
    }
    fields = {
        column: f"nullif(btrim(raw.xml_value({column}_found), {BLANKS}), '')"
        for column in columns.values()
    }
    return FieldSteps(
        steps=(
            step_of("documents", "tickets", {"document": "raw.xml_document(body)"}),
            step_of("finds", "documents", found),
            step_of("fields", "finds", fields),
        ),
        faults=(Fault("document is null", "not_xml", WHOLE),),
    )


def _path(path: str) -> str:
    """Return a path as SQL of the text that jsonpath reads: into the root, whatever its name."""
    names = " || '\"[*].\"' || ".join(map(literal, path.split("/")))
    return f"'$.*[*].\"' || {names} || '\"'"
