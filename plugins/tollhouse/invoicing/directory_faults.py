"""What the directory lacks for a lawful invoice: parties, VAT, terms (I7, I8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tollhouse.invoicing.arithmetic import KNOWN_VAT_RATES

Row = dict[str, Any]

#: A monthly telecom invoice is periodic: due at most 45 days after issue (C. com. L441-10).
LONGEST_PAYMENT_DAYS = 45

ISSUER_FIELDS = (
    "legal_name", "legal_form", "siren", "siret", "trade_register", "vat_number", "address_line_1",
    "postal_code", "city", "country", "iban", "late_payment_rate_percent", "recovery_fee_amount",
)  # fmt: skip
CUSTOMER_FIELDS = ("legal_name", "address_line_1", "postal_code", "city", "country")

#: The series begins the number: 20 characters leave room for year and counter in 35 (BR-FR-01).
SERIES_PATTERN = re.compile(r"[A-Za-z0-9+_/-]{1,20}")
SIREN_PATTERN = re.compile(r"[0-9]{9}")
SIRET_PATTERN = re.compile(r"[0-9]{14}")


def find_directory_faults(issuer: Row, customer: Row, service: Row) -> list[str]:
    """Return every fault of an invoice's three directory rows, naming row, column and value."""
    return [
        *_issuer_faults(issuer),
        *_customer_faults(customer),
        *_vat_faults(issuer, customer, service),
    ]


def effective_vat_rate(service: Row) -> Decimal:
    """Return the VAT rate in percent of the service's regime: 0 for all but the standard one."""
    return (
        Decimal(service["vat_rate_percent"]) if service["vat_regime"] == "standard" else Decimal(0)
    )


def _missing(kind: str, key: str, row: Row, fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        if row.get(field) is None or not str(row[field]).strip():
            yield f"{kind} {row[key]}: {field} is empty"


def _issuer_faults(issuer: Row) -> Iterator[str]:
    name = f"issuer {issuer['issuer_id']}"
    yield from _missing("issuer", "issuer_id", issuer, ISSUER_FIELDS)
    if not SERIES_PATTERN.fullmatch(issuer["invoice_series"] or ""):
        yield (
            f"{name}: invoice_series {issuer['invoice_series']!r} may hold letters, digits and "
            "+ - _ / only, 20 at most"
        )
    if not SIREN_PATTERN.fullmatch(issuer["siren"]):
        yield f"{name}: siren {issuer['siren']!r} is not nine digits"
    elif not (
        SIRET_PATTERN.fullmatch(issuer["siret"]) and issuer["siret"].startswith(issuer["siren"])
    ):
        yield f"{name}: siret {issuer['siret']!r} is not fourteen digits that begin with the siren"
    if not 0 <= issuer["payment_days"] <= LONGEST_PAYMENT_DAYS:
        yield f"{name}: payment_days {issuer['payment_days']} is above {LONGEST_PAYMENT_DAYS}"


def _customer_faults(customer: Row) -> Iterator[str]:
    name = f"customer {customer['customer_id']}"
    yield from _missing("customer", "customer_id", customer, CUSTOMER_FIELDS)
    if customer["country"] == "FR" and not SIREN_PATTERN.fullmatch(customer["siren"] or ""):
        yield f"{name}: siren {customer['siren']!r} is not nine digits"


def _vat_faults(issuer: Row, customer: Row, service: Row) -> Iterator[str]:
    name = f"service {service['service_id']}"
    regime, rate = service["vat_regime"], Decimal(service["vat_rate_percent"])
    if regime == "standard" and (rate not in KNOWN_VAT_RATES or rate == 0):
        yield f"{name}: vat_rate_percent {rate} is no known rate of the regime standard"
    if regime == "exempt" and not (service["vat_exemption_reason"] or "").strip():
        yield f"{name}: vat_exemption_reason is empty, the regime exempt must say why"
    if regime in ("reverse_charge_283_2_octies", "intra_eu_b2b") and not customer["vat_number"]:
        yield (
            f"customer {customer['customer_id']}: vat_number is empty, but {name} leaves the VAT "
            f"to the customer ({regime})"
        )
    if regime == "intra_eu_b2b" and customer["country"] == issuer["country"]:
        yield f"{name}: regime intra_eu_b2b, but both parties are in {issuer['country']}"
