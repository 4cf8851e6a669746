"""Parsed tickets as a table for people, who compare it with the calls that they know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.table import Table
from rich.text import Text

from tollhouse.commands.pbx_check import printable
from tollhouse.parsing import ParsedTicket

#: Shown where a ticket has something in them.
WHERE_GIVEN = {
    "presented_number": "Presented",
    "extension": "Extension",
    "extension_name": "Name",
    "group_name": "Group",
    "account_code": "Account code",
    "trunk_in": "Trunk in",
    "trunk_out": "Trunk out",
    "transferred_to": "Transferred to",
}


def ticket_table(tickets: Sequence[ParsedTicket], time_zone: str) -> Table:
    """Return a table of parsed tickets, with the clock of a zone.

    Only tickets of the state ticket have something to show. What they hold is text and never
    markup: what a PBX or a carrier sends is not to be trusted.
    """
    given = {
        name: heading
        for name, heading in WHERE_GIVEN.items()
        if any(ticket.columns[name] for ticket in tickets)
    }
    rings = any(ticket.columns["ring_seconds"] is not None for ticket in tickets)
    charges = [Decimal(ticket.columns["pbx_charge_amount"] or 0) for ticket in tickets]
    is_charged = any(ticket.columns["pbx_charge_amount"] is not None for ticket in tickets)
    decimals = max((decimals_of(charge) for charge in charges), default=0)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"Start ({time_zone})", no_wrap=True)
    for heading in ["Ring", "Talk"] if rings else ["Talk"]:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("Call", "Caller", "Called", *given.values()):
        table.add_column(heading, overflow="fold")
    if is_charged:
        table.add_column("Charge", justify="right", no_wrap=True)
    for ticket in tickets:
        columns = ticket.columns
        cells = [_clock(columns["started_at"], time_zone)]
        cells += [_duration(columns["ring_seconds"])] if rings else []
        cells += [_duration(columns["talk_seconds"])]
        cells += [Text(printable(f"{columns['direction']}, {columns['outcome']}"))]
        cells += [
            Text(printable(columns[name] or ""))
            for name in ("caller_number", "called_number", *given)
        ]
        cells += [_charge(columns, decimals)] if is_charged else []
        table.add_row(*cells)
    return table


def amount_text(amount: Decimal) -> str:
    """Return an amount of money with its decimals, two at the least."""
    return f"{amount:,.{decimals_of(amount)}f}"


def decimals_of(amount: Decimal) -> int:
    """Return how many decimals an amount needs to be exact, two at the least."""
    return max(2, -int(amount.normalize().as_tuple().exponent))


def duration_text(seconds: int) -> str:
    """Return seconds as hours, minutes and seconds."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def clock_text(at: datetime, time_zone: str) -> str:
    """Return an instant as a clock in a zone shows it."""
    return f"{at.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M:%S}"


def _clock(text: str | None, time_zone: str) -> Text:
    return Text("" if text is None else clock_text(datetime.fromisoformat(text), time_zone))


def _duration(seconds: int | None) -> Text:
    return Text("" if seconds is None else duration_text(seconds))


def _charge(columns: dict[str, Any], decimals: int) -> Text:
    if columns["pbx_charge_amount"] is None:
        return Text("")
    currency = printable(columns["pbx_charge_currency"] or "")
    return Text(f"{Decimal(columns['pbx_charge_amount']):,.{decimals}f} {currency}")
