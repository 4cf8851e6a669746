"""A simulated Asterisk with ``cdr_csv``: it appends to Master.csv, which logrotate puts aside.

The calls are those of the Asterisk with a database; the file has fewer columns: all that cdr.conf
can switch on, but none of FreePBX.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from lab import asterisk
from lab.traffic import Call, Site
from lab.truth import TicketTruth

FILE_NAME = "Master.csv"
CLOCK = "%Y-%m-%d %H:%M:%S"

COLUMNS = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata",
    "start", "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid",
    "userfield", "peeraccount", "linkedid", "sequence",
)  # fmt: skip


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the lines that the PBX writes for a call, with their truth, in order."""
    return [
        replace(ticket, ticket=_line(json.loads(ticket.ticket)))
        for ticket in asterisk.tickets_of(call, site, number)
    ]


def append_to_file(folder: Path, tickets: Sequence[TicketTruth], position_file: Path) -> int:
    """Add what was written since the last time to Master.csv; return how many lines."""
    folder.mkdir(parents=True, exist_ok=True)
    position = int(position_file.read_text()) if position_file.exists() else 0
    lines = [f"{ticket.ticket}\n" for ticket in tickets[position:]]
    with (folder / FILE_NAME).open("a", encoding="utf-8", newline="") as file:
        file.writelines(lines)
    position_file.parent.mkdir(parents=True, exist_ok=True)
    position_file.write_text(str(len(tickets)))
    return len(lines)


def rotate(folder: Path, day: date) -> Path:
    """Put Master.csv aside as logrotate does with ``dateext``; the next line begins a new one."""
    rotated = folder / f"{FILE_NAME}-{day:%Y%m%d}"
    return (folder / FILE_NAME).rename(rotated)


def _line(row: dict[str, Any]) -> str:
    start = datetime.strptime(row["calldate"], CLOCK)  # noqa: DTZ007 - the wall clock of the PBX
    answer = start + timedelta(seconds=row["duration"] - row["billsec"])
    is_answered = row["disposition"] == "ANSWERED"
    values = {
        **row,
        "start": row["calldate"],
        "answer": answer.strftime(CLOCK) if is_answered else None,
        "end": (start + timedelta(seconds=row["duration"])).strftime(CLOCK),
        "amaflags": "DOCUMENTATION",
    }
    return ",".join(_csv_value(values.get(column, "")) for column in COLUMNS)


def _csv_value(value: str | int | None) -> str:
    """Texts in quotes, which are doubled within; numbers bare; nothing for a time that is not."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    return '"' + value.replace('"', '""') + '"'
