"""Checking a PBX that is read from its SQL database (MySQL, MariaDB)."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import mysql.connector
from mysql.connector import errorcode

from tollhouse.connections import PbxConnection, find_connection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.network import check_name, check_port
from tollhouse.pbx_check.report import (
    SHOWN_TICKETS,
    Landed,
    LastTickets,
    Report,
    Step,
    StepFailedError,
    age_step,
)
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table import (
    INTEGER_TYPES,
    Source,
    as_text,
    find_source,
    highest_id,
    open_database,
    quoted_name,
    read_rows,
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
    connection = find_connection(pbx.connection, settings)
    defaults = pbx.known_model.table
    port = connection.port or (defaults.port if defaults else 3306)
    check_name(report, connection.host, connection.connection_id)
    check_port(report, connection.host, port, service="the database server")
    with closing(_log_in(report, pbx, connection)) as database:
        schema, table = _named_table(pbx, connection)
        _check_rights(report, database, connection, schema, table)
        source = _check_id_column(report, pbx, database, schema, table)
        _check_rows(report, pbx, database, source, landed.idlast)


def _log_in(report: Report, pbx: Pbx, connection: PbxConnection) -> Any:
    try:
        database = open_database(pbx, connection)
    except SourceError as error:
        raise _login_failure(connection, error) from error
    with closing(database.cursor()) as cursor:
        cursor.execute("show status like 'Ssl_cipher'")
        cipher = as_text(cursor.fetchone()[1])
    report.ok(
        "TLS", f"encrypted with {cipher}" if cipher else "none: the connection is not encrypted"
    )
    report.ok("login", f"logged in as {connection.login!r}")
    return database


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


def _named_table(pbx: Pbx, connection: PbxConnection) -> tuple[str, str]:
    defaults = pbx.known_model.table
    named = str(pbx.settings.get("table", defaults.table if defaults else "cdr"))
    schema, _, table = named.rpartition(".")
    schema = schema or connection.schema
    if not schema:
        raise StepFailedError(
            "database",
            f"connection {connection.connection_id} names no database",
            "Put its name in the schema of the connection.",
        )
    return schema, table


def _check_rights(
    report: Report, database: Any, connection: PbxConnection, schema: str, table: str
) -> None:
    """Read nothing from the table: the server tells a missing right from a missing table."""
    name = f"{quoted_name(schema)}.{quoted_name(table)}"
    account = f"'{connection.login}'@'this machine'"
    try:
        with closing(database.cursor()) as cursor:
            cursor.execute(f"select 1 from {name} limit 0")  # noqa: S608 - quoted
            cursor.fetchall()
    except mysql.connector.Error as error:
        if error.errno == errorcode.ER_NO_SUCH_TABLE:
            raise StepFailedError(
                "table",
                f"there is no table {schema}.{table} ({error.errno})",
                "Correct settings.table of the entry, or the schema of the connection. If Asterisk "
                "writes its tickets to files only, give it a database back end first.",
            ) from error
        denied = (errorcode.ER_TABLEACCESS_DENIED_ERROR, errorcode.ER_COLUMNACCESS_DENIED_ERROR)
        if error.errno in denied:
            raise StepFailedError(
                "rights",
                f"{connection.login!r} may not read {schema}.{table} ({error.errno})",
                f"As an administrator: grant select on {name} to {account}. (A server tells an "
                "account without rights the same about a table that does not exist.)",
            ) from error
        raise StepFailedError(
            "table", f"{error.msg} ({error.errno})", "The message is the database server's."
        ) from error
    report.ok("rights", f"{connection.login!r} may read {schema}.{table}")


def _check_id_column(report: Report, pbx: Pbx, database: Any, schema: str, table: str) -> Source:
    defaults = pbx.known_model.table
    key = str(pbx.settings.get("key", defaults.key if defaults else "id"))
    with closing(database.cursor()) as cursor:
        cursor.execute(
            "select column_name, data_type, column_key from information_schema.columns "
            "where table_schema = %s and table_name = %s",
            (schema, table),
        )
        columns = {
            as_text(name).lower(): (as_text(data_type).lower(), as_text(use))
            for name, data_type, use in cursor.fetchall()
        }
    data_type, use = columns.get(key.lower(), ("", ""))
    if data_type not in INTEGER_TYPES:
        has_primary_key = any(other == "PRI" for _, other in columns.values())
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
    else:
        report.ok("id column", f"{key!r}, {data_type}, indexed")
    try:
        return find_source(database, pbx)
    except SourceError as error:
        raise StepFailedError("table", str(error), "") from error


def _check_rows(
    report: Report, pbx: Pbx, database: Any, source: Source, idlast: str | None
) -> None:
    highest = highest_id(database, source)
    if highest is None:
        raise StepFailedError("tickets", f"{source.unit} is empty", NOTHING_NEW)
    rows = list(read_rows(database, source, after=max(highest - LAST_IDS, 0) - 1))
    report.last = LastTickets(tuple(rows[-SHOWN_TICKETS:]))
    report.ok("tickets", f"the highest id is {highest}")
    if idlast is not None and idlast.isdecimal():
        read_to = int(idlast)
        if highest < read_to:
            report.add(
                Step(
                    "new",
                    "warning",
                    f"IDLAST is {read_to}, above the highest id {highest}",
                    "The table was emptied or replaced; the next pull reads it from its beginning.",
                )
            )
        else:
            news = "nothing" if highest == read_to else f"ids up to {highest}"
            report.ok("new", f"{news} since IDLAST {read_to}")
    last_at = _started_at(pbx, source, rows[-1].body)
    if last_at is not None:
        report.add(age_step(pbx, last_at, NOTHING_NEW))


def _started_at(pbx: Pbx, source: Source, body: str) -> datetime | None:
    """Return the start of a call by the PBX's clock; None when the row does not say."""
    with suppress(ValueError, TypeError):
        text = json.loads(body).get(source.time_column or "")
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(pbx.time_zone))
        return local.astimezone(UTC)
    return None
