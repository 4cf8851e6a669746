"""What a re-import may no longer change: days of months whose invoices are issued (rules I1, R18).

A month is closed service by service, when its invoice is issued. A change is a fault when it
touches a day of a closed month of a service that the old or the new row names. Names, cost centres
and addresses may always be corrected: the invoice froze its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tollhouse.directory.faults import Fault

KEEP = "keep the row as it was before {day}, and begin what is new on that day"
BEGIN_LATER = "let it begin on {day} or later"


@dataclass(frozen=True)
class DatedMeaning:
    """A dated table: what identifies a row, what the row says, and which service it concerns."""

    table: str
    key: tuple[str, ...]
    meaning: str
    service: str
    where: str = "true"


ATTRIBUTIONS = (
    DatedMeaning("extensions", ("pbx_id", "extension"), "service_id", "service_id"),
    DatedMeaning(
        "number_ranges", ("pbx_id", "first_number", "last_number"), "service_id", "service_id"
    ),
    DatedMeaning("account_codes", ("pbx_id", "account_code"), "service_id", "service_id"),
    DatedMeaning("trunks", ("pbx_id", "trunk"), "service_id", "service_id"),
    DatedMeaning("tariff_assignments", ("owner_id",), "tariff_id", "owner_id", "side = 'sale'"),
)

#: The days on which a key says something else than before: those of the old meaning that the new
#: rows do not cover, and the reverse. Rows that follow each other and say the same are one period.
CHANGED_DAYS = """
with old_rows as (
    select {key}, {meaning}, {service} as concerned_service_id,
        range_agg(daterange(valid_from, valid_to)) as days
    from directory.{table}
    where {where}
    group by {key}, {meaning}, {service}
),

new_rows as (
    select {key}, {meaning}, {service} as concerned_service_id,
        range_agg(daterange(valid_from, valid_to)) as days,
        min(line_number) as line_number
    from staged_{table}
    where {where}
    group by {key}, {meaning}, {service}
),

changes as (
    select
        new_rows.line_number,
        concat_ws(' ', {key}, {meaning}) as row_name,
        concerned_service_id,
        coalesce(old_rows.days, '{{}}') - coalesce(new_rows.days, '{{}}') as days_lost,
        coalesce(new_rows.days, '{{}}') - coalesce(old_rows.days, '{{}}') as days_gained
    from old_rows
    full join new_rows using ({key}, {meaning}, concerned_service_id)
)

select
    changes.line_number,
    changes.row_name,
    changes.concerned_service_id,
    to_char(max(closed_months.billing_month), 'YYYY-MM'),
    (max(upper(closed_months.days)))::text,
    bool_or(changes.days_lost && closed_months.days)
from changes
inner join directory.closed_months as closed_months
    on changes.concerned_service_id = closed_months.service_id
    and (changes.days_lost + changes.days_gained) && closed_months.days
group by changes.line_number, changes.row_name, changes.concerned_service_id
order by changes.line_number nulls last, changes.row_name
"""

#: Versions whose period changes within a closed month of a service that sells by their tariff.
CHANGED_VERSIONS = """
with old_versions as (
    select tariff_id, version, datemultirange(daterange(valid_from, valid_to)) as days
    from directory.tariff_versions
),

new_versions as (
    select
        tariff_id,
        version,
        line_number,
        datemultirange(daterange(valid_from, valid_to)) as days
    from staged_tariff_versions
),

changes as (
    select
        new_versions.line_number,
        tariff_id,
        version,
        coalesce(old_versions.days, '{}') as old_days,
        coalesce(new_versions.days, '{}') as new_days
    from old_versions
    full join new_versions using (tariff_id, version)
)

select
    changes.line_number,
    concat_ws(' ', changes.tariff_id, changes.version),
    min(closed_months.service_id),
    to_char(max(closed_months.billing_month), 'YYYY-MM'),
    (max(upper(closed_months.days)))::text
from changes
inner join directory.tariff_assignments as tariff_assignments
    on changes.tariff_id = tariff_assignments.tariff_id
    and tariff_assignments.side = 'sale'
inner join directory.closed_months as closed_months
    on tariff_assignments.owner_id = closed_months.service_id
where
    ((changes.old_days - changes.new_days) + (changes.new_days - changes.old_days))
    && (
        closed_months.days * daterange(tariff_assignments.valid_from, tariff_assignments.valid_to)
    )
group by changes.line_number, changes.tariff_id, changes.version
order by changes.line_number nulls last
"""

#: Rates that change in a version which priced a closed month.
CHANGED_RATES = """
with closed_versions as (
    select
        tariff_versions.tariff_version_id,
        tariff_versions.tariff_id,
        tariff_versions.version,
        min(closed_months.service_id) as service_id,
        to_char(max(closed_months.billing_month), 'YYYY-MM') as billing_month,
        (max(upper(closed_months.days)))::text as first_open_day
    from directory.tariff_versions as tariff_versions
    inner join directory.tariff_assignments as tariff_assignments
        on tariff_versions.tariff_id = tariff_assignments.tariff_id
        and tariff_assignments.side = 'sale'
    inner join directory.closed_months as closed_months
        on tariff_assignments.owner_id = closed_months.service_id
    where
        daterange(tariff_versions.valid_from, tariff_versions.valid_to)
        && (
            closed_months.days
            * daterange(tariff_assignments.valid_from, tariff_assignments.valid_to)
        )
    group by
        tariff_versions.tariff_version_id, tariff_versions.tariff_id, tariff_versions.version
),

old_rates as (
    select rates.*, closed_versions.tariff_id, closed_versions.version
    from directory.rates as rates
    inner join closed_versions on rates.tariff_version_id = closed_versions.tariff_version_id
),

new_rates as (
    select staged_rates.*
    from staged_rates
    inner join closed_versions using (tariff_id, version)
    -- A version that is gone altogether is a fault of tariff_versions.csv.
    inner join staged_tariff_versions using (tariff_id, version)
),

changes as (
    select
        tariff_id,
        version,
        concat_ws(' ', namespace, prefix) as rate_name,
        new_rates.line_number
    from old_rates
    full join new_rates using (tariff_id, version, namespace, prefix)
    where
        (
            old_rates.connection_fee, old_rates.first_increment_seconds,
            old_rates.next_increment_seconds, old_rates.price_per_minute,
            old_rates.minimum_charge, old_rates.maximum_charge, old_rates.destination_id
        ) is distinct from (
            new_rates.connection_fee, new_rates.first_increment_seconds,
            new_rates.next_increment_seconds, new_rates.price_per_minute,
            new_rates.minimum_charge, new_rates.maximum_charge, new_rates.destination_id
        )
)

select
    changes.line_number,
    concat_ws(' ', closed_versions.tariff_id, closed_versions.version, changes.rate_name),
    closed_versions.service_id,
    closed_versions.billing_month,
    closed_versions.first_open_day
from changes
inner join closed_versions using (tariff_id, version)
order by changes.line_number nulls last
"""

CHANGED_TARIFFS = """
select
    staged_tariffs.line_number,
    staged_tariffs.tariff_id,
    min(closed_months.service_id),
    to_char(max(closed_months.billing_month), 'YYYY-MM')
from staged_tariffs
inner join directory.tariffs as kept using (tariff_id)
inner join directory.tariff_assignments as tariff_assignments
    on kept.tariff_id = tariff_assignments.tariff_id
    and tariff_assignments.side = 'sale'
inner join directory.closed_months as closed_months
    on tariff_assignments.owner_id = closed_months.service_id
    and closed_months.days && daterange(tariff_assignments.valid_from, tariff_assignments.valid_to)
where
    (kept.currency, kept.time_zone, kept.rounding, kept.rounding_decimals)
    is distinct from (
        staged_tariffs.currency, staged_tariffs.time_zone, staged_tariffs.rounding,
        staged_tariffs.rounding_decimals
    )
group by staged_tariffs.line_number, staged_tariffs.tariff_id
order by staged_tariffs.line_number
"""

REMOVED_SERVICES = """
select
    closed_months.service_id,
    to_char(max(closed_months.billing_month), 'YYYY-MM')
from directory.closed_months as closed_months
left join staged_services using (service_id)
where staged_services.service_id is null
group by closed_months.service_id
order by closed_months.service_id
"""

MOVED_TIME_ZONES = """
select
    staged_issuers.line_number,
    staged_issuers.billing_time_zone,
    kept.billing_time_zone,
    to_char(max(closed_months.billing_month), 'YYYY-MM')
from staged_issuers
inner join directory.issuers as kept using (issuer_id)
inner join directory.closed_months as closed_months using (issuer_id)
where staged_issuers.billing_time_zone <> kept.billing_time_zone
group by staged_issuers.line_number, staged_issuers.billing_time_zone, kept.billing_time_zone
order by staged_issuers.line_number
"""


def find_changes_of_closed_months(connection: psycopg.Connection) -> list[Fault]:
    """Return a fault for each staged row, or vanished row, that would change a closed month."""
    return [
        *_attribution_faults(connection),
        *_version_faults(connection),
        *_rate_faults(connection),
        *_tariff_faults(connection),
        *_party_faults(connection),
    ]


def _closed(service_id: str, month: str) -> str:
    return f"in {month}, whose invoice of the service {service_id} is issued (rule R18)"


def _attribution_faults(connection: psycopg.Connection) -> Iterator[Fault]:
    for dated in ATTRIBUTIONS:
        names = {
            "table": sql.SQL(dated.table),
            "key": sql.SQL(", ").join(map(sql.Identifier, dated.key)),
            "meaning": sql.Identifier(dated.meaning),
            "service": sql.Identifier(dated.service),
            "where": sql.SQL(dated.where),
        }
        changes = connection.execute(sql.SQL(CHANGED_DAYS).format(**names))
        for line, name, service_id, month, first_open_day, loses in changes:
            reason = "no longer holds" if loses else "newly holds"
            remedy = KEEP if loses else BEGIN_LATER
            yield Fault(
                f"{dated.table}.csv",
                line,
                "valid_from" if line else "",
                name,
                f"{reason} {_closed(service_id, month)}",
                remedy.format(day=first_open_day),
            )


def _version_faults(connection: psycopg.Connection) -> Iterator[Fault]:
    changes = connection.execute(CHANGED_VERSIONS)
    for line, name, service_id, month, first_open_day in changes:
        yield Fault(
            "tariff_versions.csv",
            line,
            "valid_from" if line else "",
            name,
            f"changes its period {_closed(service_id, month)}",
            KEEP.format(day=first_open_day),
        )


def _rate_faults(connection: psycopg.Connection) -> Iterator[Fault]:
    for line, name, service_id, month, first_open_day in connection.execute(CHANGED_RATES):
        yield Fault(
            "rates.csv",
            line,
            "price_per_minute" if line else "",
            name,
            f"{'changes' if line else 'is gone from'} a price {_closed(service_id, month)}",
            f"leave this version as it was and add one that begins on {first_open_day}",
        )


def _tariff_faults(connection: psycopg.Connection) -> Iterator[Fault]:
    for line, tariff_id, service_id, month in connection.execute(CHANGED_TARIFFS):
        yield Fault(
            "tariffs.csv",
            line,
            "tariff_id",
            tariff_id,
            f"changes currency, time zone or rounding {_closed(service_id, month)}",
            "leave it as it was and assign another tariff from a later day on",
        )


def _party_faults(connection: psycopg.Connection) -> Iterator[Fault]:
    for service_id, month in connection.execute(REMOVED_SERVICES):
        yield Fault(
            "services.csv",
            None,
            "service_id",
            service_id,
            f"is gone, and has invoices up to {month}",
            "keep its row; end its extensions, numbers and assignments instead",
        )
    for line, time_zone, kept_time_zone, month in connection.execute(MOVED_TIME_ZONES):
        yield Fault(
            "issuers.csv",
            line,
            "billing_time_zone",
            time_zone,
            f"moves the ends of closed months (the last is {month}) from {kept_time_zone}",
            "leave it as it was, or make an issuer of another id",
        )
