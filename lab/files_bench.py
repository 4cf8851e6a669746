"""How fast dropped files reach raw: large ones beside a floor, small ones by number.

    python -m lab.files_bench [--records 1000000] [--files 100000]

The floor is what PostgreSQL cannot be spared: COPY of the bodies of the same records into a table
with raw's key. Tollhouse does that and more: it lists, waits, reads each file, recognises it by its
content, takes it apart, keeps the ledger and raw's second index. The small files are those of a
3CX that writes one for each call: there the files cost, not the tickets.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count, cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab import cisco_cucm
from lab.bench import installation
from lab.sites import SITES
from lab.traffic import calls_of_day
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import LandedBatch
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect
from tollhouse.watermark import FileWatermark

CUCM_ID = "lille_plant"
#: A busy cluster closes a file a minute.
RECORDS_PER_FILE = 2_000
#: So many records are invented; more are copies of them under other call numbers.
INVENTED_RECORDS = 10_000
#: Files are dated so long ago that none counts as being written.
WRITTEN_AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

console = Console(file=sys.stdout)


def invented_records() -> Iterator[str]:
    """Yield the records of a cluster, without end and no two alike."""
    site = next(pbx.site for pbx in SITES if pbx.site.pbx_id == CUCM_ID)
    numbers = count(1)
    days = (date(2026, 1, 5) + timedelta(days=day) for day in count())
    calls = chain.from_iterable(calls_of_day(site, 1, day) for day in days)
    tickets = chain.from_iterable(
        cisco_cucm.tickets_of(call, site, next(numbers)) for call in calls
    )
    lines = [
        ticket.ticket
        for ticket in islice(
            (ticket for ticket in tickets if ticket.state == "ticket"), INVENTED_RECORDS
        )
    ]
    for number, line in zip(count(1), cycle(lines)):
        kind, manager, _, rest = line.split(",", 3)
        yield f"{kind},{manager},{number},{rest}"


def drop_cucm_files(folder: Path, records: int) -> int:
    """Drop so many records as a cluster does; return how many files they are in."""
    folder.mkdir(parents=True)
    columns = cisco_cucm.columns_of_cdr()
    head = [
        ",".join(f'"{name}"' for name, _ in columns),
        ",".join(kind for _, kind in columns),
    ]
    lines = islice(invented_records(), records)
    for number in count(1):
        portion = list(islice(lines, RECORDS_PER_FILE))
        if not portion:
            return number - 1
        closed_at = WRITTEN_AT + timedelta(minutes=number)
        path = folder / f"cdr_StandAloneCluster_01_{closed_at:%Y%m%d%H%M}_{number}"
        path.write_text("\n".join([*head, *portion]) + "\n", encoding="utf-8")
        _date(path, closed_at)
    raise AssertionError("unreachable: the loop ends with the records")


def drop_threecx_files(folder: Path, files: int) -> None:
    """Drop a file for each call, as a 3CX does that is told to."""
    folder.mkdir(parents=True)
    for number in range(files):
        started_at = WRITTEN_AT + timedelta(seconds=7 * number)
        answered_at = started_at + timedelta(seconds=number % 30)
        ended_at = answered_at + timedelta(seconds=number % 400)
        extension, called = 100 + number % 80, f"01990{number % 100_000:05d}"
        path = folder / f"cdr-{ended_at:%y%m%d%H%M%S}.{number:06d}.log"
        path.write_text(
            f"Call {number},{number:012X}_{number},{ended_at - answered_at},"
            f"{started_at:%Y/%m/%d %H:%M:%S},{answered_at:%Y/%m/%d %H:%M:%S},"
            f"{ended_at:%Y/%m/%d %H:%M:%S},TerminatedByDst,Ext.{extension},{called},{extension},"
            f"10001,{called},,,,,1,0.42,default,Chain: Ext.{extension};{called};\r\n",
            encoding="utf-8",
        )
        _date(path, ended_at)


def _date(path: Path, written_at: datetime) -> None:
    os.utime(path, (written_at.timestamp(), written_at.timestamp()))


def pbx_with_files(pbx_id: str, model: str) -> Pbx:
    """Return a PBX whose files are dropped below ``var/drop``."""
    return Pbx(
        id=pbx_id,
        model=model,
        transport="dropped_files",
        time_zone="Europe/Paris",
        country="FR",
        settings={"folder": f"drop/{pbx_id}"},
    )


def pull(settings: Settings, pbx: Pbx) -> tuple[float, LandedBatch]:
    """Return the seconds of one pull, as the extract DAG's task makes it, and what it did."""
    watermark = FileWatermark(pbx, settings)
    started = time.perf_counter()
    landed = extract(pbx, run=RunContext(), watermark=watermark, settings=settings)
    return time.perf_counter() - started, landed


def measure_floor(settings: Settings, model: str) -> list[float]:
    """Seconds of COPY of what raw holds of a model into a table with raw's key, twice."""
    dump = settings.var / "floor.copy"
    seconds = []
    with connect(DBT, settings=settings, autocommit=True) as connection:
        connection.execute("create schema floor")
        with (
            dump.open("wb") as file,
            connection.cursor().copy(f"copy raw.tickets_{model} to stdout") as rows,
        ):
            for row in rows:
                file.write(row)
        for _ in range(2):
            connection.execute(
                "create table floor.tickets (model text, delivery_id int, ordinal bigint, "
                "ticket_id bigint, batch_id int, received_at timestamptz, body text, "
                "primary key (model, delivery_id, ordinal))"
            )
            started = time.perf_counter()
            with (
                dump.open("rb") as file,
                connection.cursor().copy("copy floor.tickets from stdin") as copy,
            ):
                while block := file.read(1 << 20):
                    copy.write(block)
            seconds.append(time.perf_counter() - started)
            connection.execute("drop table floor.tickets")
        connection.execute("drop schema floor cascade")
    dump.unlink()
    return seconds


def peak_memory_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_records(settings: Settings, records: int) -> Table:
    """Pull many records of a CUCM, and measure the floor of the same bodies."""
    pbx = pbx_with_files("cucm_bench", "cisco_cucm")
    with console.status(f"Writing {records:,} records to files") as status:
        files = drop_cucm_files(settings.var / "drop" / pbx.id, records)
        memory_before = peak_memory_mib()
        status.update("Tollhouse")
        seconds, landed = pull(settings, pbx)
        memory_after = peak_memory_mib()
        status.update("COPY of the same bodies")
        floors = measure_floor(settings, pbx.model)
    floor = sum(floors) / len(floors)
    return _as_table(
        f"{landed.rows_inserted:,} records of a CUCM in {files:,} files, folder to raw",
        {
            "floor: COPY of the same bodies, twice": " and ".join(f"{s:.2f} s" for s in floors),
            "one pull into raw": f"{seconds:.2f} s",
            "records per second": f"{records / seconds:,.0f}",
            "peak memory before and after": f"{memory_before:.0f} and {memory_after:.0f} MiB",
            "speed, of the floor's": f"{floor / seconds:.0%}",
        },
    )


def bench_files(settings: Settings, files: int) -> Table:
    """Pull many files of one call each; then once more, with nothing new."""
    pbx = pbx_with_files("threecx_bench", "threecx")
    with console.status(f"Writing {files:,} files of a call each") as status:
        drop_threecx_files(settings.var / "drop" / pbx.id, files)
        status.update("Tollhouse")
        seconds, landed = pull(settings, pbx)
        status.update("Tollhouse once more, with nothing new")
        seconds_again, _ = pull(settings, pbx)
    return _as_table(
        f"{landed.rows_inserted:,} calls of a 3CX, a file each, folder to raw",
        {
            "one pull into raw": f"{seconds:.2f} s",
            "files per second": f"{files / seconds:,.0f}",
            "a pull while all of them stay, with nothing new": f"{seconds_again:.2f} s",
        },
    )


def _as_table(title: str, figures: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name, value)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100_000)
    arguments = parser.parse_args()
    with installation(deployed=False) as settings:
        console.print(bench_records(settings, arguments.records))
        console.print(bench_files(settings, arguments.files))


if __name__ == "__main__":
    main()
