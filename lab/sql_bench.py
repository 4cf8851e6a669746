"""How fast the rows of a PBX's database reach raw, as a ratio to the C clients in the same run.

    python -m lab.sql_bench [--rows 1000000]

The floor is what an administrator would type: ``mariadb --quick --batch`` has the server make the
JSON of each row and pipes it into ``psql`` with a COPY into a table with raw's key. Tollhouse does
the same and more: pages, IDLAST, the ledger, raw's second index.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from itertools import count, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab import asterisk
from lab.bench import installation
from lab.mariadb import READER, LabMariadb
from lab.sites import SITES
from lab.tables import insert_tickets
from lab.traffic import calls_of_day
from lab.truth import TicketTruth
from tollhouse.connections import PbxConnection
from tollhouse.embedded.postgres import binaries
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import Pbx, load_pbxs
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect
from tollhouse.watermark import FileWatermark

PBX_ID = "lyon_support"
#: So many rows are invented; more are copies of them under new ids.
INVENTED_ROWS = 10_000

console = Console(file=sys.stdout)


def invented_rows() -> Iterator[TicketTruth]:
    """Yield the rows of a FreePBX, day after day."""
    site = next(pbx.site for pbx in SITES if pbx.site.pbx_id == PBX_ID)
    numbers = count(1)
    for day in count():
        for call in calls_of_day(site, 1, date(2026, 1, 1) + timedelta(days=day)):
            yield from asterisk.tickets_of(call, site, next(numbers))


@contextmanager
def filled_mariadb(rows: int) -> Iterator[LabMariadb]:
    """A MariaDB of its own whose ``cdr`` holds that many rows; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tollhouse-bench-"))
    folder.chmod(0o755)
    server = LabMariadb(
        var=folder,
        port=int(os.environ.get("BENCH_MARIADB_PORT", "54398")),
        password=f"bench{random.SystemRandom().getrandbits(64)}",
        databases=(asterisk.TABLES,),
    )
    try:
        server.start()
        with closing(server.connect(asterisk.TABLES.database)) as database:
            held = insert_tickets(
                database, asterisk.TABLES, list(islice(invented_rows(), min(rows, INVENTED_ROWS)))
            )
            columns = ", ".join(asterisk.TABLES.columns)
            while held < rows:
                with closing(database.cursor()) as cursor:
                    cursor.execute(
                        f"insert into cdr ({columns}) select {columns} from cdr "  # noqa: S608
                        f"order by id limit {min(held, rows - held)}"
                    )
                    held += cursor.rowcount
                database.commit()
        yield server
    finally:
        server.process.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def measure_floor(settings: Settings, server: LabMariadb) -> float:
    """Seconds of the C clients: the server's JSON, piped into COPY into a table with raw's key."""
    with connect(DBT, settings=settings, autocommit=True) as connection:
        connection.execute("create schema floor")
        connection.execute(
            "create table floor.tickets (model text not null default 'asterisk_mysql', "
            "delivery_id int not null default 1, ordinal bigint not null, "
            "batch_id int not null default 1, received_at timestamptz not null default now(), "
            "body text not null, primary key (model, delivery_id, ordinal))"
        )
        started = time.perf_counter()
        _pipe(
            ["mariadb", "--quick", "--batch", "--skip-column-names", "--protocol=tcp",
             "--host=127.0.0.1", f"--port={server.port}", f"--user={READER}",
             "--default-character-set=utf8mb4", f"--execute={_json_query(server)}",
             asterisk.TABLES.database],
            {"MYSQL_PWD": server.password},
            [str(binaries() / "psql"), settings.role_url(DBT), "--no-psqlrc", "--quiet",
             "--command=copy floor.tickets (ordinal, body) from stdin"],
        )  # fmt: skip
        seconds = time.perf_counter() - started
        connection.execute("drop schema floor cascade")
    return seconds


def _json_query(server: LabMariadb) -> str:
    with (
        closing(server.connect(asterisk.TABLES.database)) as database,
        closing(database.cursor()) as cursor,
    ):
        cursor.execute("select * from cdr limit 0")
        cursor.fetchall()
        pairs = ", ".join(f"'{name}', `{name}`" for name in cursor.column_names)
    return f"select id, json_object({pairs}) from cdr order by id"  # noqa: S608 - its own names


def _pipe(source: list[str], secrets: dict[str, str], target: list[str]) -> None:
    environment = {**os.environ, **secrets}
    with (
        subprocess.Popen(source, stdout=subprocess.PIPE, env=environment) as reading,  # noqa: S603
        subprocess.Popen(target, stdin=reading.stdout) as writing,  # noqa: S603
    ):
        if reading.stdout:
            reading.stdout.close()  # only psql holds the pipe now: its end is seen at once
    if reading.returncode or writing.returncode:
        raise SystemExit("The floor could not be measured: see the message above.")


def measure_pull(settings: Settings, server: LabMariadb, pbx: Pbx) -> float:
    """Seconds of one pull of the whole table, as the extract DAG's task makes it."""
    address = PbxConnection(
        connection_id=pbx.connection,
        host="127.0.0.1",
        port=server.port,
        login=READER,
        password=server.password,
        schema=asterisk.TABLES.database,
    )
    started = time.perf_counter()
    extract(
        pbx,
        run=RunContext(),
        watermark=FileWatermark(pbx, settings),
        settings=settings,
        connection_finder=lambda: address,
    )
    return time.perf_counter() - started


def peak_memory_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench(settings: Settings, rows: int) -> Table:
    """Measure the floor, the pull, and the floor again: the machine may be busier now than then."""
    pbx = next(pbx for pbx in load_pbxs(settings.pbx_file) if pbx.id == PBX_ID)
    floors = []
    with (
        console.status(f"Writing {rows:,} rows to MariaDB") as status,
        filled_mariadb(rows) as server,
    ):
        status.update("The C clients")
        floors.append(measure_floor(settings, server))
        status.update("Tollhouse")
        memory_before = peak_memory_mib()
        pull = measure_pull(settings, server, pbx)
        memory_after = peak_memory_mib()
        status.update("The C clients once more")
        floors.append(measure_floor(settings, server))
    floor = sum(floors) / len(floors)
    title = f"{rows:,} rows of an Asterisk, MariaDB to raw"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in {
        "floor: mariadb | psql COPY, before and after": " and ".join(f"{s:.2f} s" for s in floors),
        "one pull into raw": f"{pull:.2f} s",
        "rows per second": f"{rows / pull:,.0f}",
        "peak memory before and after": f"{memory_before:.0f} and {memory_after:.0f} MiB",
        "speed, of the floor's": f"{floor / pull:.0%}",
    }.items():
        table.add_row(name, value)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with installation(deployed=False) as settings:
        console.print(bench(settings, arguments.rows))


if __name__ == "__main__":
    main()
