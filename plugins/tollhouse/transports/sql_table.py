"""Tickets in a table of the PBX's own database: MySQL and MariaDB.

IDLAST is the highest id that was looked at. Ids are given out when a row is inserted and seen when
it is committed, so a row may appear below IDLAST: each pull reads a stretch of ids below it again
and lands what was not there. The server makes the JSON of a row, column by column as the table has
them; the session commits by itself, for a long transaction would go on seeing the rows of its
beginning.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import mysql.connector
from mysql.connector import errorcode

from tollhouse.bundles import Bundle, bundled
from tollhouse.connections import PbxConnection
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import Delivery, DeliveryTickets, KnownDelivery, says_the_same
from tollhouse.pbx import TableDefaults
from tollhouse.transports import FetchRequest, Interval, Progress, SourceError

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 120
#: Calls of an interval are sought with this margin: the clock of the PBX may be an hour off (DST).
INTERVAL_MARGIN = timedelta(hours=1)
#: The columns that may hold the start of a call, in order of preference (FreePBX, stock Asterisk).
TIME_COLUMNS = ("calldate", "start")

INTEGER_TYPES = {"tinyint", "smallint", "mediumint", "int", "bigint"}
BINARY_TYPES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}

#: What to do about the errors that people who connect a PBX meet.
REMEDIES = {
    errorcode.CR_CONN_HOST_ERROR: "Check that the host's name resolves, the port, the firewalls"
    " between, and the server's bind-address.",
    errorcode.ER_ACCESS_DENIED_ERROR: "Check login and password, and that the account may come from"
    " this machine: create user 'tollhouse'@'this machine' identified by '…'.",
    errorcode.ER_DBACCESS_DENIED_ERROR: "Grant the account select on the table.",
    errorcode.ER_TABLEACCESS_DENIED_ERROR: "Grant the account select on the table.",
    errorcode.ER_BAD_DB_ERROR: "Check the schema of the connection: asterisk, or asteriskcdrdb on"
    " FreePBX.",
    errorcode.ER_NO_SUCH_TABLE: "Check settings.table of the entry in include/pbx.yml.",
    errorcode.ER_QUERY_TIMEOUT: "The statement took too long: is the id column a key?",
    1969: "The statement took too long: is the id column a key?",  # MariaDB's number for it
}


@dataclass(frozen=True)
class Source:
    """The table of a PBX, as it really is.

    Attributes:
        key: the growing id, as the table spells it.
        time_column: where a call's start is, if the table has such a column.
        columns: the JSON key and the SQL expression of each column.
        makes_json: whether the server can (MySQL 5.7, MariaDB 10.2 and newer).
    """

    schema: str
    table: str
    key: str
    time_column: str | None
    columns: tuple[tuple[str, str], ...]
    makes_json: bool

    @property
    def unit(self) -> str:
        """The delivery's name."""
        return f"{self.schema}.{self.table}"

    @property
    def full_name(self) -> str:
        """The table, quoted for SQL."""
        return f"{quoted_name(self.schema)}.{quoted_name(self.table)}"


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number."""
    if not idlast.isdecimal():
        raise ValueError("the id of a row is a whole number")
    return (int(idlast),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets]:
    """Yield the table and its new rows, or its rows of an interval."""
    pbx = request.pbx
    try:
        with closing(open_database(pbx, request.find_connection())) as database:
            source = find_source(database, pbx)
            known = request.known.current([source.unit]).get(source.unit)
            if request.interval is not None:
                pages = _interval_pages(database, source, pbx, request.interval)
                generation = known.generation if known else 1
                yield DeliveryTickets(Delivery(source.unit, generation), pages)
            else:
                yield from _fetch_new(request, progress, database, source, known)
    except mysql.connector.Error as error:
        raise _explained(pbx, error) from error


def open_database(pbx: Pbx, connection: PbxConnection) -> Any:
    """Open the database of a PBX, read only in effect: autocommit, UTF-8, statements timed out.

    The connection's extra may hold ``tls``: ``preferred`` (the default), ``off``, ``required``, or
    ``verify`` with ``tls_ca`` naming the file of the authority.

    Raises:
        SourceError: it cannot be reached, or refuses; the message says what to check.
    """
    table = _defaults(pbx)
    tls = str(connection.extra.get("tls", "preferred"))
    if tls not in {"off", "preferred", "required", "verify"}:
        raise SourceError(
            f"{pbx.id}: extra tls of connection {connection.connection_id} is {tls!r}; it can be "
            "off, preferred, required or verify."
        )
    options: dict[str, Any] = {"ssl_disabled": tls == "off"}
    if tls == "verify":
        options |= {"ssl_verify_cert": True, "ssl_verify_identity": True}
        options["ssl_ca"] = connection.extra.get("tls_ca") or ssl.get_default_verify_paths().cafile
    try:
        database = mysql.connector.connect(
            host=connection.host,
            port=connection.port or table.port,
            user=connection.login,
            password=connection.password,
            database=connection.schema or None,
            autocommit=True,
            connection_timeout=CONNECT_SECONDS,
            charset="utf8mb4",
            collation="utf8mb4_general_ci",  # the one that every server of this kind knows
            **options,
        )
        _limit_statements(database)
        if tls == "required" and not _rows(database, "show status like 'Ssl_cipher'")[0][1]:
            database.close()
            raise SourceError(
                f"{pbx.id}: the server offers no TLS, which the connection requires: switch it on "
                "in the server, or set extra tls to preferred."
            )
    except mysql.connector.Error as error:
        raise _explained(pbx, error) from error
    return database


def find_source(database: Any, pbx: Pbx) -> Source:
    """Look at the table: which columns it has, and whether it has the growing id.

    Raises:
        SourceError: the table or its id is not there; the message holds the statement to run.
    """
    defaults = _defaults(pbx)
    schema, _, table = str(pbx.settings.get("table", defaults.table)).rpartition(".")
    schema = schema or database.database or ""
    if not schema:
        raise SourceError(
            f"{pbx.id}: no database is named: set the schema of connection {pbx.connection}."
        )
    types = {
        as_text(name): as_text(data_type).lower()
        for name, data_type in _rows(
            database,
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %s and table_name = %s order by ordinal_position",
            (schema, table),
        )
    }
    if not types:
        raise SourceError(
            f"{pbx.id}: there is no table {schema}.{table}, or the account may not see it. "
            f"Check settings.table, or: grant select on {quoted_name(schema)}."
            f"{quoted_name(table)} to the account."
        )
    by_lower = {name.lower(): name for name in types}
    wanted = str(pbx.settings.get("key", defaults.key))
    key = by_lower.get(wanted.lower())
    if key is None or types[key] not in INTEGER_TYPES:
        raise SourceError(
            f"{pbx.id}: {schema}.{table} has no whole-number column {wanted!r} that grows with each"
            " row. Add it, as an administrator of the PBX's database: alter table "
            f"{quoted_name(schema)}.{quoted_name(table)} add column {quoted_name(wanted)} "
            "bigint unsigned not null auto_increment primary key; then reload Asterisk's CDR module"
            " (module reload cdr_adaptive_odbc.so). If another column grows, name it in "
            "settings.key."
        )
    return Source(
        schema=schema,
        table=table,
        key=key,
        time_column=next((by_lower[name] for name in TIME_COLUMNS if name in by_lower), None),
        columns=tuple((name, _as_json_value(name, types[name])) for name in types),
        makes_json=_makes_json(database),
    )


def highest_id(database: Any, source: Source) -> int | None:
    """Return the highest id of the table, or None if it is empty."""
    query = f"select max({quoted_name(source.key)}) from {source.full_name}"  # noqa: S608 - quoted
    value = _rows(database, query)[0][0]
    return None if value is None else int(value)


def read_rows(
    database: Any,
    source: Source,
    *,
    after: int,
    until: int | None = None,
    condition: str = "",
    page_rows: int = 10_000,
) -> Iterator[Ticket]:
    """Yield the rows with an id above ``after``, up to ``until``, in order of id."""
    pages = read_pages(
        database, source, after=after, until=until, condition=condition, page_rows=page_rows
    )
    return chain.from_iterable(page.tickets() for page in pages)


def read_pages(
    database: Any,
    source: Source,
    *,
    after: int,
    until: int | None = None,
    condition: str = "",
    page_rows: int = 10_000,
) -> Iterator[Bundle]:
    """Yield the same rows as ``read_rows``, a page a bundle."""
    key = quoted_name(source.key)
    bounds = [condition] if condition else []
    if until is not None:
        bounds.append(f"{key} <= {until:d}")
    while True:
        where = " and ".join([f"{key} > {after:d}", *bounds])
        query = (
            f"select {key}, {_selected(source)} from {source.full_name} "  # noqa: S608 - quoted
            f"where {where} order by {key} limit {page_rows:d}"
        )
        page = _rows(database, query)
        received_at = datetime.now(UTC)
        if page:
            ids = [int(row[0]) for row in page]
            bodies = [_body(database, source, row) for row in page]
            yield Bundle(ids, bodies, [received_at] * len(ids))
        if len(page) < page_rows:
            return
        after = int(page[-1][0])


def _fetch_new(
    request: FetchRequest,
    progress: Progress,
    database: Any,
    source: Source,
    known: KnownDelivery | None,
) -> Iterator[DeliveryTickets]:
    pbx, defaults = request.pbx, _defaults(request.pbx)
    page_rows = int(pbx.settings.get("page_rows", defaults.page_rows))
    idlast = None if request.idlast is None else int(request.idlast)
    highest = highest_id(database, source)
    if highest is None:
        if idlast:
            progress.warnings.append(
                f"{pbx.id}: {source.unit} is empty, though it was read up to id {idlast} before."
            )
        return
    generation = known.generation if known else 1
    overlap: list[Ticket] = []
    if idlast is not None:
        below = int(pbx.settings.get("overlap_ids", defaults.overlap_ids))
        overlap = list(
            read_rows(
                database,
                source,
                after=max(idlast - below, 0) - 1,
                until=idlast,
                page_rows=page_rows,
            )
        )
        if known is not None and (highest < idlast or _is_another_table(request, known, overlap)):
            progress.warnings.append(
                f"{pbx.id}: {source.unit} began anew: its highest id is {highest} and IDLAST was "
                f"{idlast}, or its rows are others now. It was emptied or replaced; everything in "
                f"it is read, as generation {generation + 1}."
            )
            generation, idlast, overlap = generation + 1, None, []
            progress.idlast = None
    after = -1 if idlast is None else idlast
    pages = read_pages(database, source, after=after, page_rows=page_rows)
    yield DeliveryTickets(
        Delivery(source.unit, generation), _looked_at(chain(bundled(overlap), pages), progress)
    )


def _looked_at(pages: Iterator[Bundle], progress: Progress) -> Iterator[Bundle]:
    """Yield the rows and move IDLAST over each page."""
    highest = int(progress.idlast or -1)
    for page in pages:
        yield page
        highest = max(highest, *page.ordinals)
        progress.idlast = str(highest)


def _is_another_table(request: FetchRequest, known: KnownDelivery, overlap: list[Ticket]) -> bool:
    """Whether none of the rows that are read again is the one that raw has under its id.

    A single row that differs may have been edited: that is a conflict and no new table.
    """
    kept = request.known.bodies(known.delivery_id, [row.ordinal for row in overlap])
    compared = [row for row in overlap if row.ordinal in kept]
    return len(compared) > 1 and not any(
        says_the_same(kept[row.ordinal], row.body) for row in compared
    )


def _interval_pages(
    database: Any, source: Source, pbx: Pbx, interval: Interval
) -> Iterator[Bundle]:
    if source.time_column is None:
        raise SourceError(
            f"{pbx.id}: {source.unit} has none of the columns {', '.join(TIME_COLUMNS)}, so an "
            "interval cannot be read. Set IDLAST back instead; nothing doubles."
        )
    zone = ZoneInfo(pbx.time_zone)
    start, end = (
        _literal(instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))
        for instant in (interval.start - INTERVAL_MARGIN, interval.end + INTERVAL_MARGIN)
    )
    column = quoted_name(source.time_column)
    page_rows = int(pbx.settings.get("page_rows", _defaults(pbx).page_rows))
    return read_pages(
        database,
        source,
        after=-1,
        condition=f"{column} >= {start} and {column} < {end}",
        page_rows=page_rows,
    )


def _selected(source: Source) -> str:
    if not source.makes_json:
        return ", ".join(expression for _, expression in source.columns)
    pairs = (f"{_literal(name)}, {expression}" for name, expression in source.columns)
    return f"json_object({', '.join(pairs)})"


def _body(database: Any, source: Source, row: tuple[Any, ...]) -> str:
    """Return a row as one JSON object."""
    values = row[1:]
    if source.makes_json:
        if values[0] is not None:
            return as_text(values[0])
        # The object was too long for the server's packet, though its columns are not.
        expressions = ", ".join(expression for _, expression in source.columns)
        key = quoted_name(source.key)
        query = f"select {expressions} from {source.full_name} where {key} = %s"  # noqa: S608
        values = _rows(database, query, (row[0],))[0]
    names = (name for name, _ in source.columns)
    return json.dumps(
        {
            name: value if value is None or isinstance(value, int) else as_text(value)
            for name, value in zip(names, values, strict=True)
        },
        ensure_ascii=False,
    )


def _as_json_value(name: str, data_type: str) -> str:
    """Return the SQL expression of a column: whole numbers as they are, all else as text."""
    column = quoted_name(name)
    if data_type in INTEGER_TYPES:
        return column
    if data_type in BINARY_TYPES:
        return f"hex({column})"
    if data_type == "bit":
        return f"{column} + 0"
    return f"cast({column} as char)"


def _makes_json(database: Any) -> bool:
    try:
        _rows(database, "select json_object('a', 1)")
    except mysql.connector.Error:
        return False  # older servers have no such function; Python makes the JSON then
    return True


def _limit_statements(database: Any) -> None:
    """Let the server end a statement that runs away: it would slow the PBX down."""
    for setting in (
        f"max_statement_time = {STATEMENT_SECONDS}",  # MariaDB
        f"max_execution_time = {STATEMENT_SECONDS * 1000}",  # MySQL
    ):
        try:
            _rows(database, f"set session {setting}")
        except mysql.connector.Error as error:
            if error.errno != errorcode.ER_UNKNOWN_SYSTEM_VARIABLE:
                raise


def _rows(database: Any, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with closing(database.cursor()) as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall()) if cursor.with_rows else []


def as_text(value: Any) -> str:
    """Return a value as text; bytes that are not UTF-8 stand escaped."""
    return (
        value.decode("utf-8", "backslashreplace")
        if isinstance(value, bytes | bytearray)
        else str(value)
    )


def quoted_name(name: str) -> str:
    """Quote the name of a schema, table or column for SQL."""
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _defaults(pbx: Pbx) -> TableDefaults:
    table = pbx.known_model.table
    if table is None:
        raise SourceError(f"{pbx.id}: model {pbx.model} is not read from a table.")
    return table


def _explained(pbx: Pbx, error: mysql.connector.Error) -> SourceError:
    remedy = REMEDIES.get(error.errno, "")
    return SourceError(f"{pbx.id}: the database says: {error}. {remedy}".strip())
