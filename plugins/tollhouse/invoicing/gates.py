"""The gates before issue (I3): a checklist that is data, with what a person may override.

Every gate lists findings; no finding, no obstacle. A finding about a service blocks that service's
invoice, one about no service in particular blocks all. Two gates yield to a named person with a
reason, which is kept; unrated calls yield only by being set aside, by name and with a reason too;
the others never yield.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

import psycopg

from tollhouse.invoicing.directory_faults import effective_vat_rate, find_directory_faults
from tollhouse.invoicing.drafts import Draft

#: Late items older than this wait for approval (I4): a claim lapses after a year (CPCE L34-2).
OLD_LATE_ITEM_MONTHS = 12

CALLS_RATED = "calls_rated"


class OverrideRefusedError(Exception):
    """An override is not possible as asked; the message says why."""


@dataclass(frozen=True)
class Finding:
    """One obstacle that a gate found: about a service, or about every service of the month."""

    gate: str
    subject: str
    detail: str
    service_id: str | None = None


@dataclass(frozen=True)
class Override:
    """A named person lets one finding pass, and says why."""

    gate: str
    subject: str
    named_by: str
    reason: str


@dataclass(frozen=True)
class Gate:
    """One line of the checklist."""

    name: str
    question: str
    is_overridable: bool
    find: Callable[[psycopg.Connection, date, list[Draft]], list[Finding]]


@dataclass(frozen=True)
class Checklist:
    """What every gate found for a month."""

    month: date
    findings: tuple[Finding, ...]

    def obstacles(self, service_id: str, overrides: Iterable[Override] = ()) -> list[Finding]:
        """Return what still blocks a service's invoice once the overrides are taken off."""
        passed = {
            (override.gate, override.subject)
            for override in overrides
            if override.gate != CALLS_RATED
        }
        return [
            finding
            for finding in self.findings
            if finding.service_id in (None, service_id)
            and (finding.gate, finding.subject) not in passed
        ]

    def used(self, service_id: str, overrides: Iterable[Override]) -> list[Override]:
        """Return the overrides that let this service's invoice through: kept with it."""
        found = {
            (finding.gate, finding.subject)
            for finding in self.findings
            if finding.service_id in (None, service_id)
        }
        return [override for override in overrides if (override.gate, override.subject) in found]


def check_overrides(overrides: Iterable[Override]) -> None:
    """Refuse overrides without a name or a reason, and of gates that never yield.

    Raises:
        OverrideRefusedError: naming the gate and what is wrong.
    """
    known = {gate.name: gate for gate in GATES}
    for override in overrides:
        if override.gate not in known:
            raise OverrideRefusedError(
                f"There is no gate {override.gate!r}; known are {', '.join(known)}."
            )
        if not known[override.gate].is_overridable and override.gate != CALLS_RATED:
            raise OverrideRefusedError(
                f"The gate {override.gate} cannot be overridden (subject {override.subject!r}): "
                "remove its cause."
            )
        if not override.named_by.strip() or not override.reason.strip():
            raise OverrideRefusedError(
                f"Overriding {override.gate} for {override.subject!r} needs named_by and reason."
            )


def run_gates(connection: psycopg.Connection, month: date, drafts: list[Draft]) -> Checklist:
    """Ask every gate about the drafts that this session has taken (drafts.take_drafts)."""
    findings = [finding for gate in GATES for finding in gate.find(connection, month, drafts)]
    return Checklist(month=month, findings=tuple(findings))


def _by_query(gate_name: str, statement: str) -> Callable[..., list[Finding]]:
    """Make a gate of a query for service_id (or null), subject and detail of each finding."""

    def find(connection: psycopg.Connection, month: date, _drafts: list[Draft]) -> list[Finding]:
        rows = connection.execute(
            statement, {"month": month, "old_months": OLD_LATE_ITEM_MONTHS}
        ).fetchall()
        return [
            Finding(gate=gate_name, subject=subject, detail=detail, service_id=service_id)
            for service_id, subject, detail in rows
        ]

    return find


def _find_directory_faults(
    _connection: psycopg.Connection, _month: date, drafts: list[Draft]
) -> list[Finding]:
    findings = []
    for draft in drafts:
        faults = find_directory_faults(draft.issuer, draft.customer, draft.service)
        asked = (draft.service["vat_regime"], effective_vat_rate(draft.service))
        faults += [
            f"line {line.line_number} was drafted with VAT {line.vat_regime} "
            f"{line.vat_rate_percent} %, the directory says {asked[0]} {asked[1]} %"
            for line in draft.lines
            if (line.vat_regime, line.vat_rate_percent) != asked
        ]
        currencies = {line.currency for line in draft.lines}
        if len(currencies) > 1:
            faults.append(f"lines in several currencies: {', '.join(sorted(currencies))}")
        findings += [
            Finding("directory_complete", draft.service_id, fault, draft.service_id)
            for fault in faults
        ]
    return findings


MONTH_IS_OVER = """
select drafts.service_id, drafts.service_id,
    'the month ends at '
    || (
        (%(month)s::date + interval '1 month')::timestamp
        at time zone issuers.billing_time_zone
    )::text
from taken_drafts as drafts
inner join directory.issuers as issuers
    on drafts.issuer_id = issuers.issuer_id
where now() < (
    (%(month)s::date + interval '1 month')::timestamp at time zone issuers.billing_time_zone
)
"""

#: Heard from: a pull that read tickets landed after the month had ended.
SOURCES_HEARD = """
select null, pbxs.pbx_id,
    case
        when max(batches.landed_at) is null then 'nothing was ever read from it'
        else 'last tickets read at ' || max(batches.landed_at)::text || ', before the month ended'
    end
from directory.pbxs as pbxs
left join raw.batches as batches
    on pbxs.pbx_id = batches.pbx_id
    and batches.rows_read > 0
where daterange(pbxs.valid_from, pbxs.valid_to)
    && daterange(%(month)s::date, (%(month)s::date + interval '1 month')::date)
group by pbxs.pbx_id
having coalesce(
    max(batches.landed_at)
    < max((%(month)s::date + interval '1 month')::timestamp at time zone pbxs.time_zone),
    true
)
order by pbxs.pbx_id
"""

#: The newest hour is left out: with hourly pulls some batch is always about to be built, and what
#: it brings late becomes a late item (I4). One that a build has taken and not closed was left half
#: built, since no build runs while invoices are issued: its tickets and its legs may not agree.
BATCHES_BUILT = """
select null, 'batch ' || batches.batch_id::text,
    'of ' || batches.pbx_id || ' landed at ' || batches.landed_at::text || ' and is not built'
from raw.batches as batches
where batches.built_at is null
    and (batches.landed_at < now() - interval '1 hour' or batches.build_id is not null)
order by batches.batch_id
"""

#: Unrated calls of earlier months count too: each would be a late item of this invoice.
CALLS_RATED_QUERY = """
select legs.service_id, legs.service_id,
    count(*)::text || ' unrated (' || coalesce(legs.rating_reason, 'no reason') || '), '
    || sum(legs.talk_seconds)::text || ' s, such as ticket ' || min(legs.ticket_id)::text
    || ' to ' || coalesce(min(legs.called_number), 'no number')
from marts.fct_call_legs as legs
where legs.rating_state = 'unrated'
    and legs.is_billable
    and legs.billing_month <= %(month)s::date
    and not exists (select 1 from billing.set_aside as aside where aside.ticket_id = legs.ticket_id)
group by legs.service_id, legs.rating_reason
order by legs.service_id, legs.rating_reason
"""

#: The first of each service: many of one must not hide those of another.
CALLS_ONCE = """
with doubled as (
    select calls.service_id, calls.ticket_id,
        row_number() over (partition by calls.service_id order by calls.ticket_id) as place
    from taken_calls as calls
    left join billing.invoice_calls as invoiced
        on calls.ticket_id = invoiced.ticket_id
    group by calls.service_id, calls.ticket_id
    having count(*) > 1 or count(invoiced.ticket_id) > 0
)
select service_id, 'ticket ' || ticket_id::text,
    'stands on an invoice already, or twice in the draft'
from doubled
where place <= 20
order by ticket_id
"""

CALLS_PRINTABLE = """
select calls.service_id, calls.destination_class,
    count(*)::text || ' calls that may never be listed (R10)'
from taken_calls as calls
where calls.destination_class in ('emergency', 'free')
group by calls.service_id, calls.destination_class
"""

#: Three sums that must be one: the lines, the calls under them, and the rated legs of the warehouse
#: whose turn it is: those of the month, and late ones of months that are invoiced already (I4).
TOTALS_RECONCILE = """
with legs_by_month as (
    select
        legs.service_id,
        legs.billing_month,
        count(*) as call_count,
        sum(legs.talk_seconds) as talk_seconds,
        sum(legs.billed_seconds) as billed_seconds,
        sum(legs.sale_amount) as exact_amount
    from marts.fct_call_legs as legs
    inner join marts.fct_calls as calls
        on legs.call_id = calls.call_id
    where legs.rating_state = 'rated'
        and legs.is_billable
        and legs.billing_month <= %(month)s::date
        and legs.destination_class not in ('emergency', 'free')
        and not exists (
            select 1
            from billing.invoice_calls as invoiced
            where invoiced.ticket_id = legs.ticket_id
        )
    group by legs.service_id, legs.billing_month
),
legs as (
    select service_id, sum(call_count) as call_count, sum(talk_seconds) as talk_seconds,
        sum(billed_seconds) as billed_seconds, sum(exact_amount) as exact_amount
    from legs_by_month
    where not exists (
        select 1
        from generate_series(
            billing_month, %(month)s::date - interval '1 month', '1 month'
        ) as months (open_month)
        where not exists (
            select 1
            from billing.invoices as invoices
            where invoices.service_id = legs_by_month.service_id
                and invoices.billing_month = months.open_month::date
                and invoices.type_code = '380'
        )
    )
    group by service_id
),
calls as (
    select service_id, count(*) as call_count, sum(talk_seconds) as talk_seconds,
        sum(billed_seconds) as billed_seconds, sum(exact_amount) as exact_amount
    from taken_calls
    group by service_id
),
lines as (
    select service_id, sum(call_count) as call_count, sum(talk_seconds) as talk_seconds,
        sum(billed_seconds) as billed_seconds, sum(exact_amount) as exact_amount,
        bool_and(net_amount = round(exact_amount, 2)) as is_rounded_once
    from taken_lines
    group by service_id
)
select
    drafts.service_id,
    drafts.service_id,
    format(
        'lines: %%s calls, %%s s, %%s; calls: %%s, %%s s, %%s; legs: %%s, %%s s, %%s',
        lines.call_count, lines.talk_seconds, lines.exact_amount,
        calls.call_count, calls.talk_seconds, calls.exact_amount,
        legs.call_count, legs.talk_seconds, legs.exact_amount
    )
from taken_drafts as drafts
left join lines on drafts.service_id = lines.service_id
left join calls on drafts.service_id = calls.service_id
left join legs on drafts.service_id = legs.service_id
where (lines.call_count, lines.talk_seconds, lines.billed_seconds, lines.exact_amount)
    is distinct from
    (calls.call_count, calls.talk_seconds, calls.billed_seconds, calls.exact_amount)
    or (calls.call_count, calls.talk_seconds, calls.billed_seconds, calls.exact_amount)
    is distinct from (legs.call_count, legs.talk_seconds, legs.billed_seconds, legs.exact_amount)
    or not coalesce(lines.is_rounded_once, true)
order by drafts.service_id
"""

NUMBERS_CONTINUE = """
select drafts.service_id, series.issuer_id || ' ' || series.series || ' ' || series.year::text,
    format('the counter says %%s, the invoices count %%s up to %%s',
        series.last_number, count(invoices.invoice_id), coalesce(max(invoices.sequence_number), 0))
from billing.number_series as series
inner join taken_drafts as drafts
    on series.issuer_id = drafts.issuer_id
left join billing.invoices as invoices
    on series.issuer_id = invoices.issuer_id
    and series.series = invoices.series
    and series.year = invoices.year
group by drafts.service_id, series.issuer_id, series.series, series.year, series.last_number
having series.last_number <> count(invoices.invoice_id)
    or series.last_number <> coalesce(max(invoices.sequence_number), 0)
"""

LATE_ITEMS_RECENT = """
select lines.service_id, lines.service_id,
    sum(lines.call_count)::text || ' late calls from ' || min(lines.period_month)::text
    || ' on, older than ' || %(old_months)s::text || ' months'
from taken_lines as lines
where lines.period_month < (%(month)s::date - make_interval(months => %(old_months)s::int))
group by lines.service_id
"""

GATES = (
    Gate("month_is_over", "Is the month over where the issuer bills?", False,
         _by_query("month_is_over", MONTH_IS_OVER)),
    Gate("sources_heard", "Was every source heard from since the month ended?", True,
         _by_query("sources_heard", SOURCES_HEARD)),
    Gate("batches_built", "Is everything that landed built?", False,
         _by_query("batches_built", BATCHES_BUILT)),
    Gate(CALLS_RATED, "Is every call rated, or set aside by name?", False,
         _by_query(CALLS_RATED, CALLS_RATED_QUERY)),
    Gate("calls_once", "Is no call on two invoices?", False, _by_query("calls_once", CALLS_ONCE)),
    Gate("calls_printable", "Are emergency and free numbers absent?", False,
         _by_query("calls_printable", CALLS_PRINTABLE)),
    Gate("directory_complete", "Are parties and VAT complete?", False, _find_directory_faults),
    Gate("totals_reconcile", "Do lines, calls and warehouse agree?", False,
         _by_query("totals_reconcile", TOTALS_RECONCILE)),
    Gate("numbers_continue", "Does the previous number exist?", False,
         _by_query("numbers_continue", NUMBERS_CONTINUE)),
    Gate("late_items_recent", "Are late items recent?", True,
         _by_query("late_items_recent", LATE_ITEMS_RECENT)),
)  # fmt: skip
