"""The SQL of a layout shown to PostgreSQL before a view is made of it.

What a compiler makes of a layout that holds should always be accepted. If it ever is not, that must
stop the PBXs of that layout and no other, so it is found out here and not in the middle of a build.
"""

from __future__ import annotations

import psycopg

from tollhouse.layouts.rendering import plain_sql
from tollhouse.layouts.views import CompiledLayout, LayoutsOfModel, fields_view, tickets_view

LONGEST_PROBLEM = 500


def problem_of(connection: psycopg.Connection, compiled: CompiledLayout) -> str | None:
    """Return why PostgreSQL refuses the SQL of a layout; None where it does not.

    Args:
        connection: as the role tollhouse_dbt, which will own the view.
        compiled: the SQL.
    """
    try:
        with connection.transaction(force_rollback=True):
            # As the views of a model that no layout reads have them.
            nothing = LayoutsOfModel("no_model")
            for text, view in (
                (compiled.fields, fields_view(nothing)),
                (compiled.tickets, tickets_view(nothing)),
            ):
                wanted = _columns(connection, view)
                if text is not None and (columns := _columns(connection, text)) != wanted:
                    differing = sorted(set(columns) ^ set(wanted))
                    return f"its columns are not those of the view: {differing}"[:LONGEST_PROBLEM]
    except psycopg.Error as error:
        return f"PostgreSQL refuses its SQL: {error}"[:LONGEST_PROBLEM]
    return None


def _columns(connection: psycopg.Connection, text: str) -> list[tuple[str, int]]:
    """Return name and type of each column of a query, of which no row is asked for."""
    query = f"select * from (\n{plain_sql(text)}\n) as tried limit 0"  # noqa: S608 - our own
    cursor = connection.execute(query.encode())
    return [(column.name, column.type_code) for column in cursor.description or ()]
