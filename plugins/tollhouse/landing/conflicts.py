"""Tickets that may be in raw already, compared by their body with what stands under their key."""

from __future__ import annotations

import json
from collections.abc import Collection

import psycopg

from tollhouse.framing import Ticket
from tollhouse.landing.deliveries import held_bodies


def says_the_same(kept: str, body: str, ignored_fields: Collection[str] = ()) -> bool:
    """Whether two bodies of one key are the same ticket.

    Rows of a table are, when they agree in the columns that both have: a column added to the table
    must not make a conflict of every row that is read again, nor a user who got another name.

    Args:
        kept: the body in raw.
        body: the one that was read.
        ignored_fields: fields of a JSON object that tell nothing of the ticket itself.
    """
    if kept == body:
        return True
    if not (kept.startswith("{") and body.startswith("{")):
        return False
    try:
        old, new = json.loads(kept), json.loads(body)
    except (ValueError, RecursionError):
        return False
    common = (old.keys() & new.keys()).difference(ignored_fields)
    return all(old[key] == new[key] for key in common)


def missing_and_differing(
    connection: psycopg.Connection,
    model_id: str,
    delivery_id: int,
    tickets: list[Ticket],
    ignored_fields: Collection[str] = (),
) -> tuple[list[Ticket], list[Ticket]]:
    """Return the tickets that raw does not hold yet, by ordinal, and those it holds otherwise."""
    ordinals = [ticket.ordinal for ticket in tickets]
    kept = held_bodies(connection, model_id, delivery_id, ordinals)
    missing: dict[int, Ticket] = {}
    differing: list[Ticket] = []
    for ticket in tickets:
        body = kept.get(ticket.ordinal)
        if body is None:
            missing[ticket.ordinal] = ticket
            kept[ticket.ordinal] = ticket.body
        elif not says_the_same(body, ticket.body, ignored_fields):
            differing.append(ticket)
    return [missing[ordinal] for ordinal in sorted(missing)], differing
