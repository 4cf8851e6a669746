"""What a row of each directory file may hold: one class per file, one field per column.

The classes mirror the tables of ``include/sql/0003_directory.sql``. A rule about one row is here; a
rule that needs several rows (duplicates, overlaps, references) is in ``checking``.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from babel.numbers import is_currency
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tollhouse.directory.identifiers import iban_fault, siren_fault, siret_fault, vat_number_fault


def row_fault(reason: str, remedy: str, column: str = "") -> PydanticCustomError:
    """Make the error of a validator; ``column`` names it where the rule is about several."""
    return PydanticCustomError(
        "row_fault", "{reason}", {"reason": reason, "remedy": remedy, "column": column}
    )


def _pattern(pattern: str, reason: str, remedy: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise row_fault(reason, remedy)
        return value

    return AfterValidator(check)


def _parsed(pattern: str, parse: Callable[[str], Any], reason: str, remedy: str) -> BeforeValidator:
    """Read text of exactly one form: pydantic alone takes 1e3 as a number, 86400 as a date."""
    compiled = re.compile(pattern)

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            if compiled.fullmatch(value):
                return parse(value)
        except ValueError:
            pass
        raise row_fault(reason, remedy)

    return BeforeValidator(read)


def _checked(fault_of: Callable[[str], str | None], remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        reason = fault_of(value)
        if reason:
            raise row_fault(reason, remedy)
        return value

    return AfterValidator(check)


def _time_zone_fault(value: str) -> str | None:
    return None if value in available_timezones() else "is not a time zone"


def _currency_fault(value: str) -> str | None:
    return None if is_currency(value) else "is not a currency"


Identifier = Annotated[
    str,
    _pattern(
        r"[a-z0-9][a-z0-9_-]{0,62}",
        "is not an identifier",
        "use lower-case letters, digits, _ and -, 63 at most",
    ),
]
Text = Annotated[str, Field(max_length=500)]
Boolean = Annotated[
    bool,
    _parsed(
        r"true|false",
        lambda value: value == "true",
        "is neither true nor false",
        "write true or false",
    ),
]
Day = Annotated[
    datetime.date,
    _parsed(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        datetime.date.fromisoformat,
        "is not a day of the calendar",
        "write it as 2026-01-31",
    ),
]
Whole = Annotated[
    int,
    _parsed(r"[0-9]{1,9}", int, "is not a whole number", "write digits only, from 0 to 999999999"),
]
Amount = Annotated[
    Decimal,
    _parsed(
        r"[0-9]{1,12}(\.[0-9]{1,6})?",
        Decimal,
        "is not an amount of 0 or more",
        "write at most 12 digits, a point and at most 6 decimals, as 0.012345",
    ),
]
Percentage = Annotated[
    Decimal,
    _parsed(
        r"[0-9]{1,2}(\.[0-9]{1,2})?|100",
        Decimal,
        "is not a percentage",
        "write it from 0 to 100 without %, as 5.50",
    ),
]
Country = Annotated[
    str, _pattern(r"[A-Z]{2}", "is not a country", "write its two capitals of ISO 3166, as FR")
]
Currency = Annotated[str, _checked(_currency_fault, "write its three capitals of ISO 4217, as EUR")]
TimeZone = Annotated[str, _checked(_time_zone_fault, "write it as Europe/Paris")]
Language = Literal["fr", "en"]
Siren = Annotated[str, _checked(siren_fault, "copy it from the trade register")]
Siret = Annotated[str, _checked(siret_fault, "copy it from the trade register")]
VatNumber = Annotated[
    str, _checked(vat_number_fault, "copy it from the tax authority's letter, as FR83404833048")
]
Iban = Annotated[str, _checked(iban_fault, "copy it from the bank's form, without blanks")]
Bic = Annotated[
    str,
    _pattern(
        r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", "is not a BIC", "write 8 or 11 capitals and digits"
    ),
]
Email = Annotated[
    str,
    _pattern(
        r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+",
        "is not an e-mail address",
        "write one address",
    ),
]
E164Number = Annotated[
    str,
    _pattern(
        r"\+[1-9][0-9]{3,17}", "is not a number in E.164", "write + and the digits, as +33199001000"
    ),
]
ExtensionNumber = Annotated[
    str,
    _pattern(r"[^\s]{1,40}", "is not an extension", "write it as on the tickets, without blanks"),
]


class Row(BaseModel):
    """One row of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatedRow(Row):
    """A row that holds from a day to a day: [valid_from, valid_to), an absent end means "still"."""

    valid_from: Day
    valid_to: Day | None = None

    @property
    def end(self) -> datetime.date:
        """The first day on which the row no longer holds; the last of all days when it does."""
        return self.valid_to or datetime.date.max

    @model_validator(mode="after")
    def _period_is_not_empty(self) -> DatedRow:
        if self.valid_from >= self.end:
            raise row_fault(
                "the period ends before it begins",
                "valid_to is the first day that no longer counts",
                "valid_to",
            )
        return self


class Issuer(Row):
    """A company that issues invoices (rule I6)."""

    issuer_id: Identifier
    legal_name: Text
    legal_form: Text
    share_capital: Text | None = None
    siren: Siren
    siret: Siret
    trade_register: Text
    vat_number: VatNumber
    address_line_1: Text
    address_line_2: Text | None = None
    postal_code: Text
    city: Text
    country: Country
    email: Email | None = None
    phone: Text | None = None
    iban: Iban
    bic: Bic | None = None
    currency: Currency = "EUR"
    language: Language = "fr"
    billing_time_zone: TimeZone = "Europe/Paris"
    payment_days: Whole = 30
    late_payment_rate_percent: Percentage
    recovery_fee_amount: Annotated[
        Decimal,
        _parsed(r"[0-9]{1,10}(\.[0-9]{1,2})?", Decimal, "is not an amount", "write it as 40.00"),
    ] = Decimal("40.00")
    vat_on_debits: Boolean = False
    invoice_series: Annotated[
        str,
        _pattern(
            r"[A-Za-z0-9+_/-]{1,20}",
            "is not a series",
            "use letters, digits and + - _ /, 20 at most (rule I2)",
        ),
    ]
    logo_file: (
        Annotated[
            str,
            _pattern(
                r"[A-Za-z0-9_-]+\.(svg|png|jpg|jpeg)",
                "is not the name of an image",
                "write it as logo.svg",
            ),
        ]
        | None
    ) = None
    primary_colour: (
        Annotated[str, _pattern(r"#[0-9a-fA-F]{6}", "is not a colour", "write it as #1a5276")]
        | None
    ) = None

    @model_validator(mode="after")
    def _numbers_agree(self) -> Issuer:
        if not self.siret.startswith(self.siren):
            raise row_fault(
                "the SIRET does not begin with the SIREN", "correct one of the two", "siret"
            )
        if re.fullmatch(r"FR[0-9]{11}", self.vat_number) and not self.vat_number.endswith(
            self.siren
        ):
            raise row_fault(
                "the VAT number does not end with the SIREN", "correct one of the two", "vat_number"
            )
        if self.payment_days > 45:
            raise row_fault(
                "a periodic invoice is due in 45 days at most (rule I7)",
                "write 45 or less",
                "payment_days",
            )
        return self


class Customer(Row):
    """Who pays."""

    customer_id: Identifier
    issuer_id: Identifier
    legal_name: Text
    siren: Siren | None = None
    vat_number: VatNumber | None = None
    address_line_1: Text
    address_line_2: Text | None = None
    postal_code: Text
    city: Text
    country: Country
    email: Email | None = None


class Service(Row):
    """What is invoiced: one invoice per billable service and month."""

    service_id: Identifier
    issuer_id: Identifier
    customer_id: Identifier
    service_name: Text
    is_billable: Boolean = True
    vat_regime: Literal[
        "standard", "zero", "exempt", "reverse_charge_283_2_octies", "intra_eu_b2b"
    ] = "standard"
    vat_rate_percent: Percentage = Decimal("20.00")
    vat_exemption_reason: Text | None = None
    wants_annex: Boolean = True
    shows_full_numbers: Boolean = False
    language: Language | None = None

    @model_validator(mode="after")
    def _vat_is_complete(self) -> Service:
        if (self.vat_regime == "standard") != (self.vat_rate_percent > 0):
            raise row_fault(
                f"the rate does not go with the regime {self.vat_regime}",
                "the regime standard has a rate above 0, every other has 0 (rule I8)",
                "vat_rate_percent",
            )
        if self.vat_regime in ("zero", "exempt") and not self.vat_exemption_reason:
            raise row_fault(
                f"the regime {self.vat_regime} needs its reason",
                "write the article of law",
                "vat_exemption_reason",
            )
        return self


class Destination(Row):
    """Where a call goes; its class is the line of the invoice."""

    destination_id: Identifier
    destination_name: Text
    destination_class: Literal[
        "national_fixed",
        "national_mobile",
        "international",
        "special",
        "free",
        "emergency",
        "internal",
    ]


class Tariff(Row):
    """A price list."""

    tariff_id: Identifier
    tariff_name: Text
    currency: Currency
    country: Country
    time_zone: TimeZone
    rounding: Literal["per_line", "per_call"] = "per_line"
    rounding_decimals: Whole = 2

    @model_validator(mode="after")
    def _decimals_exist(self) -> Tariff:
        if self.rounding_decimals > 6:
            raise row_fault("amounts have 6 decimals at most", "write 0 to 6", "rounding_decimals")
        return self


class TariffVersion(DatedRow):
    """A price list from a day to a day."""

    tariff_id: Identifier
    version: Text


class Rate(Row):
    """What a destination costs in a version of a tariff (rule R11)."""

    tariff_id: Identifier
    version: Text
    namespace: Annotated[
        str,
        _pattern(
            r"e164|short_[A-Z]{2}",
            "is not a namespace",
            "write e164, or short_FR for short numbers (rule R6)",
        ),
    ] = "e164"
    prefix: Annotated[
        str,
        _pattern(
            r"[0-9]{1,15}", "is not a prefix", "write 1 to 15 digits, without + and without blanks"
        ),
    ]
    destination_id: Identifier
    connection_fee: Amount = Decimal(0)
    first_increment_seconds: Whole = 1
    next_increment_seconds: Whole = 1
    price_per_minute: Amount
    minimum_charge: Amount | None = None
    maximum_charge: Amount | None = None

    @model_validator(mode="after")
    def _price_is_possible(self) -> Rate:
        if self.namespace == "e164" and self.prefix.startswith("0"):
            raise row_fault(
                "no number in E.164 begins with 0",
                "write the country code, as 331 for 01 in France",
                "prefix",
            )
        if self.next_increment_seconds == 0:
            raise row_fault(
                "an increment lasts 1 second or more", "write 1 or more", "next_increment_seconds"
            )
        if (
            self.minimum_charge is not None
            and self.maximum_charge is not None
            and self.minimum_charge > self.maximum_charge
        ):
            raise row_fault(
                "the minimum is above the maximum", "correct one of the two", "minimum_charge"
            )
        return self


class Extension(DatedRow):
    """An extension of a PBX, as it stands on the tickets."""

    pbx_id: Identifier
    extension: ExtensionNumber
    service_id: Identifier
    holder_name: Text | None = None
    cost_centre: Text | None = None


class NumberRange(DatedRow):
    """Direct numbers, both ends included."""

    pbx_id: Identifier
    first_number: E164Number
    last_number: E164Number
    service_id: Identifier

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> NumberRange:
        if len(self.first_number) != len(self.last_number):
            raise row_fault(
                "the two ends differ in length", "write a range per length", "last_number"
            )
        if self.first_number > self.last_number:
            raise row_fault(
                "the range ends before it begins", "exchange the two ends", "last_number"
            )
        return self


class AccountCode(DatedRow):
    """A code dialled with the call to say who pays."""

    pbx_id: Identifier
    account_code: ExtensionNumber
    service_id: Identifier


class Trunk(DatedRow):
    """An outside line of a PBX, as it stands on the tickets."""

    pbx_id: Identifier
    trunk: Text
    service_id: Identifier


class TariffAssignment(DatedRow):
    """The tariff of a service (sale) or of a carrier or pbx (cost), dated (rules R15, R16)."""

    side: Literal["sale", "cost"]
    owner_kind: Literal["service", "pbx", "carrier"]
    owner_id: Identifier
    tariff_id: Identifier

    @model_validator(mode="after")
    def _side_has_such_owners(self) -> TariffAssignment:
        if (self.side == "sale") != (self.owner_kind == "service"):
            raise row_fault(
                f"the side {self.side} is not that of a {self.owner_kind}",
                "services have the side sale, pbxs and carriers the side cost",
                "owner_kind",
            )
        return self
