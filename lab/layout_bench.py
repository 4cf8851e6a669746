"""What a declared layout costs beside a model with SQL of its own, on the same tickets.

    python -m lab.layout_bench [--tickets 1000000]

An Avaya IP Office is read twice: by its built-in model, and by a layout that declares the same
columns of the same lines (lab/layouts/declared_ipoffice.yml). Both are pulled from files and read
through their staging views as a build reads them, into a temporary table; the two take turns, and
the middle of three rounds counts.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count, cycle, islice
from pathlib import Path

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from lab import avaya_ipoffice
from lab.bench import installation
from lab.sites import SITES
from lab.traffic import calls_of_day
from tollhouse.building import deploy
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import DBT, LOADER, connect
from tollhouse.watermark import FileWatermark

AVAYA_ID = "nice_hotel"
BUILT_IN = "avaya_ipoffice"
DECLARED = "declared_ipoffice"
LINES_PER_FILE = 20_000
ROUNDS = 3
#: So many calls are invented; more are copies of them under other call ids.
INVENTED_LINES = 20_000
#: Files are dated so long ago that none counts as being written.
WRITTEN_AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
#: A declared layout may cost so many times what the model costs that somebody wrote.
TARGET = 1.5

INSERT_PBX = """
insert into directory.pbxs (pbx_id, model, transport, time_zone, country)
values (%s, %s, %s, 'Europe/Paris', 'FR')
"""
#: As by_batch reads them: through a temporary table, by their batches.
READ_TICKETS = """
create temporary table read_tickets on commit drop as
select *
from staging.{}
where batch_id = any(array(select batch_id from raw.batches where pbx_id = %s))
"""

console = Console(file=sys.stdout)


def invented_lines() -> Iterator[str]:
    """Yield SMDR lines without end and no two alike."""
    site = next(pbx.site for pbx in SITES if pbx.site.pbx_id == AVAYA_ID)
    numbers = count(1)
    days = (date(2026, 1, 5) + timedelta(days=day) for day in count())
    calls = chain.from_iterable(calls_of_day(site, 1, day) for day in days)
    tickets = chain.from_iterable(
        avaya_ipoffice.tickets_of(call, site, next(numbers)) for call in calls
    )
    lines = [ticket.ticket for ticket in islice(tickets, INVENTED_LINES)]
    for number, line in zip(count(1), cycle(lines)):
        fields = line.split(",")
        fields[9] = str(number)
        yield ",".join(fields)


def drop_files(folders: list[Path], tickets: int) -> None:
    """Drop the same lines into each folder, as files of a day or so."""
    for folder in folders:
        folder.mkdir(parents=True)
    lines = islice(invented_lines(), tickets)
    for number in count(1):
        portion = list(islice(lines, LINES_PER_FILE))
        if not portion:
            return
        for folder in folders:
            path = folder / f"smdr_{number:06d}.csv"
            path.write_text("\r\n".join(portion) + "\r\n", encoding="latin-1")
            os.utime(path, (WRITTEN_AT.timestamp(),) * 2)


def bench_pbx(model: str) -> Pbx:
    """Return the installed PBX that is read by a model."""
    return Pbx(
        id=f"{model}_bench",
        model=model,
        transport="dropped_files",
        time_zone="Europe/Paris",
        country="FR",
        settings={"folder": f"drop/{model}", "pattern": "*.csv"},
    )


def pull(settings: Settings, pbx: Pbx) -> float:
    """Return the seconds of the pull that lands all files of a pbx."""
    with connect(LOADER, settings=settings, autocommit=True) as connection:
        connection.execute(INSERT_PBX, [pbx.id, pbx.model, pbx.transport])
    started = time.perf_counter()
    extract(pbx, run=RunContext(), watermark=FileWatermark(pbx, settings), settings=settings)
    return time.perf_counter() - started


def read_staging(connection: psycopg.Connection, pbx: Pbx) -> tuple[float, dict[str, int]]:
    """Return the seconds of reading the tickets of a pbx as a build does, and their states."""
    started = time.perf_counter()
    with connection.transaction(force_rollback=True):
        connection.execute(
            sql.SQL(READ_TICKETS).format(sql.Identifier(f"stg_{pbx.model}__tickets")), [pbx.id]
        )
        seconds = time.perf_counter() - started
        states = connection.execute("select state, count(*) from read_tickets group by state")
        return seconds, dict(states.fetchall())


def bench(settings: Settings, tickets: int) -> Table:
    """Land and read so many tickets by both models, and compare."""
    pbxs = {model: bench_pbx(model) for model in (BUILT_IN, DECLARED)}
    with console.status(f"Writing {tickets:,} tickets to files, twice") as status:
        drop_files([settings.var / "drop" / model for model in pbxs], tickets)
        status.update("Landing")
        landing = {model: pull(settings, pbx) for model, pbx in pbxs.items()}
        reading: dict[str, list[float]] = {model: [] for model in pbxs}
        states: dict[str, dict[str, int]] = {}
        with connect(DBT, settings=settings, autocommit=True) as connection:
            for number in range(1, ROUNDS + 1):
                for model, pbx in pbxs.items():
                    status.update(f"Reading as {model}, round {number} of {ROUNDS}")
                    seconds, states[model] = read_staging(connection, pbx)
                    reading[model].append(seconds)
    for model, found in states.items():
        if found != {"ticket": tickets}:
            raise SystemExit(f"{model} reads {found} where there are {tickets:,} tickets.")
    middle = {model: statistics.median(seconds) for model, seconds in reading.items()}
    table = Table(title=f"{tickets:,} tickets of an Avaya IP Office, as a layout declares them")
    for heading in ("", "built-in model", "declared layout", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("folder to raw", *_figures(landing))
    table.add_row("raw to the contract", *_figures(middle))
    both = {model: landing[model] + middle[model] for model in pbxs}
    table.add_row(f"both (target {TARGET})", *_figures(both))
    return table


def _figures(seconds: dict[str, float]) -> list[str]:
    figures = [f"{seconds[model]:.2f} s" for model in (BUILT_IN, DECLARED)]
    return [*figures, f"{seconds[DECLARED] / seconds[BUILT_IN]:.2f}"]


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--tickets", type=int, default=1_000_000)
    arguments = parser.parse_args()
    layouts = {"TOLLHOUSE_LAYOUTS": str(PROJECT / "lab" / "layouts")}
    os.environ.update(layouts)
    with installation(deployed=False) as bare:
        settings = replace(bare, environment=bare.environment | layouts)
        deploy(settings, with_docs=False, output=io.StringIO())
        console.print(bench(settings, arguments.tickets))


if __name__ == "__main__":
    main()
