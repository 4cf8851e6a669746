"""What the lab's MariaDB holds for one model: its tables, and how tickets become their rows.

Each has a database of its own. The account that extracts log in with may read the tables that are
listed and no other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.traffic import Site
from lab.truth import TicketTruth

Row = Mapping[str, Any]


def _nobody(_: Site) -> Mapping[str, Sequence[Row]]:
    return {}


@dataclass(frozen=True)
class PbxTables:
    """The tables of one model; the first is the one that gets a row per ticket.

    Attributes:
        database: the name of the database that holds them.
        definitions: ``create table if not exists`` statements by the table's name.
        columns: what a ticket may fill in; a column that it leaves out keeps its default.
        readable: the tables that an extract needs.
        people_of: the rows of the other tables at a site, by table: its users and their groups.
    """

    database: str
    definitions: Mapping[str, str]
    columns: tuple[str, ...]
    readable: tuple[str, ...]
    people_of: Callable[[Site], Mapping[str, Sequence[Row]]] = _nobody

    @property
    def ticket_table(self) -> str:
        """The table that gets a row per ticket."""
        return next(iter(self.definitions))


def insert_people(connection: Any, tables: PbxTables, site: Site) -> None:
    """Enter the users of a site and their groups; who is there already stays."""
    cursor = connection.cursor()
    for table, rows in tables.people_of(site).items():
        if rows:
            _insert(cursor, "insert ignore into", table, tuple(rows[0]), rows)
    connection.commit()
    cursor.close()


def insert_tickets(connection: Any, tables: PbxTables, tickets: Sequence[TicketTruth]) -> int:
    """Bring the table up to what was sent, in one transaction; return how many rows were added.

    The table is the lab's alone, so the number of its rows says how far it got.
    """
    cursor = connection.cursor()
    # S608: the name is that of a definition.
    cursor.execute(f"select count(*) from `{tables.ticket_table}`")  # noqa: S608
    already = cursor.fetchone()[0]
    rows = [json.loads(ticket.ticket) for ticket in tickets[already:]]
    if rows:
        _insert(cursor, "insert into", tables.ticket_table, tables.columns, rows)
    connection.commit()
    cursor.close()
    return len(rows)


def _insert(
    cursor: Any, verb: str, table: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    names = ", ".join(f"`{column}`" for column in columns)
    places = ", ".join(["%s"] * len(columns))
    cursor.executemany(
        f"{verb} `{table}` ({names}) values ({places})",
        [[row.get(column, "") for column in columns] for row in rows],
    )
