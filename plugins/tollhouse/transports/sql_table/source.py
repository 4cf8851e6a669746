"""What is read of the database of a PBX: a table, or a query over it, looked at and checked.

The query of the model is used, or the one of the entry. Before any row is read it must have shown
that it can be run, that it yields the key, and no column twice: a pull of half a million rows must
not end at the last one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import mysql.connector
from mysql.connector import FieldFlag, FieldType, errorcode

from tollhouse.installed_pbxs import Pbx
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.entry_settings import table_defaults, table_settings
from tollhouse.transports.sql_table.query_text import fault_of, uses_idlast
from tollhouse.transports.sql_table.session import Session, as_text, quoted_name, quoted_text

#: What raw's ordinals can hold.
HIGHEST_ID = 2**63 - 1
INTEGER_TYPES = {"tinyint", "smallint", "mediumint", "int", "bigint"}
_INTEGERS = {FieldType.TINY, FieldType.SHORT, FieldType.INT24, FieldType.LONG, FieldType.LONGLONG}
_TEXTS = {FieldType.VAR_STRING, FieldType.STRING}
_LONG_TEXTS = {
    FieldType.TINY_BLOB,
    FieldType.BLOB,
    FieldType.MEDIUM_BLOB,
    FieldType.LONG_BLOB,
    FieldType.GEOMETRY,
}
#: What the server gives as the character set of columns that hold bytes.
_BYTES = 63

#: What to do when the query itself is refused.
QUERY_REMEDIES = {
    errorcode.ER_NO_SUCH_TABLE: "Where a site lacks that table, set settings.query of the entry to "
    "a query without it; docs/pbx.md shows the model's own.",
    errorcode.ER_BAD_FIELD_ERROR: "Where a site names a column otherwise, set settings.query of the"
    " entry to a query that gives it the name which the model expects (… as …).",
    errorcode.ER_DUP_FIELDNAME: "Give one of the two another name in the query (… as …).",
    errorcode.ER_PARSE_ERROR: "Correct settings.query of the entry in include/pbx.yml.",
    errorcode.ER_TABLEACCESS_DENIED_ERROR: "Grant the account select on each table of the query.",
    errorcode.ER_COLUMNACCESS_DENIED_ERROR: "Grant the account select on each table of the query.",
}


@dataclass(frozen=True)
class Column:
    """A column of the rows.

    Attributes:
        expression: SQL that makes it fit for JSON: whole numbers as they are, all else as text.
        is_long_text: whether its values may be longer than what the server makes within SQL.
    """

    name: str
    expression: str
    is_integer: bool
    is_long_text: bool = False

    @property
    def alone(self) -> str:
        """SQL that yields it as a value of its own, however long it is."""
        return f"t.{quoted_name(self.name)}" if self.is_long_text else self.expression


@dataclass(frozen=True)
class Source:
    """The rows of a PBX, as its database really has them.

    Attributes:
        key: the growing id, as the rows spell it.
        relation: what the rows are selected from, under the name ``t``.
        time_column: where a call's start is, if the rows have such a column.
        makes_json: whether the server can (MySQL 5.7, MariaDB 10.2 and newer).
        has_query: whether the rows are those of a query over the table.
        uses_idlast: whether the query reads the variable ``@IDLAST``.
    """

    schema: str
    table: str
    key: str
    relation: str
    time_column: str | None
    columns: tuple[Column, ...]
    makes_json: bool
    has_query: bool = False
    uses_idlast: bool = False

    @property
    def unit(self) -> str:
        """The delivery's name."""
        return f"{self.schema}.{self.table}"

    @property
    def full_name(self) -> str:
        """The table, quoted for SQL."""
        return f"{quoted_name(self.schema)}.{quoted_name(self.table)}"

    @property
    def quoted_key(self) -> str:
        """The key, quoted for SQL."""
        return quoted_name(self.key)

    @property
    def json(self) -> str:
        """The expression of a row as one JSON object, where the server makes it.

        It is put together of its parts: that takes the server half as long as json_object, and
        MySQL would sort the keys.
        """
        parts: list[str] = []
        mark = "{"
        for column in self.columns:
            value, null = column.expression, "'null'"
            if not column.is_integer:
                # The server also says null where a text is longer than its packets: such a row is
                # left out of the page, which is then read otherwise.
                value = f"json_quote({value})"
                null = f"if(t.{quoted_name(column.name)} is null, {null}, null)"
            key = json.dumps(column.name, ensure_ascii=False)
            parts += [quoted_text(f"{mark}{key}: "), f"ifnull({value}, {null})"]
            mark = ", "
        return f"concat({', '.join(parts)}, '}}')"


def find_source(session: Session, pbx: Pbx) -> Source:
    """Look at the table and run the query for no row.

    Raises:
        SourceError: the table or its id is not there, or the query cannot be read; the message
            says what to do.
    """
    settings = table_settings(pbx)
    schema, table = named_table(session, pbx)
    types = _visible_columns(session, schema, table)
    if not types:
        raise SourceError(
            f"{pbx.id}: there is no table {schema}.{table}, or the account may not see it. "
            f"Check settings.table, or: grant select on {quoted_name(schema)}."
            f"{quoted_name(table)} to the account."
        )
    wanted = settings.key
    key = {name.lower(): name for name in types}.get(wanted.lower())
    if key is None or types[key] not in INTEGER_TYPES:
        raise SourceError(
            f"{pbx.id}: {schema}.{table} has no whole-number column {wanted!r} that grows with each"
            " row. Add it, as an administrator of the PBX's database: alter table "
            f"{quoted_name(schema)}.{quoted_name(table)} add column {quoted_name(wanted)} "
            "bigint unsigned not null auto_increment primary key; then reload Asterisk's CDR module"
            " (module reload cdr_adaptive_odbc.so). If another column grows, name it in "
            "settings.key."
        )
    full_name = f"{quoted_name(schema)}.{quoted_name(table)}"
    query = settings.query
    if query is None:
        relation = f"{full_name} as t"
        columns = _columns(session, f"{', '.join(map(quoted_name, types))} from {relation}")
    else:
        query = query.replace("{table}", full_name)
        relation = f"({query}\n) as t"
        columns = _columns_of_query(session, pbx, query, relation)
    by_lower = {column.name.lower(): column.name for column in columns}
    if key.lower() not in by_lower:
        raise _faulty(pbx, f"it does not yield the key {key!r}", "Add that column to it.")
    if query is not None:
        _refuse_unread_names(pbx, set(by_lower), {name.lower() for name in types})
    return Source(
        schema=schema,
        table=table,
        key=by_lower[key.lower()],
        relation=relation,
        time_column=next(
            (by_lower[name] for name in table_defaults(pbx).time_columns if name in by_lower), None
        ),
        columns=columns,
        makes_json=_makes_json(session),
        has_query=query is not None,
        uses_idlast=query is not None and uses_idlast(query),
    )


def named_table(session: Session, pbx: Pbx) -> tuple[str, str]:
    """Return database and table of the tickets.

    Raises:
        SourceError: no database is named.
    """
    schema, _, table = table_settings(pbx).table.rpartition(".")
    schema = schema or session.schema
    if not schema:
        raise SourceError(
            f"{pbx.id}: no database is named: set the schema of connection {pbx.connection}."
        )
    return schema, table


def id_extent(session: Session, source: Source) -> tuple[int, int] | None:
    """Return the lowest and the highest id of the table, or None if it is empty.

    Raises:
        SourceError: the highest one is no number that raw can hold.
    """
    key = source.quoted_key
    query = f"select min({key}), max({key}) from {source.full_name}"  # noqa: S608 - quoted
    ((lowest, highest),) = session.rows(query)
    if highest is None:
        return None
    if int(highest) > HIGHEST_ID:
        raise SourceError(
            f"{session.pbx.id}: a row of {source.unit} has the id {int(highest)}; ids up to "
            f"{HIGHEST_ID} can be kept. Auto-increment never comes so far: look who wrote that row,"
            " delete it or give it another id, and set the table's auto_increment back."
        )
    return int(lowest), int(highest)


def _visible_columns(session: Session, schema: str, table: str) -> dict[str, str]:
    """Return the type of each column that the account may read, in their order."""
    rows = session.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = %s and table_name = %s order by ordinal_position",
        (schema, table),
    )
    return {as_text(name): as_text(data_type).lower() for name, data_type in rows}


def _columns_of_query(session: Session, pbx: Pbx, query: str, relation: str) -> tuple[Column, ...]:
    fault = fault_of(query)
    if fault is not None:
        raise _faulty(pbx, fault, "Correct settings.query of the entry in include/pbx.yml.")
    try:
        if uses_idlast(query):
            session.rows("set @IDLAST = -1")
        return _columns(session, f"* from {relation}")
    except SourceError as error:
        cause = error.__cause__
        if not isinstance(cause, mysql.connector.Error) or cause.errno not in QUERY_REMEDIES:
            raise
        raise _faulty(pbx, f"the database says: {cause}", QUERY_REMEDIES[cause.errno]) from cause


def _refuse_unread_names(pbx: Pbx, yielded: set[str], of_table: set[str]) -> None:
    """Refuse a user's names that nobody would read: once landed, a ticket keeps what it has.

    The queries of other billing programs yield them as the table of users does.
    """
    for wanted in table_defaults(pbx).joined_columns:
        name = wanted.removeprefix("user_")
        if name != wanted and wanted not in yielded and name in yielded - of_table:
            raise _faulty(
                pbx,
                f"it yields {name!r}, which is not read under that name",
                f"Write … as {wanted} there.",
            )


def _faulty(pbx: Pbx, fault: str, remedy: str) -> SourceError:
    whose = "settings.query of the entry" if "query" in pbx.settings else f"of {pbx.model}"
    return SourceError(f"{pbx.id}: its query ({whose}) cannot be read: {fault}. {remedy}")


def _columns(session: Session, selected: str) -> tuple[Column, ...]:
    described = session.columns(f"select {selected} limit 0")
    return tuple(
        _column(as_text(name), code, flags, character_set)
        for name, code, *_, flags, character_set in described
    )


def _column(name: str, code: int, flags: int, character_set: int) -> Column:
    column = f"t.{quoted_name(name)}"
    if code in _INTEGERS:
        return Column(name, column, is_integer=True)
    if code == FieldType.BIT:
        return Column(name, f"{column} + 0", is_integer=True)
    if code in _TEXTS | _LONG_TEXTS and character_set == _BYTES:
        return Column(name, f"hex({column})", is_integer=False)
    if code in _TEXTS and not flags & (FieldFlag.ENUM | FieldFlag.SET):
        return Column(name, column, is_integer=False)
    # Among them texts that hold JSON, which would come as a part of the object.
    is_long_text = code in _LONG_TEXTS and code != FieldType.GEOMETRY
    return Column(name, f"cast({column} as char)", is_integer=False, is_long_text=is_long_text)


def _makes_json(session: Session) -> bool:
    try:
        session.rows("select json_quote('a')")
    except SourceError:
        return False  # older servers have no such function; Python makes the JSON then
    return True
