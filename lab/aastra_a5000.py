"""A simulated Aastra A5000, whose lines have no layout: over TCP, or in files of an hour each.

The files lie compressed in a folder that its web manager lists.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import datetime, timedelta

from lab.captures import captured
from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.truth import TicketTruth

SIMULATOR = captured("aastra_a5000", role="server")


def close_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a file for each hour in which there were tickets."""

    def end_of_hour(ticket: TicketTruth) -> datetime:
        wall = writing_time(ticket).astimezone(place.time_zone)
        return wall.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)

    for first, closed_at, portion in place.portions(tickets, end_of_hour):
        content = b"".join(SIMULATOR.encode(ticket.ticket) for ticket in portion)
        name = f"{closed_at:%Y%m%d%H}-{first:05d}.gz"
        place.put(name, gzip.compress(content, mtime=0), closed_at)


FILES = FileSimulator(
    deliver=close_files, fetched_by="http", remote_folder="/trf/backup/pc/tickets/"
)
