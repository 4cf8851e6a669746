"""A pull as a whole: killed, repeated, restored, beside another; it loses and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.installed import MemoryWatermark, batches, bodies, pbx_of, rows
from tollhouse import warehouse as roles
from tollhouse.extraction import RunContext, batches_of_run, extract, run_context
from tollhouse.landing import LandedBatch, landing_lock
from tollhouse.settings import PROJECT, Settings
from tollhouse.transports import Interval
from tollhouse.watermark import FileWatermark, IdlastError, Watermark

FOLDER = "drop/paris"
CUCM = pbx_of("cisco_cucm", folder=FOLDER)
HEAD = "cdrRecordType,pkid\n"
LONG_AGO = 1_770_000_000


@dataclass(frozen=True)
class AskedRun:
    """A run of Airflow, as far as a pull looks at it."""

    run_type: str = "scheduled"
    run_id: str = "scheduled__1"
    data_interval_start: datetime = datetime(2026, 2, 4, tzinfo=UTC)
    data_interval_end: datetime = datetime(2026, 2, 5, tzinfo=UTC)


def drop(settings: Settings, number: int, *lines: str) -> None:
    folder = settings.var / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cdr_StandAloneCluster_01_202602041330_{number}"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    os.utime(path, (LONG_AGO, LONG_AGO))


def pull(settings: Settings, watermark: Watermark, run: RunContext | None = None) -> LandedBatch:
    return extract(
        CUCM,
        run=run or RunContext("extract__paris_hq", "scheduled__1", "scheduled"),
        watermark=watermark,
        settings=settings,
    )


def killed_pull(settings: Settings) -> None:
    """Pull in a process that dies by SIGKILL between the commit and the move of IDLAST."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "tests" / "extract_and_die.py"), "cisco_cucm", FOLDER],
        env={**settings.environment, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"},
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.postgres
def test_a_pull_killed_between_commit_and_idlast_repeats_and_doubles_nothing(
    warehouse: Settings,
) -> None:
    drop(warehouse, 1, "1,a", "1,b")
    watermark = FileWatermark(CUCM, warehouse)
    killed_pull(warehouse)
    assert (bodies(warehouse), watermark.get()) == (["1,a", "1,b"], None)
    drop(warehouse, 2, "1,c")
    again = pull(warehouse, watermark)
    assert (again.rows_inserted, again.rows_already_there) == (1, 2)
    assert bodies(warehouse) == ["1,a", "1,b", "1,c"]
    assert watermark.get() == "2"


@pytest.mark.postgres
def test_the_next_attempt_of_a_killed_run_still_checks_what_the_first_landed(
    warehouse: Settings,
) -> None:
    drop(warehouse, 1, "1,a")
    killed_pull(warehouse)
    assert pull(warehouse, FileWatermark(CUCM, warehouse)).rows_inserted == 0
    landed = rows(warehouse, "select batch_id from raw.batches where rows_inserted > 0")
    assert [
        (batch,) for batch in batches_of_run(warehouse, "extract__paris_hq", "scheduled__1")
    ] == (landed)
    assert batches_of_run(warehouse, "extract__paris_hq", "scheduled__2") == []


@pytest.mark.postgres
def test_a_pull_killed_while_it_copies_lands_nothing_and_the_next_one_all(
    warehouse: Settings,
) -> None:
    count = 300_000
    drop(warehouse, 1, *(f"1,{number}" for number in range(count)))
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "tests" / "extract_and_die.py"), "cisco_cucm", FOLDER],
        env={**warehouse.environment, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"},
        stderr=subprocess.DEVNULL,
    )
    copying = "select 1 from pg_stat_progress_copy where tuples_processed > 0"
    with roles.connect(roles.LOADER, settings=warehouse, autocommit=True) as connection:
        while not connection.execute(copying).fetchone():
            assert process.poll() is None, "it was over before it could be killed"
    process.kill()
    process.wait()
    assert rows(warehouse, "select count(*) from raw.tickets") == [(0,)]
    assert pull(warehouse, FileWatermark(CUCM, warehouse)).rows_inserted == count


@pytest.mark.postgres
def test_idlast_ahead_of_a_restored_raw_stops_before_anything_is_read(warehouse: Settings) -> None:
    drop(warehouse, 1, "1,a")
    watermark = MemoryWatermark("17")
    with pytest.raises(IdlastError, match="knows no pull"):
        pull(warehouse, watermark)
    assert (bodies(warehouse), watermark.value) == ([], "17")


@pytest.mark.postgres
def test_a_raw_restored_from_an_older_backup_catches_up_from_the_batch_that_it_names(
    warehouse: Settings,
) -> None:
    watermark = MemoryWatermark()
    drop(warehouse, 1, "1,a")
    pull(warehouse, watermark)
    drop(warehouse, 2, "1,b")
    pull(warehouse, watermark)
    with psycopg.connect(warehouse.owner_url) as connection:  # the backup held the first pull only
        for table in ("batch_deliveries", "tickets", "batches"):
            connection.execute(f"delete from raw.{table} where batch_id = 2".encode())
        connection.execute("delete from raw.deliveries where delivery_id = 2")
    with pytest.raises(IdlastError, match="set idlast__paris_hq to 1:"):
        pull(warehouse, watermark)
    watermark.value = "1"
    pull(warehouse, watermark)
    assert bodies(warehouse) == ["1,a", "1,b"]


@pytest.mark.postgres
def test_a_backfill_beside_a_live_run_doubles_nothing(warehouse: Settings) -> None:
    for number in range(20):
        drop(warehouse, number, f"1,{number}")
    watermark = MemoryWatermark()
    backfill = RunContext(
        "extract__paris_hq",
        "backfill__1",
        "backfill",
        Interval(datetime(2026, 2, 4, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC)),
    )
    runs = [
        threading.Thread(target=pull, args=(warehouse, watermark, run))
        for run in (backfill, None, backfill, None)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(bodies(warehouse)) == 20
    assert sum(batch[1] for batch in batches(warehouse)) == 20
    assert watermark.value is not None


@pytest.mark.postgres
def test_a_backfill_neither_reads_nor_moves_idlast(warehouse: Settings) -> None:
    drop(warehouse, 1, "1,a")
    watermark = MemoryWatermark("no number at all")
    run = run_context(CUCM, AskedRun("backfill", "backfill__1"), {})
    assert pull(warehouse, watermark, run).rows_inserted == 1
    assert watermark.value == "no number at all"
    found = rows(
        warehouse,
        "select run_type, idlast_before, idlast_after, interval_start, interval_end "
        "from raw.batches",
    )
    asked = AskedRun()
    assert found == [("backfill", None, None, asked.data_interval_start, asked.data_interval_end)]


@pytest.mark.postgres
def test_the_lock_of_a_pbx_is_held_until_idlast_is_moved(warehouse: Settings) -> None:
    drop(warehouse, 1, "1,a")
    order: list[str] = []

    class SlowWatermark(MemoryWatermark):
        def set(self, value: str) -> None:
            time.sleep(1)
            super().set(value)
            order.append("moved")

    watermark = SlowWatermark()
    live = threading.Thread(target=pull, args=(warehouse, watermark))
    live.start()
    while not batches(warehouse):
        time.sleep(0.02)
    with (
        roles.connect(roles.LOADER, settings=warehouse, autocommit=True) as connection,
        landing_lock(connection, "paris_hq"),
    ):
        order.append("locked")
    live.join()
    assert order == ["moved", "locked"]


@pytest.mark.postgres
def test_files_that_cannot_be_put_away_are_a_warning_and_no_failure(warehouse: Settings) -> None:
    drop(warehouse, 1, "1,a")
    (warehouse.var / FOLDER / "archive").write_text("a file where the folder should be")
    watermark = MemoryWatermark()
    pbx = pbx_of("cisco_cucm", folder=FOLDER, after_landing="archive")
    landed = extract(pbx, run=RunContext(), watermark=watermark, settings=warehouse)
    assert landed.rows_inserted == 1
    assert "not put away" in landed.warnings[0]
    assert watermark.value == "1"


def test_an_ordinary_run_is_limited_to_no_interval() -> None:
    assert run_context(CUCM, AskedRun(), {"from": None, "to": None}).interval is None


def test_the_ledger_names_the_kind_of_run_as_airflow_does() -> None:
    from airflow.utils.types import DagRunType

    run = AskedRun(DagRunType.BACKFILL_JOB, "backfill__1")
    assert run_context(CUCM, run, {}).run_type == "backfill"


def test_parameters_without_a_zone_are_in_the_zone_of_the_pbx() -> None:
    asked = {"from": "2026-07-01T00:00", "to": "2026-07-02T00:00:00+00:00"}
    interval = run_context(CUCM, AskedRun("manual"), asked).interval
    assert interval is not None
    assert interval.start.utcoffset() == timedelta(hours=2)
    assert interval.end == datetime(2026, 7, 2, tzinfo=UTC)


def test_an_interval_without_an_end_goes_up_to_now() -> None:
    interval = run_context(CUCM, AskedRun("manual"), {"from": "2026-07-01T00:00"}).interval
    assert interval is not None
    assert datetime.now(UTC) - interval.end < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"from": "yesterday"}, "'from' is 'yesterday'"),
        ({"to": "2026-07-01T00:00"}, "'from' is None"),
        ({"from": "2026-07-02", "to": "2026-07-01"}, "is empty"),
    ],
)
def test_parameters_that_are_no_interval_are_refused(
    asked: dict[str, str | None], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        run_context(CUCM, AskedRun("manual"), asked)
