"""Money is rounded half up, once: checked against an independent reckoning in whole numbers."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from tollhouse.invoicing.arithmetic import round_half_up, total_lines
from tollhouse.invoicing.printing import exact_decimals
from tollhouse.invoicing.wording import LOCALES, Wording, display_number


def cents_half_up(amount: Fraction) -> int:
    """Round to whole cents without decimal arithmetic."""
    return (amount * 100 + Fraction(1, 2)).__floor__()


def test_totals_equal_an_independent_reckoning_in_fractions() -> None:
    chance = random.Random(20261101)
    for _ in range(2_000):
        exact = [Decimal(chance.randrange(10**9)).scaleb(-6) for _ in range(chance.randrange(1, 9))]
        rate = chance.choice(["20", "8.5", "5.5", "0"])
        lines = [(round_half_up(amount), Decimal(rate)) for amount in exact]

        totals = total_lines(lines)

        net_cents = sum(cents_half_up(Fraction(amount)) for amount in exact)
        vat_cents = cents_half_up(Fraction(net_cents, 100) * Fraction(rate) / 100)
        assert totals.net_amount == Decimal(net_cents).scaleb(-2)
        assert totals.vat_amount == Decimal(vat_cents).scaleb(-2)
        assert totals.total_amount == Decimal(net_cents + vat_cents).scaleb(-2)


def test_vat_is_reckoned_once_per_rate_on_the_sum() -> None:
    lines = [(Decimal("0.03"), Decimal("20.00"))] * 3 + [(Decimal("1.00"), Decimal("5.5"))]
    totals = total_lines(lines)
    assert [(row.rate_percent, row.net_amount, row.vat_amount) for row in totals.vat_rows] == [
        (Decimal("20.00"), Decimal("0.09"), Decimal("0.02")),
        (Decimal("5.5"), Decimal("1.00"), Decimal("0.06")),
    ]


@pytest.mark.parametrize(
    ("language", "written"), [("fr", "2,67\xa0€"), ("en", "€2.67")]
)  # fmt: skip
def test_amounts_are_rounded_before_they_are_written(language: str, written: str) -> None:
    wording = Wording(language, LOCALES[language], {})
    assert wording.money(Decimal("2.665"), "EUR") == written


def test_no_narrow_space_is_left_in_a_number() -> None:
    wording = Wording("fr", LOCALES["fr"], {})
    assert wording.money(Decimal("1234567.9"), "EUR") == "1\xa0234\xa0567,90\xa0€"


def test_call_prices_show_as_many_decimals_as_they_have_between_four_and_six() -> None:
    assert exact_decimals([]) == 4
    assert exact_decimals([Decimal("1.5"), Decimal("0.100000")]) == 4
    assert exact_decimals([Decimal("0.01234")]) == 5
    assert exact_decimals([Decimal("0.012345")]) == 6


@pytest.mark.parametrize(
    ("number", "hidden"),
    [
        ("+33639981234", "06 39 98 XX XX"),
        ("+4930001234", "+493000XXXX"),
        ("0199001234", "019900XXXX"),
        ("3900", "3900"),
        ("118", "118"),
        ("118700", "118700"),
        ("1187001", "118XXXX"),
        (None, ""),
        ("+33 6 39 98 12 34", "+33 6 39 98 XX XX"),
    ],
)
def test_the_last_four_digits_are_hidden(number: str | None, hidden: str) -> None:
    assert display_number(number, show_in_full=False) == hidden
