"""A small telecom operator for the tests: its directory, and rated legs put into the marts.

The draft views over them are the real ones. Every company and number is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
from psycopg import sql

from tollhouse.invoicing.drafts import open_billing
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, LOADER, connect

MONTH = date(2026, 9, 1)
NEXT_MONTH = date(2026, 10, 1)
ISSUE_DATE = date(2026, 11, 2)

ISSUER = {
    "issuer_id": "exemple_telecom",
    "legal_name": "Exemple Télécom",
    "legal_form": "SAS",
    "share_capital": "50 000 €",
    "siren": "000000018",
    "siret": "00000001800014",
    "trade_register": "RCS Paris 000 000 018",
    "vat_number": "FR00000000018",
    "address_line_1": "12 rue des Exemples",
    "postal_code": "75011",
    "city": "Paris",
    "country": "FR",
    "iban": "FR76 0000 0000 0000 0000 0000 000",
    "late_payment_rate_percent": Decimal("12.15"),
    "invoice_series": "ET",
    "vat_on_debits": True,
}
CUSTOMER = {
    "customer_id": "atelier",
    "issuer_id": "exemple_telecom",
    "legal_name": "Atelier Exemple SARL",
    "siren": "000000026",
    "vat_number": "FR00000000026",
    "address_line_1": "3 avenue du Modèle",
    "postal_code": "69003",
    "city": "Lyon",
    "country": "FR",
}
SERVICE = {
    "service_id": "support",
    "issuer_id": "exemple_telecom",
    "customer_id": "atelier",
    "service_name": "Support client",
}
DESTINATIONS = {
    "national_fixed": ("fr_fixed", "France fixe"),
    "national_mobile": ("fr_mobile", "France mobile"),
    "international": ("de_fixed", "Allemagne fixe"),
    "free": ("fr_free", "Numéro vert"),
}


def found_operator(settings: Settings, *services: dict[str, object]) -> None:
    """Write an issuer, a customer and services (SERVICE with what differs) into the directory."""
    with connect(LOADER, settings=settings) as connection:
        _insert(connection, "directory", "issuers", ISSUER)
        _insert(connection, "directory", "customers", CUSTOMER)
        for service in services or ({},):
            _insert(connection, "directory", "services", {**SERVICE, **service})


def change_directory(settings: Settings, table: str, **values: object) -> None:
    """Change columns of every row of a directory table."""
    with connect(LOADER, settings=settings) as connection:
        connection.execute(
            sql.SQL("update directory.{} set {}").format(
                sql.Identifier(table),
                sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
                    for name, value in values.items()
                ),
            )
        )


def rate_leg(
    settings: Settings,
    ticket_id: int,
    amount: str | None,
    *,
    service_id: str = "support",
    month: date = MONTH,
    destination_class: str = "national_fixed",
    called_e164: str = "+33199001234",
    talk_seconds: int = 60,
    extension: str = "4101",
) -> None:
    """Write one leg, and its call: rated at ``amount``, or unrated when that is None."""
    rate_legs(
        settings,
        [
            leg(
                ticket_id, amount, service_id=service_id, month=month,
                destination_class=destination_class, called_e164=called_e164,
                talk_seconds=talk_seconds, extension=extension,
            )
        ],
    )  # fmt: skip


def leg(
    ticket_id: int,
    amount: str | None,
    *,
    service_id: str = "support",
    month: date = MONTH,
    destination_class: str = "national_fixed",
    called_e164: str = "+33199001234",
    talk_seconds: int = 60,
    extension: str = "4101",
) -> dict[str, object]:
    """The columns of a leg that invoicing reads."""
    started_at = datetime(month.year, month.month, 3, 8, tzinfo=UTC) + timedelta(
        seconds=ticket_id % 2_000_000
    )
    destination_id, destination_name = DESTINATIONS[destination_class]
    is_rated = amount is not None
    rating_state = "unrated" if not is_rated else "free" if destination_class == "free" else "rated"
    return {
        "ticket_id": ticket_id,
        "call_id": ticket_id,
        "pbx_id": "paris_hq",
        "model": "mitel_3300",
        "batch_id": 1,
        "leg_number": 1,
        "direction": "outgoing",
        "outcome": "answered",
        "extension": extension,
        "called_number": called_e164,
        "called_e164": called_e164,
        "called_namespace": "e164",
        "issuer_id": "exemple_telecom",
        "customer_id": "atelier",
        "service_id": service_id,
        "attribution_rule": "extension",
        "is_billable": True,
        "time_is_minute": False,
        "time_year_inferred": False,
        "time_dst_ambiguous": False,
        "time_dst_shifted": False,
        "is_private": False,
        "is_estimated": False,
        "destination_id": destination_id if is_rated else None,
        "destination_name": destination_name if is_rated else None,
        "destination_class": destination_class if is_rated else None,
        "rating_state": rating_state,
        "rating_reason": None if is_rated else "no_rate",
        "rated_at": started_at,
        "billing_month": month,
        "started_at": started_at,
        "answered_at": started_at,
        "ended_at": started_at + timedelta(seconds=talk_seconds),
        "ring_seconds": 0,
        "talk_seconds": talk_seconds,
        "billed_seconds": talk_seconds if is_rated else None,
        "tariff_version_id": 1 if is_rated else None,
        "rate_id": 1 if is_rated else None,
        "sale_amount": Decimal(amount) if amount is not None else None,
        "sale_currency": "EUR" if is_rated else None,
    }


def rate_legs(settings: Settings, legs: list[dict[str, object]]) -> None:
    """Write legs, each a call of its own, as the build would."""
    with connect(DBT, settings=settings) as connection:
        for row in legs:
            _insert(connection, "marts", "fct_call_legs", row)


def forget_legs(settings: Settings, *ticket_ids: int) -> None:
    """Remove legs, as a build does before it writes them anew."""
    with connect(DBT, settings=settings) as connection:
        connection.execute(
            "delete from marts.fct_call_legs where ticket_id = any(%s)", [list(ticket_ids)]
        )


@contextmanager
def billing(settings: Settings) -> Iterator[psycopg.Connection]:
    """Open a connection as the billing role."""
    with open_billing(settings) as connection:
        yield connection


def issued_numbers(settings: Settings) -> list[str]:
    """Return the numbers of all issued invoices, in order of their counter."""
    with open_billing(settings) as connection:
        rows = connection.execute(
            "select invoice_number from billing.invoices order by year, sequence_number"
        ).fetchall()
    return [number for (number,) in rows]


def _insert(
    connection: psycopg.Connection, schema: str, table: str, row: dict[str, object]
) -> None:
    connection.execute(
        sql.SQL("insert into {}.{} ({}) values ({})").format(
            sql.Identifier(schema),
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        list(row.values()),
    )
