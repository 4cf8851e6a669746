"""Checking a PBX that is read from its SQL database (MySQL, MariaDB)."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import mysql.connector
from mysql.connector import errorcode

from tollhouse.connections import PbxConnection, find_connection
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.network import check_name, check_port
from tollhouse.pbx_check.pbx_clock import check_clock
from tollhouse.pbx_check.report import (
    SHOWN_TICKETS,
    Landed,
    LastTickets,
    Report,
    StepFailedError,
    age_step,
)
from tollhouse.pbx_check.table_rights import check_rights
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.entry_settings import table_defaults, table_settings
from tollhouse.transports.sql_table.pages import PageReader, Stretch
from tollhouse.transports.sql_table.session import Session, as_text, quoted_name
from tollhouse.transports.sql_table.source import (
    INTEGER_TYPES,
    Source,
    find_source,
    id_extent,
    named_table,
)

#: Ids have gaps: the last rows are sought among this many ids.
LAST_IDS = 1_000

NOTHING_NEW = (
    "Make a call and look again. If it does not appear: in Asterisk `cdr show status` must list "
    "the back end that writes this table, and after a column was added its module must be reloaded "
    "(`module reload cdr_adaptive_odbc.so`)."
)

_TLS_ERRORS = (errorcode.CR_SSL_CONNECTION_ERROR, errorcode.ER_SECURE_TRANSPORT_REQUIRED)


def check_table(report: Report, pbx: Pbx, settings: Settings, landed: Landed) -> None:
    """Go from the connection to the last rows of the table.

    Raises:
        StepFailedError: a step failed and the next ones need it.
        ConnectionMissingError: the connection is not visible here.
    """
    try:
        table_settings(pbx)
    except SourceError as error:
        raise StepFailedError("settings", str(error), "Correct include/pbx.yml.") from error
    connection = find_connection(pbx.connection, settings)
    default_port = table_defaults(pbx).port
    check_name(report, connection.host, connection.connection_id)
    check_port(
        report, connection.host, connection.port or default_port, service="the database server"
    )
    with _log_in(report, pbx, connection, default_port) as session:
        schema, table = _named_table(session, pbx, connection)
        check_rights(report, session, pbx, connection, schema, table)
        source = _check_id_column(report, pbx, session, schema, table)
        _check_rows(report, pbx, session, source, landed.idlast)
    _check_direction(report, pbx)


def _log_in(report: Report, pbx: Pbx, connection: PbxConnection, default_port: int) -> Session:
    try:
        session = Session(pbx, connection, default_port)
    except SourceError as error:
        raise _login_failure(connection, error) from error
    cipher = as_text(session.rows("show status like 'Ssl_cipher'")[0][1])
    report.ok(
        "TLS", f"encrypted with {cipher}" if cipher else "none: the connection is not encrypted"
    )
    report.ok("login", f"logged in as {connection.login!r}")
    return session


def _login_failure(connection: PbxConnection, error: SourceError) -> StepFailedError:
    """Say which step of logging in failed, by the server's error number."""
    login, schema, cause = connection.login, connection.schema, error.__cause__
    number = cause.errno if isinstance(cause, mysql.connector.Error) else None
    said = cause.msg if isinstance(cause, mysql.connector.Error) else str(error)
    account = f"'{login}'@'this machine'"
    if number == errorcode.ER_ACCESS_DENIED_ERROR:
        return StepFailedError(
            "login",
            f"access denied ({number}): {said}",
            "Correct login and password of the connection. If they are right, the account may not "
            f"come from this machine (create user {account} identified by '…'), or it must use TLS "
            "and the connection's extra says tls: off.",
        )
    if number == errorcode.ER_BAD_DB_ERROR:
        return StepFailedError(
            "database",
            f"unknown database ({number}): {said}",
            "Correct the schema of the connection. Asterisk: often asterisk or asteriskcdrdb "
            "(FreePBX); `show databases` lists them.",
        )
    if number == errorcode.ER_DBACCESS_DENIED_ERROR:
        return StepFailedError(
            "rights",
            f"no right on the database ({number}): {said}",
            f"As an administrator: grant select on `{schema}`.`cdr` to {account}.",
        )
    if number in _TLS_ERRORS or number is None or "ssl" in str(said).lower():
        return StepFailedError(
            "TLS",
            str(said),
            "The connection's extra `tls` says what is asked for: off, preferred, required, or "
            "verify with tls_ca naming the authority's file. The server must offer the same.",
        )
    return StepFailedError("login", f"{said} ({number})", "The message is the database server's.")


def _named_table(session: Session, pbx: Pbx, connection: PbxConnection) -> tuple[str, str]:
    try:
        return named_table(session, pbx)
    except SourceError as error:
        raise StepFailedError(
            "database",
            f"connection {connection.connection_id} names no database",
            "Put its name in the schema of the connection.",
        ) from error


def _check_id_column(report: Report, pbx: Pbx, session: Session, schema: str, table: str) -> Source:
    key = table_settings(pbx).key
    columns = {
        as_text(name).lower(): (as_text(data_type).lower(), as_text(use), as_text(is_nullable))
        for name, data_type, use, is_nullable in session.rows(
            "select column_name, data_type, column_key, is_nullable "
            "from information_schema.columns where table_schema = %s and table_name = %s",
            (schema, table),
        )
    }
    data_type, use, is_nullable = columns.get(key.lower(), ("", "", ""))
    if data_type not in INTEGER_TYPES:
        has_primary_key = any(other == "PRI" for _, other, _ in columns.values())
        # A table has one primary key; auto_increment is content with a unique one.
        constraint = "unique" if has_primary_key else "primary key"
        raise StepFailedError(
            "id column",
            f"{schema}.{table} has no whole-number column {key!r} that grows with each row"
            + (f" (it is {data_type})" if data_type else ""),
            f"As an administrator: alter table {quoted_name(schema)}.{quoted_name(table)} "
            f"add column {quoted_name(key)} int unsigned not null auto_increment {constraint}; "
            "then reload Asterisk's CDR module. If another column grows, name it in settings.key.",
        )
    if not use:
        report.warn(
            "id column",
            f"{key!r} has no index",
            f"Each pull reads the whole table: create unique index cdr_{key} on "
            f"{quoted_name(schema)}.{quoted_name(table)} ({quoted_name(key)}).",
        )
    elif use == "MUL" or is_nullable == "YES":
        report.warn(
            "id column",
            f"{key!r} may be {'empty' if is_nullable == 'YES' else 'the same in two rows'}: a row "
            "without an id of its own is not read",
            "Let the server number the rows: not null, auto_increment and unique.",
        )
    else:
        report.ok("id column", f"{key!r}, {data_type}, indexed")
    try:
        source = find_source(session, pbx)
    except SourceError as error:
        raise StepFailedError("query", str(error), "The message says what can be done.") from error
    if table_settings(pbx).query is not None:
        whose = "of the entry" if "query" in pbx.settings else f"of {pbx.model}"
        report.ok("query", f"the query {whose} yields {len(source.columns)} columns")
    return source


def _check_rows(
    report: Report, pbx: Pbx, session: Session, source: Source, idlast: str | None
) -> None:
    try:
        extent = id_extent(session, source)
    except SourceError as error:
        raise StepFailedError("id column", str(error), "The message says what to do.") from error
    if extent is None:
        raise StepFailedError("tickets", f"{source.unit} is empty", NOTHING_NEW)
    lowest, highest = extent
    if lowest < 0:
        report.warn(
            "id column",
            f"there are ids below zero, down to {lowest}: those rows are not read",
            "Give them ids above zero, lower than that of any later row.",
        )
    warnings: list[str] = []
    rows = _last_rows(PageReader(session, source, LAST_IDS, warnings), highest)
    for warning in warnings:
        report.warn("query", warning, "Each ticket needs one row.")
    if not rows:
        raise StepFailedError(
            "tickets",
            f"the query yields no row for the last {LAST_IDS} ids of {source.unit}, up to "
            f"{highest}",
            "Join other tables from the left (left join), or correct the condition of the query.",
        )
    _check_left_out(report, session, source, highest, len(rows))
    report.last = LastTickets(tuple(rows[-SHOWN_TICKETS:]))
    report.ok("tickets", f"the highest id is {highest}")
    if idlast is not None and idlast.isdecimal():
        _compare_with_idlast(report, highest, int(idlast))
    records = [json.loads(row.body) for row in rows]
    check_clock(report, pbx, records, source.time_column)
    last_at = _started_at(pbx, records[-1].get(source.time_column or ""))
    if last_at is not None:
        report.add(age_step(pbx, last_at, NOTHING_NEW))


def _check_left_out(
    report: Report, session: Session, source: Source, highest: int, row_count: int
) -> None:
    """Say how many of the last rows a query does not yield: most often an inner join loses them."""
    ((last_count,),) = session.rows(
        f"select count(*) from {source.full_name} "  # noqa: S608 - quoted
        f"where {source.quoted_key} > {max(highest - LAST_IDS, 0) - 1:d}"
    )
    if source.has_query and row_count < int(last_count):
        report.warn(
            "query",
            f"the query leaves out {int(last_count) - row_count} of the last {int(last_count)} "
            f"rows of {source.unit}",
            "If they are calls: join other tables from the left (left join), or correct its "
            "condition.",
        )


def _last_rows(reader: PageReader, highest: int) -> list[Ticket]:
    return [
        ticket
        for page in reader.pages(Stretch(after=max(highest - LAST_IDS, 0) - 1))
        for bundle in page.bundles()
        for ticket in bundle.tickets()
    ]


def _compare_with_idlast(report: Report, highest: int, idlast: int) -> None:
    if highest < idlast:
        report.warn(
            "new",
            f"IDLAST is {idlast}, above the highest id {highest}",
            "The table was emptied or replaced; the next pull reads it from its beginning.",
        )
    else:
        news = "nothing" if highest == idlast else f"ids up to {highest}"
        report.ok("new", f"{news} since IDLAST {idlast}")


def _started_at(pbx: Pbx, clock: Any) -> datetime | None:
    """Return the start of a call by the PBX's clock; None when the row does not say."""
    with suppress(ValueError, TypeError):
        local = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(pbx.time_zone))
        return local.astimezone(UTC)
    return None


def _check_direction(report: Report, pbx: Pbx) -> None:
    """Say so when nothing can tell outgoing from incoming calls: rows of Asterisk do not."""
    if not pbx.trunks and pbx.settings.get("amaflags_direction") is not True:
        report.warn(
            "direction",
            "the entry lists no trunks: whether a call was outgoing or incoming is not known",
            "List them under `trunks` as they stand in the columns channel and dstchannel, "
            '["PJSIP/carrier", "DAHDI/"]; or, where the dial plan marks calls with 2 and 3, set '
            "settings.amaflags_direction to true.",
        )
