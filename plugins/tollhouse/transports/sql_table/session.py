"""A session in the database of a PBX: opened by Airflow's MySQL hook, limited, opened again.

The session reads only. Every statement commits by itself, for a long transaction would go on seeing
the rows of its beginning. A connection that is lost is opened again, a bounded number of times and
ever later; a statement that took too long is never sent a second time, since a PBX that is too busy
to answer must not be asked twice.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any, Self, TypeVar

import mysql.connector
from mysql.connector import errorcode
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_chain,
    wait_exponential,
    wait_none,
)

from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import load_settings
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.failures import (
    TOO_SLOW,
    ConnectionLostError,
    explained,
    is_lost,
)

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 120
#: A server that cannot limit its statements is not waited for any longer than this.
READ_SECONDS = STATEMENT_SECONDS + 30
#: The first attempts follow each other at once; those after them wait, a minute in all.
ATTEMPTS = 9
WAIT = wait_chain(wait_none(), wait_exponential(multiplier=0.25, max=32))
#: The longest text that may be put together of many rows: a page, far below what memory holds.
PACKED_BYTES = 1 << 30

Result = TypeVar("Result")

logger = logging.getLogger(__name__)
# The driver tells which plugin it logs in with, each time.
logging.getLogger("mysql.connector").setLevel(logging.WARNING)


class Session:
    """The connection to the database of one PBX, for as long as it is read."""

    def __init__(self, pbx: Pbx, connection: PbxConnection, default_port: int) -> None:
        """Log in.

        Raises:
            SourceError: the database cannot be reached, or refuses; the message says what to check.
        """
        self.pbx = pbx
        self._connection = connection
        self._default_port = default_port
        self._database: Any = None
        try:
            self._open()
        except mysql.connector.Error as error:
            raise explained(pbx, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def schema(self) -> str:
        """The database that names without one belong to; empty if there is none."""
        return self._connection.schema

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, each value as the bytes that the server sent.

        Raises:
            SourceError: the server refuses the statement, or it takes too long.
            ConnectionLostError: the connection ended.
        """
        return self._run(statement, values, lambda cursor: cursor.fetchall())

    def columns(self, query: str) -> list[tuple[Any, ...]]:
        """Return name, type, flags and so on of the columns of a query, as the server gives them.

        Raises:
            SourceError: the server refuses the query.
            ConnectionLostError: the connection ended.
        """

        def described(cursor: Any) -> list[tuple[Any, ...]]:
            cursor.fetchall()
            return list(cursor.description)

        return self._run(query, (), described)

    def keep_trying(self, work: Callable[[], Result], after_loss: Callable[[], None]) -> Result:
        """Do a piece of reading, from its beginning again when the connection is lost on the way.

        Args:
            work: reads; whatever it did before the loss is forgotten.
            after_loss: called after each loss.

        Raises:
            SourceError: as ``rows``; or the connection was lost too often for one piece.
        """

        def prepare(state: RetryCallState) -> None:
            logger.warning(
                "%s Attempt %d of %d follows.",
                state.outcome.exception() if state.outcome else "",
                state.attempt_number + 1,
                ATTEMPTS,
            )
            after_loss()

        trying = Retrying(
            retry=retry_if_exception_type(ConnectionLostError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=WAIT,
            before_sleep=prepare,
            reraise=True,
        )
        try:
            return trying(work)
        except ConnectionLostError as error:
            raise SourceError(
                f"{error} That was attempt {ATTEMPTS} at the same rows. Nothing of this pull was "
                "landed and nothing is lost: the next one begins where it began. Look whether the "
                "server restarts, whether something ends its connections (wait_timeout, a firewall,"
                " a script), and at the server's own log."
            ) from error

    def close(self) -> None:
        """End the session; one that is lost already is let go."""
        if self._database is not None:
            with suppress(mysql.connector.Error, OSError):
                self._database.close()
            self._database = None

    def _run(
        self, statement: str, values: Sequence[object], read: Callable[[Any], Result]
    ) -> Result:
        started = time.monotonic()
        try:
            if self._database is None:
                self._open()
            with closing(self._database.cursor(raw=True)) as cursor:
                cursor.execute(statement, tuple(values))
                return read(cursor)
        except mysql.connector.Error as error:
            if time.monotonic() - started >= READ_SECONDS:
                self.close()
                raise SourceError(
                    f"{self.pbx.id}: the database does not answer within {READ_SECONDS} seconds. "
                    + TOO_SLOW
                ) from error
            if is_lost(error):
                self.close()
                raise ConnectionLostError(
                    f"{self.pbx.id}: the connection to the database was lost: {error}."
                ) from error
            raise explained(self.pbx, error) from error

    def _open(self) -> None:
        database = _connect(self.pbx, self._connection, self._default_port)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        self._database = database

    def _prepare(self, database: Any) -> None:
        with closing(database.cursor(raw=True)) as cursor:
            if self._connection.extra.get("tls") == "required":
                cursor.execute("show status like 'Ssl_cipher'")
                if not cursor.fetchall()[0][1]:
                    raise SourceError(
                        f"{self.pbx.id}: the server offers no TLS, which the connection requires: "
                        "switch it on in the server, or set extra tls to preferred."
                    )
            # A query must mean the same on each server, and a page of rows fit into one value.
            cursor.execute(
                f"set session sql_mode = '', session group_concat_max_len = {PACKED_BYTES}"
            )
            _limit_statements(cursor)


def _connect(pbx: Pbx, connection: PbxConnection, default_port: int) -> Any:
    """Open a connection through Airflow's hook.

    The connection's extra may hold ``tls``: ``preferred`` (the default), ``off``, ``required``, or
    ``verify`` with ``tls_ca`` naming the file of the authority.
    """
    tls = str(connection.extra.get("tls", "preferred"))
    if tls not in {"off", "preferred", "required", "verify"}:
        raise SourceError(
            f"{pbx.id}: extra tls of connection {connection.connection_id} is {tls!r}; it can be "
            "off, preferred, required or verify."
        )
    extra: dict[str, Any] = {"client": "mysql-connector-python", "ssl_disabled": tls == "off"}
    if tls == "verify":
        extra |= {"ssl_verify_cert": True, "ssl_verify_identity": True}
        extra["ssl_ca"] = connection.extra.get("tls_ca") or ssl.get_default_verify_paths().cafile
    # Airflow makes a folder for its logs where it is imported: not in the home of whoever asks.
    settings = load_settings()
    os.environ.setdefault(
        "AIRFLOW_HOME", settings.environment.get("AIRFLOW_HOME", str(settings.var / "airflow"))
    )
    # Imported when a table is read: Airflow takes a second, and the collector runs without it.
    from airflow.sdk import Connection

    from tollhouse.transports.sql_table.hook import PbxDatabaseHook

    hook = PbxDatabaseHook(
        connection=Connection(
            conn_id=connection.connection_id,
            conn_type="mysql",
            host=connection.host,
            port=connection.port or default_port,
            login=connection.login,
            password=connection.password,
            schema=connection.schema,
            extra=json.dumps(extra),
        ),
        connect_seconds=CONNECT_SECONDS,
        read_seconds=READ_SECONDS,
    )
    return hook.get_conn()


def _limit_statements(cursor: Any) -> None:
    """Let the server end a statement that runs away: it would slow the PBX down."""
    for setting in (
        f"max_statement_time = {STATEMENT_SECONDS}",  # MariaDB
        f"max_execution_time = {STATEMENT_SECONDS * 1000}",  # MySQL
    ):
        try:
            cursor.execute(f"set session {setting}")
        except mysql.connector.Error as error:
            if error.errno != errorcode.ER_UNKNOWN_SYSTEM_VARIABLE:
                raise


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


def quoted_text(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
