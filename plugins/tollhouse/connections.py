"""Airflow Connections outside Airflow: how collector and command read hosts and passwords.

Outside a task ``airflow.sdk`` sees the environment and secrets backends only, never connections
made in the UI. So the connections of the PBXs live in ``AIRFLOW_CONN_<ID>`` or in the file of the
local-filesystem secrets backend, and DAGs, collector and command read the same ones. This module
reads those two places without importing Airflow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tollhouse.settings import Settings, load_settings


class ConnectionMissingError(Exception):
    """No connection of that id is visible outside the UI; the message says where to put it."""


class ConnectionFormatError(Exception):
    """A connection is there and cannot be read; the message says where and why.

    It never quotes what stands there: that may be a password. For the same reason it is raised
    without its cause, whose message does quote.
    """


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
        ConnectionFormatError: it cannot be read.
    """
    settings = settings or load_settings()
    variable = f"AIRFLOW_CONN_{connection_id.upper()}"
    place = variable
    value: Any = settings.environment.get(variable)
    if value is None and settings.connections_file.exists():
        place = str(settings.connections_file)
        value = _read_file(connection_id, settings.connections_file).get(connection_id)
    if value is None:
        raise ConnectionMissingError(
            f"Connection {connection_id!r} is neither in {variable} nor in "
            f"{settings.connections_file}. A connection made in the Airflow UI serves DAGs only: "
            "the collector and this command cannot see it."
        )
    try:
        return _parse(connection_id, value)
    except _FaultyValueError as fault:
        raise _format_error(connection_id, place, str(fault)) from None


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


class _FaultyValueError(Exception):
    """What is wrong with a connection, in words that quote nothing of it."""


def _format_error(connection_id: str, place: str, fault: str) -> ConnectionFormatError:
    return ConnectionFormatError(f"Connection {connection_id!r} in {place} cannot be read: {fault}")


def _read_file(connection_id: str, path: Path) -> dict[str, Any]:
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _format_error(connection_id, str(path), f"{error.strerror}.") from None
    except UnicodeDecodeError:
        raise _format_error(connection_id, str(path), "the file is not UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _format_error(connection_id, str(path), f"the file is no YAML{where}.") from None
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        raise _format_error(
            connection_id, str(path), "the file is no mapping of connection ids to connections."
        )
    return entries


def _parse(connection_id: str, value: Any) -> PbxConnection:
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return _parse_uri(connection_id, value)
        value = _json_object(value, "it")
    if not isinstance(value, dict):
        raise _FaultyValueError("it is neither a URI nor a mapping.")
    extra = value.get("extra") or value.get("extra_dejson") or {}
    if isinstance(extra, str):
        extra = _json_object(extra, "extra")
    if not isinstance(extra, dict):
        raise _FaultyValueError("extra is no mapping.")
    return PbxConnection(
        connection_id=connection_id,
        host=_text(value, "host"),
        port=_port(value.get("port")),
        login=_text(value, "login"),
        password=_text(value, "password"),
        schema=_text(value, "schema"),
        extra=extra,
    )


def _parse_uri(connection_id: str, uri: str) -> PbxConnection:
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise _FaultyValueError("it is no URI such as tcp://192.0.2.10:1752.") from None
    try:
        port = parts.port
    except ValueError:
        raise _FaultyValueError(
            "the port of the URI is no number between 1 and 65535 (in login and password, "
            "characters such as @ : / are written %40 %3A %2F)."
        ) from None
    return PbxConnection(
        connection_id=connection_id,
        host=unquote(parts.hostname or ""),
        port=_port(port),
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        schema=unquote(parts.path.lstrip("/")),
        extra=dict(parse_qsl(parts.query)),
    )


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise _FaultyValueError(f"{name} is no JSON.") from None
    if not isinstance(found, dict):
        raise _FaultyValueError(f"{name} is no JSON object.")
    return found


def _port(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 5:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65_536:
        return value
    raise _FaultyValueError("port is no number between 1 and 65535.")


def _text(value: dict[str, Any], name: str) -> str:
    """Return a field as text; YAML reads a password of digits as a number."""
    found = value.get(name)
    if found is None:
        return ""
    if isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool)):
        return str(found)
    raise _FaultyValueError(f"{name} is no text: put it in quotes.")
