"""Rating and invoice totals worked out a second time, from the rules on paper.

Written from the rating rules alone: no line of it is shared with the SQL, it reads the CSV files of
the directory by itself and counts in fractions: a fault would have to be made twice to pass.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

Row = dict[str, str]

#: Overseas numbers dialled nationally (R5): geographic and mobile blocks of the territories.
OVERSEAS = {
    "0262": "262", "0263": "262", "0268": "262", "0269": "262", "0639": "262", "0692": "262",
    "0693": "262", "0590": "590", "0690": "590", "0691": "590", "0594": "594", "0694": "594",
    "0596": "596", "0696": "596", "0697": "596",
}  # fmt: skip

EMERGENCY = {"15", "17", "18", "112", "114", "115", "119", "191", "196", "197"}


@dataclass(frozen=True)
class Call:
    """What a rating needs to know of an external outgoing leg."""

    pbx_id: str
    extension: str
    number: str
    answered_at: datetime
    talk_seconds: int
    is_answered: bool = True
    account_code: str = ""
    own_number: str = ""


@dataclass(frozen=True)
class Rating:
    """What became of it."""

    service_id: str
    state: str
    month: date
    destination_class: str = ""
    prefix: str = ""
    billed_seconds: int = 0
    amount: Decimal | None = Decimal(0)


@dataclass(frozen=True)
class InvoiceTotal:
    """One invoice: net of lines rounded once each, tax on their sum."""

    net_amount: Decimal
    vat_amount: Decimal
    total_amount: Decimal
    call_count: int
    talk_seconds: int
    billed_seconds: int


class Directory:
    """The CSV files and pbx.yml, as plain rows."""

    def __init__(self, folder: Path, pbx_file: Path) -> None:
        def rows(name: str) -> list[Row]:
            with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
                return list(csv.DictReader(file))

        self.extensions = rows("extensions")
        self.account_codes = rows("account_codes")
        self.number_ranges = rows("number_ranges")
        self.assignments = rows("tariff_assignments")
        self.versions = rows("tariff_versions")
        self.tariffs = {row["tariff_id"]: row for row in rows("tariffs")}
        self.services = {row["service_id"]: row for row in rows("services")}
        self.issuers = {row["issuer_id"]: row for row in rows("issuers")}
        self.classes = {
            row["destination_id"]: row["destination_class"] for row in rows("destinations")
        }
        self.rates: dict[tuple[str, str, str, str], Row] = {}
        for row in rows("rates"):
            key = (row["tariff_id"], row["version"], row["namespace"] or "e164", row["prefix"])
            assert key not in self.rates, f"the same prefix twice in one version: {key}"
            self.rates[key] = row
        entries = yaml.safe_load(pbx_file.read_text(encoding="utf-8"))["pbxs"]
        self.pbxs = {entry["id"]: entry for entry in entries}


def rate(call: Call, directory: Directory) -> Rating:
    """Rate one leg (R1, R2, R5 to R11, R13, R16, R18)."""
    service_id = _service(call, directory)
    service = directory.services[service_id]
    issuer = directory.issuers[service["issuer_id"]]
    local = call.answered_at.astimezone(ZoneInfo(_billing_time_zone(issuer)))
    month = date(local.year, local.month, 1)
    namespace, digits = _number(call.number)
    if not call.is_answered:
        return Rating(service_id, "not_answered", month)
    if _is_free(namespace, digits):
        kind = "emergency" if digits in EMERGENCY else "free"
        return Rating(service_id, "free", month, kind)
    found = _rate_row(call, directory, service_id, namespace, digits)
    if found is None:
        return Rating(service_id, "unrated", month, amount=None)
    tariff, row = found
    destination_class = directory.classes[row["destination_id"]]
    if destination_class in ("free", "emergency"):
        return Rating(service_id, "free", month, destination_class)
    billed = _billed_seconds(call.talk_seconds, row)
    return Rating(
        service_id,
        "rated",
        month,
        destination_class,
        row["prefix"],
        billed,
        _price(billed, row, tariff),
    )


def invoice_totals(
    calls: Iterable[Call], directory: Directory
) -> dict[tuple[str, date], InvoiceTotal]:
    """Total the invoices of every billable service and month (R13, I8)."""
    lines: dict[tuple[str, date], dict[str, list[tuple[Call, Rating]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for call in calls:
        rating = rate(call, directory)
        if rating.state == "rated" and _is_true(directory.services[rating.service_id]):
            lines[rating.service_id, rating.month][rating.destination_class].append((call, rating))
    return {key: _total(by_class, directory.services[key[0]]) for key, by_class in lines.items()}


def half_up(amount: Fraction, decimals: int) -> Decimal:
    """Round a non-negative amount, the half upwards, once."""
    scaled = amount * 10**decimals
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(whole).scaleb(-decimals)


def _is_true(service: Row) -> bool:
    return (service.get("is_billable") or "true").lower() == "true"


def _total(by_class: dict[str, list[tuple[Call, Rating]]], service: Row) -> InvoiceTotal:
    net = Decimal(0)
    for items in by_class.values():
        exact = sum((rating.amount or Decimal(0) for _, rating in items), Decimal(0))
        net += half_up(Fraction(exact), 2)
    percent = Fraction(service.get("vat_rate_percent") or "20")
    vat = half_up(Fraction(net) * percent / 100, 2)
    everything = [item for items in by_class.values() for item in items]
    return InvoiceTotal(
        net_amount=net,
        vat_amount=vat,
        total_amount=net + vat,
        call_count=len(everything),
        talk_seconds=sum(call.talk_seconds for call, _ in everything),
        billed_seconds=sum(rating.billed_seconds for _, rating in everything),
    )


def _service(call: Call, directory: Directory) -> str:
    """R18, as far as outgoing legs by lines that are known go."""
    pbx = directory.pbxs[call.pbx_id]
    day = call.answered_at.astimezone(ZoneInfo(pbx["time_zone"])).date()
    for rows, column, value in (
        (directory.account_codes, "account_code", call.account_code),
        (directory.extensions, "extension", call.extension),
    ):
        for row in rows:
            if row["pbx_id"] == call.pbx_id and row[column] == value and _holds(row, day):
                return row["service_id"]
    if call.own_number:
        number = int(_number(call.own_number)[1])
        for row in directory.number_ranges:
            is_within = int(row["first_number"]) <= number <= int(row["last_number"])
            if row["pbx_id"] == call.pbx_id and is_within and _holds(row, day):
                return row["service_id"]
    return str(pbx.get("default_service") or "unassigned")


def _billing_time_zone(issuer: Row) -> str:
    return issuer.get("billing_time_zone") or "Europe/Paris"


def _holds(row: Row, day: date) -> bool:
    starts = date.fromisoformat(row["valid_from"])
    return starts <= day and (not row["valid_to"] or day < date.fromisoformat(row["valid_to"]))


def _number(number: str) -> tuple[str, str]:
    """Read a number dialled in France, without outside-line prefix (R5, R6)."""
    digits = "".join(character for character in number if character.isdigit())
    if number.startswith("+"):
        return "e164", digits
    if digits.startswith("00"):
        return "e164", digits[2:]
    if not digits.startswith("0"):
        return "short_FR", digits
    if digits[:4] == "0508":
        return "e164", "508" + digits[4:]
    if digits[:4] in OVERSEAS and digits[:6] != "063998":
        return "e164", OVERSEAS[digits[:4]] + digits[1:]
    return "e164", "33" + digits[1:]


def _is_free(namespace: str, digits: str) -> bool:
    """R10: emergency, helplines, the free blocks of short numbers, 0800 to 0805."""
    if namespace == "e164":
        return digits[:5] in {"33800", "33801", "33802", "33803", "33804", "33805"}
    if digits in EMERGENCY | {"110"} or (len(digits) == 6 and digits.startswith("116")):
        return True
    value = int(digits)
    return len(digits) == 4 and (
        3000 <= value <= 3007 or 3009 <= value <= 3169 or 3180 <= value <= 3199
    )


def _rate_row(
    call: Call, directory: Directory, service_id: str, namespace: str, digits: str
) -> tuple[Row, Row] | None:
    tariff = _tariff(call, directory, service_id)
    if tariff is None:
        return None
    day = call.answered_at.astimezone(ZoneInfo(tariff["time_zone"])).date()
    for version in directory.versions:
        if version["tariff_id"] == tariff["tariff_id"] and _holds(version, day):
            shortest = 1 if namespace == "e164" else len(digits)
            for length in range(len(digits), shortest - 1, -1):
                key = (tariff["tariff_id"], version["version"], namespace, digits[:length])
                if key in directory.rates:
                    return tariff, directory.rates[key]
    return None


def _tariff(call: Call, directory: Directory, service_id: str) -> Row | None:
    """R16: the tariff of the day; days of an assignment are those of the issuer."""
    issuer = directory.issuers[directory.services[service_id]["issuer_id"]]
    day = call.answered_at.astimezone(ZoneInfo(_billing_time_zone(issuer))).date()
    for row in directory.assignments:
        if row["side"] == "sale" and row["owner_id"] == service_id and _holds(row, day):
            return directory.tariffs[row["tariff_id"]]
    return None


def _billed_seconds(talk_seconds: int, row: Row) -> int:
    """R11, by counting: the first increment, then whole ones until the talk is covered."""
    billed = int(row["first_increment_seconds"] or 1)
    step = int(row["next_increment_seconds"] or 1)
    if talk_seconds > billed:
        billed += -(-(talk_seconds - billed) // step) * step
    return billed


def _price(billed_seconds: int, row: Row, tariff: Row) -> Decimal:
    """R11, R13."""
    price = Fraction(row["connection_fee"] or "0")
    price += billed_seconds * Fraction(row["price_per_minute"]) / 60
    if row["minimum_charge"]:
        price = max(price, Fraction(row["minimum_charge"]))
    if row["maximum_charge"]:
        price = min(price, Fraction(row["maximum_charge"]))
    is_per_call = (tariff.get("rounding") or "per_line") == "per_call"
    return half_up(price, int(tariff["rounding_decimals"]) if is_per_call else 6)


def call_of_truth(pbx_id: str, ticket: dict[str, object]) -> Call | None:
    """Return the leg that a ticket of the lab's truth is, when it leaves by a trunk."""
    if ticket["state"] != "ticket" or ticket["direction"] not in ("outgoing", "transit"):
        return None
    started_at = datetime.fromisoformat(str(ticket["started_at"])).astimezone(UTC)
    ring_seconds = ticket["ring_seconds"]
    return Call(
        pbx_id=pbx_id,
        extension=str(ticket["extension"]),
        number=str(ticket["outside_number"]),
        answered_at=started_at + timedelta(seconds=int(str(ring_seconds or 0))),
        talk_seconds=int(str(ticket["talk_seconds"])),
        is_answered=ticket["outcome"] in ("answered", "answered_by_machine"),
        account_code=str(ticket["account_code"]),
        own_number=str(ticket["line_number"]),
    )
