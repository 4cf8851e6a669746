"""``tollhouse layout check``: what a layout makes of files, before anything depends on it.

First the layout itself is held against what a layout may say; then the files are read by it, as the
pipeline would read them, and nothing is kept.
"""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.text import Text

from tollhouse.commands.assumptions import (
    checked_country,
    checked_time_zone,
    instant,
    json_object,
)
from tollhouse.commands.layout_report import as_json_object, report_console, show_findings
from tollhouse.commands.pbx_check import printable
from tollhouse.decompression import DecompressionError, contents
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.findings import Findings
from tollhouse.layouts.reading import LayoutError, LayoutFault
from tollhouse.layouts.registry import BrokenLayout, find_layout, layout_at, layouts
from tollhouse.layouts.trial import (
    database_for_trials,
    model_on_trial,
    selects_of,
    settings_on_trial,
)
from tollhouse.parsing import AssumedPbx, ParsingError, StagingSelects, parse_file
from tollhouse.settings import Settings, load_settings

REJECTED_SOMETHING, DOES_NOT_HOLD = 1, 2


def run(
    layout: str,
    files: list[Path],
    *,
    timezone: str | None = None,
    country: str = "FR",
    received_at: str | None = None,
    settings_json: str = "{}",
    shown_tickets: int = 10,
    as_json: bool = False,
) -> int:
    """Check a layout, read files by it and print what comes of them.

    Args:
        layout: its id in include/layouts/, or the path of its file.
        files: as the PBX or the carrier gave them, compressed or not.
        timezone: of the PBX; UTC when absent.
        country: of the PBX, ISO 3166.
        received_at: when the tickets came, ISO 8601; now when absent.
        settings_json: the settings of the PBX, as in include/pbx.yml, as a JSON object.
        shown_tickets: so many parsed tickets of each file are shown.
        as_json: print one JSON object.

    Returns:
        The exit code: 0, 1 when tickets are rejected, 2 when the layout does not hold.

    Raises:
        ParsingError: an argument or a file cannot be used.
    """
    settings = load_settings()
    found = _layout(layout, settings)
    try:
        if isinstance(found, BrokenLayout):
            raise LayoutError(found.path, list(found.faults))
        selects = selects_of(found)
    except LayoutError as error:
        _show_faults(error, as_json=as_json)
        return DOES_NOT_HOLD
    assumed = AssumedPbx(
        model=model_on_trial(found),
        time_zone=checked_time_zone(timezone or "UTC"),
        country=checked_country(country),
        received_at=instant(received_at),
        settings=settings_on_trial(found, json_object(settings_json)),
        transport="dropped_files",
    )
    for path in files:
        if not path.is_file():
            raise ParsingError(f"{path} is no file that can be read.")
    findings = Findings(found, received_at=assumed.received_at, shown_tickets=shown_tickets)
    if files:
        with database_for_trials(settings) as connection:
            for path in files:
                _try(connection, assumed, selects, path, findings)
    if as_json:
        _print_json(as_json_object(findings))
    else:
        show_findings(
            report_console(), findings, assumed.time_zone, zone_is_given=timezone is not None
        )
    return REJECTED_SOMETHING if findings.count("rejected") else 0


def _layout(name: str, settings: Settings) -> Layout | BrokenLayout:
    """Return the layout of an id or of a path."""
    if name.endswith((".yml", ".yaml")) or "/" in name:
        return layout_at(Path(name))
    found = find_layout(name)
    if found is None:
        known = ", ".join(layouts(settings.layouts_folder))
        raise ParsingError(
            f"{name!r} is no layout of {settings.layouts_folder}; there are {known or 'none'}. The "
            "path of a file ends in .yml."
        )
    return found


def _try(
    connection: psycopg.Connection,
    assumed: AssumedPbx,
    selects: StagingSelects,
    path: Path,
    findings: Findings,
) -> None:
    name = str(path)
    findings.add_file(name)
    try:
        with path.open("rb") as file, contents(file, path.name) as streams:
            for ticket in chain.from_iterable(
                parse_file(connection, assumed, stream, selects=selects) for stream in streams
            ):
                findings.add(name, ticket)
    except (DecompressionError, OSError) as error:
        raise ParsingError(f"{path}: {error}") from error


def _show_faults(error: LayoutError, *, as_json: bool) -> None:
    if as_json:
        _print_json(
            {"layout": str(error.path), "faults": [_fault(fault) for fault in error.faults]}
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    count = len(error.faults)
    heading = f"{error.path} does not hold: {count} fault{'s' if count > 1 else ''}."
    console.print(Text(printable(heading), style="bold red"))
    for fault in error.faults:
        place = Text.assemble(
            (f"  line {fault.line}", "cyan"), ", ", (printable(fault.key), "bold")
        )
        console.print(place if fault.key else Text(f"  line {fault.line}", style="cyan"))
        console.print(Text(f"      {printable(fault.problem)}"))
        if fault.value is not None:
            console.print(Text(f"      found: {printable(fault.value)}"))


def _fault(fault: LayoutFault) -> dict[str, Any]:
    return {
        "line": fault.line, "key": fault.key, "problem": fault.problem, "value": fault.value
    }  # fmt: skip


def _print_json(value: dict[str, Any]) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
