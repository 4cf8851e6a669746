"""Issue: a draft gets its series' next number and is frozen, one transaction each (I1, I2).

The counter is a row, locked and raised in the transaction that freezes the invoice: a crash or a
rollback gives the number back, so there is no hole and no double. One run issues at a time, and no
build runs meanwhile: the gates and the frozen rows come from the same snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg

from tollhouse.invoicing.arithmetic import Totals, total_lines
from tollhouse.invoicing.directory_faults import effective_vat_rate
from tollhouse.invoicing.drafts import (
    CALL_COLUMNS,
    LINE_COLUMNS,
    Draft,
    one_snapshot,
    qualified,
    take_drafts,
)
from tollhouse.invoicing.gates import (
    CALLS_RATED,
    Checklist,
    Finding,
    Override,
    check_overrides,
    run_gates,
)
from tollhouse.warehouse import BUILD_LOCKS, ISSUING_LOCKS, WAREHOUSE, advisory_lock

SET_ASIDE = """
insert into billing.set_aside (ticket_id, reason, named_by)
select legs.ticket_id, %(reason)s, %(named_by)s
from marts.fct_call_legs as legs
where legs.rating_state = 'unrated'
    and legs.billing_month <= %(month)s
    and (legs.service_id = %(subject)s or legs.ticket_id::text = %(subject)s)
on conflict (ticket_id) do nothing
"""

LOCK_SERIES = """
select last_number, last_issue_date
from billing.number_series
where issuer_id = %(issuer_id)s and series = %(series)s and year = %(year)s
for update
"""

INSERT_INVOICE = """
insert into billing.invoices (
    issuer_id, customer_id, service_id, billing_month, invoice_number, series, year,
    sequence_number, issue_date, due_date, currency, language, vat_regime, vat_rate_percent,
    vat_exemption_reason,
    net_amount, vat_amount, total_amount, call_count, talk_seconds, billed_seconds,
    issuer_snapshot, customer_snapshot, service_snapshot, issued_by
)
select
    issuer_id, customer_id, service_id, billing_month, %(invoice_number)s, %(series)s, %(year)s,
    %(sequence_number)s, %(issue_date)s, %(due_date)s, %(currency)s, language,
    service ->> 'vat_regime', %(vat_rate_percent)s, service ->> 'vat_exemption_reason',
    %(net_amount)s, %(vat_amount)s, %(total_amount)s, %(call_count)s, %(talk_seconds)s,
    %(billed_seconds)s, issuer, customer, service, %(issued_by)s
from taken_drafts
where service_id = %(service_id)s
returning invoice_id
"""

INSERT_LINES = f"""
insert into billing.invoice_lines (invoice_id, line_number, {LINE_COLUMNS})
select %(invoice_id)s, line_number, {LINE_COLUMNS}
from taken_lines
where service_id = %(service_id)s
"""  # noqa: S608 - our own column list

INSERT_CALLS = f"""
insert into billing.invoice_calls (invoice_id, line_number, {CALL_COLUMNS})
select %(invoice_id)s, lines.line_number, {qualified(CALL_COLUMNS, "calls")}
from taken_calls as calls
inner join taken_lines as lines
    on calls.service_id = lines.service_id
    and calls.section = lines.section
    and calls.period_month = lines.period_month
    and calls.destination_class = lines.destination_class
    and calls.currency = lines.currency
where calls.service_id = %(service_id)s
"""  # noqa: S608

FROZEN_DIFFERENCES = """
select lines.line_number
from billing.invoice_lines as lines
left join billing.invoice_calls as calls
    on lines.invoice_id = calls.invoice_id
    and lines.line_number = calls.line_number
where lines.invoice_id = %s
group by lines.invoice_id, lines.line_number
having lines.call_count <> count(calls.ticket_id)
    or lines.exact_amount <> coalesce(sum(calls.exact_amount), 0)
order by lines.line_number
"""


class IssueError(Exception):
    """An invoice cannot be frozen as it stands; nothing of it was kept, its number included."""


@dataclass(frozen=True)
class Issued:
    """An invoice that now exists."""

    invoice_id: int
    invoice_number: str
    service_id: str
    total_amount: Decimal
    currency: str


@dataclass(frozen=True)
class Blocked:
    """A draft that stayed a draft, and the obstacles."""

    service_id: str
    obstacles: tuple[Finding, ...]


@dataclass(frozen=True)
class IssueReport:
    """What a run of issue did."""

    month: date
    issued: tuple[Issued, ...]
    blocked: tuple[Blocked, ...]
    nothing_to_bill: tuple[str, ...]


def survey_month(connection: psycopg.Connection, month: date) -> tuple[list[Draft], Checklist]:
    """Take the drafts of a month and run the gates over them, all at one instant."""
    with one_snapshot(connection):
        drafts = take_drafts(connection, month)
        return drafts, run_gates(connection, month, drafts)


def issue_month(
    connection: psycopg.Connection,
    month: date,
    *,
    issued_by: str,
    overrides: tuple[Override, ...] = (),
    issue_date: date | None = None,
) -> IssueReport:
    """Issue the drafts of a month that pass the gates; what is issued stays as it is (I5).

    Args:
        connection: of the billing role, in autocommit (drafts.open_billing).
        month: first day of the billing month.
        issued_by: the person or DAG run that issues.
        overrides: findings that a named person lets pass, and unrated calls to set aside.
        issue_date: today in the issuer's billing time zone, if absent.

    Raises:
        OverrideRefusedError: an override names a gate that does not yield, or lacks name or reason.
        IssueError: a draft does not hold together; those issued before it remain issued.
    """
    check_overrides(overrides)
    with _nobody_else(connection):
        _set_aside(connection, month, overrides)
        drafts, checklist = survey_month(connection, month)
        issued: list[Issued] = []
        blocked: list[Blocked] = []
        nothing_to_bill: list[str] = []
        for draft in drafts:
            obstacles = checklist.obstacles(draft.service_id, overrides)
            if obstacles:
                blocked.append(Blocked(draft.service_id, tuple(obstacles)))
            elif not draft.lines:
                nothing_to_bill.append(draft.service_id)
            else:
                used = checklist.used(draft.service_id, overrides)
                day = issue_date or _today(draft)
                issued.append(_issue_one(connection, draft, day, issued_by, used))
    return IssueReport(month, tuple(issued), tuple(blocked), tuple(nothing_to_bill))


@contextmanager
def _nobody_else(connection: psycopg.Connection) -> Iterator[None]:
    """Keep other issues and builds out."""
    with (
        advisory_lock(connection, ISSUING_LOCKS, "issue"),
        advisory_lock(connection, BUILD_LOCKS, WAREHOUSE),
    ):
        yield


def _set_aside(
    connection: psycopg.Connection, month: date, overrides: tuple[Override, ...]
) -> None:
    for override in overrides:
        if override.gate == CALLS_RATED:
            connection.execute(
                SET_ASIDE,
                {
                    "month": month,
                    "subject": override.subject,
                    "reason": override.reason,
                    "named_by": override.named_by,
                },
            )


def _today(draft: Draft) -> date:
    return datetime.now(ZoneInfo(draft.issuer["billing_time_zone"])).date()


def _issue_one(
    connection: psycopg.Connection,
    draft: Draft,
    issue_date: date,
    issued_by: str,
    overrides: list[Override],
) -> Issued:
    totals = total_lines((line.net_amount, line.vat_rate_percent) for line in draft.lines)
    with connection.transaction():
        sequence_number = _next_number(connection, draft, issue_date)
        series = draft.issuer["invoice_series"]
        invoice_number = f"{series}{issue_date:%Y}-{sequence_number:06d}"
        invoice_id = _insert_invoice(
            connection, draft, totals,
            {
                "invoice_number": invoice_number,
                "series": series,
                "year": issue_date.year,
                "sequence_number": sequence_number,
                "issue_date": issue_date,
                "due_date": issue_date + timedelta(days=draft.issuer["payment_days"]),
                "issued_by": issued_by,
            },
        )  # fmt: skip
        _freeze_rows(connection, invoice_id, draft)
        for override in overrides:
            connection.execute(
                "insert into billing.gate_overrides (invoice_id, gate, subject, reason, named_by) "
                "values (%s, %s, %s, %s, %s)",
                [invoice_id, override.gate, override.subject, override.reason, override.named_by],
            )
    return Issued(
        invoice_id, invoice_number, draft.service_id, totals.total_amount, draft.lines[0].currency
    )


def _next_number(connection: psycopg.Connection, draft: Draft, issue_date: date) -> int:
    series = {
        "issuer_id": draft.issuer_id,
        "series": draft.issuer["invoice_series"],
        "year": issue_date.year,
        "issue_date": issue_date,
    }
    connection.execute(
        "insert into billing.number_series (issuer_id, series, year) "
        "values (%(issuer_id)s, %(series)s, %(year)s) on conflict do nothing",
        series,
    )
    row = connection.execute(LOCK_SERIES, series).fetchone()
    if row is None:
        raise IssueError(f"The counter of series {series['series']} vanished while it was locked.")
    last_number, last_issue_date = row
    if last_issue_date is not None and issue_date < last_issue_date:
        raise IssueError(
            f"Series {series['series']} of {draft.issuer_id} was last used on {last_issue_date}: "
            f"an invoice dated {issue_date} would break the order of dates (I2). Check the clock."
        )
    connection.execute(
        "update billing.number_series "
        "set last_number = last_number + 1, last_issue_date = %(issue_date)s "
        "where issuer_id = %(issuer_id)s and series = %(series)s and year = %(year)s",
        series,
    )
    return int(last_number) + 1


def _insert_invoice(
    connection: psycopg.Connection,
    draft: Draft,
    totals: Totals,
    identity: dict[str, object],
) -> int:
    row = connection.execute(
        INSERT_INVOICE,
        {
            **identity,
            "service_id": draft.service_id,
            "currency": draft.lines[0].currency,
            "vat_rate_percent": effective_vat_rate(draft.service),
            "net_amount": totals.net_amount,
            "vat_amount": totals.vat_amount,
            "total_amount": totals.total_amount,
            "call_count": sum(line.call_count for line in draft.lines),
            "talk_seconds": sum(line.talk_seconds for line in draft.lines),
            "billed_seconds": sum(line.billed_seconds for line in draft.lines),
        },
    ).fetchone()
    if row is None:
        raise IssueError(f"The draft of service {draft.service_id} vanished while it was issued.")
    return int(row[0])


def _freeze_rows(connection: psycopg.Connection, invoice_id: int, draft: Draft) -> None:
    frozen = {"invoice_id": invoice_id, "service_id": draft.service_id}
    connection.execute(INSERT_LINES, frozen)
    inserted = connection.execute(INSERT_CALLS, frozen).rowcount
    differing = connection.execute(FROZEN_DIFFERENCES, [invoice_id]).fetchall()
    expected = sum(line.call_count for line in draft.lines)
    if inserted != expected or differing:
        raise IssueError(
            f"Service {draft.service_id}: {inserted} calls would be frozen where the lines say "
            f"{expected}; lines that differ from their calls: {[line for (line,) in differing]}."
        )
