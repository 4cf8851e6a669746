"""Does the warehouse add up? Raw against contract, contract against marts, marts against invoices.

Every comparison reads whole tables in one snapshot, so it is a check for nights and for doubts, not
for every build. Nothing is taken on trust from the side that is checked: batches are those that any
table names, tickets are matched by id, and what a leg costs is worked out once more.
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

#: Per pbx and batch, whichever table names the batch: the ledger's count, the tickets, their
#: states, and the ids that only one side has. What waits for a build is no difference.
STATES = """
with both_sides as (
    select
        coalesce(tickets.batch_id, staged.batch_id) as batch_id,
        tickets.delivery_id,
        tickets.ticket_id is not null as is_raw,
        staged.state,
        staged.pbx_id
    from raw.tickets as tickets
    full join intermediate.int_tickets__staged as staged
        on tickets.ticket_id = staged.ticket_id and tickets.batch_id = staged.batch_id
),
of_tickets as (
    select
        both_sides.batch_id,
        min(coalesce(both_sides.pbx_id, deliveries.pbx_id)) as pbx_id,
        count(*) filter (where is_raw) as raw_count,
        count(*) filter (where state = 'ticket') as ticket_count,
        count(*) filter (where state = 'rejected') as rejected_count,
        count(*) filter (where state = 'ignored') as ignored_count,
        count(*) filter (where state = 'duplicate') as duplicate_count,
        count(*) filter (where not is_raw or state is null) as one_sided_count
    from both_sides
    left join raw.deliveries as deliveries on both_sides.delivery_id = deliveries.delivery_id
    group by both_sides.batch_id
)
select
    coalesce(batches.pbx_id, of_tickets.pbx_id) as pbx_id,
    coalesce(batches.batch_id, of_tickets.batch_id) as batch_id,
    batches.rows_inserted as recorded_count,
    coalesce(of_tickets.raw_count, 0) as raw_count,
    coalesce(of_tickets.ticket_count, 0) as ticket_count,
    coalesce(of_tickets.rejected_count, 0) as rejected_count,
    coalesce(of_tickets.ignored_count, 0) as ignored_count,
    coalesce(of_tickets.duplicate_count, 0) as duplicate_count,
    coalesce(of_tickets.one_sided_count, 0) as one_sided_count
from raw.batches as batches
full join of_tickets on batches.batch_id = of_tickets.batch_id
where batches.batch_id is null or batches.built_at is not null
order by 1, 2
"""

#: A batch that waits has its tickets, no more and no less.
WAITING_TICKETS = """
select
    batches.pbx_id,
    batches.batch_id,
    batches.rows_inserted as recorded_count,
    count(tickets.ticket_id) as raw_count
from raw.batches as batches
left join raw.tickets as tickets on batches.batch_id = tickets.batch_id
where batches.built_at is null
group by batches.batch_id
having batches.rows_inserted <> count(tickets.ticket_id)
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

IGNORED = """
select pbx_id, state_reason, count(*) as ticket_count
from intermediate.int_tickets__staged
where state = 'ignored'
group by pbx_id, state_reason
order by ticket_count desc, pbx_id, state_reason
"""

EXAMPLE_BODIES = "select ticket_id, body from raw.tickets where ticket_id = any(%s)"

LEGS = """
with tickets as (
    select ticket_id, pbx_id, talk_seconds, coalesce(ring_seconds, 0) as ring_seconds
    from intermediate.int_tickets__staged
    where state = 'ticket'
        and batch_id not in (select batch_id from raw.batches where built_at is null)
),
legs as (
    select ticket_id, pbx_id, talk_seconds, coalesce(ring_seconds, 0) as ring_seconds
    from marts.fct_call_legs
    where batch_id not in (select batch_id from raw.batches where built_at is null)
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

#: A call has no amount while a leg has none, nor when its legs cost in several currencies.
CALLS = """
with of_legs as (
    select
        call_id,
        min(pbx_id) as pbx_id,
        min(ticket_id) as first_ticket_id,
        count(*) as leg_count,
        sum(talk_seconds) as talk_seconds,
        sum(billed_seconds) as billed_seconds,
        case
            when bool_or(sale_amount is null) then null
            when count(distinct sale_currency) filter (where sale_amount <> 0) > 1 then null
            else sum(sale_amount)
        end as sale_amount,
        coalesce(
            min(sale_currency) filter (where sale_amount <> 0), min(sale_currency)
        ) as sale_currency
    from marts.fct_call_legs
    group by call_id
)
select
    coalesce(of_legs.pbx_id, calls.pbx_id) as pbx_id,
    coalesce(of_legs.sale_currency, calls.sale_currency) as sale_currency,
    count(of_legs.call_id) as call_count_of_legs,
    count(calls.call_id) as call_count,
    coalesce(sum(of_legs.talk_seconds), 0)::bigint as leg_talk_seconds,
    coalesce(sum(calls.talk_seconds), 0)::bigint as call_talk_seconds,
    sum(of_legs.sale_amount) as leg_amount,
    sum(calls.sale_amount) as call_amount,
    count(*) filter (
        where of_legs.call_id is null
            or calls.call_id is null
            or of_legs.call_id <> of_legs.first_ticket_id
            or of_legs.leg_count <> calls.leg_count
            or of_legs.talk_seconds <> calls.talk_seconds
            or of_legs.billed_seconds is distinct from calls.billed_seconds
            or of_legs.sale_amount is distinct from calls.sale_amount
            or of_legs.sale_currency is distinct from calls.sale_currency
    ) as different_count
from of_legs
full join marts.fct_calls as calls on of_legs.call_id = calls.call_id
group by 1, 2
order by 1, 2
"""

#: Contradicting: with itself (a rate, an amount or a reason that the state does not have), or with
#: what the ticket says of direction and answer. Only a guessed answer (R9) counts as none although
#: the ticket has talk time, and only below the threshold of its pbx.
RATING = """
with thresholds as (
    select pbx_id, max(answer_threshold_seconds) as answer_threshold_seconds
    from directory.pbxs
    group by pbx_id
),
legs as (
    select
        legs.*,
        legs.direction in ('outgoing', 'transit', 'unknown') as is_outside,
        legs.talk_seconds > 0
        or legs.outcome in ('answered', 'answered_by_machine') as is_answered_by_ticket,
        coalesce(legs.is_estimated, false)
        and legs.talk_seconds < coalesce(thresholds.answer_threshold_seconds, 0) as is_doubtful
    from marts.fct_call_legs as legs
    left join thresholds on legs.pbx_id = thresholds.pbx_id
)
select
    pbx_id,
    rating_state,
    count(*) as leg_count,
    sum(talk_seconds)::bigint as talk_seconds,
    sum(billed_seconds)::bigint as billed_seconds,
    sum(sale_amount) as sale_amount,
    sale_currency,
    count(*) filter (
        where case rating_state
            when 'rated' then
                rate_id is null or sale_amount is null or sale_currency is null
                or rating_reason is not null
            when 'unrated' then sale_amount is not null or rating_reason is null
            else sale_amount is distinct from 0 or billed_seconds is distinct from 0
                or rating_reason is not null
        end
        or case
            when rating_state = 'phantom' then is_billable
            when direction = 'internal' or is_outside and called_namespace = 'internal' then
                rating_state <> 'internal'
            when not is_outside then rating_state <> 'incoming'
            when not is_billable then true
            when not is_answered_by_ticket then rating_state <> 'not_answered'
            when rating_state = 'not_answered' then not is_doubtful
            when rating_state = 'free' then destination_class not in ('free', 'emergency')
            when rating_state = 'rated' then destination_class in ('free', 'emergency')
            else rating_state <> 'unrated'
        end
    ) as contradicting_count
from legs
group by pbx_id, rating_state, sale_currency
order by pbx_id, rating_state, sale_currency
"""

#: R11 and R13 once more, from what each leg keeps of its rate: the first increment, then whole next
#: ones; fee and time, then the limits on the whole price, then one rounding. Limits, rounding and
#: currency are the directory's of today: where those of an open month changed, its legs show here
#: until they are rated again.
PRICES = """
with billed as (
    select
        legs.*,
        case
            when talk_seconds <= first_increment_seconds then first_increment_seconds
            else least(
                first_increment_seconds + next_increment_seconds * ceil(
                    (talk_seconds - first_increment_seconds)::numeric / next_increment_seconds
                ),
                2147483647
            )
        end as expected_seconds
    from marts.fct_call_legs as legs
    where rating_state = 'rated'
),
priced as (
    select
        billed.*,
        tariffs.currency as tariff_currency,
        round(
            least(
                greatest(
                    billed.connection_fee + billed.expected_seconds * billed.price_per_minute / 60,
                    rates.minimum_charge
                ),
                rates.maximum_charge
            ),
            case when tariffs.rounding = 'per_call' then tariffs.rounding_decimals else 6 end
        ) as expected_amount
    from billed
    left join directory.rates as rates on billed.rate_id = rates.rate_id
    left join directory.tariffs as tariffs on billed.tariff_id = tariffs.tariff_id
)
select
    ticket_id,
    billed_seconds,
    expected_seconds,
    sale_amount,
    expected_amount,
    sale_currency
from priced
where billed_seconds is distinct from expected_seconds
    or sale_amount is distinct from expected_amount
    or sale_currency <> tariff_currency
order by ticket_id
"""

#: Every rated leg that a customer pays for is on one invoice or in one draft, where late items are.
COVERED_LEGS = """
select
    legs.service_id,
    legs.billing_month,
    legs.sale_currency,
    count(*) filter (where drafted.ticket_id is null) as nowhere_count,
    count(*) filter (where drafted.ticket_id is not null) as twice_count,
    sum(legs.sale_amount) as sale_amount,
    min(legs.ticket_id) as example_ticket_id
from marts.fct_call_legs as legs
inner join directory.services as services on legs.service_id = services.service_id
left join billing.invoice_calls as invoiced on legs.ticket_id = invoiced.ticket_id
left join intermediate.int_invoices__draft_calls as drafted on legs.ticket_id = drafted.ticket_id
where legs.rating_state = 'rated'
    and case
        when invoiced.ticket_id is null then services.is_billable and drafted.ticket_id is null
        else drafted.ticket_id is not null
    end
group by legs.service_id, legs.billing_month, legs.sale_currency
order by legs.service_id, legs.billing_month
"""

INVOICED_CALLS = """
select
    coalesce(invoices.invoice_number, 'no invoice ' || calls.invoice_id) as invoice_number,
    calls.ticket_id,
    calls.exact_amount as invoiced_amount,
    legs.sale_amount as leg_amount,
    invoices.service_id as invoiced_service_id,
    legs.service_id as leg_service_id
from billing.invoice_calls as calls
left join billing.invoices as invoices on calls.invoice_id = invoices.invoice_id
left join marts.fct_call_legs as legs on calls.ticket_id = legs.ticket_id
where legs.ticket_id is null
    or invoices.invoice_id is null
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
    coalesce(lines.line_number, of_calls.line_number) as line_number,
    lines.exact_amount as line_amount,
    coalesce(of_calls.exact_amount, 0) as amount_of_calls,
    lines.net_amount as line_net_amount
from billing.invoice_lines as lines
full join of_calls
    on lines.invoice_id = of_calls.invoice_id and lines.line_number = of_calls.line_number
left join billing.invoices as invoices
    on coalesce(lines.invoice_id, of_calls.invoice_id) = invoices.invoice_id
where invoices.invoice_id is null
    or lines.invoice_id is null
    or lines.exact_amount <> coalesce(of_calls.exact_amount, 0)
    or lines.call_count <> coalesce(of_calls.call_count, 0)
    or lines.talk_seconds <> coalesce(of_calls.talk_seconds, 0)
    or lines.billed_seconds <> coalesce(of_calls.billed_seconds, 0)
    or lines.net_amount <> round(lines.exact_amount, 2)
order by invoices.invoice_number, 2
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

#: I8: tax once, on the sum of the lines, which all have the rate of the head.
INVOICE_TAX = """
with expected as (
    select
        invoices.*,
        round(invoices.net_amount * invoices.vat_rate_percent / 100, 2) as expected_vat_amount,
        exists (
            select from billing.invoice_lines as lines
            where lines.invoice_id = invoices.invoice_id
                and (
                    lines.vat_rate_percent <> invoices.vat_rate_percent
                    or lines.currency <> invoices.currency
                )
        ) as has_other_lines
    from billing.invoices as invoices
)
select
    invoice_number,
    net_amount,
    vat_rate_percent,
    vat_amount,
    expected_vat_amount,
    total_amount
from expected
where vat_amount <> expected_vat_amount
    or total_amount <> net_amount + expected_vat_amount
    or has_other_lines
order by invoice_number
"""

#: I2: numbers of a series run from 1 to its counter. Shown: the first that is missing, if one is.
INVOICE_NUMBERS = """
with used as (
    select
        issuer_id,
        series,
        year,
        count(*) as invoice_count,
        max(sequence_number) as highest_number
    from billing.invoices
    group by issuer_id, series, year
),
both_sides as (
    select
        issuer_id,
        series,
        year,
        coalesce(number_series.last_number, 0) as last_number,
        coalesce(used.highest_number, 0) as highest_number,
        coalesce(used.invoice_count, 0) as invoice_count
    from billing.number_series
    full join used using (issuer_id, series, year)
)
select
    both_sides.*,
    (
        select min(numbers.number)
        from generate_series(1, greatest(last_number, highest_number)) as numbers (number)
        where not exists (
            select from billing.invoices as invoices
            where (invoices.issuer_id, invoices.series, invoices.year)
                = (both_sides.issuer_id, both_sides.series, both_sides.year)
                and invoices.sequence_number = numbers.number
        )
    ) as first_missing_number
from both_sides
where last_number <> highest_number
    or last_number <> invoice_count
order by issuer_id, series, year
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
    ignored: list[Row]
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
        return compare(connection)


def compare(connection: psycopg.Connection) -> Reconciliation:
    """Run every comparison in the transaction of a connection that may read all of them."""
    states = _rows(connection, STATES)
    legs = _rows(connection, LEGS)
    calls = _rows(connection, CALLS)
    rating = _rows(connection, RATING)
    waiting = _rows(connection, WAITING)
    leg_count = sum(row["leg_count"] for row in rating)
    invoice_count = _rows(connection, INVOICE_COUNT)[0]["invoice_count"]

    def check(name: str, compared_count: int, query: str) -> Check:
        return Check(name, compared_count, _rows(connection, query))

    checks = [
        Check("raw = the four states, per pbx and batch", len(states), _wrong_states(states)),
        check("waiting batches = their tickets", len(waiting), WAITING_TICKETS),
        Check("tickets = legs, with their seconds", len(legs), _different(legs)),
        Check("legs = calls, with their seconds and amounts", len(calls), _different(calls)),
        Check("every leg is in one rating state", len(rating), _wrong_ratings(rating)),
        check("rated legs = their rates", leg_count, PRICES),
        check("rated legs are on one invoice or draft", leg_count, COVERED_LEGS),
        check("legs = calls on invoices", invoice_count, INVOICED_CALLS),
        check("calls = lines of invoices", invoice_count, INVOICE_LINES),
        check("lines = totals of invoices", invoice_count, INVOICE_TOTALS),
        check("net + tax = totals of invoices", invoice_count, INVOICE_TAX),
        check("invoice numbers have no gap", invoice_count, INVOICE_NUMBERS),
    ]
    return Reconciliation(
        checks=checks,
        states=_states_by_pbx(states),
        rating=rating,
        rejected=_rejected(connection),
        ignored=_rows(connection, IGNORED),
        waiting=waiting,
        conflicts=_rows(connection, CONFLICTS),
    )


def _rows(connection: psycopg.Connection, query: str) -> list[Row]:
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _wrong_states(states: list[Row]) -> list[Row]:
    return [
        row
        for row in states
        if row["recorded_count"] != row["raw_count"]
        or row["raw_count"] != _staged_count(row)
        or row["one_sided_count"]
    ]


def _staged_count(row: Row) -> int:
    return sum(row[f"{state}_count"] for state in ("ticket", "rejected", "ignored", "duplicate"))


def _states_by_pbx(states: list[Row]) -> list[Row]:
    sums: dict[str, Row] = {}
    for row in states:
        total = sums.setdefault(row["pbx_id"], {"pbx_id": row["pbx_id"], "batch_count": 0})
        total["batch_count"] += 1
        for name, value in row.items():
            if name.endswith("_count"):
                total[name] = total.get(name, 0) + (value or 0)
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
