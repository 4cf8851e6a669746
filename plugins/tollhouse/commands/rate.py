"""``tollhouse rate``: what a call would cost, and why."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollhouse.rate_explanation import RateQuestion, RateQuestionError, explain_rate
from tollhouse.settings import load_settings

#: Years of a call: away from the ends of what Python and PostgreSQL can move between time zones.
YEARS = range(1970, 3000)


def run(
    number: str,
    *,
    seconds: int,
    at: str,
    pbx_id: str | None = None,
    service_id: str | None = None,
    tariff_id: str | None = None,
    extension: str | None = None,
    account_code: str | None = None,
    as_json: bool = False,
) -> int:
    """Rate a hypothetical call and print each step.

    Returns:
        The exit code: 1 when the call has no price (R8).

    Raises:
        RateQuestionError: the question does not hold.
    """
    question = RateQuestion(
        number=number,
        seconds=seconds,
        at=_instant(at),
        pbx_id=pbx_id,
        service_id=service_id,
        tariff_id=tariff_id,
        extension=extension,
        account_code=account_code,
    )
    answer = explain_rate(load_settings(), question)
    if as_json:
        Console().print_json(json.dumps(answer, default=str))
    else:
        Console().print(_steps(answer))
    return 1 if answer["rating_state"] == "unrated" else 0


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise RateQuestionError(
            f"--at {text!r}: write it as 2026-10-31T09:30 or …+01:00."
        ) from error
    if instant.year not in YEARS:
        raise RateQuestionError(f"--at {text!r}: the year is not in {YEARS[0]} to {YEARS[-1]}.")
    return instant


def _steps(answer: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _lines(answer):
        table.add_row(name, escape(text))
    return table


def _lines(answer: dict[str, Any]) -> list[tuple[str, str]]:
    number = answer["called_e164"] or f"{answer['called_number']} ({answer['called_namespace']})"
    state = answer["rating_state"]
    if answer["rating_reason"]:
        state += f": {answer['rating_reason']}"
    lines = [
        (
            "number",
            f"{answer['called_number']} is {number} {answer['called_country'] or ''}".rstrip(),
        ),
        ("rated at", f"{answer['rated_at']:%Y-%m-%d %H:%M:%S %Z}"),
        ("month", f"{answer['billing_month']:%Y-%m}"),
        ("service", f"{answer['service_id']} (by {answer['attribution_rule']})"),
        ("tariff", _tariff(answer)),
        ("state", state),
    ]
    if answer["destination_id"]:
        lines.append(
            ("destination", f"{answer['destination_name']} ({answer['destination_class']})")
        )
    if answer["rating_state"] == "rated":
        lines += _price(answer)
    elif answer["sale_amount"] is not None:
        lines.append(("sale", f"{answer['sale_amount']} {answer['sale_currency'] or ''}".rstrip()))
    return lines


def _tariff(answer: dict[str, Any]) -> str:
    if not answer["tariff_id"]:
        return "none"
    if not answer["tariff_version"]:
        return f"{answer['tariff_id']}, no version at this instant"
    until = answer["version_valid_to"] or "…"
    return (
        f"{answer['tariff_id']} ({answer['tariff_name']}), version {answer['tariff_version']} "
        f"[{answer['version_valid_from']}, {until})"
    )


def _price(answer: dict[str, Any]) -> list[tuple[str, str]]:
    currency = answer["sale_currency"]
    limits = [
        f"{name} {answer[column]}"
        for name, column in (("minimum", "minimum_charge"), ("maximum", "maximum_charge"))
        if answer[column] is not None
    ]
    rounding = (
        f"each call to {answer['rounding_decimals']} decimals"
        if answer["rounding"] == "per_call"
        else "none: the line of the invoice is rounded once"
    )
    lines = [
        ("prefix", f"{answer['matched_prefix']} (longest match)"),
        (
            "rate",
            f"fee {answer['connection_fee']} + {answer['price_per_minute']} {currency} a minute, "
            + ", ".join(
                [
                    f"increments {answer['first_increment_seconds']}"
                    f"/{answer['next_increment_seconds']} s",
                    *limits,
                ]
            ),
        ),
        ("seconds", f"{answer['talk_seconds']} measured, {answer['billed_seconds']} billed"),
        ("rounding", rounding),
        ("sale", f"{answer['sale_amount']} {currency}"),
    ]
    if answer["cost_rate_id"]:
        lines.append(
            (
                "cost",
                f"{answer['cost_amount']} {answer['cost_currency']} "
                f"({answer['cost_tariff_id']} {answer['cost_tariff_version']}, prefix "
                f"{answer['cost_matched_prefix']}, {answer['cost_billed_seconds']} s billed)",
            )
        )
        lines.append(("margin", f"{answer['margin_amount']} {currency}"))
    else:
        lines.append(("cost", "unknown: no cost tariff prices this number"))
    return lines
