"""A simulated TelNowEdge: FreePBX's rows in a database of its own, names of extensions included."""

from __future__ import annotations

import json
from dataclasses import replace

from lab import asterisk
from lab.fonisk import name_of
from lab.traffic import Call, Site
from lab.truth import TicketTruth

TABLES = replace(
    asterisk.TABLES, database="telnowedge", columns=(*asterisk.COLUMNS, "cnam", "dst_cnam")
)


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the rows that the PBX writes for a call, with their truth, in order."""
    return [_with_name(ticket, site) for ticket in asterisk.tickets_of(call, site, number)]


def _with_name(ticket: TicketTruth, site: Site) -> TicketTruth:
    # FreePBX names the caller, or the one who was called from outside.
    column = "dst_cnam" if ticket.direction == "incoming" else "cnam"
    name = " ".join(name_of(int(ticket.extension) - site.first_extension))
    return replace(ticket, ticket=json.dumps(json.loads(ticket.ticket) | {column: name}))
