"""The demo: an installation brought up, a month of traffic on many PBXs, and the invoices of it.

Everything is done by the running parts themselves: the collector drains the TCP PBXs, Airflow's
scheduler runs the DAGs; the demo asks for runs through Airflow's API, as an operator would in the
UI, and waits. Run again, it sends the traffic since the last run and doubles nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.status import Status

from lab.stage import Lab
from lab.summary import issued_documents, summary_tables
from lab.truth import Ledger
from tollhouse.commands.steps import step
from tollhouse.commands.up import show_address, start_all
from tollhouse.embedded import airflow
from tollhouse.embedded.airflow_api import AirflowApi
from tollhouse.embedded.environment import Installation, make_installation
from tollhouse.installed_pbxs import load_pbxs
from tollhouse.warehouse import DBT, connect

BILLING_ZONE = ZoneInfo("Europe/Paris")
LOAD_DIRECTORY, BUILD_WAREHOUSE, INVOICE_MONTHLY = (
    "load_directory",
    "build_warehouse",
    "invoice_monthly",
)

#: How long a step may take on a slow machine before the demo says where it hangs.
RUN_SECONDS = 300.0

TICKETS_LANDED = """
select count(*)
from raw.tickets as tickets
inner join raw.deliveries as deliveries on tickets.delivery_id = deliveries.delivery_id
where deliveries.pbx_id = %s
"""
BATCHES_WAITING = "select count(*) from raw.batches where built_at is null"


class DemoError(Exception):
    """The demo cannot go on; the message says where it stopped and what to look at."""


@dataclass(frozen=True)
class BillingMonth:
    """A civil month of the issuer's billing time zone."""

    first_day: date

    @property
    def text(self) -> str:
        """As the DAG's parameter wants it."""
        return f"{self.first_day:%Y-%m}"

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return datetime(
            self.first_day.year, self.first_day.month, 1, tzinfo=BILLING_ZONE
        ).astimezone(UTC)


def past_month(now: datetime) -> BillingMonth:
    """Return the civil month before this one."""
    last_day = now.astimezone(BILLING_ZONE).date().replace(day=1) - timedelta(days=1)
    return BillingMonth(last_day.replace(day=1))


def run() -> None:
    """Play the demo to its end.

    Raises:
        DemoError, AirflowApiError, ProcessError, PostgresError: where it stopped.
    """
    console = Console()
    started = time.monotonic()
    installation = make_installation()
    lab = Lab(installation)
    month = past_month(datetime.now(UTC))
    with step(console, "Simulated PBXs"):
        lab.write_connections()
        lab.start()
    start_all(installation, console)
    api = airflow.client(installation)
    extract_dags = {pbx.id: pbx.dag_id for pbx in load_pbxs(installation.settings.pbx_file)}
    with step(console, "DAGs") as status:
        _wait_for_dags(api, [*extract_dags.values(), *_OTHER_DAGS], status)
    with step(console, "Directory and tariffs") as status:
        _run_dag(api, LOAD_DIRECTORY, {}, status)
    with step(console, f"Traffic since {month.first_day:%d %B %Y}") as status:
        ledgers = lab.send_traffic(since=month.start, until=datetime.now(UTC))
        _wait_for_collector(lab, status)
    with step(console, "Extraction") as status:
        _extract_everything(installation, api, extract_dags, ledgers, status)
    with step(console, "Warehouse") as status:
        _wait_for_build(installation, api, status)
    with step(console, f"Invoices of {month.text}") as status:
        _make_invoices(api, month, status)
    for table in summary_tables(installation.settings, list(ledgers), month.first_day):
        console.print(table)
    console.print("Documents:")
    for path in issued_documents(installation.settings, month.first_day):
        console.print(f"  {path}", soft_wrap=True, highlight=False)
    show_address(installation, console)
    console.print(f"[dim]The demo took {time.monotonic() - started:.0f} s.[/dim]")


_OTHER_DAGS = (LOAD_DIRECTORY, BUILD_WAREHOUSE, INVOICE_MONTHLY)


def _wait_for_dags(api: AirflowApi, wanted: list[str], status: Status) -> None:
    """Wait until the DAG processor has stored every DAG that the demo needs."""

    def missing() -> list[str]:
        known = api.dag_ids()
        return [dag_id for dag_id in wanted if dag_id not in known]

    deadline = time.monotonic() + RUN_SECONDS
    while waiting := missing():
        errors = api.import_errors()
        if errors:
            raise DemoError("DAG files do not load:\n  " + "\n  ".join(errors))
        if time.monotonic() > deadline:
            raise DemoError(
                f"These DAGs did not appear within {RUN_SECONDS:.0f} seconds: "
                f"{', '.join(waiting)}. See var/log/airflow-dag-processor.log."
            )
        status.update(f"DAGs: waiting for {', '.join(waiting)}")
        time.sleep(0.5)


def _run_dag(api: AirflowApi, dag_id: str, parameters: dict[str, str], status: Status) -> None:
    run_id = api.trigger(dag_id, parameters)
    api.wait_for_run(dag_id, run_id, seconds=RUN_SECONDS, on_progress=status.update)


def _wait_for_collector(lab: Lab, status: Status) -> None:
    """Wait until the collector has taken every ticket of the PBXs that speak over TCP."""
    pbxs = lab.pbxs_on_tcp

    def behind() -> list[str]:
        return [pbx.pbx_id for pbx in pbxs if pbx.feed.position < pbx.feed.size]

    def is_drained() -> bool:
        waiting = behind()
        status.update(f"Traffic: the collector has all of {len(pbxs) - len(waiting)} TCP PBXs")
        return not waiting

    _wait_until(
        is_drained,
        lambda: (
            f"The collector did not take every ticket of {', '.join(behind())}: see "
            "var/log/collector.log and `tollhouse collector status`."
        ),
    )


def _extract_everything(
    installation: Installation,
    api: AirflowApi,
    extract_dags: dict[str, str],
    ledgers: dict[str, Ledger],
    status: Status,
) -> None:
    """Ask for extractions until every ticket of the lab is in raw."""
    deadline = time.monotonic() + RUN_SECONDS
    while behind := _pbxs_behind(installation, ledgers):
        if time.monotonic() > deadline:
            lines = [
                f"  {pbx_id}: {found:,} of {sent:,}" for pbx_id, (found, sent) in behind.items()
            ]
            raise DemoError(
                "Not every ticket of the lab was landed; in raw there are\n" + "\n".join(lines)
            )
        runs = {pbx_id: api.trigger(extract_dags[pbx_id]) for pbx_id in behind}
        for pbx_id, run_id in runs.items():
            api.wait_for_run(
                extract_dags[pbx_id], run_id, seconds=RUN_SECONDS, on_progress=status.update
            )


def _pbxs_behind(
    installation: Installation, ledgers: dict[str, Ledger]
) -> dict[str, tuple[int, int]]:
    """Return the pbxs with fewer tickets in raw than were sent: found and sent."""
    behind = {}
    with connect(DBT, settings=installation.settings) as connection:
        for pbx_id, ledger in ledgers.items():
            row = connection.execute(TICKETS_LANDED, [pbx_id]).fetchone()
            found = int(row[0]) if row else 0
            if found < len(ledger.tickets):
                behind[pbx_id] = (found, len(ledger.tickets))
    return behind


def _wait_for_build(installation: Installation, api: AirflowApi, status: Status) -> None:
    """Wait until the builds that the extractions woke have taken every batch and ended."""

    def is_built() -> bool:
        runs = api.runs(BUILD_WAREHOUSE)
        if runs and runs[0]["state"] == "failed":
            raise DemoError(api.explain(BUILD_WAREHOUSE, runs[0]["dag_run_id"], "failed"))
        with connect(DBT, settings=installation.settings) as connection:
            row = connection.execute(BATCHES_WAITING).fetchone()
        waiting = int(row[0]) if row else 0
        active = sum(run["state"] in {"queued", "running"} for run in runs)
        status.update(f"Warehouse: {waiting} batches wait, {active} builds run")
        return waiting == 0 and active == 0 and bool(runs)

    def complain() -> str:
        explanations = [
            api.explain(BUILD_WAREHOUSE, run["dag_run_id"], f"is {run['state']}")
            for run in api.runs(BUILD_WAREHOUSE)[:1]
        ]
        return "\n".join(["The warehouse was not built.", *explanations])

    _wait_until(is_built, complain)


def _make_invoices(api: AirflowApi, month: BillingMonth, status: Status) -> None:
    """Issue a month; the DAG is left as it was found, paused or not.

    No longer paused, it drafts the month once by itself, as it does on the 2nd of each month.
    """
    was_paused = api.dag_ids()[INVOICE_MONTHLY]
    api.set_paused(INVOICE_MONTHLY, is_paused=False)
    try:
        _run_dag(api, INVOICE_MONTHLY, {"month": month.text, "act": "issue"}, status)
    finally:
        api.set_paused(INVOICE_MONTHLY, is_paused=was_paused)


def _wait_until(is_done: Callable[[], bool], complain: Callable[[], str]) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise DemoError(f"{complain()}\nWaited {RUN_SECONDS:.0f} seconds.")
        time.sleep(0.5)
