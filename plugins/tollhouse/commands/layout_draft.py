"""``tollhouse layout draft``: a first layout for a feed that nobody has described.

The YAML goes to a file or to standard output, what there is to see of it to standard error: the
first tickets as the pipeline would read them, and what a person has to check.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollhouse.commands.assumptions import checked_country, checked_time_zone
from tollhouse.commands.pbx_check import printable
from tollhouse.commands.ticket_table import ticket_table
from tollhouse.decompression import DecompressionError, contents
from tollhouse.framing import frame_file
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.drafting.content import DraftError
from tollhouse.layouts.drafting.draft import Draft, draft_of
from tollhouse.layouts.drafting.text import counted, shown
from tollhouse.layouts.findings import Findings
from tollhouse.layouts.reading import read_layout
from tollhouse.layouts.reasons import meaning_of
from tollhouse.layouts.registry import LAYOUT_ID
from tollhouse.layouts.trial import database_for_trials, model_on_trial, selects_of
from tollhouse.parsing import AssumedPbx, parse_tickets
from tollhouse.pbx import models
from tollhouse.settings import load_settings

#: So many tickets of the first file are read on trial, and so many of them are shown.
TRIED_TICKETS = 200
SHOWN_TICKETS = 10
MOST_REASONS = 5
KINDS = {
    "delimited": "Values with a separator between them", "fixed": "Fixed columns", "json": "JSON",
    "pattern": "Lines that a pattern takes apart", "xml": "XML",
}  # fmt: skip
LONGEST_BODY = 100


def run(
    files: list[Path],
    *,
    output: Path | None = None,
    force: bool = False,
    timezone: str | None = None,
    country: str = "FR",
) -> None:
    """Draft a layout from files and show what it makes of their first tickets.

    Args:
        files: of one feed, as the PBX or the carrier gave them, compressed or not.
        output: where the YAML goes; to standard output when absent.
        force: overwrite a file that is there.
        timezone: of the PBX, for what is shown; UTC when absent.
        country: of the PBX: decides on a month before its day, and on a currency.

    Raises:
        DraftError: the files hold nothing that tickets could be, or the output cannot be written.
    """
    zone = checked_time_zone(timezone or "UTC")
    if output is not None:
        _refuse_output(output, force=force)
    draft = draft_of(files, country=checked_country(country))
    layout = _layout(draft, output.stem if output else _suggested_id(files[0]))
    if output is None:
        sys.stdout.write(draft.text)
        sys.stdout.flush()
    else:
        _write(output, draft.text, force=force)
    console = Console(stderr=True, highlight=False)
    console.print(
        Text(f"{KINDS[draft.kind]}: {counted(draft.ticket_count, 'ticket')} looked at."), "\n"
    )
    if draft.missing:
        _show_missing(console, draft)
    else:
        _show_tickets(console, layout, files[0], zone, country)
    _show_doubts(console, draft)
    _show_next(console, files, output, layout.layout_id, timezone, country)


def _refuse_output(output: Path, *, force: bool) -> None:
    if output.suffix != ".yml" or not LAYOUT_ID.fullmatch(output.stem):
        raise DraftError(
            f"{output} is no name of a layout: small letters, digits and _, then .yml, as in "
            "include/layouts/north_carrier.yml."
        )
    if not output.parent.is_dir():
        raise DraftError(f"There is no folder {output.parent}.")
    if output.exists() and not force:
        raise DraftError(f"{output} is there already; --force overwrites it.")


def _write(output: Path, text: str, *, force: bool) -> None:
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DraftError(f"{output} cannot be written: {error.strerror}.") from error


def _suggested_id(path: Path) -> str:
    """Return an id for a layout by the words in the name of a file; dates are none."""
    words = re.findall(r"(?<![a-z0-9])[a-z][a-z0-9]*", path.name.partition(".")[0].lower())
    name = "_".join(words)[:30].strip("_")
    if not LAYOUT_ID.fullmatch(name):
        return "my_feed"
    return f"{name}_feed" if name in models() else name


def _layout(draft: Draft, layout_id: str) -> Layout:
    """Return a draft as the layout that it is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{layout_id}.yml"
        path.write_text(draft.text, encoding="utf-8")
        return read_layout(path)


def _show_missing(console: Console, draft: Draft) -> None:
    console.print(
        Text(
            "No ticket can be read yet: not found were the fields for "
            f"{', '.join(draft.missing)}. The end of the draft says what to write.",
            "bold yellow",
        )
    )


def _show_tickets(
    console: Console, layout: Layout, path: Path, time_zone: str, country: str
) -> None:
    """Show the first tickets of a file as the pipeline would read them by a layout."""
    received_at = datetime.now(UTC)
    assumed = AssumedPbx(
        model=model_on_trial(layout),
        time_zone=time_zone,
        country=country,
        received_at=received_at,
        transport="dropped_files",
    )
    findings = Findings(layout, received_at=received_at, shown_tickets=SHOWN_TICKETS)
    findings.files[str(path)] = Counter()
    with database_for_trials(load_settings()) as connection:
        try:
            with path.open("rb") as file, contents(file, path.name) as streams:
                framed = frame_file(next(streams), assumed.model.of_entry({}))
                tickets = list(islice(framed.tickets, TRIED_TICKETS))
        except (DecompressionError, OSError) as error:
            raise DraftError(f"{path}: {error}") from error
        for ticket in parse_tickets(
            connection, assumed, tickets, header=framed.header, selects=selects_of(layout)
        ):
            findings.add(str(path), ticket)
    if findings.shown:
        table = ticket_table(findings.shown, time_zone)
        table.title = f"The first {counted(len(findings.shown), 'ticket')} of {path.name}"
        console.print(table)
    counts = ", ".join(
        f"{findings.count(state)} {word}"
        for state, word in (("ticket", "parsed"), ("rejected", "rejected"), ("ignored", "ignored"))
    )
    console.print(Text(f"Of the first {counted(len(tickets), 'ticket')}: {counts}."))
    _show_list(console, [*_refusals(findings), *findings.warnings()])


def _refusals(findings: Findings) -> Iterator[str]:
    """Yield why tickets are rejected, each reason with an example."""
    for refusal in findings.refused("rejected")[:MOST_REASONS]:
        where = f", field {refusal.field}" if refusal.field else ""
        example = refusal.examples[0]
        found = shown(example.text or example.body, LONGEST_BODY)
        yield f"{refusal.count} {refusal.reason}{where}, such as {found}"
        if meaning := meaning_of(refusal.reason):
            yield f"{refusal.reason}: {meaning}"


def _show_doubts(console: Console, draft: Draft) -> None:
    console.print()
    if not draft.doubts:
        console.print(Text("Nothing is doubtful; look at some calls that you know anyway."))
        return
    console.print(Text("Doubtful:", "bold yellow"))
    _show_list(console, draft.doubts)


def _show_list(console: Console, texts: Sequence[str]) -> None:
    if not texts:
        return
    listed = Table.grid(padding=(0, 1, 0, 0))
    for text in texts:
        listed.add_row("  -", Text(printable(text)))
    console.print(listed)


def _show_next(
    console: Console,
    files: list[Path],
    output: Path | None,
    layout_id: str,
    timezone: str | None,
    country: str,
) -> None:
    """Say what to type next."""
    names = " ".join(map(_as_argument, files))
    options = f" --timezone {timezone}" if timezone else ""
    options += f" --country {country}" if country != "FR" else ""
    console.print()
    if output is None:
        console.print("Next, keep it:")
        kept = f"include/layouts/{layout_id}.yml"
        command = f"tollhouse layout draft {names} --output {kept}{options}"
    else:
        console.print(Text(f"Next, correct {output} where it is wrong, and look at all tickets:"))
        command = f"tollhouse layout check {_as_argument(output)} {names}{options}"
    console.print(Text(f"  {printable(command)}"), soft_wrap=True)


def _as_argument(path: Path) -> str:
    """Return a path as a shell takes it."""
    text = str(path)
    if re.fullmatch(r"[\w./+,:@%=-]+", text):
        return text
    quoted = text.replace("'", "'\\''")
    return f"'{quoted}'"
