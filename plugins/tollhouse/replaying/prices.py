"""Calls and prices before and after a replay, by the same SQL that rates real calls (R21).

The legs that change are put, with the other legs of their calls, into the empty table of
hypothetical legs, tied to calls and rated by its views; the transaction is rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

#: Legs on issued invoices stay; what they would say is no part of what a build writes.
CHANGING_TICKETS = """
create temporary table changing_tickets on commit drop as
select after.*
from raw.replay_differences as differences
inner join intermediate.int_tickets__staged as staged
    on differences.ticket_id = staged.ticket_id
cross join lateral jsonb_populate_record(staged, differences.after) as after
where differences.replay_id = %(replay_id)s
    and differences.is_invoiced = %(is_invoiced)s
"""

#: The tickets that change, the legs of their calls, and those of calls that they may belong to now.
TOUCHED_LEGS = """
create temporary table touched_legs on commit drop as
with identities as (
    select
        pbx_id,
        source_call_id,
        min(started_at) - interval '27 hours' as earliest,
        max(coalesce(ended_at, started_at)) + interval '3 hours' as latest
    from changing_tickets
    where source_call_id is not null and state = 'ticket'
    group by pbx_id, source_call_id
),
calls as (
    select legs.call_id
    from changing_tickets as tickets
    inner join marts.fct_call_legs as legs on tickets.ticket_id = legs.ticket_id
    union
    select legs.call_id
    from identities
    inner join marts.fct_call_legs as legs
        on identities.source_call_id = legs.source_call_id
        and identities.pbx_id = legs.pbx_id
        and legs.started_at between identities.earliest and identities.latest
)
select legs.*
from calls
inner join marts.fct_call_legs as legs on calls.call_id = legs.call_id
"""

ASK = """
insert into intermediate.int_legs__hypothetical ({columns}, call_id, is_phantom)
select {columns}, ticket_id, false
from changing_tickets
where state = 'ticket'
"""

ASK_OTHER_LEGS = """
insert into intermediate.int_legs__hypothetical ({columns}, call_id, is_phantom)
select {staged_columns}, staged.ticket_id, false
from touched_legs
inner join intermediate.int_tickets__staged as staged
    on touched_legs.ticket_id = staged.ticket_id
where staged.state = 'ticket'
    and not exists (
        select from changing_tickets where changing_tickets.ticket_id = staged.ticket_id
    )
"""

TIE_TO_CALLS = """
create temporary table calls_of_legs on commit drop as
select * from intermediate.int_legs__hypothetical_calls;

update intermediate.int_legs__hypothetical as legs
set call_id = calls_of_legs.call_id, is_phantom = calls_of_legs.is_phantom
from calls_of_legs
where legs.ticket_id = calls_of_legs.ticket_id
"""

#: A leg that is invoiced keeps what it was invoiced with, and only moves to another call.
RATED_AFTER = """
create temporary table legs_after on commit drop as
select
    legs.ticket_id,
    calls_of_legs.call_id,
    legs.direction,
    legs.rating_state,
    legs.talk_seconds,
    legs.sale_amount,
    legs.sale_currency,
    legs.service_id,
    legs.billing_month,
    legs.is_billable,
    invoice_calls.ticket_id is not null as is_invoiced
from calls_of_legs
left join billing.invoice_calls as invoice_calls
    on calls_of_legs.ticket_id = invoice_calls.ticket_id
inner join lateral (
    select {columns} from marts.fct_call_legs as invoiced_legs
    where invoiced_legs.ticket_id = invoice_calls.ticket_id
    union all
    select {columns} from rated_legs
    where rated_legs.ticket_id = calls_of_legs.ticket_id and invoice_calls.ticket_id is null
) as legs on true
"""

#: A build rates in steps and knows after each how many rows there are. In one query PostgreSQL
#: takes them for few: 200,000 legs took 350 s with nested loops and 16 s without.
RATED = """
set local enable_nestloop = off;
create temporary table rated_legs on commit drop as
select * from intermediate.int_legs__hypothetical_rated;
set local enable_nestloop = on;
create index on rated_legs (ticket_id);
analyze rated_legs
"""

CALLS = """
select
    (select count(distinct call_id) from touched_legs) as before_count,
    (select count(distinct call_id) from legs_after) as after_count
"""

LEGS = """
with both_sides as (
    select true as is_before, direction, rating_state, sale_currency, talk_seconds, sale_amount
    from touched_legs
    union all
    select false, direction, rating_state, sale_currency, talk_seconds, sale_amount
    from legs_after
)
select
    direction,
    rating_state,
    sale_currency as currency,
    count(*) filter (where is_before) as before_count,
    count(*) filter (where not is_before) as after_count,
    coalesce(sum(talk_seconds) filter (where is_before), 0)::bigint as before_talk_seconds,
    coalesce(sum(talk_seconds) filter (where not is_before), 0)::bigint as after_talk_seconds,
    sum(sale_amount) filter (where is_before) as before_amount,
    sum(sale_amount) filter (where not is_before) as after_amount
from both_sides
group by direction, rating_state, sale_currency
order by direction, rating_state, sale_currency
"""

#: A layout that reads account codes or numbers otherwise moves calls from one customer to another
#: though no price changes.
PAYERS = """
with both_sides as (
    select true as is_before, service_id, sale_currency, sale_amount from touched_legs
    union all
    select false, service_id, sale_currency, sale_amount from legs_after
),
payers as (
    select
        service_id,
        sale_currency as currency,
        count(*) filter (where is_before) as before_count,
        count(*) filter (where not is_before) as after_count,
        coalesce(sum(sale_amount) filter (where is_before), 0) as before_amount,
        coalesce(sum(sale_amount) filter (where not is_before), 0) as after_amount
    from both_sides
    group by service_id, sale_currency
)
select * from payers
where before_count <> after_count or before_amount <> after_amount
order by service_id, currency
"""

#: I4: what a replay brings into a month whose invoice is issued waits for the next invoice.
LATE_LEGS = """
select
    legs.billing_month,
    legs.sale_currency as currency,
    count(*) as leg_count,
    sum(legs.sale_amount) as amount
from legs_after as legs
inner join directory.services as services
    on legs.service_id = services.service_id and services.is_billable
where legs.is_billable
    and legs.rating_state = 'rated'
    and not legs.is_invoiced
    and exists (select from changing_tickets where changing_tickets.ticket_id = legs.ticket_id)
    and exists (
        select from billing.invoices as invoices
        where invoices.service_id = legs.service_id
            and invoices.billing_month = legs.billing_month
            and invoices.type_code = '380'
    )
group by legs.billing_month, legs.sale_currency
order by legs.billing_month, legs.sale_currency
"""

#: R22: what invoiced legs would cost is proposed, as a credit or a debit, and never written.
INVOICED_LEGS = """
select
    invoices.billing_month,
    invoices.invoice_number,
    invoice_calls.currency,
    count(*) as leg_count,
    sum(invoice_calls.exact_amount) as invoiced_amount,
    sum(coalesce(rated.sale_amount, 0)) as amount_now
from changing_tickets as tickets
inner join billing.invoice_calls as invoice_calls
    on tickets.ticket_id = invoice_calls.ticket_id
inner join billing.invoices as invoices on invoice_calls.invoice_id = invoices.invoice_id
left join rated_legs as rated
    on tickets.ticket_id = rated.ticket_id
group by invoices.billing_month, invoices.invoice_number, invoice_calls.currency
order by invoices.billing_month, invoices.invoice_number
"""

CONTRACT_COLUMNS = """
select attname from pg_attribute
where attrelid = 'intermediate.int_tickets__staged'::regclass and attnum > 0 and not attisdropped
order by attnum
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Prices:
    """Calls and amounts of what a replay touches.

    Attributes:
        calls_before: calls that own a leg which changes, or may own one afterwards.
        calls_after: calls that these legs make afterwards.
        legs: a row per direction, rating state and currency: counts, talk seconds and amounts.
        payers: a row per service and currency that gets other legs or other amounts.
        late_legs: a row per month with issued invoices: what comes on the next invoice (I4).
        invoiced_legs: a row per invoice: its legs that would be read otherwise, and stay (R22).
    """

    calls_before: int
    calls_after: int
    legs: list[Row]
    payers: list[Row]
    late_legs: list[Row]
    invoiced_legs: list[Row]

    def amounts(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return the rated amount before and after, by currency."""
        totals: dict[str, tuple[Decimal, Decimal]] = {}
        for row in self.legs:
            if row["rating_state"] == "rated":
                before, after = totals.get(row["currency"], (Decimal(0), Decimal(0)))
                totals[row["currency"]] = (
                    before + (row["before_amount"] or 0),
                    after + (row["after_amount"] or 0),
                )
        return totals


def price_replay(connection: psycopg.Connection, replay_id: int) -> Prices:
    """Return calls and prices before and after, in a transaction that the caller rolls back."""
    columns = [name for (name,) in connection.execute(CONTRACT_COLUMNS).fetchall()]
    names = {
        "columns": ", ".join(columns),
        "staged_columns": ", ".join(f"staged.{name}" for name in columns),
    }
    _take(connection, replay_id, is_invoiced=False)
    connection.execute(TOUCHED_LEGS)
    connection.execute("analyze touched_legs")
    connection.execute(ASK.format(**names))
    connection.execute(ASK_OTHER_LEGS.format(**names))
    connection.execute("analyze intermediate.int_legs__hypothetical")
    connection.execute(TIE_TO_CALLS)
    connection.execute(RATED)
    connection.execute(RATED_AFTER.format(columns=(
        "ticket_id, direction, rating_state, talk_seconds, sale_amount, sale_currency, "
        "service_id, billing_month, is_billable"
    )))  # fmt: skip
    calls = _rows(connection, CALLS)[0]
    legs = _rows(connection, LEGS)
    payers = _rows(connection, PAYERS)
    late_legs = _rows(connection, LATE_LEGS)
    return Prices(
        calls_before=calls["before_count"],
        calls_after=calls["after_count"],
        legs=legs,
        payers=payers,
        late_legs=late_legs,
        invoiced_legs=_price_invoiced(connection, replay_id, names),
    )


def _price_invoiced(
    connection: psycopg.Connection, replay_id: int, names: dict[str, str]
) -> list[Row]:
    connection.execute("drop table changing_tickets, rated_legs")
    connection.execute("delete from intermediate.int_legs__hypothetical")
    _take(connection, replay_id, is_invoiced=True)
    connection.execute(ASK.format(**names))
    connection.execute(RATED)
    return _rows(connection, INVOICED_LEGS)


def _take(connection: psycopg.Connection, replay_id: int, *, is_invoiced: bool) -> None:
    connection.execute(CHANGING_TICKETS, {"replay_id": replay_id, "is_invoiced": is_invoiced})
    connection.execute("analyze changing_tickets")


def _rows(connection: psycopg.Connection, query: str) -> list[Row]:
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()
