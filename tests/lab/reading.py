"""What staging makes of a lab's tickets, beside the lab's own truth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lab.truth import TicketTruth
from tollhouse.framing import Ticket
from tollhouse.parsing import AssumedPbx, known_model, parse_tickets
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

#: Columns of the contract that the truth knows under the same name.
COLUMNS = (
    "state", "direction", "outcome", "started_at", "ring_seconds", "talk_seconds", "extension",
    "account_code",
)  # fmt: skip

Row = dict[str, Any]


def parsed_beside_truth(
    warehouse: Settings,
    model_id: str,
    truth: Iterable[TicketTruth],
    *,
    trunks: tuple[str, ...] = (),
) -> tuple[list[Row], list[Row]]:
    """Return both as rows of the columns that both know; of what is ignored the state alone."""
    truth = list(truth)
    received_at = datetime.fromisoformat(max(ticket.written_at for ticket in truth))
    assumed = AssumedPbx(known_model(model_id), "Europe/Paris", "FR", received_at, trunks)
    tickets = [Ticket(number, ticket.ticket) for number, ticket in enumerate(truth)]
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        parsed = parse_tickets(connection, assumed, tickets)
    return (
        [_row(ticket.columns, ticket.columns) for ticket in parsed],
        [_row(vars(ticket), _as_told(ticket)) for ticket in truth],
    )


def _as_told(ticket: TicketTruth) -> Row:
    outside = {"incoming": "caller_number", "outgoing": "called_number"}.get(ticket.direction)
    return vars(ticket) | ({outside: ticket.outside_number} if outside else {})


def _row(ticket: Row, columns: Row) -> Row:
    if ticket["state"] != "ticket":
        return {"state": ticket["state"], "direction": None}
    row = {name: columns[name] or None for name in COLUMNS}
    row["ring_seconds"] = columns["ring_seconds"]
    row["talk_seconds"] = columns["talk_seconds"]
    row["started_at"] = datetime.fromisoformat(columns["started_at"]).astimezone(UTC)
    for name, direction in (("caller_number", "incoming"), ("called_number", "outgoing")):
        if columns["direction"] == direction:
            row[name] = columns[name] or None
    return row
