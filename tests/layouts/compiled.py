"""Layouts of the tests, compiled, and tickets that they read: nothing is deployed for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg

from tollhouse.framing import Ticket
from tollhouse.layouts.collecting import model_of
from tollhouse.layouts.compiling import compile_fields, compile_tickets
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.rendering import plain_sql
from tollhouse.parsing import AssumedPbx, ParsedTicket, StagingSelects, parse_tickets

RECEIVED_AT = datetime(2026, 11, 1, 8, tzinfo=UTC)

#: A ticket that holds, as fields of a delimited layout; tests change what they are about.
FIELDS = ("id", "start", "ring", "talk", "kind", "status", "from", "to", "extra", "more")
GOOD = {
    "id": "42", "start": "2026-03-02 10:00:00", "ring": "5", "talk": "30", "kind": "O",
    "status": "", "from": "301", "to": "0199001234", "extra": "", "more": "",
}  # fmt: skip

COLUMNS: dict[str, Any] = {
    "source_call_id": "id",
    "started_at": {"from": "start", "format": "yyyy-MM-dd HH:mm:ss"},
    "ring_seconds": "ring",
    "talk_seconds": "talk",
    "direction": {
        "from": "kind",
        "lookup": {"O": "outgoing", "I": "incoming", "L": "internal", "T": "transit"},
    },
    "caller_number": "from",
    "called_number": "to",
}


def layout_with(
    columns: dict[str, Any] | None = None, tickets: dict[str, Any] | None = None, **keys: Any
) -> Layout:
    """Return the layout of the tests with other columns, tickets or keys."""
    tickets = tickets or {
        "kind": "delimited", "separator": "|", "quote": "none", "fields": FIELDS,
    }  # fmt: skip
    mapped = COLUMNS | (columns or {})
    document = {
        "layout_id": "tested_layout",
        "title": "A layout of the tests",
        "confirmed": True,
        "tickets": tickets,
        "columns": {name: reading for name, reading in mapped.items() if reading is not None},
    }
    return Layout.model_validate(document | keys)


def line_of(**values: str) -> str:
    """Return a ticket of the layout of the tests."""
    return "|".join((GOOD | values).values())


def read(
    connection: psycopg.Connection,
    layout: Layout,
    bodies: list[str],
    *,
    header: str | None = None,
    time_zone: str = "Europe/Paris",
    received_at: datetime = RECEIVED_AT,
    answer_threshold_seconds: int | None = None,
) -> list[ParsedTicket]:
    """Return tickets as the queries of a layout read them; each must come out exactly once."""
    tickets_sql = plain_sql(compile_tickets(layout))
    if answer_threshold_seconds is not None:
        # A pbx that is assumed has none: here it stands where its column does.
        column = "answer_threshold_seconds"
        tickets_sql = tickets_sql.replace(column, f"{answer_threshold_seconds} as {column}", 1)
    selects = StagingSelects(tickets_sql, plain_sql(compile_fields(layout)))
    assumed = AssumedPbx(
        model=model_of(layout),
        time_zone=time_zone,
        country="FR",
        received_at=received_at,
    )
    tickets = [Ticket(number, body) for number, body in enumerate(bodies)]
    return parse_tickets(connection, assumed, tickets, header=header, selects=selects)
