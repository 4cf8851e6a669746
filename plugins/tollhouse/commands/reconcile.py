"""``tollhouse reconcile``: does the warehouse add up?"""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollhouse.reconciling import SHOWN, Reconciliation, reconcile
from tollhouse.settings import load_settings

#: So much of a rejected ticket is shown.
EXAMPLE_WIDTH = 60

#: Wider than any table: what a table would like to have is measured within it.
WIDEST = 1000


def run(*, as_json: bool = False) -> int:
    """Compare raw, contract, marts and invoices, and print what differs.

    Returns:
        The exit code: 1 when something differs.
    """
    result = reconcile(load_settings())
    if as_json:
        Console().print_json(json.dumps(_as_dictionary(result), default=str))
    else:
        _print(result, Console(emoji=False, highlight=False))
    return 0 if result.holds else 1


def _as_dictionary(result: Reconciliation) -> dict[str, Any]:
    return {
        "holds": result.holds,
        "checks": [
            {
                "name": check.name,
                "holds": check.holds,
                "compared_count": check.compared_count,
                "difference_count": len(check.differences),
                "differences": check.differences[:SHOWN],
            }
            for check in result.checks
        ],
        "states": result.states,
        "rating": result.rating,
        "rejected": result.rejected[:SHOWN],
        "ignored": result.ignored,
        "waiting": result.waiting,
        "conflicts": result.conflicts,
    }


def _print(result: Reconciliation, console: Console) -> None:
    checks = Table("check", "result", "differences")
    for check in result.checks:
        checks.add_row(check.name, "holds" if check.holds else "[red]differs[/red]",
                       str(len(check.differences)))  # fmt: skip
    console.print(checks)
    for check in result.checks:
        if not check.holds:
            _print_rows(console, check.name, check.differences)
    _print_rows(
        console, "Tickets by state", result.states, without=("recorded_count", "one_sided_count")
    )
    _print_rows(console, "Legs by rating state", result.rating, without=("contradicting_count",))
    _print_rows(console, "Rejected tickets", result.rejected)
    _print_rows(console, "Ignored tickets", result.ignored)
    _print_rows(console, "Batches that wait for a build", result.waiting)
    _print_rows(console, "Conflicts: same key, other ticket", result.conflicts)


def _print_rows(
    console: Console, title: str, rows: list[dict[str, Any]], *, without: tuple[str, ...] = ()
) -> None:
    """Print a table, or row by row what the terminal is too narrow for: nothing is cut."""
    if not rows:
        return
    names = [name for name in rows[0] if name not in without]
    shown = [[_cell(row[name]) for name in names] for row in rows[:SHOWN]]
    headings = [name.removesuffix("_count").split("_") for name in names]
    table = Table(
        *("\n".join(words) for words in headings),
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for cells in shown:
        table.add_row(*cells)
    console.print(f"\n[bold]{title}[/bold]")
    wanted = console.measure(table, options=console.options.update(max_width=WIDEST))
    if wanted.maximum <= console.width:
        console.print(table)
    else:
        for cells in shown:
            for words, cell in zip(headings, cells, strict=True):
                indent = " " if words is not headings[0] else "-"
                console.print(f"{indent} {' '.join(words)}: {cell}")
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN} more.")


def _cell(value: object) -> str:
    """Text of tickets is hostile: no markup, no control characters, not too much of it."""
    text = "" if value is None else str(value)
    printable = "".join(character if character.isprintable() else "·" for character in text)
    return escape(printable if len(printable) <= EXAMPLE_WIDTH else printable[:EXAMPLE_WIDTH] + "…")
