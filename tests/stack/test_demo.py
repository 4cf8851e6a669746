"""The whole stack: the demo, twice, against the lab's truth; Airflow killed; a backfill; the end.

One installation of its own, in a folder and on ports of its own, serves every test of this file;
they run in order, each on what the one before left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest

from lab.asterisk import TABLES
from lab.demo import past_month
from lab.sites import SITES
from lab.stage import Lab
from lab.summary import PbxCounts, count_pbxs
from lab.tables import insert_tickets
from lab.traffic import Site, calls_of_day, day_factor
from lab.truth import Ledger, TicketTruth, expected_counts, open_ledger, read_truth
from tests.conftest import first_of_free_ports, free_port
from tests.independent_rating import Directory, call_of_truth, invoice_totals
from tests.stack.browser import logged_in
from tollhouse.embedded import airflow
from tollhouse.embedded.airflow_api import AirflowApi
from tollhouse.embedded.environment import (
    ADMINISTRATOR,
    LAB_FILES_PORT,
    LAB_STREAM_PORT,
    PORTS,
    Installation,
    make_installation,
)
from tollhouse.embedded.postgres import cluster_home
from tollhouse.embedded.processes import port_is_taken, recorded_processes
from tollhouse.settings import PROJECT, Settings, load_settings
from tollhouse.warehouse import DBT, LANDING_LOCKS, LOADER, connect, lock_number

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

TOLLHOUSE = str(Path(sys.executable).with_name("tollhouse"))
PBX_IDS = [pbx.site.pbx_id for pbx in SITES]
#: What takes the ports that follow one another.
PORT_COUNTS = {
    LAB_STREAM_PORT: sum(pbx.stream is not None for pbx in SITES),
    LAB_FILES_PORT: sum(bool(pbx.files and pbx.files.fetched_by) for pbx in SITES),
}
ASTERISK = "lyon_support"
ASTERISK_DAG = f"extract__{ASTERISK}"
MONTH = past_month(datetime.now(UTC)).first_day

ISSUED = """
select service_id, net_amount, vat_amount, total_amount, call_count, talk_seconds, billed_seconds
from billing.invoices
where billing_month = %s
order by service_id
"""
NUMBERS = "select invoice_number, issued_at from billing.invoices order by invoice_number"
FILES = "select file_name, sha256 from billing.documents order by file_name"
LEGS = """
select direction, coalesce(extension, ''), count(*), sum(talk_seconds)
from intermediate.int_tickets__staged
where pbx_id = %s and state = 'ticket'
group by direction, extension
"""
MEANINGS = """
select state, direction, outcome, started_at, ring_seconds, talk_seconds,
    coalesce(extension, ''), coalesce(account_code, '')
from intermediate.int_tickets__staged
where pbx_id = %s
"""
RAW_COUNT = """
select count(*)
from raw.tickets as tickets
inner join raw.deliveries as deliveries on tickets.delivery_id = deliveries.delivery_id
where deliveries.pbx_id = %s
"""
BATCHES_WAITING = "select count(*) from raw.batches where built_at is null"
LOCK_WAITERS = """
select count(*)
from pg_locks
where locktype = 'advisory' and not granted and classid = %s
"""


@dataclass(frozen=True)
class Stack:
    """A running installation and the environment that its commands are called with."""

    var: Path
    environment: dict[str, str]

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TOLLHOUSE, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def installation(self) -> Installation:
        load_settings.cache_clear()
        return make_installation()

    @property
    def settings(self) -> Settings:
        return self.installation.settings

    @property
    def api(self) -> AirflowApi:
        return airflow.client(self.installation)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connect(DBT, settings=self.settings) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def idlast(self, pbx_id: str) -> str:
        variable = self.api.get(f"/api/v2/variables/idlast__{pbx_id}")
        return str(variable["value"])

    def counts(self) -> dict[str, PbxCounts]:
        return {counts.pbx_id: counts for counts in count_pbxs(self.settings, PBX_IDS, MONTH)}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    var = Path(tempfile.mkdtemp(prefix="tollhouse-demo-"))
    var.chmod(0o755)
    own = {variable: str(free_port()) for variable in PORTS}
    own |= {variable: str(first_of_free_ports(count)) for variable, count in PORT_COUNTS.items()}
    own |= {"TOLLHOUSE_VAR": str(var), "TOLLHOUSE_LAB_CALLS_PER_DAY": "10"}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOLLHOUSE_", "AIRFLOW_"))
    }
    stack = Stack(var, {**inherited, **own})
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(inherited):
            patch.delenv(name)
        for name, value in own.items():
            patch.setenv(name, value)
        try:
            yield stack
        finally:
            stack.call("down", "--erase-database")
            load_settings.cache_clear()
            shutil.rmtree(var, ignore_errors=True)
    load_settings.cache_clear()


@pytest.fixture(scope="module")
def first_run(stack: Stack) -> subprocess.CompletedProcess[str]:
    done = stack.call("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.3)


def assert_agrees_with_the_truth(stack: Stack) -> None:
    for pbx_id, counts in stack.counts().items():
        expected = expected_counts(stack.var, pbx_id)
        by_state = expected.tickets_by_state
        assert counts.read == expected.tickets, pbx_id
        assert counts.parsed == by_state.get("ticket", 0), pbx_id
        assert counts.ignored == by_state.get("ignored", 0), pbx_id
        assert counts.rejected == by_state.get("rejected", 0), pbx_id
        assert counts.duplicate == by_state.get("duplicate", 0), pbx_id
        assert counts.calls == expected.calls, pbx_id
        assert counts.talk_seconds == expected.talk_seconds, pbx_id
        assert counts.rated == expected.outgoing_answered, pbx_id
        assert counts.not_answered == expected.outgoing_not_answered, pbx_id
        assert counts.unrated == 0, pbx_id
        legs = stack.rows(LEGS, pbx_id)
        assert legs_by(legs, place=0) == expected.legs_by_direction, pbx_id
        assert legs_by(legs, place=1) == expected.legs_by_extension, pbx_id


def legs_by(groups: list[tuple[Any, ...]], place: int) -> dict[str, tuple[int, int]]:
    """Add up legs and their seconds by one of the columns of LEGS."""
    sums: dict[str, tuple[int, int]] = {}
    for group in groups:
        legs, talk_seconds = sums.get(group[place], (0, 0))
        sums[group[place]] = legs + group[2], talk_seconds + int(group[3])
    return sums


def test_the_demo_ends_well_and_shows_what_it_did(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    for text in [*PBX_IDS, "Rejected", "Not answered", "http://127.0.0.1:", "password"]:
        assert text in first_run.stdout
    documents = [Path(line.strip()) for line in first_run.stdout.splitlines() if ".pdf" in line]
    assert documents
    for document in documents:
        assert document.read_bytes().startswith(b"%PDF")


def test_every_call_of_the_lab_is_accounted_for(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    assert_agrees_with_the_truth(stack)


@pytest.mark.parametrize("pbx_id", PBX_IDS)
def test_each_ticket_means_what_happened(
    stack: Stack, first_run: subprocess.CompletedProcess[str], pbx_id: str
) -> None:
    found = [
        meaning if meaning[0] == "ticket" else meaning[:1]
        for meaning in stack.rows(MEANINGS, pbx_id)
    ]
    expected = [meaning_of(ticket) for ticket in read_truth(stack.var, pbx_id)]
    # Some hand tickets out in another order than calls ended: by start, or a file at a time.
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def meaning_of(ticket: TicketTruth) -> tuple[Any, ...]:
    """What MEANINGS must say of a ticket; of one that is no leg, its state alone."""
    if ticket.state != "ticket":
        return (ticket.state,)
    return (
        ticket.state,
        ticket.direction,
        ticket.outcome,
        datetime.fromisoformat(ticket.started_at),
        ticket.ring_seconds,
        ticket.talk_seconds,
        ticket.extension,
        ticket.account_code,
    )


def test_the_invoices_are_those_of_an_independent_calculation_to_the_cent(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    directory = Directory(PROJECT / "include" / "directory", PROJECT / "include" / "pbx.yml")
    calls = [
        call
        for pbx_id in PBX_IDS
        for ticket in read_truth(stack.var, pbx_id)
        if (call := call_of_truth(pbx_id, vars(ticket))) is not None
    ]
    expected = {
        service_id: (
            total.net_amount,
            total.vat_amount,
            total.total_amount,
            total.call_count,
            total.talk_seconds,
            total.billed_seconds,
        )
        for (service_id, month), total in invoice_totals(calls, directory).items()
        if month == MONTH
    }
    issued = {service_id: tuple(amounts) for service_id, *amounts in stack.rows(ISSUED, MONTH)}
    assert issued == expected
    assert sum((amounts[2] for amounts in issued.values()), Decimal(0)) > 0


def test_the_warehouse_reconciles(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    done = stack.call("reconcile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pages_in_airflow_show_invoices_checks_and_the_docs_to_who_is_logged_in(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    environment = stack.settings.environment
    airflow_url = environment["AIRFLOW__API__BASE_URL"]
    password = environment["TOLLHOUSE_ADMIN_PASSWORD"]
    with logged_in(airflow_url, ADMINISTRATOR, password) as page:
        page.goto(f"{airflow_url}/plugin/tollhouse-invoices")
        invoices = page.frame_locator("iframe")
        for number, _ in stack.rows(NUMBERS):
            invoices.get_by_text(number).wait_for()
        document = invoices.get_by_role("link", name="invoice").first.get_attribute("href")
        address = f"{airflow_url}/tollhouse/invoices/{document}"
        assert page.request.get(address).body().startswith(b"%PDF")

        page.goto(f"{airflow_url}/plugin/tollhouse-data-checks")
        page.frame_locator("iframe").get_by_text("raw_tickets").first.wait_for()

        page.goto(f"{airflow_url}/plugin/tollhouse-docs")
        page.frame_locator("iframe").get_by_text("The warehouse of Tollhouse").wait_for()


@pytest.mark.parametrize(
    "path", ["docs/", "invoices/", "invoices/files/any.pdf", "data-checks/", "data-checks/site/x"]
)
def test_the_pages_are_closed_to_who_is_not_logged_in(
    stack: Stack, first_run: subprocess.CompletedProcess[str], path: str
) -> None:
    airflow_url = stack.settings.environment["AIRFLOW__API__BASE_URL"]
    with pytest.raises(HTTPError) as caught:
        urlopen(f"{airflow_url}/tollhouse/{path}", timeout=30)
    assert caught.value.code == 401


def test_tasks_share_the_imports_of_the_scheduler(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    (scheduler,) = (
        process for process in recorded_processes(stack.var) if process.name == "airflow-scheduler"
    )
    pid = json.loads(scheduler.pid_file.read_text())["pid"]
    assert "/pandas/" in Path(f"/proc/{pid}/maps").read_text(), "Great Expectations brings pandas"


def test_the_demo_run_again_doubles_nothing(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    before = stack.rows(NUMBERS), stack.rows(FILES), stack.rows(ISSUED, MONTH)
    again = stack.call("demo")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (stack.rows(NUMBERS), stack.rows(FILES), stack.rows(ISSUED, MONTH)) == before
    assert_agrees_with_the_truth(stack)


def send_a_busy_day(stack: Stack) -> Ledger:
    """Let Asterisk write a day of a thousand calls more; return its truth."""
    since = datetime(MONTH.year, MONTH.month, 1, tzinfo=UTC)
    ledger = open_ledger(stack.var, ASTERISK, seed=1, since=since)
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    volume = 1000 / day_factor(day)
    busy = Site(ASTERISK, 6000, 6079, "0465710000", calls_per_working_day=volume)
    calls = list(calls_of_day(busy, 99, day))
    pbx = next(pbx for pbx in SITES if pbx.site.pbx_id == ASTERISK)
    tickets = [
        ticket
        for number, call in enumerate(calls, start=ledger.calls_sent)
        for ticket in pbx.tickets_of(call, busy, number)
    ]
    ledger.add(tickets, call_count=len(calls), until=ledger.until)
    return ledger


def test_airflow_killed_in_the_middle_of_an_extract_loses_and_doubles_nothing(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    ledger = send_a_busy_day(stack)
    with closing(Lab(stack.installation).mariadb.connect(TABLES.database)) as connection:
        assert insert_tickets(connection, TABLES, ledger.tickets) > 500

    # The extract is held where it lands, so that it is in the middle when Airflow dies.
    with connect(LOADER, settings=stack.settings, autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s, %s)", [LANDING_LOCKS, lock_number(ASTERISK)])
        run_id = stack.api.trigger(ASTERISK_DAG)
        wait_until(lambda: lock_waiters(holder) > 0, "the extract to reach its landing")
        for process in recorded_processes(stack.var):
            if process.name.startswith("airflow-"):
                kill_session(process.pid_file)
    wait_until(lambda: not airflow.is_running(stack.installation), "Airflow to be gone")

    assert stack.call("up").returncode == 0
    stack.api.wait_for_run(ASTERISK_DAG, run_id, seconds=240)
    assert stack.rows(RAW_COUNT, ASTERISK) == [(len(ledger.tickets),)]
    wait_until(lambda: stack.rows(BATCHES_WAITING) == [(0,)], "the build", seconds=240)
    assert_agrees_with_the_truth(stack)


def lock_waiters(connection: psycopg.Connection) -> int:
    row = connection.execute(LOCK_WAITERS, [LANDING_LOCKS]).fetchone()
    assert row is not None
    return int(row[0])


def kill_session(pid_file: Path) -> None:
    """Kill a component and everything it forked, at once and without asking."""
    leader = json.loads(pid_file.read_text())["pid"]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            if session == leader:
                os.kill(int(entry.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


def test_a_backfill_beside_a_live_run_leaves_idlast_alone(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    api, before = stack.api, stack.idlast(ASTERISK)
    raw_before = stack.rows(RAW_COUNT, ASTERISK)
    day = datetime(MONTH.year, MONTH.month, 6, 8, tzinfo=UTC)
    backfill = api.post(
        "/api/v2/backfills",
        {
            "dag_id": ASTERISK_DAG,
            "from_date": day.isoformat(),
            "to_date": (day + timedelta(hours=3)).isoformat(),
            "reprocess_behavior": "none",
            "max_active_runs": 2,
        },
    )
    api.wait_for_run(ASTERISK_DAG, api.trigger(ASTERISK_DAG), seconds=120)
    wait_until(
        lambda: api.get(f"/api/v2/backfills/{backfill['id']}")["completed_at"] is not None,
        "the backfill",
    )
    backfilled = [run for run in api.runs(ASTERISK_DAG) if run["run_type"] == "backfill"]
    assert len(backfilled) >= 3
    assert {run["state"] for run in backfilled} == {"success"}
    assert stack.idlast(ASTERISK) == before
    assert stack.rows(RAW_COUNT, ASTERISK) == raw_before


def test_down_leaves_nothing_running(
    stack: Stack, first_run: subprocess.CompletedProcess[str]
) -> None:
    assert stack.call("down").returncode == 0
    assert recorded_processes(stack.var) == []
    ports = {int(stack.environment[variable]) for variable in PORTS}
    for variable, count in PORT_COUNTS.items():
        first = int(stack.environment[variable])
        ports |= set(range(first, first + count))
    assert [port for port in sorted(ports) if port_is_taken(port)] == []
    assert processes_that_name(str(stack.var)) == []
    assert processes_that_name(str(cluster_home(stack.var, "mariadb"))) == []


def processes_that_name(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if text in command:
                found.append(command)
    return found
