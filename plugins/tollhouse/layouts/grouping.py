"""Which layouts read which model: from the files of an installation to what a view is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from tollhouse.layouts.compiling import compile_fields, compile_tickets
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.registry import LAYOUT_ID, BrokenLayout
from tollhouse.layouts.views import CompiledLayout, LayoutsOfModel
from tollhouse.pbx import models


def compiled(found: Mapping[str, Layout | BrokenLayout]) -> dict[str, CompiledLayout]:
    """Return the SQL of the layouts that hold."""
    return {
        layout_id: CompiledLayout(
            tickets=compile_tickets(layout) if layout.confirmed else None,
            fields=compile_fields(layout),
        )
        for layout_id, layout in found.items()
        if isinstance(layout, Layout)
    }


def models_of(layout: Layout | BrokenLayout) -> list[str]:
    """Return the models whose tickets a layout reads, or might have read if it held."""
    if isinstance(layout, Layout):
        return [layout.model_id]
    if not LAYOUT_ID.fullmatch(layout.layout_id):
        return []
    if layout.model_id is not None:
        return [layout.model_id]
    # Its file does not say: any entry may name it.
    own = [layout.layout_id] if layout.layout_id not in models() else []
    return [*read_by_layouts(), *own]


def read_by_layouts() -> list[str]:
    """Return the built-in models that have no SQL of their own."""
    return [model.model_id for model in models().values() if model.read_by_layout]


def models_of_layouts(found: Mapping[str, Layout | BrokenLayout]) -> list[str]:
    """Return every model that is read by layouts, in order."""
    declared = {model_id for layout in found.values() for model_id in models_of(layout)}
    return sorted({*read_by_layouts(), *declared})


def layouts_by_model(
    found: Mapping[str, Layout | BrokenLayout],
    texts: Mapping[str, CompiledLayout],
    *,
    refused: Collection[str] = (),
    missing: Iterable[str] = (),
) -> dict[str, LayoutsOfModel]:
    """Return, for each model that is read by layouts, what its views are made of.

    Args:
        found: the layouts of the installation.
        texts: the SQL of those that hold.
        refused: those of them that PostgreSQL refuses.
        missing: models that have tickets and no layout any more.
    """
    read_by: dict[str, list[str]] = {model_id: [] for model_id in models_of_layouts(found)}
    for layout_id, layout in found.items():
        for model_id in models_of(layout):
            read_by[model_id].append(layout_id)
    grouped = {}
    for model_id, layout_ids in read_by.items():
        held = [name for name in layout_ids if name in texts and name not in refused]
        grouped[model_id] = LayoutsOfModel(
            model_id,
            is_built_in=model_id in models(),
            tickets={
                name: tickets for name in held if (tickets := texts[name].tickets) is not None
            },
            fields={name: texts[name].fields for name in held},
            broken=[name for name in layout_ids if name not in held],
        )
    for model_id in missing:
        grouped[model_id] = LayoutsOfModel(model_id, is_missing=True)
    return dict(sorted(grouped.items()))
