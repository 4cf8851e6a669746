"""``tollhouse parse``: what would the pipeline make of these tickets?

Files in, JSON lines out: one object a ticket, with the columns of the contract. Counts go to
standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import psycopg
from rich.console import Console

from tollhouse.commands.assumptions import (
    checked_country,
    checked_time_zone,
    instant,
    json_object,
)
from tollhouse.decompression import DecompressionError, contents
from tollhouse.embedded.scratch import scratch_warehouse
from tollhouse.layouts.trial import database_for_trials, selects_of_model
from tollhouse.parsing import (
    AssumedPbx,
    ParsingError,
    StagingSelects,
    has_staging_view,
    known_model,
    parse_file,
)
from tollhouse.settings import Settings, SettingsError, load_settings
from tollhouse.warehouse import LOADER, WarehouseError, connect


def run(
    files: list[Path],
    *,
    model: str,
    timezone: str = "UTC",
    country: str = "FR",
    received_at: str | None = None,
    trunks: list[str] | None = None,
    settings_json: str = "{}",
) -> None:
    """Parse files of raw tickets and print what the staging view of their model makes of them.

    Args:
        files: as the PBX gave them, compressed or not; for SQL and API models one JSON object a
            line.
        model: id of the model of PBX.
        timezone: of the PBX.
        country: of the PBX, ISO 3166.
        received_at: when the tickets arrived, ISO 8601 (without an offset: UTC); now when absent.
        trunks: the trunk list of the PBX, as in include/pbx.yml.
        settings_json: the settings of the PBX, as in include/pbx.yml, as a JSON object.

    Raises:
        ParsingError: an argument or a file cannot be used.
    """
    assumed = AssumedPbx(
        model=known_model(model),
        time_zone=checked_time_zone(timezone),
        country=checked_country(country),
        received_at=instant(received_at),
        trunks=tuple(trunks or ()),
        settings=json_object(settings_json),
        transport="dropped_files",
    )
    for path in files:
        if not path.is_file():
            raise ParsingError(f"{path} is no file that can be read.")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    selects = selects_of_model(assumed.model.model_id, assumed.settings)
    with _warehouse(load_settings(), assumed, selects, console) as connection:
        for path in files:
            states = _parse(connection, assumed, selects, path)
            counts = ", ".join(f"{states[state]} {state}" for state in sorted(states))
            console.print(f"{path}: {counts or 'no tickets'}", markup=False)


def _parse(
    connection: psycopg.Connection,
    assumed: AssumedPbx,
    selects: StagingSelects | None,
    path: Path,
) -> Counter[str]:
    states: Counter[str] = Counter()
    try:
        with path.open("rb") as file, contents(file, path.name) as streams:
            for ticket in chain.from_iterable(
                parse_file(connection, assumed, stream, selects=selects) for stream in streams
            ):
                states[ticket.state] += 1
                _write(json.dumps(ticket.columns, ensure_ascii=False) + "\n")
    except DecompressionError as error:
        raise ParsingError(f"{path}: {error}") from error
    _write("", flush=True)
    return states


def _write(text: str, *, flush: bool = False) -> None:
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ParsingError(f"The output cannot be written: {error.strerror}.") from error


@contextmanager
def _warehouse(
    settings: Settings,
    assumed: AssumedPbx,
    selects: StagingSelects | None,
    console: Console,
) -> Iterator[psycopg.Connection]:
    """Connect to the warehouse of this installation, or to a scratch one where none answers."""
    if selects is not None:
        with database_for_trials(settings) as connection:
            yield connection
        return
    try:
        warehouse = connect(LOADER, settings=settings, autocommit=True)
    except (SettingsError, WarehouseError):
        warehouse = None
    if warehouse is not None:
        with warehouse:
            if has_staging_view(warehouse, assumed.model):
                yield warehouse
                return
    console.print("No warehouse with the staging views answers: a scratch database is used.")
    with (
        scratch_warehouse(settings) as scratch,
        connect(LOADER, settings=scratch, autocommit=True) as scratch_connection,
    ):
        yield scratch_connection
