"""The page of issued invoices: read from billing, which nothing recomputes."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from tollhouse.settings import Settings
from tollhouse.ui.pages import render_page
from tollhouse.warehouse import BILLING, connect

#: Folder of the archived documents, below var.
INVOICES_FOLDER = "invoices"

ISSUED_INVOICES = """
select
    invoices.issuer_id,
    invoices.invoice_number,
    invoices.customer_snapshot ->> 'legal_name' as customer_name,
    invoices.service_snapshot ->> 'service_name' as service_name,
    to_char(invoices.billing_month, 'YYYY-MM') as billing_month,
    invoices.issue_date,
    invoices.due_date,
    invoices.net_amount,
    invoices.vat_amount,
    invoices.total_amount,
    invoices.currency,
    invoices.call_count,
    coalesce(
        json_object_agg(documents.kind, documents.file_name)
        filter (where documents.kind is not null),
        '{}'
    ) as documents
from billing.invoices as invoices
left join billing.documents as documents
    on invoices.invoice_id = documents.invoice_id
group by invoices.invoice_id
order by invoices.billing_month desc, invoices.issuer_id, invoices.invoice_number
limit 1000
"""


def invoices_page(settings: Settings) -> str:
    """Return the page as HTML."""
    with connect(BILLING, settings=settings) as connection:
        rows: list[dict[str, Any]] = (
            connection.cursor(row_factory=dict_row).execute(ISSUED_INVOICES).fetchall()
        )
    return render_page("invoices.html", invoices=rows)
