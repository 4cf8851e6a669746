"""Tickets that may be in raw already, compared by their body with what stands under their key."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

import psycopg

from tollhouse.framing import Ticket
from tollhouse.landing.deliveries import Key, held_bodies


class Arrived(NamedTuple):
    """A ticket that a pull brought, and the delivery that it is part of."""

    delivery_id: int
    ticket: Ticket


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
    arrived: Sequence[Arrived],
    ignored_fields: Collection[str] = (),
) -> tuple[list[Arrived], list[Arrived]]:
    """Return the tickets that raw does not hold yet, in order of key, and those it has otherwise.

    Args:
        connection: as the loader.
        model_id: of the PBX.
        arrived: tickets, each with the number of its delivery.
        ignored_fields: as in ``says_the_same``.
    """
    keys = [(delivery_id, ticket.ordinal) for delivery_id, ticket in arrived]
    kept = held_bodies(connection, model_id, keys)
    missing: dict[Key, Arrived] = {}
    differing: list[Arrived] = []
    for key, one in zip(keys, arrived, strict=True):
        body = kept.get(key)
        if body is None:
            missing[key] = one
            kept[key] = one.ticket.body
        elif not says_the_same(body, one.ticket.body, ignored_fields):
            differing.append(one)
    return [missing[key] for key in sorted(missing)], differing
