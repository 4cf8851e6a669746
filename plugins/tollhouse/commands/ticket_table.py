"""Parsed tickets as a table for people, who compare it with the calls that they know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tollhouse.commands.pbx_check import printable
from tollhouse.parsing import ParsedTicket

#: Shown where a ticket has something in them and there is room, the most telling first.
WHERE_GIVEN = {
    "extension": "Extension",
    "account_code": "Account code",
    "trunk_out": "Trunk out",
    "trunk_in": "Trunk in",
    "presented_number": "Presented",
    "group_name": "Group",
    "extension_name": "Name",
    "transferred_to": "Transferred to",
}
WIDEST_COLUMN = 30
#: Between two columns.
GAP = 3


def ticket_table(tickets: Sequence[ParsedTicket], time_zone: str, *, width: int = 80) -> Table:
    """Return a table of parsed tickets, with the clock of a zone.

    Only tickets of the state ticket have something to show. What they hold is text and never
    markup: what a PBX or a carrier sends is not to be trusted.

    Args:
        tickets: in the order in which they are shown.
        time_zone: whose clock is shown.
        width: columns that would not fit into so many characters are left out.
    """
    cells = _columns_always(tickets, time_zone)
    charges = [Decimal(ticket.columns["pbx_charge_amount"] or 0) for ticket in tickets]
    decimals = max((decimals_of(charge) for charge in charges), default=0)
    charge = [_charge(ticket.columns, decimals) for ticket in tickets]
    room = width - sum(_width(heading, texts) for heading, texts in cells.items())
    room -= _width("Charge", charge) if any(charge) else 0
    for name, heading in WHERE_GIVEN.items():
        texts = [printable(ticket.columns[name] or "") for ticket in tickets]
        if any(texts) and _width(heading, texts) <= room:
            cells[heading] = texts
            room -= _width(heading, texts)
    if any(charge):
        cells["Charge"] = charge
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in cells:
        is_number = heading in ("Ring", "Talk", "Charge")
        # Where even these are too many, texts fold and clocks stay whole.
        table.add_column(
            heading,
            justify="right" if is_number else "left",
            no_wrap=is_number or heading.startswith("Start"),
            overflow="fold",
        )
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(Text(cut(text, WIDEST_COLUMN)) for text in row))
    return table


def _columns_always(tickets: Sequence[ParsedTicket], time_zone: str) -> dict[str, list[str]]:
    """Return the cells of the columns that make a call, by heading."""
    rows = [ticket.columns for ticket in tickets]
    cells = {f"Start ({time_zone})": [_clock(row["started_at"], time_zone) for row in rows]}
    if any(row["ring_seconds"] is not None for row in rows):
        cells["Ring"] = [_duration(row["ring_seconds"]) for row in rows]
    cells["Talk"] = [_duration(row["talk_seconds"]) for row in rows]
    cells["Call"] = [printable(f"{row['direction']}, {row['outcome']}") for row in rows]
    cells["Caller"] = [printable(row["caller_number"] or "") for row in rows]
    cells["Called"] = [printable(row["called_number"] or "") for row in rows]
    return cells


def _width(heading: str, texts: Sequence[str]) -> int:
    return GAP + min(WIDEST_COLUMN, max(map(cell_len, (heading, *texts))))


def cut(text: str, length: int) -> str:
    """Return a text, or its beginning where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


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


def _clock(text: str | None, time_zone: str) -> str:
    return "" if text is None else clock_text(datetime.fromisoformat(text), time_zone)


def _duration(seconds: int | None) -> str:
    return "" if seconds is None else duration_text(seconds)


def _charge(columns: dict[str, Any], decimals: int) -> str:
    if columns["pbx_charge_amount"] is None:
        return ""
    currency = printable(columns["pbx_charge_currency"] or "")
    return f"{Decimal(columns['pbx_charge_amount']):,.{decimals}f} {currency}"
