"""Connections to the warehouse, one role per kind of work (architecture.md, "Roles")."""

from __future__ import annotations

import zlib

import psycopg

from tollhouse.settings import Settings, load_settings

LOADER = "tollhouse_loader"
DBT = "tollhouse_dbt"
BILLING = "tollhouse_billing"

#: First key of the two-key advisory locks that Tollhouse takes; the second key names what is
#: locked.
LANDING_LOCKS = 7_0001
BUILD_LOCKS = 7_0002
ISSUING_LOCKS = 7_0004


class WarehouseError(Exception):
    """The warehouse cannot be reached or is not ready; the message says what to do."""


def connect(
    role: str, *, settings: Settings | None = None, autocommit: bool = False
) -> psycopg.Connection:
    """Open a connection as ``role``; UTC session, so that every timestamptz prints alike.

    Raises:
        WarehouseError: the database does not answer or refuses the role.
    """
    settings = settings or load_settings()
    try:
        return psycopg.connect(
            settings.role_url(role),
            autocommit=autocommit,
            application_name=role,
            connect_timeout=10,
            options="-c timezone=UTC",
        )
    except psycopg.OperationalError as error:
        raise WarehouseError(
            f"The warehouse does not answer as {role}: {str(error).strip()} "
            "Is it running? `make up` starts the embedded one."
        ) from error


def lock_number(name: str) -> int:
    """Return the second key of an advisory lock for a name: a signed 32-bit number."""
    return zlib.crc32(name.encode()) - 2**31
