"""What a database says when it cannot be read: what that means, and what to do about it."""

from __future__ import annotations

import mysql.connector
from mysql.connector import errorcode

from tollhouse.installed_pbxs import Pbx
from tollhouse.transports import SourceError

MARIADB_STATEMENT_TIMEOUT = 1969
MARIADB_CONNECTION_KILLED = 1927
MYSQL_DISCONNECTED_FOR_SILENCE = 4031

#: The connection is gone, or the server is about to go or not quite back.
LOST = {
    errorcode.CR_CONNECTION_ERROR,
    errorcode.CR_CONN_HOST_ERROR,
    errorcode.CR_UNKNOWN_HOST,
    errorcode.CR_SERVER_GONE_ERROR,
    errorcode.CR_SERVER_LOST,
    errorcode.CR_SERVER_LOST_EXTENDED,
    errorcode.ER_CON_COUNT_ERROR,
    errorcode.ER_SERVER_SHUTDOWN,
    errorcode.ER_ABORTING_CONNECTION,
    errorcode.ER_NEW_ABORTING_CONNECTION,
    errorcode.ER_NET_READ_ERROR,
    errorcode.ER_NET_READ_INTERRUPTED,
    errorcode.ER_NET_ERROR_ON_WRITE,
    errorcode.ER_NET_WRITE_INTERRUPTED,
    MARIADB_CONNECTION_KILLED,
    MYSQL_DISCONNECTED_FOR_SILENCE,
}

TOO_SLOW = (
    "The statement took too long and was not sent again. Is the table locked (show processlist: "
    "alter table, lock tables, a backup)? Is the key an index of it? If it is, ask for fewer rows "
    "at a time: settings.page_rows."
)

NOT_REACHED = (
    "Check that the host's name resolves, the port, the firewalls between, and the server's "
    "bind-address."
)

LIMITED = (
    "The account may do only so much: let other programs have accounts of their own, or raise the "
    "limit (alter user … with max_user_connections 0)."
)

#: What to do about the errors that people who connect a PBX meet.
REMEDIES = {
    errorcode.CR_CONN_HOST_ERROR: NOT_REACHED,
    errorcode.CR_UNKNOWN_HOST: NOT_REACHED,
    errorcode.ER_ACCESS_DENIED_ERROR: "Check login and password, and that the account may come from"
    " this machine: create user 'tollhouse'@'this machine' identified by '…'.",
    errorcode.ER_DBACCESS_DENIED_ERROR: "Grant the account select on the table.",
    errorcode.ER_TABLEACCESS_DENIED_ERROR: "Grant the account select on that table.",
    errorcode.ER_COLUMNACCESS_DENIED_ERROR: "Grant the account select on that table.",
    errorcode.ER_BAD_DB_ERROR: "Check the schema of the connection: asterisk, or asteriskcdrdb on"
    " FreePBX.",
    errorcode.ER_NO_DB_ERROR: "Put the name of the database in the schema of the connection.",
    errorcode.ER_NO_SUCH_TABLE: "Check settings.table of the entry in include/pbx.yml.",
    errorcode.ER_BAD_FIELD_ERROR: "Where a column went away while the table was read, the next"
    " pull looks at the columns anew.",
    errorcode.ER_USER_LIMIT_REACHED: LIMITED,
    errorcode.ER_TOO_MANY_USER_CONNECTIONS: LIMITED,
    errorcode.ER_QUERY_TIMEOUT: TOO_SLOW,
    MARIADB_STATEMENT_TIMEOUT: TOO_SLOW,
}


class ConnectionLostError(SourceError):
    """The connection ended while a statement ran, or could not be made again."""


def is_lost(error: mysql.connector.Error) -> bool:
    """Whether the connection is gone, so that another one may succeed."""
    # The driver has no number for a connection that it finds closed before it sends anything.
    is_closed = isinstance(error, mysql.connector.OperationalError) and error.errno == -1
    return is_closed or error.errno in LOST


def explained(pbx: Pbx, error: mysql.connector.Error) -> SourceError:
    """Return what the database said, with what to do about it where that is known."""
    remedy = REMEDIES.get(error.errno, "")
    return SourceError(f"{pbx.id}: the database says: {error}. {remedy}".strip())
