"""``tollhouse replay``: read tickets again after a layout or a staging model changed.

The difference is shown before it is kept. On standard output stands the difference, on standard
error what happens meanwhile.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollhouse.commands.pbx_check import in_words, printable
from tollhouse.replaying.choice import Choice
from tollhouse.replaying.difference import Difference, Row
from tollhouse.replaying.session import Outcome, replay
from tollhouse.replaying.trial import Trial
from tollhouse.settings import load_settings

#: So much of a ticket, or of a column, is shown.
BODY_WIDTH = 120
VALUE_WIDTH = 40
#: So many services are shown whose legs or amounts change.
MOST_PAYERS = 20

STATE_COLUMNS = frozenset({"state", "state_reason", "state_field"})


def run(
    pbx_id: str,
    *,
    since: str,
    until: str | None = None,
    keep: bool = False,
    example_count: int = 10,
    as_json: bool = False,
) -> int:
    """Read the tickets of a PBX again and say what comes out differently.

    Returns:
        The exit code: 0 when nothing differs or the difference was kept, 1 when it was not.

    Raises:
        ReplayError: no such PBX or period.
        BuildError: the build fails.
    """
    audience = _Audience(keep=keep, as_json=as_json)
    # dbt tells of a build on standard output, which belongs to the difference; when it fails the
    # error sums up why.
    with contextlib.redirect_stdout(io.StringIO()):
        outcome = replay(
            load_settings(), audience, pbx_id,
            since=since, until=until, example_count=example_count,
        )  # fmt: skip
    audience.ends(outcome)
    return 1 if outcome.leaves_difference else 0


class _Audience:
    """The terminal, or whoever reads JSON."""

    def __init__(self, *, keep: bool, as_json: bool) -> None:
        self._keep = keep
        self._as_json = as_json
        self._output = Console(file=sys.stdout, emoji=False, highlight=False, soft_wrap=True)
        self._progress = Console(file=sys.stderr, emoji=False, highlight=False, soft_wrap=True)

    def waits_for_build(self) -> None:
        self._progress.print("A build is under way: waiting until it ends.")

    def reads(self, choice: Choice) -> None:
        self._progress.print(
            f"Reading {_count(len(choice.batch_ids), 'batch', 'batches')} of {choice.pbx_id} "
            f"again, {_count(choice.ticket_count, 'ticket')} …"
        )

    def sees(self, trial: Trial, difference: Difference) -> None:
        if not self._as_json:
            _print(trial, difference, self._output)

    def agrees(self) -> bool:
        if self._keep:
            return True
        if self._as_json or not (sys.stdin.isatty() and self._output.is_terminal):
            return False
        self._output.print("Keep this? [y/N] ", end="", markup=False)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def builds(self) -> None:
        self._progress.print("Building …")

    def ends(self, outcome: Outcome) -> None:
        if self._as_json:
            self._output.print_json(json.dumps(_as_dictionary(outcome), default=str))
        elif outcome.build is not None:
            self._output.print(
                f"Kept, as replay {outcome.trial.replay_id}: build {outcome.build.build_id} wrote "
                f"{_count(outcome.build.ticket_count, 'ticket')} in "
                f"{outcome.build.duration_seconds:.1f} s."
            )
        elif outcome.leaves_difference:
            self._output.print("Nothing was changed. With --keep the difference is kept.")


def _as_dictionary(outcome: Outcome) -> dict[str, Any]:
    choice = outcome.trial.choice
    return {
        "pbx_id": choice.pbx_id,
        "since": choice.since.isoformat(),
        "until": choice.until.isoformat() if choice.until else None,
        "batch_ids": choice.batch_ids,
        "added_batch_ids": outcome.trial.added_batch_ids,
        "ticket_count": choice.ticket_count,
        "kept_as_replay": outcome.trial.replay_id if outcome.build else None,
        "build_id": outcome.build.build_id if outcome.build else None,
        **outcome.difference.as_dictionary(),
    }


def _print(trial: Trial, difference: Difference, console: Console) -> None:
    _print_choice(trial, console)
    if not difference.changes_something:
        console.print("Read again, every ticket says what it said before.")
    else:
        _print_states(difference, console)
        _print_columns(difference, console)
        _print_prices(difference, console)
    _print_invoiced(difference, console)
    _print_examples(difference.examples, trial.choice.time_zone, console)


def _print_choice(trial: Trial, console: Console) -> None:
    choice = trial.choice
    console.print(
        f"{choice.pbx_id}: {_count(len(choice.batch_ids), 'batch', 'batches')} with "
        f"{_count(choice.ticket_count, 'ticket')}, received "
        f"{_local(choice.first_received_at, choice)} to {_local(choice.last_received_at, choice)} "
        f"({choice.time_zone}). Whole batches are read again."
    )
    if trial.added_batch_ids:
        console.print(
            f"Of these, {_count(len(trial.added_batch_ids), 'batch', 'batches')} outside the "
            "period: they hold tickets that came a second time."
        )
    if choice.waiting_count:
        console.print(
            f"{_count(choice.waiting_count, 'more batch', 'more batches')} wait for their first "
            "build, which reads them as it reads these."
        )


def _print_states(difference: Difference, console: Console) -> None:
    table = _table("State", "Before", "After")
    for row in difference.states:
        table.add_row(row["state"], f"{row['before_count']:,}", f"{row['after_count']:,}")
    console.print(table)
    console.print(f"{_count(difference.changed_count, 'ticket')} would change.")
    if difference.moves:
        table = _table("From", "To", "Tickets", right=("Tickets",))
        for row in difference.moves:
            table.add_row(_state(row, "before"), _state(row, "after"), f"{row['ticket_count']:,}")
        console.print(table)


def _print_columns(difference: Difference, console: Console) -> None:
    if difference.columns:
        table = _table("Column of tickets that stay what they are", "Changed")
        for row in difference.columns:
            table.add_row(row["column_name"], f"{row['ticket_count']:,}")
        console.print(table)


def _print_prices(difference: Difference, console: Console) -> None:
    prices = difference.prices
    if not prices.legs:
        return
    table = _table("Legs of the calls concerned", "Before", "After")
    table.add_row("calls", f"{prices.calls_before:,}", f"{prices.calls_after:,}")
    for label, key in (("direction", "direction"), ("rating", "rating_state")):
        for value in sorted({row[key] for row in prices.legs}):
            of_value = [row for row in prices.legs if row[key] == value]
            table.add_row(
                f"legs, {label} {value}",
                f"{sum(row['before_count'] for row in of_value):,}",
                f"{sum(row['after_count'] for row in of_value):,}",
            )
    table.add_row(
        "talk, seconds",
        f"{sum(row['before_talk_seconds'] for row in prices.legs):,}",
        f"{sum(row['after_talk_seconds'] for row in prices.legs):,}",
    )
    for currency, (before, after) in prices.amounts().items():
        table.add_row(f"price of rated legs, {currency}", _amount(before), _amount(after))
    console.print(table)
    _print_payers(difference, console)
    for row in prices.late_legs:
        console.print(
            f"{row['billing_month']:%Y-%m} has issued invoices: {_count(row['leg_count'], 'leg')} "
            f"for {_amount(row['amount'])} {row['currency']} would stand on the next invoice, "
            "under previous periods."
        )


def _print_payers(difference: Difference, console: Console) -> None:
    payers = difference.prices.payers
    if not payers:
        return
    numbers = ("Legs before", "Legs after", "Price before", "Price after")
    table = _table("Who pays", *numbers, "Currency", right=numbers)
    for row in payers[:MOST_PAYERS]:
        table.add_row(
            Text(printable(row["service_id"])),
            f"{row['before_count']:,}",
            f"{row['after_count']:,}",
            _amount(row["before_amount"]),
            _amount(row["after_amount"]),
            row["currency"] or "",
        )
    console.print(table)
    if len(payers) > MOST_PAYERS:
        console.print(f"… and {_count(len(payers) - MOST_PAYERS, 'more service')}: --json has all.")


def _print_invoiced(difference: Difference, console: Console) -> None:
    if not difference.kept_as_invoiced_count:
        return
    console.print(
        f"{_count(difference.kept_as_invoiced_count, 'ticket')} on issued invoices would be read "
        "otherwise. They stay as they were invoiced; a credit note or a debit is for you to decide:"
    )
    table = _table("Month", "Invoice", "Legs", "Invoiced", "Read now", "Currency",
                   right=("Legs", "Invoiced", "Read now"))  # fmt: skip
    for row in difference.prices.invoiced_legs:
        table.add_row(
            f"{row['billing_month']:%Y-%m}",
            row["invoice_number"],
            f"{row['leg_count']:,}",
            _amount(row["invoiced_amount"]),
            _amount(row["amount_now"]),
            row["currency"],
        )
    console.print(table)


def _print_examples(examples: list[Row], time_zone: str, console: Console) -> None:
    if examples:
        console.print("For example:")
    for row in examples:
        kept = ", stays as invoiced" if row["is_invoiced"] else ""
        console.print(
            Text(f"  ticket {row['ticket_id']}, batch {row['batch_id']}{kept}: ", style="bold")
            + Text(_short(row["body"], BODY_WIDTH), style="dim")
        )
        if not STATE_COLUMNS.isdisjoint(row["after"]):
            before, after = (
                printable(_in_words(row[side], time_zone))
                for side in ("columns_before", "columns_after")
            )
            console.print(Text(f"    {before} → {after}"))
            continue
        for name, value in row["after"].items():
            console.print(Text(f"    {name}: {_value(row['before'][name])} → {_value(value)}"))


def _in_words(columns: dict[str, Any], time_zone: str) -> str:
    """Return what a ticket is read as, by the clock on the wall beside the PBX."""
    columns = dict(columns)
    if columns["started_at"]:
        started_at = datetime.fromisoformat(columns["started_at"])
        columns["started_at"] = f"{started_at.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M:%S}"
    return in_words(columns)


def _table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=True)
    for place, heading in enumerate(headings):
        is_number = heading in right if right else place > 0
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    return table


def _state(row: Row, side: str) -> Text:
    """Return a state as in_words does, but for what makes a ticket."""
    reason, field = row[f"reason_{side}"], row[f"field_{side}"]
    told = row[f"state_{side}"] + (f": {reason}" if reason else "")
    return Text(printable(told + (f" (field {field})" if field else "")))


def _local(instant: datetime, choice: Choice) -> str:
    return f"{instant.astimezone(ZoneInfo(choice.time_zone)):%Y-%m-%d %H:%M}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _amount(amount: Decimal | None) -> str:
    return f"{amount or Decimal(0):,.4f}"


def _value(value: object) -> str:
    return "nothing" if value is None else _short(str(value), VALUE_WIDTH)


def _short(text: str, width: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= width else shown[:width] + "…"
