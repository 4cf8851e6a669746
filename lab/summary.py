"""What the demo shows at its end: each pbx from tickets to invoices, and where the PDFs are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from psycopg.rows import class_row
from rich import box
from rich.table import Table

from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

COUNTS = """
with tickets as (
    select
        pbx_id,
        count(*) as read,
        count(*) filter (where state = 'ticket') as parsed,
        count(*) filter (where state = 'rejected') as rejected,
        count(*) filter (where state = 'ignored') as ignored,
        count(*) filter (where state = 'duplicate') as duplicate
    from intermediate.int_tickets__staged
    group by pbx_id
),

legs as (
    select
        pbx_id,
        count(distinct call_id) as calls,
        coalesce(sum(talk_seconds), 0)::bigint as talk_seconds,
        count(*) filter (where rating_state in ('rated', 'free')) as rated,
        count(*) filter (where rating_state = 'unrated') as unrated,
        count(*) filter (where rating_state = 'not_answered') as not_answered
    from marts.fct_call_legs
    group by pbx_id
),

invoiced as (
    select distinct
        legs.pbx_id,
        invoices.invoice_id,
        invoices.total_amount,
        invoices.currency
    from billing.invoices as invoices
    inner join billing.invoice_calls as invoice_calls
        on invoices.invoice_id = invoice_calls.invoice_id
    inner join marts.fct_call_legs as legs
        on invoice_calls.ticket_id = legs.ticket_id
    where invoices.billing_month = %(month)s
),

invoices as (
    select
        pbx_id,
        count(*) as invoices,
        sum(total_amount) as total,
        min(currency) as currency
    from invoiced
    group by pbx_id
)

select
    pbx_id,
    coalesce(read, 0) as read,
    coalesce(parsed, 0) as parsed,
    coalesce(rejected, 0) as rejected,
    coalesce(ignored, 0) as ignored,
    coalesce(duplicate, 0) as duplicate,
    coalesce(calls, 0) as calls,
    coalesce(talk_seconds, 0) as talk_seconds,
    coalesce(rated, 0) as rated,
    coalesce(unrated, 0) as unrated,
    coalesce(not_answered, 0) as not_answered,
    coalesce(invoices, 0) as invoices,
    coalesce(total, 0) as total,
    coalesce(currency, 'EUR') as currency
from unnest(%(pbx_ids)s::text[]) as pbxs (pbx_id)
left join tickets using (pbx_id)
left join legs using (pbx_id)
left join invoices using (pbx_id)
"""

DOCUMENTS = """
select documents.file_name
from billing.documents as documents
inner join billing.invoices as invoices on documents.invoice_id = invoices.invoice_id
where invoices.billing_month = %s
order by invoices.invoice_id, documents.kind desc
"""


@dataclass(frozen=True)
class PbxCounts:
    """One pbx from tickets to invoices; an invoice that spans pbxs stands with each of them."""

    pbx_id: str
    read: int
    parsed: int
    rejected: int
    ignored: int
    duplicate: int
    calls: int
    talk_seconds: int
    rated: int
    unrated: int
    not_answered: int
    invoices: int
    total: Decimal
    currency: str


def count_pbxs(settings: Settings, pbx_ids: list[str], month: date) -> list[PbxCounts]:
    """Count what the warehouse holds of each pbx."""
    with (
        connect(DBT, settings=settings) as connection,
        connection.cursor(row_factory=class_row(PbxCounts)) as cursor,
    ):
        return cursor.execute(COUNTS, {"pbx_ids": pbx_ids, "month": month}).fetchall()


def summary_tables(settings: Settings, pbx_ids: list[str], month: date) -> list[Table]:
    """Lay the counts out in tables narrow enough for any terminal."""
    tickets = _table("Tickets", "Read", "Parsed", "Rejected", "Ignored", "Duplicate")
    calls = _table("Calls", "Calls", "Talk", "Rated", "Unrated", "Not answered")
    invoices = _table(f"Invoices of {month:%Y-%m}", "Invoices", "Total with VAT")
    for counts in count_pbxs(settings, pbx_ids, month):
        states = (counts.read, counts.parsed, counts.rejected, counts.ignored, counts.duplicate)
        tickets.add_row(counts.pbx_id, *(f"{number:,}" for number in states))
        minutes, seconds = divmod(counts.talk_seconds, 60)
        calls.add_row(
            counts.pbx_id,
            f"{counts.calls:,}",
            f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}",
            *(f"{number:,}" for number in (counts.rated, counts.unrated, counts.not_answered)),
        )
        total = f"{counts.total:,.2f} {counts.currency}"
        invoices.add_row(counts.pbx_id, f"{counts.invoices:,}", total)
    return [tickets, calls, invoices]


def _table(title: str, *headings: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("PBX", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def issued_documents(settings: Settings, month: date) -> list[Path]:
    """Return the PDFs of the invoices issued for a month."""
    with connect(DBT, settings=settings) as connection:
        rows = connection.execute(DOCUMENTS, [month]).fetchall()
    return [settings.var / "invoices" / file_name for (file_name,) in rows]
