"""Airflow's MySQL hook, as the database of a PBX wants it.

The hook hands only TLS options on to the driver. What a session needs from its first byte cannot be
set afterwards: how long to wait, and a collation that every server of this kind knows (the driver's
own choice is unknown to MariaDB).
"""

from __future__ import annotations

from typing import Any

from airflow.providers.mysql.hooks.mysql import MySqlHook
from airflow.sdk import Connection


class PbxDatabaseHook(MySqlHook):  # type: ignore[misc] # Airflow is not followed by mypy
    """Opens the database of a PBX with time-outs, UTF-8, and each statement for itself."""

    def __init__(self, *, connection: Connection, connect_seconds: int, read_seconds: int) -> None:
        """Take the connection as it is, from wherever it was found."""
        super().__init__(connection=connection)
        self._options = {
            "connection_timeout": connect_seconds,
            "read_timeout": read_seconds,
            "charset": "utf8mb4",
            "collation": "utf8mb4_general_ci",
            "autocommit": True,
        }

    def _get_conn_config_mysql_connector_python(self, conn: Connection) -> dict[str, Any]:
        return {**super()._get_conn_config_mysql_connector_python(conn), **self._options}
