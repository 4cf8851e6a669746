"""Which model a layout may read, and what it may not say of a built-in one.

The code of a built-in model says by what its tickets come, what ends one and how it is decoded:
they are captured before anybody knows a layout. A key that says otherwise would have no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tollhouse.layouts.collecting import python_encoding
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.reading import LayoutFault, line_of_key
from tollhouse.pbx import Model, models

#: Keys of ``tickets`` that say what a ticket is, with what says so of a built-in model.
KEYS_OF_FRAMING = {
    "skip_lines": "what stands above its tickets",
    "record_separator": "what ends a ticket",
    "header": "what stands above its tickets",
    "element": "which element is a ticket: `settings.ticket_element` of the entry, where needed",
    "list": "where its tickets are",
}


def faults_of_model(path: Path, layout: Layout) -> Iterator[LayoutFault]:
    """Yield why a layout cannot read the model that it means, or not in this way."""
    built_in = models().get(layout.model_id)
    if layout.model is not None and (built_in is None or not built_in.read_by_layout):
        readable = ", ".join(model.model_id for model in models().values() if model.read_by_layout)
        problem = f"is no model that is read by layouts; these are: {readable}"
        yield LayoutFault(line_of_key(path, "model"), "model", problem, layout.model)
    elif layout.layout_id in models() and layout.model_id != layout.layout_id:
        yield LayoutFault(1, "", f"the model {layout.layout_id} is there: choose another file name")
    elif built_in is not None and not built_in.read_by_layout:
        yield LayoutFault(
            1, "", f"the model {layout.layout_id} has SQL of its own: choose another file name"
        )
    elif built_in is not None:
        yield from _idle_keys(path, layout, built_in)


def _idle_keys(path: Path, layout: Layout, built_in: Model) -> Iterator[LayoutFault]:
    tickets, model_id = layout.tickets, built_in.model_id
    if layout.collection.named:
        yield LayoutFault(
            line_of_key(path, "collection"),
            "collection",
            f"has no effect here: the model {model_id} says by what its tickets come",
        )
    if "encoding" in tickets.model_fields_set and python_encoding(tickets) != built_in.encoding:
        yield LayoutFault(
            line_of_key(path, "tickets", "encoding"),
            "tickets.encoding",
            f"has no effect here: the model {model_id} decodes its tickets as {built_in.encoding}",
            tickets.encoding,
        )
    for key, said in KEYS_OF_FRAMING.items():
        field = type(tickets).model_fields.get(key)
        if field is not None and getattr(tickets, key) != field.default:
            yield LayoutFault(
                line_of_key(path, "tickets", key),
                f"tickets.{key}",
                f"has no effect here: the model {model_id} says {said}",
                str(getattr(tickets, key)),
            )
