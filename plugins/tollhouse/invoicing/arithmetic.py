"""Money on invoices: rounded half up, once, before any formatting (I8); Decimal only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

#: Wide enough for numeric(18,6) sums times a rate: nothing is rounded on the way.
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)

#: The rates that French e-invoicing accepts (rule BR-FR-16), in percent.
KNOWN_VAT_RATES = tuple(
    Decimal(text) for text in ("0", "2.1", "5.5", "7", "8.5", "10", "13", "19.6", "20")
)


@dataclass(frozen=True)
class VatRow:
    """One row of the VAT table: the net of all lines at a rate, and its VAT (BR-CO-17)."""

    rate_percent: Decimal
    net_amount: Decimal
    vat_amount: Decimal


@dataclass(frozen=True)
class Totals:
    """Totals of an invoice."""

    net_amount: Decimal
    vat_amount: Decimal
    total_amount: Decimal
    vat_rows: tuple[VatRow, ...]


def round_half_up(amount: Decimal, decimals: int = 2) -> Decimal:
    """Round to some decimals, half away from zero, as PostgreSQL's ``round(numeric)`` does."""
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP, context=EXACT)


def total_lines(lines: Iterable[tuple[Decimal, Decimal]]) -> Totals:
    """Sum lines given as (net amount, VAT rate in percent): VAT once per rate, on its sum."""
    with localcontext(EXACT):
        net_by_rate: dict[Decimal, Decimal] = defaultdict(lambda: Decimal("0.00"))
        for net_amount, rate_percent in lines:
            net_by_rate[rate_percent] += net_amount
        vat_rows = tuple(
            VatRow(rate, net, round_half_up(net * rate / 100))
            for rate, net in sorted(net_by_rate.items(), reverse=True)
        )
        net_amount = sum((row.net_amount for row in vat_rows), Decimal("0.00"))
        vat_amount = sum((row.vat_amount for row in vat_rows), Decimal("0.00"))
        return Totals(net_amount, vat_amount, net_amount + vat_amount, vat_rows)
