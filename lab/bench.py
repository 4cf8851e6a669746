"""How fast tickets are landed and built, as ratios to floors measured in the same run.

    python -m lab.bench [--tickets 1000000] [--history 5000000]

Absolute times mean little on shared machines, so each figure stands beside a floor: PostgreSQL
doing only what cannot be avoided, on the same data, in the same minutes. The floor of landing and
building is COPY of the same bodies into a table with raw's key, plus ``insert … select`` of the
resulting legs into a table with their key. The second part asks whether cost grows with history:
1,000 new tickets on an empty warehouse, and on one that holds millions.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from tollhouse.building import build, dbt_target, deploy
from tollhouse.collector.segment import TERMINATED
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.directory.loading import load_directory
from tollhouse.embedded.postgres import OWNER, EmbeddedPostgres, cluster_home
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import Pbx, load_pbxs
from tollhouse.migrations import migrate
from tollhouse.settings import PROJECT, ROLE_PASSWORDS, Settings
from tollhouse.warehouse import DBT, connect
from tollhouse.watermark import FileWatermark

PBX_ID = "paris_hq"
FEW_TICKETS = 1_000
ROUNDS_OF_FEW = 5
HISTORY_STEP = 1_000_000
#: Lines appended to the spool at a time, as a busy collector does.
APPENDED_LINES = 5_000
#: Calls are spread over so many days: call identities wrap, as on a real PBX, days apart.
DAYS = 300
DESTINATIONS = ("01990{:05d}", "063998{:04d}", "02619{:05d}", "0032255{:05d}", "0044113496{:04d}")

Result = TypeVar("Result")
console = Console(file=sys.stdout)


@dataclass
class Stages:
    """Seconds per stage, in the order the stages ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, work: Callable[[], Result]) -> Result:
        """Do a piece of work and add up how long it took."""
        started = time.perf_counter()
        result = work()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        return result

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(self.seconds.values())


def mitel_lines(seed: int) -> Iterator[bytes]:
    """Yield SMDR lines of 131 columns without end: 70 % outgoing, the rest incoming."""
    draw = random.Random(seed)
    newest = datetime.now(tz=UTC)
    for number in range(10**9):
        start = newest - timedelta(minutes=draw.randrange(DAYS * 1440))
        talk = int(draw.lognormvariate(4.4, 1.1)) if draw.random() < 0.8 else 0
        duration = f"{talk // 3600:02d}:{talk // 60 % 60:02d}:{talk % 60:02d}"
        extension = 4200 + draw.randrange(100)
        call = f"M{number // 10_000 % 1000:03d}{number % 10_000:04d}"
        # Few numbers are called often, many seldom.
        outside = draw.choice(DESTINATIONS).format(int(10_000 * draw.random() ** 3) % 10_000)
        if draw.random() < 0.7:
            answered = "A" if talk else " "
            parties = f"{extension:<10}{f'{extension} 0{outside}':<26}{answered} T003"
        else:
            ring = f"{draw.randrange(1, 30):03d}" if talk else "***"
            parties = f"T002  {ring} {f'{outside} {extension}':<26}  {extension}"
        body = f" {start:%m/%d %H:%M}  {duration} {parties}"
        yield f"{body:<113}{call}A".encode().ljust(131) + b"\r\n"


def fill_spool(settings: Settings, lines: Iterator[bytes], count: int) -> None:
    """Put lines into the PBX's spool through the collector's own writer."""
    with SpoolWriter(settings.spool / PBX_ID, PBX_ID) as spool:
        spool.begin_connection("bench")
        left = count
        while left:
            portion = list(islice(lines, min(left, APPENDED_LINES)))
            spool.append([(line, TERMINATED) for line in portion], now_us())
            left -= len(portion)
        spool.sync()


@contextmanager
def installation(*, deployed: bool = True) -> Iterator[Settings]:
    """A warehouse of its own, migrated; deployed, with the demo's directory; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tollhouse-bench-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(cluster_home(folder), int(os.environ.get("BENCH_PORT", "54399")))
    try:
        postgres.start()
        url = postgres.ensure_database("tollhouse", OWNER, "bench", may_make_roles=True)
        environment = {
            **{name: value for name, value in os.environ.items() if "TOLLHOUSE" not in name},
            "TOLLHOUSE_VAR": str(folder),
            "TOLLHOUSE_DATABASE_URL": url,
            **dict.fromkeys(ROLE_PASSWORDS.values(), "bench"),
        }
        settings = Settings(
            project=PROJECT, var=folder, include=PROJECT / "include", environment=environment
        )
        migrate(settings)
        if deployed:
            deploy(settings, with_docs=False, output=io.StringIO())
            load_directory(settings)
        yield settings
    finally:
        postgres.stop()
        shutil.rmtree(postgres.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def land_and_build(settings: Settings, pbx: Pbx, stages: Stages) -> None:
    """One pull and one build, as the DAGs do them."""
    stages.run(
        "land",
        lambda: extract(
            pbx, run=RunContext(), watermark=FileWatermark(pbx, settings), settings=settings
        ),
    )
    # dbt's log would drown the tables; when a build fails, its error says which node and why.
    with redirect_stdout(io.StringIO()):
        stages.run("build", lambda: build(settings))


def seconds_per_node(settings: Settings) -> dict[str, float]:
    """Return how long each node of the last build took, the slow ones first."""
    results = json.loads((dbt_target(settings) / "run_results.json").read_text(encoding="utf-8"))
    nodes = {
        node["unique_id"].split(".", 1)[1].removeprefix("tollhouse."): node["execution_time"]
        for node in results["results"]
    }
    return dict(sorted(nodes.items(), key=lambda item: -item[1]))


def measure_floor(settings: Settings) -> Stages:
    """What PostgreSQL needs at the least: COPY of the bodies, insert of the legs, keys included."""
    stages = Stages()
    dump = settings.var / "floor.copy"
    with connect(DBT, settings=settings, autocommit=True) as connection:
        connection.execute("create schema floor")
        connection.execute(
            "create table floor.tickets (model text, delivery_id int, ordinal bigint, "
            "ticket_id bigint, batch_id int, received_at timestamptz, body text, "
            "primary key (model, delivery_id, ordinal))"
        )
        connection.execute("create table floor.legs (like marts.fct_call_legs)")
        connection.execute("alter table floor.legs add primary key (ticket_id)")
        with (
            dump.open("wb") as file,
            connection.cursor().copy("copy raw.tickets_mitel_3300 to stdout") as rows,
        ):
            for row in rows:
                file.write(row)

        def copy_bodies() -> None:
            with (
                dump.open("rb") as file,
                connection.cursor().copy("copy floor.tickets from stdin") as copy,
            ):
                while block := file.read(1 << 20):
                    copy.write(block)

        stages.run("COPY of the bodies", copy_bodies)
        stages.run(
            "insert of the legs",
            lambda: connection.execute("insert into floor.legs select * from marts.fct_call_legs"),
        )
        connection.execute("drop schema floor cascade")
    dump.unlink()
    return stages


def measure_few(settings: Settings, pbx: Pbx, lines: Iterator[bytes]) -> list[float]:
    """Seconds of landing and building 1,000 new tickets, several times."""
    seconds = []
    for _ in range(ROUNDS_OF_FEW):
        fill_spool(settings, lines, FEW_TICKETS)
        stages = Stages()
        land_and_build(settings, pbx, stages)
        seconds.append(stages.total)
    return seconds


def bench_mass(tickets: int) -> None:
    """Land and build many tickets at once, beside the floor."""
    with installation() as settings:
        pbx = next(pbx for pbx in load_pbxs(settings.pbx_file) if pbx.id == PBX_ID)
        with console.status(f"Writing {tickets:,} tickets to the spool"):
            fill_spool(settings, mitel_lines(seed=1), tickets)
        stages = Stages()
        with console.status("Landing and building them"):
            land_and_build(settings, pbx, stages)
        nodes = seconds_per_node(settings)
        with console.status("Measuring the floor"):
            floor = measure_floor(settings)
    table = Table(title=f"{tickets:,} Mitel tickets", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for name, seconds in stages.seconds.items():
        table.add_row(name, f"{seconds:.2f}")
    for name, seconds in islice(nodes.items(), 8):
        table.add_row(f"  of which {name}", f"{seconds:.2f}")
    table.add_section()
    for name, seconds in floor.seconds.items():
        table.add_row(f"floor: {name}", f"{seconds:.2f}")
    table.add_section()
    table.add_row("tickets per second", f"{tickets / stages.total:,.0f}")
    table.add_row("ratio to the floor", f"{stages.total / floor.total:.2f}")
    console.print(table)


def bench_history(history: int) -> None:
    """1,000 new tickets on an empty warehouse, and again on one with a long history."""
    with installation() as settings:
        pbx = next(pbx for pbx in load_pbxs(settings.pbx_file) if pbx.id == PBX_ID)
        lines = mitel_lines(seed=2)
        with console.status(f"{FEW_TICKETS:,} tickets on an empty warehouse"):
            on_empty = measure_few(settings, pbx, lines)
        for done in range(0, history, HISTORY_STEP):
            with console.status(f"Building history: {done:,} of {history:,} tickets"):
                fill_spool(settings, lines, min(HISTORY_STEP, history - done))
                land_and_build(settings, pbx, Stages())
        with console.status(f"{FEW_TICKETS:,} tickets on {history:,}"):
            on_history = measure_few(settings, pbx, lines)
    table = Table(title=f"{FEW_TICKETS:,} new tickets, land and build", title_justify="left")
    table.add_column("warehouse")
    table.add_column("seconds, median", justify="right")
    table.add_column("least to most", justify="right")
    for name, seconds in (("empty", on_empty), (f"{history:,} tickets", on_history)):
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        table.add_row(name, f"{statistics.median(seconds):.2f}", spread)
    table.add_section()
    ratio = statistics.median(on_history) / statistics.median(on_empty)
    table.add_row("ratio of the medians", f"{ratio:.2f}", "")
    console.print(table)


def main() -> None:
    """Run both parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickets", type=int, default=1_000_000, help="0 leaves this part out")
    parser.add_argument("--history", type=int, default=5_000_000, help="0 leaves this part out")
    arguments = parser.parse_args()
    if arguments.tickets:
        bench_mass(arguments.tickets)
    if arguments.history:
        bench_history(arguments.history)


if __name__ == "__main__":
    main()
