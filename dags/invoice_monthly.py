"""Makes the invoices of one month: a PDF per billable service, and an annex of its calls.

**What**: with `act` = `draft`, the default, nothing is numbered: PDFs show, under a watermark,
what would be invoiced. With `act` = `issue`, drafts that pass the gates are numbered and frozen.

**Type**: interval. The month is the run's partition (`2026-10`), on the 2nd at 06:00, Paris time.
Paused at creation; a manual run may name the `month`, else it takes the month before this one.

**Safe to re-run?** Yes. The same month again gives the same numbers and files, and issues what was
blocked before, if its obstacle is gone.

**When it fails**: `check_billing` names the expectations that do not hold: correct tariff or
directory and build again. `make_invoices` names the draft that does not hold together; no number
is lost. `render_invoices` names each invoice and the template's line: correct it, clear the task.
`report_month` names what was not issued and why: remove the obstacle or pass an override.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, CronPartitionTimetable, Param, get_current_context, task

from tollhouse.dag_defaults import START_DATE, Kind, default_args
from tollhouse.settings import load_settings

with DAG(
    dag_id="invoice_monthly",
    description="Draft or issue the invoices of a month and render their PDFs",
    schedule=CronPartitionTimetable(
        "0 6 2 * *", timezone="Europe/Paris", run_offset=-1, key_format="%Y-%m"
    ),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args={**default_args(), "retries": 1},
    tags={Kind.INVOICE.value},
    doc_md=__doc__,
    params={
        "month": Param(None, type=["null", "string"], pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$"),
        "act": Param("draft", enum=["draft", "issue"], description="Issue gives numbers, for good"),
        "overrides": Param([], type="array", description="List of gate, subject, named_by, reason"),
    },
):

    @task
    def choose_month() -> str:
        from tollhouse.invoicing.monthly import choose_month as choose

        context = get_current_context()
        return choose(context["dag_run"].partition_key, context["params"]["month"])

    @task
    def check_billing(month: str) -> str:
        from tollhouse.checkpoints import check_billing as check

        check(load_settings(), month)
        return month

    @task
    def make_invoices(month: str) -> list[dict[str, Any]]:
        from tollhouse.invoicing.monthly import make_invoices_of_run

        return make_invoices_of_run(month, get_current_context())

    @task
    def render_invoices(chunk: dict[str, Any]) -> list[str]:
        from tollhouse.invoicing.monthly import render_chunk

        return render_chunk(load_settings(), chunk)

    @task(trigger_rule="none_failed")
    def report_month(month: str) -> dict[str, Any]:
        from tollhouse.invoicing.monthly import report_run

        return report_run(month, get_current_context())

    checked = check_billing(choose_month())
    render_invoices.expand(chunk=make_invoices(checked)) >> report_month(checked)
