"""The drafts of a month, taken once: copied, in one snapshot, into temporary tables.

Gates, issue and rendering then read the same rows, however many invoices there are and whatever a
build does meanwhile.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import set_json_loads

from tollhouse.settings import Settings
from tollhouse.warehouse import BILLING, connect

#: The columns of a line of an invoice, draft or issued.
LINE_COLUMNS = """section, period_month, destination_class, description, call_count, talk_seconds,
    billed_seconds, exact_amount, net_amount, vat_rate_percent, currency"""

#: The columns of a call of an invoice, draft or issued, besides its line.
CALL_COLUMNS = """ticket_id, call_id, rated_at, extension, called_number, destination_name,
    destination_class, talk_seconds, billed_seconds, exact_amount, currency, tariff_version_id,
    rate_id"""

#: Numbers are printed as people know them, not as they were dialled through the PBX.
TAKE_CALLS = """
create temporary table taken_calls as
select
    calls.service_id,
    calls.section,
    calls.period_month,
    calls.ticket_id,
    calls.call_id,
    calls.rated_at,
    calls.extension,
    coalesce(legs.called_e164, calls.called_number) as called_number,
    calls.destination_name,
    calls.destination_class,
    calls.talk_seconds,
    calls.billed_seconds,
    calls.exact_amount,
    calls.currency,
    calls.tariff_version_id,
    calls.rate_id
from intermediate.int_invoices__draft_calls as calls
inner join marts.fct_call_legs as legs
    on calls.ticket_id = legs.ticket_id
where calls.billing_month = %(month)s::date
"""

#: The month's own calls first, then late items (I4), in the usual order of classes (I7).
TAKE_LINES = """
create temporary table taken_lines as
select
    service_id,
    vat_regime,
    row_number() over (
        partition by service_id
        order by
            section,
            period_month,
            array_position(
                array['national_fixed', 'national_mobile', 'international', 'special'],
                destination_class
            ) nulls last,
            destination_class,
            description
    )::int as line_number,
    section,
    period_month,
    destination_class,
    description,
    call_count,
    talk_seconds,
    billed_seconds,
    exact_amount,
    net_amount,
    -- Other regimes than the standard one carry no VAT, whatever rate the service would have.
    case when vat_regime = 'standard' then vat_rate_percent else 0 end as vat_rate_percent,
    currency
from intermediate.int_invoices__draft_lines
where billing_month = %(month)s::date
"""

TAKE_DRAFTS = """
create temporary table taken_drafts as
select
    drafts.issuer_id,
    drafts.customer_id,
    drafts.service_id,
    %(month)s::date as billing_month,
    coalesce(services.language, issuers.language) as language,
    to_jsonb(issuers) as issuer,
    to_jsonb(customers) as customer,
    to_jsonb(services) as service
from intermediate.int_invoices__drafts as drafts
inner join directory.services as services
    on drafts.service_id = services.service_id
inner join directory.issuers as issuers
    on services.issuer_id = issuers.issuer_id
inner join directory.customers as customers
    on services.customer_id = customers.customer_id
where
    drafts.billing_month = %(month)s::date
    and not exists (
        select 1
        from billing.invoices as invoices
        where
            invoices.service_id = drafts.service_id
            and invoices.billing_month = %(month)s::date
            and invoices.type_code = '380'
    )
"""

READ_DRAFTS = """
select * from taken_drafts order by issuer_id, customer_id, service_id
"""

READ_LINES = f"""
select service_id, line_number, vat_regime, {LINE_COLUMNS}
from taken_lines
order by service_id, line_number
"""  # noqa: S608


def qualified(columns: str, table: str) -> str:
    """Write a list of columns as those of a table."""
    return ", ".join(f"{table}.{name.strip()}" for name in columns.split(","))


@dataclass(frozen=True)
class Line:
    """A line of an invoice: an aggregate of calls, rounded once to the cent (I8, R13)."""

    line_number: int
    section: str
    period_month: date
    destination_class: str
    description: str
    call_count: int
    talk_seconds: int
    billed_seconds: int
    exact_amount: Decimal
    net_amount: Decimal
    vat_rate_percent: Decimal
    currency: str
    vat_regime: str = ""


@dataclass(frozen=True)
class Draft:
    """What a service would be invoiced for a month, with the parties as the directory has them now.

    Without lines there is nothing to bill.
    """

    issuer_id: str
    customer_id: str
    service_id: str
    billing_month: date
    language: str
    issuer: dict[str, Any]
    customer: dict[str, Any]
    service: dict[str, Any]
    lines: tuple[Line, ...] = ()


@contextmanager
def open_billing(settings: Settings) -> Iterator[psycopg.Connection]:
    """Connect as the billing role, outside a transaction; fractions in JSON stay Decimal."""
    with connect(BILLING, settings=settings, autocommit=True) as connection:
        set_json_loads(partial(json.loads, parse_float=Decimal), connection)
        yield connection


@contextmanager
def one_snapshot(connection: psycopg.Connection) -> Iterator[None]:
    """Run statements that all see the warehouse at one instant."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        yield


def take_drafts(connection: psycopg.Connection, month: date) -> list[Draft]:
    """Copy a month's drafts into temporary tables; services already invoiced are left out.

    Returns:
        The drafts in the order in which they would be numbered.
    """
    for table in ("taken_drafts", "taken_lines", "taken_calls"):
        connection.execute(sql.SQL("drop table if exists pg_temp.{}").format(sql.Identifier(table)))
    for statement in (TAKE_DRAFTS, TAKE_LINES, TAKE_CALLS):
        connection.execute(statement, {"month": month})
    connection.execute("create index on taken_calls (service_id)")
    connection.execute("analyze taken_calls")
    lines: dict[str, list[Line]] = defaultdict(list)
    for row in connection.cursor(row_factory=dict_row).execute(READ_LINES):
        lines[row.pop("service_id")].append(Line(**row))
    drafts = connection.cursor(row_factory=class_row(Draft)).execute(READ_DRAFTS).fetchall()
    return [replace(draft, lines=tuple(lines[draft.service_id])) for draft in drafts]


def read_calls(connection: psycopg.Connection, service_id: str) -> list[dict[str, Any]]:
    """Return the taken calls of a service by time, emergency and free numbers never (I10)."""
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            "select * from taken_calls where service_id = %s "
            "and destination_class not in ('emergency', 'free') order by rated_at, ticket_id",
            [service_id],
        )
        .fetchall()
    )
