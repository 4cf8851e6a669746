"""The query of every field of every ticket by its name: what is not mapped can be seen there."""

from __future__ import annotations

from tollhouse.layouts.compiling.kinds import field_columns, field_steps
from tollhouse.layouts.compiling.literal import array_literal
from tollhouse.layouts.compiling.sources import query, source_steps
from tollhouse.layouts.compiling.steps import Step, select_of
from tollhouse.layouts.declaration import Layout


def compile_fields(layout: Layout) -> str:
    """Return the query of the fields of a layout's tickets.

    Its columns: ticket_id, pbx_id, delivery_id, ordinal, batch_id and fields (jsonb: text by name).
    """
    names = list(layout.tickets.field_list or ())
    columns = field_columns(layout, names)
    kind = field_steps(layout, columns)
    fields = kind.all_fields or (
        f"jsonb_object(\n    {array_literal(columns)},\n    array[{', '.join(columns.values())}]\n)"
    )
    listed = ["ticket_id", "pbx_id", "delivery_id", "ordinal", "batch_id", f"{fields} as fields"]
    final = Step("final", select_of(listed, "fields", is_once=False))
    return query([*source_steps(layout), *kind.steps, final])
