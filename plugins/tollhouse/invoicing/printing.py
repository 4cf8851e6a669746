"""What an invoice says, ready to print, in one shape for frozen rows and for drafts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row, dict_row

from tollhouse.invoicing.arithmetic import Totals, total_lines
from tollhouse.invoicing.drafts import (
    CALL_COLUMNS,
    LINE_COLUMNS,
    Draft,
    Line,
    qualified,
    read_calls,
)

Row = dict[str, Any]

READ_INVOICE = """
select
    invoice_id, issuer_id, customer_id, service_id, billing_month, invoice_number, issue_date,
    due_date, currency, language, vat_regime, vat_exemption_reason, net_amount, vat_amount,
    total_amount,
    issuer_snapshot, customer_snapshot, service_snapshot
from billing.invoices
where invoice_id = %s
"""

READ_LINES = f"""
select line_number, {LINE_COLUMNS}
from billing.invoice_lines
where invoice_id = %s
order by line_number
"""  # noqa: S608 - our own column list

READ_CALLS = f"""
select lines.section, lines.period_month, {qualified(CALL_COLUMNS, "calls")}
from billing.invoice_calls as calls
inner join billing.invoice_lines as lines
    on calls.invoice_id = lines.invoice_id
    and calls.line_number = lines.line_number
where
    calls.invoice_id = %s
    and calls.destination_class not in ('emergency', 'free')
order by calls.rated_at, calls.ticket_id
"""  # noqa: S608


class PrintError(Exception):
    """An invoice cannot be printed as it stands; the message says which and why."""


@dataclass(frozen=True)
class PrintedInvoice:
    """Everything that the documents of one invoice show. A draft has no id and no number."""

    invoice_id: int | None
    invoice_number: str | None
    issuer: Row
    customer: Row
    service: Row
    billing_month: date
    issue_date: date
    due_date: date
    currency: str
    language: str
    vat_regime: str
    vat_exemption_reason: str | None
    lines: list[Line]
    totals: Totals
    calls: list[Row] = field(repr=False)

    @property
    def is_draft(self) -> bool:
        """Whether this may still change."""
        return self.invoice_number is None

    @property
    def name(self) -> str:
        """How messages call it."""
        number = self.invoice_number or "draft"
        return f"{number} ({self.service['service_id']}, {self.billing_month:%Y-%m})"


def read_invoice(connection: psycopg.Connection, invoice_id: int) -> PrintedInvoice:
    """Read an issued invoice, from frozen rows only.

    Raises:
        PrintError: it does not exist, or its totals are not those of its lines.
    """
    invoice = connection.cursor(row_factory=dict_row).execute(READ_INVOICE, [invoice_id]).fetchone()
    if invoice is None:
        raise PrintError(f"There is no invoice {invoice_id}.")
    line_cursor = connection.cursor(row_factory=class_row(Line))
    lines = line_cursor.execute(READ_LINES, [invoice_id]).fetchall()
    totals = total_lines((line.net_amount, line.vat_rate_percent) for line in lines)
    frozen = (invoice["net_amount"], invoice["vat_amount"], invoice["total_amount"])
    if frozen != (totals.net_amount, totals.vat_amount, totals.total_amount):
        raise PrintError(
            f"Invoice {invoice['invoice_number']}: its totals {frozen} are not those of its lines "
            f"({totals.net_amount}, {totals.vat_amount}, {totals.total_amount})."
        )
    return PrintedInvoice(
        invoice_id=invoice_id,
        invoice_number=invoice["invoice_number"],
        issuer=invoice["issuer_snapshot"],
        customer=invoice["customer_snapshot"],
        service=invoice["service_snapshot"],
        billing_month=invoice["billing_month"],
        issue_date=invoice["issue_date"],
        due_date=invoice["due_date"],
        currency=invoice["currency"],
        language=invoice["language"],
        vat_regime=invoice["vat_regime"],
        vat_exemption_reason=invoice["vat_exemption_reason"],
        lines=lines,
        totals=totals,
        calls=connection.cursor(row_factory=dict_row).execute(READ_CALLS, [invoice_id]).fetchall(),
    )


def read_draft(connection: psycopg.Connection, draft: Draft) -> PrintedInvoice | None:
    """Read a draft that this session has taken; None when there is nothing to bill."""
    if not draft.lines:
        return None
    today = datetime.now(ZoneInfo(draft.issuer["billing_time_zone"])).date()
    return PrintedInvoice(
        invoice_id=None,
        invoice_number=None,
        issuer=draft.issuer,
        customer=draft.customer,
        service=draft.service,
        billing_month=draft.billing_month,
        issue_date=today,
        due_date=today + timedelta(days=draft.issuer["payment_days"]),
        currency=draft.lines[0].currency,
        language=draft.language,
        vat_regime=draft.service["vat_regime"],
        vat_exemption_reason=draft.service["vat_exemption_reason"],
        lines=list(draft.lines),
        totals=total_lines((line.net_amount, line.vat_rate_percent) for line in draft.lines),
        calls=read_calls(connection, draft.service_id),
    )


def exact_decimals(amounts: list[Decimal]) -> int:
    """Return how many decimals show these amounts exactly: at least 4, at most 6 (I8)."""
    needed = [-int(amount.normalize().as_tuple().exponent) for amount in amounts]
    return max(4, min(6, max(needed, default=4)))
