"""Checking that the account may read each table of a query."""

from __future__ import annotations

import mysql.connector
from mysql.connector import errorcode

from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.report import Report, Step, StepFailedError
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.entry_settings import table_settings
from tollhouse.transports.sql_table.query_text import tables_of
from tollhouse.transports.sql_table.session import Session, quoted_name


def check_rights(
    report: Report,
    session: Session,
    pbx: Pbx,
    connection: PbxConnection,
    schema: str,
    table: str,
) -> None:
    """Read nothing from the tables: the server tells a missing right from a missing table.

    Raises:
        StepFailedError: the account may not read them all, or one is not there.
    """
    base = f"{quoted_name(schema)}.{quoted_name(table)}"
    others = [
        name for name in tables_of(table_settings(pbx).query or "") if name.strip("`") != "table"
    ]
    names = list(dict.fromkeys([base, *(_full_name(schema, name) for name in others)]))
    faults = [
        fault
        for name in names
        if (fault := _table_fault(session, connection, name, is_base=name == base))
    ]
    if faults:
        # All of them at once: whoever administers that database is asked one time.
        raise StepFailedError(
            faults[0].name,
            "; ".join(fault.found for fault in faults),
            " ".join(dict.fromkeys(fault.remedy for fault in faults)),
        )
    readable = ", ".join(name.replace("`", "") for name in names)
    report.ok("rights", f"{connection.login!r} may read {readable}")


def _full_name(schema: str, name: str) -> str:
    """Return a table as the query names it, quoted, with its database."""
    parts = [part.strip("`") for part in name.split(".")]
    return ".".join(map(quoted_name, parts if len(parts) > 1 else [schema, *parts]))


def _table_fault(
    session: Session, connection: PbxConnection, name: str, *, is_base: bool
) -> Step | None:
    plain = name.replace("`", "")
    try:
        session.rows(f"select 1 from {name} limit 0")  # noqa: S608 - quoted
    except SourceError as error:
        cause = error.__cause__
        number = cause.errno if isinstance(cause, mysql.connector.Error) else None
        if number == errorcode.ER_NO_SUCH_TABLE:
            remedy = (
                "Correct settings.table of the entry, or the schema of the connection. If Asterisk "
                "writes its tickets to files only, give it a database back end first."
                if is_base
                else f"If this site has no {plain}, set settings.query of the entry to a query "
                "without it; docs/pbx.md shows the model's own."
            )
            return Step("table", "failed", f"there is no table {plain} ({number})", remedy)
        if number in (
            errorcode.ER_TABLEACCESS_DENIED_ERROR,
            errorcode.ER_COLUMNACCESS_DENIED_ERROR,
        ):
            return Step(
                "rights",
                "failed",
                f"{connection.login!r} may not read {plain} ({number})",
                f"As an administrator: grant select on {name} to '{connection.login}'@'this "
                "machine'; (A server tells an account without rights the same about a table that "
                "does not exist.)",
            )
        return Step("table", "failed", str(error), "The message is the database server's.")
    return None
