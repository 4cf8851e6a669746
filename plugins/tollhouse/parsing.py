"""Tickets parsed on trial: the pipeline's own framing and staging SQL, and nothing left behind.

A pbx, a delivery and its tickets are made in a transaction, read back through the staging view of
the model, or through a select that is to become one, and rolled back. Nothing of an installation is
touched; keys are negative, so that no sequence moves.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tollhouse.framing import Ticket, frame_file
from tollhouse.layouts.registry import BrokenLayout, find_layout, known_models
from tollhouse.pbx import Model

#: Tickets of one round: a large file is parsed in pieces, so that it needs neither memory nor disk.
ROUND_TICKETS = 20_000

#: Columns of the contract that place a ticket in a warehouse: a ticket on trial has no place.
PLACE_NOWHERE = dict.fromkeys(("ticket_id", "pbx_id", "delivery_id", "batch_id"))

INSERT_PBX = """
insert into directory.pbxs (pbx_id, model, transport, time_zone, country, trunks, settings)
values (%s, %s, %s, %s, %s, %s, %s)
"""
INSERT_DELIVERY = """
insert into raw.deliveries (delivery_id, pbx_id, model, unit, header)
overriding system value
values (%s, %s, %s, 'on trial', %s)
"""
COPY_TICKETS = """
copy raw.tickets (model, delivery_id, ordinal, ticket_id, batch_id, received_at, body) from stdin
"""
SELECT_PARSED = """
select row_to_json(parsed), parsed.pbx_charge_amount::text
from {staging_view} as parsed
where parsed.delivery_id = %s
order by parsed.ordinal
"""
SELECT_FIELDS = """
select named.ticket_id, named.fields
from {fields} as named
where named.batch_id = 0 and named.pbx_id = %s
"""


class ParsingError(Exception):
    """Nothing can be parsed; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class AssumedPbx:
    """The installed PBX that tickets on trial are taken to come from.

    Attributes:
        transport: by what they came, where that is known: a file may hold what a stream cannot.
    """

    model: Model
    time_zone: str
    country: str
    received_at: datetime
    trunks: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    transport: str = "none"


@dataclass(frozen=True)
class StagingSelects:
    """What reads tickets where no staging view is deployed for them: a layout that is tried out.

    Attributes:
        tickets: a select with the columns of the contract.
        fields: a select with ``ticket_id``, ``pbx_id``, ``batch_id`` and ``fields``: all by name.
    """

    tickets: str
    fields: str


@dataclass(frozen=True)
class ParsedTicket:
    """A ticket as it came, and as the staging view reads it.

    Attributes:
        ordinal: its place in the file, as framing counts it.
        body: the ticket verbatim.
        columns: the columns of the contract, in order, as JSON has them: instants in ISO 8601 and
            UTC, exact numbers as text.
        fields: what stands in each field, by name; None where a staging view reads the ticket.
    """

    ordinal: int
    body: str
    columns: dict[str, Any]
    fields: dict[str, str | None] | None = None

    @property
    def state(self) -> str:
        """Its state in the contract: ticket, rejected or ignored."""
        state: str = self.columns["state"]
        return state


def parse_file(
    connection: psycopg.Connection,
    assumed: AssumedPbx,
    stream: BinaryIO,
    *,
    selects: StagingSelects | None = None,
) -> Iterator[ParsedTicket]:
    """Yield the tickets of a file, in order, as the staging view of their model reads them.

    Args:
        connection: as the role tollhouse_loader, in UTC and in autocommit mode.
        assumed: the pbx they are taken to come from.
        stream: the file, opened in binary mode.
        selects: what reads them in place of the staging view.

    Raises:
        ParsingError: a setting of the pbx does not hold.
    """
    try:
        model = assumed.model.of_entry(assumed.settings)
    except ValueError as error:
        raise ParsingError(f"{error}.") from error
    framed = frame_file(stream, model)
    while tickets := list(islice(framed.tickets, ROUND_TICKETS)):
        yield from parse_tickets(
            connection, assumed, tickets, header=framed.header, selects=selects
        )


def parse_tickets(
    connection: psycopg.Connection,
    assumed: AssumedPbx,
    tickets: list[Ticket],
    *,
    header: str | None = None,
    selects: StagingSelects | None = None,
) -> list[ParsedTicket]:
    """Return framed tickets as the staging view of their model reads them, or ``selects``.

    Raises:
        ParsingError: the warehouse has no staging view for the model.
    """
    key = -1 - secrets.randbelow(2**31 - 1)
    pbx_id = f"on trial {key}"
    fields: dict[int, dict[str, str | None]] = {}
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        _put(cursor, assumed, tickets, key=key, pbx_id=pbx_id, header=header)
        if selects is None:
            rows = _read_by_view(cursor, assumed.model, key)
        else:
            rows = cursor.execute(
                sql.SQL(SELECT_PARSED).format(staging_view=_subquery(selects.tickets)), [key]
            ).fetchall()
            named = cursor.execute(
                sql.SQL(SELECT_FIELDS).format(fields=_subquery(selects.fields)), [pbx_id]
            )
            fields = dict(named.fetchall())
    return [
        ParsedTicket(
            ticket.ordinal,
            ticket.body,
            columns | PLACE_NOWHERE | {"ordinal": ticket.ordinal, "pbx_charge_amount": amount},
            fields.get(_ticket_id(number)),
        )
        for number, (ticket, (columns, amount)) in enumerate(zip(tickets, rows, strict=True))
    ]


def _ticket_id(number: int) -> int:
    """Return the id that a ticket has on trial: below zero, where no sequence gives any."""
    return -1 - number


def _put(
    cursor: psycopg.Cursor,
    assumed: AssumedPbx,
    tickets: list[Ticket],
    *,
    key: int,
    pbx_id: str,
    header: str | None,
) -> None:
    """Put a pbx, a delivery of it and its tickets where staging finds them."""
    model_id = assumed.model.model_id
    cursor.execute(
        INSERT_PBX,
        [
            pbx_id,
            model_id,
            assumed.transport,
            assumed.time_zone,
            assumed.country,
            list(assumed.trunks),
            Jsonb(assumed.settings),
        ],
    )
    cursor.execute(INSERT_DELIVERY, [key, pbx_id, model_id, header])
    with cursor.copy(COPY_TICKETS) as copy:
        # A file on trial may hold a key twice: its tickets are numbered here and get their
        # ordinals back from what was framed.
        for number, ticket in enumerate(tickets):
            received_at = ticket.received_at or assumed.received_at
            copy.write_row([model_id, key, number, _ticket_id(number), 0, received_at, ticket.body])


def _read_by_view(cursor: psycopg.Cursor, model: Model, key: int) -> list[Any]:
    try:
        return cursor.execute(
            sql.SQL(SELECT_PARSED).format(staging_view=staging_view(model)), [key]
        ).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise ParsingError(
            f"The warehouse has no staging view for {model.model_id}: run `make up`, which deploys "
            "the dbt project."
        ) from error


def _subquery(select: str) -> sql.Composable:
    # To psycopg a percent sign begins a parameter.
    return sql.SQL("({})").format(sql.SQL(select.replace("%", "%%")))


def staging_view(model: Model) -> sql.Identifier:
    """Name of the staging view of a model."""
    return sql.Identifier("staging", f"stg_{model.model_id}__tickets")


def has_staging_view(connection: psycopg.Connection, model: Model) -> bool:
    """Whether the dbt project is deployed in this warehouse, for this model."""
    row = connection.execute(
        "select to_regclass(%s) is not null", [f"staging.stg_{model.model_id}__tickets"]
    ).fetchone()
    return row is not None and bool(row[0])


def known_model(model_id: str) -> Model:
    """Return a model by id.

    Raises:
        ParsingError: there is none of that id, or its layout does not hold.
    """
    models = known_models()
    if model_id not in models:
        layout = find_layout(model_id)
        if isinstance(layout, BrokenLayout):
            raise ParsingError(layout.explanation)
        raise ParsingError(
            f"{model_id!r} is no model that Tollhouse knows; known are {', '.join(models)}."
        )
    return models[model_id]
