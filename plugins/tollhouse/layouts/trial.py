"""A layout tried out on a file: read as it would be, by SQL that is not deployed anywhere.

What a layout compiles to is a select; here it stands where the staging view of a model would. That
a layout is not confirmed yet is no obstacle: this is how it is found out whether it can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from tollhouse.embedded.scratch import scratch_warehouse
from tollhouse.layouts.collecting import model_of
from tollhouse.layouts.compiling import compile_fields, compile_tickets
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.registry import find_layout, layout_read_by
from tollhouse.layouts.rendering import plain_sql
from tollhouse.parsing import StagingSelects
from tollhouse.pbx import Model, models
from tollhouse.settings import Settings, SettingsError
from tollhouse.warehouse import LOADER, WarehouseError, connect

HAS_RAW = "select to_regclass('raw.tickets') is not null"


def model_on_trial(layout: Layout) -> Model:
    """Return the model whose tickets a layout reads: a built-in one, or the layout itself."""
    return models()[layout.model] if layout.model else model_of(layout)


def settings_on_trial(layout: Layout, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of an entry that a layout reads: of a built-in model it names its layout."""
    return {**settings, "layout": layout.layout_id} if layout.model else dict(settings)


def selects_of(layout: Layout) -> StagingSelects:
    """Return what reads tickets by a layout, confirmed or not."""
    tried = layout.model_copy(update={"confirmed": True})
    return StagingSelects(plain_sql(compile_tickets(tried)), plain_sql(compile_fields(tried)))


def selects_of_model(model_id: str, settings: Mapping[str, Any]) -> StagingSelects | None:
    """Return what reads the tickets of an entry by its layout, as its file is now.

    So nothing has to be deployed to see what a layout makes of tickets. One that is not confirmed
    keeps them and reads none, as in the pipeline.

    Args:
        model_id: of the entry.
        settings: of the entry, which may name the layout.

    Returns:
        None where no layout that holds reads them: then their staging view does.
    """
    layout_id = layout_read_by(model_id, settings)
    layout = find_layout(layout_id) if layout_id is not None else None
    if not isinstance(layout, Layout) or layout.model_id != model_id:
        return None
    return StagingSelects(plain_sql(compile_tickets(layout)), plain_sql(compile_fields(layout)))


@contextmanager
def database_for_trials(settings: Settings) -> Iterator[psycopg.Connection]:
    """Connect to the warehouse of this installation, or to a scratch one where none answers.

    Nothing has to be deployed there: the migrations are enough.
    """
    try:
        connection = connect(LOADER, settings=settings, autocommit=True)
    except (SettingsError, WarehouseError):
        connection = None
    if connection is not None:
        with connection:
            if connection.execute(HAS_RAW).fetchone() == (True,):
                yield connection
                return
    with (
        scratch_warehouse(settings, with_views=False) as scratch,
        connect(LOADER, settings=scratch, autocommit=True) as scratch_connection,
    ):
        yield scratch_connection
