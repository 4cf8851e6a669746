"""What a layout makes of files, for people and for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollhouse.commands.pbx_check import printable
from tollhouse.commands.ticket_table import (
    amount_text,
    clock_text,
    cut,
    duration_text,
    ticket_table,
)
from tollhouse.layouts.findings import Example, Findings, Refusal
from tollhouse.layouts.places import line_of
from tollhouse.layouts.reasons import meaning_of, remedy_of
from tollhouse.layouts.trial import model_on_trial

#: The state_field of what is wrong with a ticket and not with a field of it.
WHOLE = "layout"
WIDTH_OF_FILES = 120
LONGEST_BODY = 200
LONGEST_TEXT = 80
#: Of a file with a header as wide as a spreadsheet's, so many unmapped fields are shown.
MOST_FIELDS = 60


def report_console() -> Console:
    """Return a console on standard output, for tables."""
    # What goes to a file need not be as narrow as the narrowest terminal.
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_FILES)


def show_findings(
    console: Console, findings: Findings, time_zone: str, *, zone_is_given: bool
) -> None:
    """Print what was found, what is good and what is not, in the order in which it matters.

    Args:
        console: to print on.
        findings: what was found.
        time_zone: of the clock that is shown.
        zone_is_given: whether somebody said so, or it is UTC for want of better.
    """
    _show_layout(console, findings)
    if findings.files:
        _show_counts(console, findings)
        _show_refusals(console, findings, "rejected", "Rejected")
        _show_refusals(console, findings, "ignored", "Ignored, as the layout says")
        _show_unmapped(console, findings)
        if findings.shown:
            _show_table(
                console,
                f"The first {len(findings.shown)} tickets",
                ticket_table(findings.shown, time_zone, width=console.width),
            )
            _show_totals(console, findings, time_zone)
    _show_advice(console, list(_advice(findings, zone_is_given=zone_is_given)))


def as_json_object(findings: Findings) -> dict[str, Any]:
    """Return what was found as JSON has it: amounts as text, instants in ISO 8601."""
    layout, totals = findings.layout, findings.totals
    return {
        "layout": layout.layout_id,
        "confirmed": layout.confirmed,
        "faults": [],
        "missing_columns": layout.columns.missing(),
        "files": [
            {
                "file": file,
                "parsed": states["ticket"],
                "rejected": states["rejected"],
                "ignored": states["ignored"],
            }
            for file, states in findings.files.items()
        ],
        "rejected": [_refusal(findings, refusal) for refusal in findings.refused("rejected")],
        "ignored": [_refusal(findings, refusal) for refusal in findings.refused("ignored")],
        "unmapped_fields": findings.unmapped,
        "fields_unknown_to_the_layout": [
            name for name in findings.unmapped if findings.names_new_field(name)
        ],
        "first_tickets": [ticket.columns for ticket in findings.shown],
        "totals": {
            "tickets": totals.tickets,
            "talk_seconds": totals.talk_seconds,
            "charges": {currency: str(amount) for currency, amount in totals.charges.items()},
            "first_start": totals.first_start and totals.first_start.isoformat(),
            "last_start": totals.last_start and totals.last_start.isoformat(),
            "directions": dict(totals.directions),
            "outcomes": dict(totals.outcomes),
        },
        "warnings": list(findings.warnings()),
    }


def _refusal(findings: Findings, refusal: Refusal) -> dict[str, Any]:
    return {
        "reason": refusal.reason,
        "meaning": meaning_of(refusal.reason),
        "remedy": remedy_of(refusal.reason),
        "field": refusal.field,
        "count": refusal.count,
        "examples": [
            {
                "file": example.file,
                "ticket": example.number,
                "line": _line(findings, example),
                "text": example.text,
                "body": example.body,
            }
            for example in refusal.examples
        ],
    }


def _show_layout(console: Console, findings: Findings) -> None:
    layout = findings.layout
    known = len(layout.field_names)
    state = Text("confirmed", "green") if layout.confirmed else Text("not confirmed", "yellow")
    console.print(
        Text.assemble(
            (layout.layout_id, "bold"), f"  {printable(layout.title)}\n",
            f"{layout.tickets.kind}, {layout.tickets.encoding}, {known} fields known, ",
            f"{len(layout.columns.given())} columns mapped, ", state,
        )
    )  # fmt: skip


def _show_counts(console: Console, findings: Findings) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("File", overflow="fold")
    for heading in ("Parsed", "Rejected", "Ignored"):
        table.add_column(heading, justify="right")
    for file, states in findings.files.items():
        rejected = Text(f"{states['rejected']:,}", "bold red" if states["rejected"] else "")
        table.add_row(
            Text(printable(file)), f"{states['ticket']:,}", rejected, f"{states['ignored']:,}"
        )
    console.print(table)


def _show_refusals(console: Console, findings: Findings, state: str, heading: str) -> None:
    refusals = findings.refused(state)
    if not refusals:
        return
    console.print()
    console.print(Text(heading, "bold"))
    for refusal in refusals:
        has_field = refusal.field not in (None, WHOLE)
        where = f" in field {printable(str(refusal.field))}" if has_field else ""
        meaning = meaning_of(refusal.reason)
        console.print(
            Text.assemble(
                f"  {refusal.count:,} x ", (printable(refusal.reason), "bold"), where,
                f": {meaning}" if meaning else "",
            ),
            soft_wrap=True,
        )  # fmt: skip
        for example in refusal.examples:
            for line in _example_lines(findings, example):
                console.print(line, soft_wrap=True)
        if remedy := remedy_of(refusal.reason):
            console.print(Text(f"      → {remedy}"), soft_wrap=True)


def _example_lines(findings: Findings, example: Example) -> Iterator[Text]:
    line = _line(findings, example)
    place = f"line {line}" if line is not None else f"ticket {example.number}"
    if len(findings.files) > 1:
        place = f"{printable(example.file)}, {place}"
    text = ""
    if example.text is not None:
        shown = cut(printable(example.text), LONGEST_TEXT)
        text = f": {shown!r}" if shown.strip() else ": empty"
    yield Text.assemble("      ", (place, "cyan"), text)
    yield Text(f"          {cut(printable(example.body), LONGEST_BODY)}", "dim")


def _show_unmapped(console: Console, findings: Findings) -> None:
    if not findings.unmapped:
        return
    model_id = findings.layout.model_id
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Field", overflow="fold")
    table.add_column("Such as", overflow="fold")
    for name, texts in list(findings.unmapped.items())[:MOST_FIELDS]:
        field = Text(printable(name))
        if findings.names_new_field(name):
            field.append("  not named in the layout", "yellow")
        examples = ", ".join(repr(cut(printable(text), LONGEST_TEXT)) for text in texts)
        table.add_row(field, Text(examples or "always empty"))
    if len(findings.unmapped) > MOST_FIELDS:
        table.add_row(f"… and {len(findings.unmapped) - MOST_FIELDS} more", "")
    heading = f"Fields that no column reads (kept; see staging.stg_{model_id}__fields)"
    _show_table(console, heading, table)


def _show_totals(console: Console, findings: Findings, time_zone: str) -> None:
    totals = findings.totals
    table = Table.grid(padding=(0, 3))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("Tickets", f"{totals.tickets:,}")
    table.add_row(
        "Talk time", f"{duration_text(totals.talk_seconds)}, in {totals.talking:,} of the tickets"
    )
    for currency, amount in totals.charges.items():
        table.add_row("Charges", Text(f"{amount_text(amount)} {printable(currency)}"))
    if totals.first_start is not None and totals.last_start is not None:
        first, last = (clock_text(at, time_zone) for at in (totals.first_start, totals.last_start))
        table.add_row(f"Starts ({time_zone})", f"{first} to {last}")
    for heading, counts in (("Directions", totals.directions), ("Outcomes", totals.outcomes)):
        shares = [f"{printable(str(name))} {count:,}" for name, count in counts.most_common()]
        table.add_row(heading, Text(", ".join(shares)))
    _show_table(console, "Totals, to hold against what the source says", table)


def _advice(findings: Findings, *, zone_is_given: bool) -> Iterator[str]:
    layout = findings.layout
    missing = layout.columns.missing()
    if missing:
        yield (
            f"Nothing maps {', '.join(missing)}: no ticket can do without, so that nothing is "
            "parsed yet. Map them under `columns`."
        )
    yield from findings.warnings()
    clocks = [getattr(layout.columns, name) for name in ("started_at", "answered_at", "ended_at")]
    if findings.totals.tickets and not zone_is_given and any(
        clock is not None and clock.zone == "pbx" and not clock.is_exact for clock in clocks
    ):  # fmt: skip
        yield (
            "A clock that does not say its zone was taken for UTC: try --timezone Europe/Paris, or "
            "where it stands."
        )
    if not layout.confirmed:
        yield (
            f"The layout is not confirmed: the pipeline keeps every ticket of {layout.model_id} "
            "and rejects it as layout_not_confirmed. When what is above is right, write "
            "`confirmed: true`, then `tollhouse replay --pbx ID --since DAY` for what has been "
            "kept so far."
        )


def _show_advice(console: Console, advice: list[str]) -> None:
    if not advice:
        return
    table = Table.grid(padding=(0, 1))
    for sentence in advice:
        table.add_row("-", Text(printable(sentence)))
    _show_table(console, "To look at", table)


def _show_table(console: Console, heading: str, table: Table) -> None:
    console.print()
    console.print(Text(heading, "bold"))
    console.print(table)


def _line(findings: Findings, example: Example) -> int | None:
    return line_of(Path(example.file), example.ordinal, model_on_trial(findings.layout))
