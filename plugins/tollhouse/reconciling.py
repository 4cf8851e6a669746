"""Does the warehouse add up? Raw against contract, contract against marts, marts against invoices.

Every comparison reads whole tables in one snapshot, so it is a check for nights and for doubts, not
for every build.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

#: Every leg is in exactly one of them.
RATING_STATES = (
    "rated", "free", "not_answered", "internal", "incoming", "unrated", "phantom",
)  # fmt: skip

#: Differences shown per check; all are counted.
SHOWN = 20

#: Per pbx and batch, closed batches only: what waits for a build is no difference.
STATES = """
with raw_rows as (
    select batch_id, count(*) as raw_count from raw.tickets group by batch_id
),
staged_rows as (
    select
        batch_id,
        count(*) filter (where state = 'ticket') as ticket_count,
        count(*) filter (where state = 'rejected') as rejected_count,
        count(*) filter (where state = 'ignored') as ignored_count,
        count(*) filter (where state = 'duplicate') as duplicate_count
    from intermediate.int_tickets__staged
    group by batch_id
)
select
    batches.pbx_id,
    batches.batch_id,
    coalesce(raw_rows.raw_count, 0) as raw_count,
    coalesce(staged_rows.ticket_count, 0) as ticket_count,
    coalesce(staged_rows.rejected_count, 0) as rejected_count,
    coalesce(staged_rows.ignored_count, 0) as ignored_count,
    coalesce(staged_rows.duplicate_count, 0) as duplicate_count
from raw.batches as batches
left join raw_rows on batches.batch_id = raw_rows.batch_id
left join staged_rows on batches.batch_id = staged_rows.batch_id
where batches.built_at is not null
order by batches.pbx_id, batches.batch_id
"""

WAITING = """
select pbx_id, batch_id, rows_inserted from raw.batches where built_at is null
order by pbx_id, batch_id
"""

CONFLICTS = """
select deliveries.pbx_id, count(*) as conflict_count
from raw.conflicts as conflicts
inner join raw.deliveries as deliveries on conflicts.delivery_id = deliveries.delivery_id
where conflicts.resolved_at is null
group by deliveries.pbx_id
order by deliveries.pbx_id
"""

REJECTED = """
select
    tickets.pbx_id,
    tickets.state_reason,
    tickets.state_field,
    count(*) as ticket_count,
    min(tickets.ticket_id) as example_ticket_id
from intermediate.int_tickets__staged as tickets
where tickets.state = 'rejected'
group by tickets.pbx_id, tickets.state_reason, tickets.state_field
order by ticket_count desc, tickets.pbx_id
"""

EXAMPLE_BODIES = "select ticket_id, body from raw.tickets where ticket_id = any(%s)"

LEGS = """
with tickets as (
    select ticket_id, pbx_id, talk_seconds, coalesce(ring_seconds, 0) as ring_seconds
    from intermediate.int_tickets__staged
    where state = 'ticket'
        and batch_id in (select batch_id from raw.batches where built_at is not null)
),
legs as (
    select ticket_id, pbx_id, talk_seconds, coalesce(ring_seconds, 0) as ring_seconds
    from marts.fct_call_legs
    where batch_id in (select batch_id from raw.batches where built_at is not null)
)
select
    coalesce(tickets.pbx_id, legs.pbx_id) as pbx_id,
    count(tickets.ticket_id) as ticket_count,
    count(legs.ticket_id) as leg_count,
    coalesce(sum(tickets.talk_seconds), 0)::bigint as ticket_talk_seconds,
    coalesce(sum(legs.talk_seconds), 0)::bigint as leg_talk_seconds,
    count(*) filter (
        where tickets.ticket_id is null
            or legs.ticket_id is null
            or tickets.talk_seconds is distinct from legs.talk_seconds
            or tickets.ring_seconds <> legs.ring_seconds
    ) as different_count
from tickets
full join legs on tickets.ticket_id = legs.ticket_id
group by 1
order by 1
"""

CALLS = """
with of_legs as (
    select
        call_id,
        min(pbx_id) as pbx_id,
        min(ticket_id) as first_ticket_id,
        count(*) as leg_count,
        sum(talk_seconds) as talk_seconds
    from marts.fct_call_legs
    group by call_id
)
select
    coalesce(of_legs.pbx_id, calls.pbx_id) as pbx_id,
    count(of_legs.call_id) as call_count_of_legs,
    count(calls.call_id) as call_count,
    coalesce(sum(of_legs.talk_seconds), 0)::bigint as leg_talk_seconds,
    coalesce(sum(calls.talk_seconds), 0)::bigint as call_talk_seconds,
    count(*) filter (
        where of_legs.call_id is null
            or calls.call_id is null
            or of_legs.call_id <> of_legs.first_ticket_id
            or of_legs.leg_count <> calls.leg_count
            or of_legs.talk_seconds <> calls.talk_seconds
    ) as different_count
from of_legs
full join marts.fct_calls as calls on of_legs.call_id = calls.call_id
group by 1
order by 1
"""

RATING = """
select
    pbx_id,
    rating_state,
    count(*) as leg_count,
    sum(talk_seconds)::bigint as talk_seconds,
    sum(billed_seconds)::bigint as billed_seconds,
    sum(sale_amount) as sale_amount,
    sale_currency,
    count(*) filter (
        where case
            when rating_state = 'rated' then
                rate_id is null or sale_amount is null or sale_currency is null
                or rating_reason is not null
            when rating_state = 'unrated' then
                sale_amount is not null or rating_reason is null
            else
                sale_amount is distinct from 0 or rating_reason is not null
        end
    ) as contradicting_count
from marts.fct_call_legs
group by pbx_id, rating_state, sale_currency
order by pbx_id, rating_state, sale_currency
"""

INVOICED_CALLS = """
select
    invoices.invoice_number,
    calls.ticket_id,
    calls.exact_amount as invoiced_amount,
    legs.sale_amount as leg_amount,
    invoices.service_id as invoiced_service_id,
    legs.service_id as leg_service_id
from billing.invoice_calls as calls
inner join billing.invoices as invoices on calls.invoice_id = invoices.invoice_id
left join marts.fct_call_legs as legs on calls.ticket_id = legs.ticket_id
where legs.ticket_id is null
    or legs.rating_state <> 'rated'
    or legs.sale_amount is distinct from calls.exact_amount
    or legs.sale_currency is distinct from calls.currency
    or legs.talk_seconds <> calls.talk_seconds
    or legs.billed_seconds is distinct from calls.billed_seconds
    or legs.service_id <> invoices.service_id
order by calls.ticket_id
"""

INVOICE_LINES = """
with of_calls as (
    select
        invoice_id,
        line_number,
        count(*) as call_count,
        sum(exact_amount) as exact_amount,
        sum(talk_seconds) as talk_seconds,
        sum(billed_seconds) as billed_seconds
    from billing.invoice_calls
    group by invoice_id, line_number
)
select
    invoices.invoice_number,
    lines.line_number,
    lines.exact_amount as line_amount,
    coalesce(of_calls.exact_amount, 0) as amount_of_calls,
    lines.net_amount as line_net_amount
from billing.invoice_lines as lines
inner join billing.invoices as invoices on lines.invoice_id = invoices.invoice_id
left join of_calls
    on lines.invoice_id = of_calls.invoice_id and lines.line_number = of_calls.line_number
where lines.exact_amount <> coalesce(of_calls.exact_amount, 0)
    or lines.call_count <> coalesce(of_calls.call_count, 0)
    or lines.talk_seconds <> coalesce(of_calls.talk_seconds, 0)
    or lines.billed_seconds <> coalesce(of_calls.billed_seconds, 0)
    or lines.net_amount <> round(lines.exact_amount, 2)
order by invoices.invoice_number, lines.line_number
"""

INVOICE_TOTALS = """
select
    invoices.invoice_number,
    invoices.net_amount,
    sum(lines.net_amount) as net_amount_of_lines
from billing.invoices as invoices
left join billing.invoice_lines as lines on invoices.invoice_id = lines.invoice_id
group by invoices.invoice_id
having invoices.net_amount <> coalesce(sum(lines.net_amount), 0)
    or invoices.call_count <> coalesce(sum(lines.call_count), 0)
    or invoices.talk_seconds <> coalesce(sum(lines.talk_seconds), 0)
    or invoices.billed_seconds <> coalesce(sum(lines.billed_seconds), 0)
order by invoices.invoice_number
"""

INVOICE_COUNT = "select count(*) as invoice_count from billing.invoices"

Row = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """One comparison: what was compared, and every row where the two sides differ."""

    name: str
    compared_count: int
    differences: list[Row]

    @property
    def holds(self) -> bool:
        """Whether both sides agree."""
        return not self.differences


@dataclass(frozen=True)
class Reconciliation:
    """The outcome: comparisons, and what a person should know besides."""

    checks: list[Check]
    states: list[Row]
    rating: list[Row]
    rejected: list[Row]
    waiting: list[Row]
    conflicts: list[Row]

    @property
    def holds(self) -> bool:
        """Whether every comparison agrees."""
        return all(check.holds for check in self.checks)


def reconcile(settings: Settings) -> Reconciliation:
    """Compare raw, contract, marts and invoices in one snapshot."""
    with connect(DBT, settings=settings) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        states = _rows(connection, STATES)
        legs = _rows(connection, LEGS)
        calls = _rows(connection, CALLS)
        rating = _rows(connection, RATING)
        invoice_count = _rows(connection, INVOICE_COUNT)[0]["invoice_count"]
        checks = [
            Check("raw = the four states, per pbx and batch", len(states), _wrong_states(states)),
            Check("tickets = legs, with their seconds", len(legs), _different(legs)),
            Check("legs = calls, with their seconds", len(calls), _different(calls)),
            Check("every leg is in one rating state", len(rating), _wrong_ratings(rating)),
            Check("legs = calls on invoices", invoice_count, _rows(connection, INVOICED_CALLS)),
            Check("calls = lines of invoices", invoice_count, _rows(connection, INVOICE_LINES)),
            Check("lines = totals of invoices", invoice_count, _rows(connection, INVOICE_TOTALS)),
        ]
        return Reconciliation(
            checks=checks,
            states=_states_by_pbx(states),
            rating=rating,
            rejected=_rejected(connection),
            waiting=_rows(connection, WAITING),
            conflicts=_rows(connection, CONFLICTS),
        )


def _rows(connection: psycopg.Connection, query: str) -> list[Row]:
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _wrong_states(states: list[Row]) -> list[Row]:
    return [row for row in states if row["raw_count"] != _staged_count(row)]


def _staged_count(row: Row) -> int:
    return sum(row[f"{state}_count"] for state in ("ticket", "rejected", "ignored", "duplicate"))


def _states_by_pbx(states: list[Row]) -> list[Row]:
    sums: dict[str, Row] = {}
    for row in states:
        total = sums.setdefault(row["pbx_id"], {"pbx_id": row["pbx_id"], "batch_count": 0})
        total["batch_count"] += 1
        for name, value in row.items():
            if name.endswith("_count"):
                total[name] = total.get(name, 0) + value
    return list(sums.values())


def _different(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["different_count"]]


def _wrong_ratings(rating: list[Row]) -> list[Row]:
    return [
        row
        for row in rating
        if row["contradicting_count"] or row["rating_state"] not in RATING_STATES
    ]


def _rejected(connection: psycopg.Connection) -> list[Row]:
    """Rejected tickets by pbx and reason, each group with one ticket as it came."""
    groups = _rows(connection, REJECTED)
    examples = [row["example_ticket_id"] for row in groups[:SHOWN]]
    bodies: dict[int, str] = dict(connection.execute(EXAMPLE_BODIES, [examples]).fetchall())
    return [{**row, "example": bodies.get(row["example_ticket_id"])} for row in groups]
