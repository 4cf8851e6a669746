"""``tollhouse pbx check``: the way to one PBX, step by step, and its last tickets."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from tollhouse.pbx_check import LastTickets, Step, check_pbx
from tollhouse.settings import load_settings

MARKS = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "failed": ("FAILED", "bold red")}
NAME_COLUMNS = 12


def run(pbx_id: str, *, dial: bool = False) -> int:
    """Check a PBX and print each step as it is known.

    Args:
        pbx_id: its id in include/pbx.yml.
        dial: connect to a PBX of the collector when none runs; what it hands over then is lost.

    Returns:
        The exit code: 0 when every step went well, 1 otherwise.
    """
    console = Console(highlight=False, soft_wrap=True)
    settings = load_settings()
    report = check_pbx(pbx_id, settings, dial=dial, show=lambda step: _show_step(console, step))
    _show_tickets(console, report.last)
    if report.parsed:
        console.print("\nThe same, parsed (times are UTC):")
    for ticket in report.parsed:
        console.print(Text(printable(in_words(ticket.columns))))
    return 0 if report.is_ok else 1


def _show_step(console: Console, step: Step) -> None:
    mark, style = MARKS[step.outcome]
    line = Text.assemble((f"{mark:<7}", style), f"{step.name:<{NAME_COLUMNS}} ", step.found)
    console.print(line)
    if step.remedy:
        console.print(Text(f"{'':<7}{'':<{NAME_COLUMNS}} → {step.remedy}"))


def _show_tickets(console: Console, last: LastTickets) -> None:
    """Print tickets as text, never as markup: what a PBX sends is not to be trusted."""
    if not last.tickets:
        return
    console.print(f"\nThe last {len(last.tickets)} tickets, as they came:")
    if last.header is not None:
        console.print(Text(printable(last.header)))
    for ticket in last.tickets:
        console.print(Text(printable(ticket.body)))


def in_words(columns: dict[str, Any]) -> str:
    """Return a parsed ticket in one line: what people compare with the call they just made."""
    if columns["state"] != "ticket":
        where = f" (field {columns['state_field']})" if columns["state_field"] else ""
        return f"{columns['state']}: {columns['state_reason']}{where}"
    told = {
        "extension": columns["extension"],
        "from": columns["caller_number"],
        "to": columns["called_number"],
        "trunk": columns["trunk_out"] or columns["trunk_in"],
        "account code": columns["account_code"],
    }
    parties = ", ".join(f"{name} {value}" for name, value in told.items() if value)
    seconds = f"talk {columns['talk_seconds']} s"
    if columns["ring_seconds"] is not None:
        seconds = f"ring {columns['ring_seconds']} s, {seconds}"
    kind = f"{columns['direction']}, {columns['outcome']}"
    return f"{columns['started_at']}  {kind}: {parties}; {seconds}"


def printable(body: str) -> str:
    """Return a ticket's text with its control characters escaped: a terminal obeys them."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in body
    )
