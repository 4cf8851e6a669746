"""``tollhouse invoice``: look at a month, draft it, issue it, render it, without Airflow.

The same functions as the DAG invoice_monthly; overrides are written GATE:SUBJECT and need a name
and a reason.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollhouse.checkpoints import check_billing
from tollhouse.invoicing.archive import archive_root
from tollhouse.invoicing.gates import GATES, OverrideRefusedError
from tollhouse.invoicing.monthly import (
    InvoicesNotRenderedError,
    MonthReport,
    choose_month,
    issue_invoices,
    issued_chunks,
    make_drafts,
    render_chunk,
    report_month,
)
from tollhouse.invoicing.months import month_text
from tollhouse.settings import Settings, load_settings


def list_month(month: str | None = None) -> int:
    """Show the invoices and drafts of a month, and what the gates say.

    Returns:
        The exit code: 0 when nothing is blocked.
    """
    report = report_month(load_settings(), choose_month(None, month))
    _show(report)
    return 1 if report.blocked else 0


def draft(month: str | None = None) -> int:
    """Render the drafts of a month, under a watermark and without numbers.

    Returns:
        The exit code: 0 when every draft was rendered.
    """
    settings = load_settings()
    return _render(settings, make_drafts(settings, choose_month(None, month)))


def issue(
    month: str | None = None,
    *,
    overrides: Sequence[str] = (),
    named_by: str = "",
    reason: str = "",
) -> int:
    """Issue the drafts of a month that pass the gates, and render them.

    Returns:
        The exit code: 0 when every draft was issued and rendered.
    """
    settings = load_settings()
    chosen = choose_month(None, month)
    check_billing(settings, chosen)
    chunks = issue_invoices(
        settings,
        chosen,
        issued_by=named_by or getpass.getuser(),
        overrides=[_override(text, named_by, reason) for text in overrides],
    )
    code = _render(settings, chunks)
    report = report_month(settings, chosen)
    _show(report)
    return 1 if report.blocked else code


def render(month: str | None = None) -> int:
    """Render the issued invoices of a month whose documents are not in the archive.

    Returns:
        The exit code: 0 when all documents are there.
    """
    settings = load_settings()
    return _render(settings, issued_chunks(settings, choose_month(None, month)))


def _override(text: str, named_by: str, reason: str) -> dict[str, Any]:
    gate, separator, subject = text.partition(":")
    if not separator or not subject:
        raise OverrideRefusedError(
            f"{text!r} is no override: write GATE:SUBJECT, as in sources_heard:lille_plant."
        )
    return {"gate": gate, "subject": subject, "named_by": named_by, "reason": reason}


def _render(settings: Settings, chunks: list[dict[str, Any]]) -> int:
    code = 0
    for chunk in chunks:
        try:
            for name in render_chunk(settings, chunk):
                sys.stdout.write(f"{archive_root(settings) / name}\n")
        except InvoicesNotRenderedError as error:
            sys.stderr.write(f"{error}\n")
            code = 1
    return code


def _show(report: MonthReport) -> None:
    console = Console()
    table = Table(title=f"Invoices of {month_text(report.month)}", title_justify="left")
    for heading in ("Number", "Service"):
        table.add_column(heading)
    for heading in ("Calls", "Net", "Total"):
        table.add_column(heading, justify="right")
    table.add_column("Documents", overflow="fold")
    for row in report.issued:
        table.add_row(
            row.invoice_number, escape(row.service_id), f"{row.call_count:,}",
            f"{row.net_amount:,}", f"{row.total_amount:,} {row.currency}",
            escape("\n".join(row.file_names)),
        )  # fmt: skip
    for draft_row in report.drafts:
        table.add_row(
            "draft", escape(draft_row.service_id), f"{draft_row.call_count:,}",
            f"{draft_row.net_amount:,}", f"{draft_row.total_amount:,} {draft_row.currency}",
            "blocked, see below" if draft_row.obstacles else "",
        )  # fmt: skip
    for service_id in report.nothing_to_bill:
        table.add_row("none", escape(service_id), "0", "", "", "nothing to bill")
    console.print(table)

    gates = Table(title="Gates before issue", title_justify="left")
    for heading in ("Gate", "Question", "Answer"):
        gates.add_column(heading, overflow="fold")
    for gate in GATES:
        found = {
            f"{obstacle.subject}: {obstacle.detail}"
            for draft_row in report.blocked
            for obstacle in draft_row.obstacles
            if obstacle.gate == gate.name
        }
        name = gate.name + (" (may be overridden)" if gate.is_overridable else "")
        gates.add_row(name, gate.question, escape("\n".join(sorted(found))) or "yes")
    console.print(gates)
