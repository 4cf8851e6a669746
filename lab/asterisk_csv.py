"""A simulated Asterisk with ``cdr_csv``: it appends to Master.csv, which logrotate puts aside.

The calls are those of the Asterisk with a database; the file has fewer columns: all that cdr.conf
can switch on, but none of FreePBX.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from lab import asterisk
from lab.file_drops import DropPlace, FileSimulator, grouped, writing_time
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


def grow_file(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Add what was written since the last time to Master.csv, which is put aside each Sunday.

    It is put aside as logrotate does with ``dateext``: the next line begins a new file.
    """
    weeks = list(grouped(tickets, lambda ticket: _day_of_rotation(ticket, place.time_zone)))
    for number, (day, of_week) in enumerate(weeks, start=1):
        content = "".join(f"{ticket.ticket}\n" for ticket in of_week).encode("utf-8")
        rotated = f"{FILE_NAME}-{day:%Y%m%d}"
        if (place.folder / rotated).exists():
            place.grow(rotated, content, writing_time(of_week[-1]))
            continue
        place.grow(FILE_NAME, content, writing_time(of_week[-1]))
        if number < len(weeks):
            (place.folder / FILE_NAME).rename(place.folder / rotated)


def _day_of_rotation(ticket: TicketTruth, zone: ZoneInfo) -> date:
    """Return the Sunday at whose beginning the file of a ticket is put aside."""
    written_on = writing_time(ticket).astimezone(zone).date()
    return written_on + timedelta(days=7 - written_on.isoweekday() % 7)


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


FILES = FileSimulator(
    deliver=grow_file, fetched_by="sftp", remote_folder="/var/log/asterisk/cdr-csv"
)
