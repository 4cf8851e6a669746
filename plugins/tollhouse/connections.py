"""Airflow Connections outside Airflow: how collector and command read hosts and passwords.

Outside a task ``airflow.sdk`` sees the environment and secrets backends only, never connections
made in the UI. So the connections of the PBXs live in ``AIRFLOW_CONN_<ID>`` or in the file of the
local-filesystem secrets backend, and DAGs, collector and command read the same ones. This module
reads those two places without importing Airflow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tollhouse.settings import Settings, load_settings


class ConnectionMissingError(Exception):
    """No connection of that id is visible outside the UI; the message says where to put it."""


@dataclass(frozen=True)
class PbxConnection:
    """Address and login of one PBX."""

    connection_id: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


def find_connection(connection_id: str, settings: Settings | None = None) -> PbxConnection:
    """Return a connection from ``AIRFLOW_CONN_*`` or the connections file.

    Raises:
        ConnectionMissingError: it is in neither place (it may still exist in the Airflow UI).
    """
    settings = settings or load_settings()
    variable = f"AIRFLOW_CONN_{connection_id.upper()}"
    value: Any = settings.environment.get(variable)
    if value is None and settings.connections_file.exists():
        entries = yaml.safe_load(settings.connections_file.read_text(encoding="utf-8")) or {}
        value = entries.get(connection_id)
    if value is None:
        raise ConnectionMissingError(
            f"Connection {connection_id!r} is neither in {variable} nor in "
            f"{settings.connections_file}. A connection made in the Airflow UI serves DAGs only: "
            "the collector and this command cannot see it."
        )
    return _parse(connection_id, value)


def find_airflow_connection(connection_id: str) -> PbxConnection:
    """Return a connection as a task sees it: from a secrets backend, or made in the Airflow UI."""
    from airflow.sdk import Connection

    found = Connection.get(connection_id)
    return PbxConnection(
        connection_id=connection_id,
        host=found.host or "",
        port=found.port,
        login=found.login or "",
        password=found.password or "",
        schema=found.schema or "",
        extra=found.extra_dejson,
    )


def _parse(connection_id: str, value: Any) -> PbxConnection:
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return _parse_uri(connection_id, value)
        value = json.loads(value)
    extra = value.get("extra") or value.get("extra_dejson") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    port = value.get("port")
    return PbxConnection(
        connection_id=connection_id,
        host=value.get("host") or "",
        port=int(port) if port not in (None, "") else None,
        login=value.get("login") or "",
        password=value.get("password") or "",
        schema=value.get("schema") or "",
        extra=extra,
    )


def _parse_uri(connection_id: str, uri: str) -> PbxConnection:
    parts = urlsplit(uri)
    return PbxConnection(
        connection_id=connection_id,
        host=unquote(parts.hostname or ""),
        port=parts.port,
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        schema=unquote(parts.path.lstrip("/")),
        extra=dict(parse_qsl(parts.query)),
    )
