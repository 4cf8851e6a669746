"""A simulated Alcatel OXO with the OLD driver beside it: an XML file for each ticket.

What the elements of these files are called is not public, so the lab's claim nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab import captures
from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.traffic import Call, Site
from lab.truth import TicketTruth

HEAD = '<?xml version="1.0" encoding="utf-8"?>\r\n'


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return one element for a call, which tells nothing of it."""
    return [
        replace(ticket, ticket=f"<Invented>{ticket.ticket}</Invented>")
        for ticket in captures.tickets_of(call, site, number)
    ]


def drop_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a file for each ticket since the last time, as the driver does that is told to."""
    for number, ticket in enumerate(tickets[place.delivered :], start=place.delivered + 1):
        created_at = writing_time(ticket).astimezone(place.time_zone)
        content = f"{HEAD}<InNoSchema>{ticket.ticket}</InNoSchema>\r\n".encode()
        place.put(f"TicketCollector{created_at:%Y%m%d%H%M%S}_{number}.xml", content, created_at)
    place.remember(len(tickets))


FILES = FileSimulator(deliver=drop_files)
