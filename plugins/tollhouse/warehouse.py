"""Connections to the warehouse, one role per kind of work (architecture.md, "Roles")."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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

#: Whoever builds, or must not be built under, holds BUILD_LOCKS by this name.
WAREHOUSE = "warehouse"


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


@contextmanager
def advisory_lock(
    connection: psycopg.Connection, kind: int, name: str, *, wait_seconds: float = 0
) -> Iterator[None]:
    """Hold an advisory lock; it falls with the connection if this process dies.

    Args:
        connection: in autocommit mode.
        kind: one of the ..._LOCKS above.
        name: what is locked.
        wait_seconds: how long to wait for another holder; 0 waits for ever.

    Raises:
        psycopg.errors.LockNotAvailable: another holds it for longer than that.
    """
    keys = [kind, lock_number(name)]
    with connection.transaction():
        timeout = f"{round(wait_seconds * 1000)}ms"
        connection.execute("select set_config('lock_timeout', %s, true)", [timeout])
        connection.execute("select pg_advisory_lock(%s, %s)", keys)
    try:
        yield
    finally:
        # A lost connection has let go of the lock already.
        with suppress(psycopg.OperationalError):
            connection.execute("select pg_advisory_unlock(%s, %s)", keys)


def lock_number(name: str) -> int:
    """Return the second key of an advisory lock for a name: a signed 32-bit number."""
    return zlib.crc32(name.encode()) - 2**31
