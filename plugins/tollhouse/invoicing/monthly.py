"""One billing month, step by step: what the DAG invoice_monthly and ``tollhouse invoice`` do.

Each step reads what it needs from the warehouse, so each may be run again by itself; what passes
between the steps are small lists of ids.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

from tollhouse.invoicing.archive import (
    ArchivedFile,
    ArchiveError,
    archive_documents,
    find_archived,
    remove_drafts,
)
from tollhouse.invoicing.arithmetic import total_lines
from tollhouse.invoicing.drafts import one_snapshot, open_billing, take_drafts
from tollhouse.invoicing.gates import Finding, Override, OverrideRefusedError
from tollhouse.invoicing.issuing import issue_month, survey_month
from tollhouse.invoicing.months import month_text, parse_month, previous_month
from tollhouse.invoicing.printing import PrintedInvoice, PrintError, read_draft, read_invoice
from tollhouse.invoicing.rendering import RenderError, render_documents
from tollhouse.settings import Settings, load_settings

DRAFT = "draft"
ISSUE = "issue"
TEMPLATES_VARIABLE = "TOLLHOUSE_TEMPLATES"

#: Invoices that one mapped task renders: enough to share WeasyPrint's start, few enough to spread.
CHUNK_SIZE = 25

#: Airflow maps at most 1,024 tasks ([core] max_map_length): larger months get larger chunks.
MOST_CHUNKS = 500

READ_ISSUED = """
select
    invoices.invoice_id, invoices.invoice_number, invoices.service_id, invoices.issue_date,
    invoices.call_count, invoices.net_amount, invoices.vat_amount, invoices.total_amount,
    invoices.currency,
    array_remove(array_agg(documents.file_name order by documents.kind desc), null) as file_names
from billing.invoices as invoices
left join billing.documents as documents
    on invoices.invoice_id = documents.invoice_id
where invoices.billing_month = %s
group by invoices.invoice_id
order by invoices.issuer_id, invoices.year, invoices.sequence_number
"""

log = logging.getLogger(__name__)


class InvoicesNotRenderedError(Exception):
    """Some invoices could not be rendered; each is named, the others are done."""


class InvoicesNotIssuedError(Exception):
    """Some drafts of the month did not pass the gates; each is named with its obstacles."""


@dataclass(frozen=True)
class IssuedRow:
    """An issued invoice of the month, as the report lists it."""

    invoice_id: int
    invoice_number: str
    service_id: str
    issue_date: date
    call_count: int
    net_amount: Decimal
    vat_amount: Decimal
    total_amount: Decimal
    currency: str
    file_names: list[str]


@dataclass(frozen=True)
class DraftRow:
    """A draft of the month, with what blocks its issue."""

    issuer_id: str
    service_id: str
    call_count: int
    net_amount: Decimal
    total_amount: Decimal
    currency: str
    obstacles: tuple[Finding, ...]


@dataclass(frozen=True)
class MonthReport:
    """Where a month stands."""

    month: date
    issued: list[IssuedRow]
    drafts: list[DraftRow]
    nothing_to_bill: list[str]

    @property
    def blocked(self) -> list[DraftRow]:
        """The drafts that the gates hold back."""
        return [draft for draft in self.drafts if draft.obstacles]


def choose_month(partition_key: str | None, asked: str | None) -> str:
    """Return the month to bill: the run's partition, else the parameter, else last month.

    Raises:
        MonthError: the parameter is no month.
    """
    if partition_key:
        return month_text(parse_month(partition_key))
    if asked:
        return month_text(parse_month(asked))
    return month_text(previous_month(datetime.now(UTC).date()))


def read_overrides(entries: Iterable[dict[str, Any]]) -> tuple[Override, ...]:
    """Read overrides written as mappings of gate, subject, named_by and reason.

    Raises:
        OverrideRefusedError: an entry has other keys.
    """
    overrides = []
    for entry in entries:
        keys = {"gate", "subject", "named_by", "reason"}
        if not isinstance(entry, dict) or set(entry) != keys:
            raise OverrideRefusedError(
                f"An override has the keys {', '.join(sorted(keys))}; found {entry!r}."
            )
        overrides.append(Override(**{key: str(value) for key, value in entry.items()}))
    return tuple(overrides)


def make_invoices_of_run(month: str, context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Draft or issue, as the parameters of a DAG run ask; see make_drafts and issue_invoices."""
    params = context["params"]
    if params["act"] != ISSUE:
        return make_drafts(load_settings(), month)
    return issue_invoices(
        load_settings(), month, issued_by=context["run_id"], overrides=params["overrides"]
    )


def report_run(month: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """Conclude a DAG run; see conclude."""
    params = context["params"]
    return conclude(load_settings(), month, params["act"], params["overrides"])


def make_drafts(settings: Settings, month: str) -> list[dict[str, Any]]:
    """Look up what would be invoiced; drafts take no number and change nothing.

    Returns:
        Chunks of work for render_chunk.
    """
    first_day = parse_month(month)
    with open_billing(settings) as connection, one_snapshot(connection):
        drafts = take_drafts(connection, first_day)
    for issuer_id in sorted({draft.issuer_id for draft in drafts}):
        remove_drafts(settings, issuer_id, first_day)
    return _chunks(DRAFT, month, [draft.service_id for draft in drafts])


def issue_invoices(
    settings: Settings, month: str, *, issued_by: str, overrides: Iterable[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Issue what passes the gates.

    Returns:
        Chunks of work for render_chunk: every invoice of the month, those of earlier runs included.
    """
    first_day = parse_month(month)
    with open_billing(settings) as connection:
        report = issue_month(
            connection, first_day, issued_by=issued_by, overrides=read_overrides(overrides)
        )
    for issued in report.issued:
        log.info(
            "issued %s: %s, %s %s",
            issued.invoice_number, issued.service_id, issued.total_amount, issued.currency,
        )  # fmt: skip
    return issued_chunks(settings, month)


def issued_chunks(settings: Settings, month: str) -> list[dict[str, Any]]:
    """Return the work of rendering a month's issued invoices; its drafts are removed."""
    first_day = parse_month(month)
    with open_billing(settings) as connection:
        rows = connection.execute(
            "select invoice_id, issuer_id from billing.invoices where billing_month = %s "
            "order by invoice_id",
            [first_day],
        ).fetchall()
    for issuer_id in sorted({issuer_id for _, issuer_id in rows}):
        remove_drafts(settings, issuer_id, first_day)
    return _chunks(ISSUE, month, [invoice_id for invoice_id, _ in rows])


def render_chunk(settings: Settings, chunk: dict[str, Any]) -> list[str]:
    """Render the documents of some invoices; one that fails does not stop the others.

    Returns:
        The files, relative to the archive.

    Raises:
        InvoicesNotRenderedError: after all others are done, naming each that failed and why.
    """
    files: list[ArchivedFile] = []
    faults: list[str] = []
    with open_billing(settings) as connection:
        for identity, invoice in _invoices_to_render(connection, chunk):
            try:
                files += _render_one(connection, settings, identity, invoice)
            except (PrintError, RenderError, ArchiveError) as error:
                faults.append(str(error))
    if faults:
        raise InvoicesNotRenderedError(
            f"{len(faults)} of {len(chunk['ids'])} invoices could not be rendered, the others "
            "are done:\n  " + "\n  ".join(faults)
        )
    return [file.file_name for file in files]


def report_month(
    settings: Settings, month: str, overrides: Iterable[dict[str, Any]] = ()
) -> MonthReport:
    """Say where a month stands: issued invoices with their files, drafts with their obstacles."""
    first_day = parse_month(month)
    passed = read_overrides(overrides)
    drafted: list[DraftRow] = []
    nothing_to_bill: list[str] = []
    with open_billing(settings) as connection:
        drafts, checklist = survey_month(connection, first_day)
        for draft in drafts:
            obstacles = tuple(checklist.obstacles(draft.service_id, passed))
            if not draft.lines and not obstacles:
                nothing_to_bill.append(draft.service_id)
                continue
            totals = total_lines((line.net_amount, line.vat_rate_percent) for line in draft.lines)
            drafted.append(
                DraftRow(
                    issuer_id=draft.issuer_id,
                    service_id=draft.service_id,
                    call_count=sum(line.call_count for line in draft.lines),
                    net_amount=totals.net_amount,
                    total_amount=totals.total_amount,
                    currency=draft.lines[0].currency if draft.lines else draft.issuer["currency"],
                    obstacles=obstacles,
                )
            )
        cursor = connection.cursor(row_factory=class_row(IssuedRow))
        issued = cursor.execute(READ_ISSUED, [first_day]).fetchall()
    return MonthReport(first_day, issued, drafted, nothing_to_bill)


def conclude(
    settings: Settings, month: str, act: str, overrides: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Log the month's report; an issue that left drafts behind fails, so that somebody looks.

    Returns:
        Counts and total, for the run's record.

    Raises:
        InvoicesNotIssuedError: drafts were blocked although the run was to issue.
    """
    report = report_month(settings, month, overrides)
    for row in report.issued:
        log.info(
            "%s %s: %s %s, %s",
            row.invoice_number, row.service_id, row.total_amount, row.currency,
            ", ".join(row.file_names),
        )  # fmt: skip
    for draft in report.drafts:
        log.info("draft %s: %s %s", draft.service_id, draft.total_amount, draft.currency)
    if report.nothing_to_bill:
        log.info("nothing to bill: %s", ", ".join(report.nothing_to_bill))
    obstacles = [
        f"{draft.service_id}: {obstacle.gate}, {obstacle.subject}: {obstacle.detail}"
        for draft in report.blocked
        for obstacle in draft.obstacles
    ]
    if obstacles and act == ISSUE:
        raise InvoicesNotIssuedError(
            f"{len(report.blocked)} drafts of {month} were not issued:\n  " + "\n  ".join(obstacles)
        )
    for obstacle in obstacles:
        log.warning("not ready for issue: %s", obstacle)
    return {
        "month": month,
        "issued": len(report.issued),
        "drafts": len(report.drafts),
        "blocked": len(report.blocked),
        "nothing_to_bill": len(report.nothing_to_bill),
    }


def _chunks(act: str, month: str, ids: list[Any]) -> list[dict[str, Any]]:
    size = max(CHUNK_SIZE, -(-len(ids) // MOST_CHUNKS))
    return [
        {"act": act, "month": month, "ids": ids[start : start + size]}
        for start in range(0, len(ids), size)
    ]


def _invoices_to_render(
    connection: psycopg.Connection, chunk: dict[str, Any]
) -> Iterable[tuple[int | None, Any]]:
    """Yield invoice ids, or drafts, one by one: calls are read only when their turn comes."""
    if chunk["act"] == ISSUE:
        for invoice_id in chunk["ids"]:
            yield invoice_id, None
        return
    wanted = set(chunk["ids"])
    with one_snapshot(connection):
        drafts = take_drafts(connection, parse_month(chunk["month"]))
    for draft in drafts:
        if draft.service_id in wanted:
            yield None, read_draft(connection, draft)


def _render_one(
    connection: psycopg.Connection,
    settings: Settings,
    invoice_id: int | None,
    draft: PrintedInvoice | None,
) -> list[ArchivedFile]:
    if invoice_id is not None:
        archived = find_archived(connection, invoice_id, settings)
        if archived is not None:
            return archived
        invoice = read_invoice(connection, invoice_id)
    elif draft is not None:
        invoice = draft
    else:
        return []
    documents = render_documents(invoice, templates_folder(settings))
    return archive_documents(connection, invoice, documents, settings)


def templates_folder(settings: Settings) -> Path:
    """Return the folder of the templates, which a user may replace by a copy."""
    return Path(settings.environment.get(TEMPLATES_VARIABLE) or settings.include / "templates")
