"""Fields of tickets as a kind of layouts finds them: the steps alone, on texts, without tables."""

from __future__ import annotations

from typing import Any

import psycopg

from tollhouse.layouts.compiling.kinds import field_columns, field_steps
from tollhouse.layouts.compiling.sources import query
from tollhouse.layouts.compiling.steps import Step, case_of, select_of
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.rendering import plain_sql

BODIES = "unnest(array[]::text[]) with ordinality as bodies (body, place)"

#: Texts by the names of fields, or why there are none.
Fields = dict[str, str | None]


def read_fields(
    connection: psycopg.Connection, tickets: dict[str, Any], bodies: list[str]
) -> list[Fields | str]:
    """Return the fields of tickets as a layout finds them, or the fault of a ticket."""
    layout = Layout.model_validate(
        {"layout_id": "tested_layout", "title": "A layout of the tests", "tickets": tickets}
    )
    columns = field_columns(layout, list(tickets["fields"]))
    kind = field_steps(layout, columns)
    faults = [fault.branch() for fault in (*kind.faults, *kind.shape_faults)]
    steps: list[Step | str] = [
        Step("tickets", select_of(["bodies.body", "bodies.place"], BODIES)),
        *kind.steps,
        Step(
            "final",
            select_of(
                [case_of(faults), f"array[{', '.join(columns.values())}]"], "fields order by place"
            ),
        ),
    ]
    text = plain_sql(query(steps)).replace("%", "%%").replace("array[]", "%s")
    return [
        fault or dict(zip(columns, values, strict=True))
        for fault, values in connection.execute(text, [bodies])
    ]
