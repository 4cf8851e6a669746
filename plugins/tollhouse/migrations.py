"""Numbered SQL files of ``include/sql``: applied once, in order, each in its own transaction."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from psycopg import sql

from tollhouse.settings import ROLE_PASSWORDS, Settings

#: Only one process migrates at a time; the others wait here.
MIGRATION_LOCK = 7_0000


class MigrationError(Exception):
    """A migration failed or was edited after it ran; the message names the file."""


def migrate(settings: Settings) -> list[str]:
    """Apply the migrations that this database has not seen; set the passwords of the roles.

    Returns:
        The names of the files applied now, in order.

    Raises:
        MigrationError: a file fails, or a file applied earlier has changed since.
    """
    with psycopg.connect(settings.owner_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [MIGRATION_LOCK])
        connection.execute(
            "create table if not exists public.tollhouse_migrations ("
            "file_name text primary key, sha256 text not null, "
            "applied_at timestamptz not null default now())"
        )
        applied = _apply_new_files(connection, settings.include / "sql")
        _set_role_passwords(connection, settings)
    return applied


def _apply_new_files(connection: psycopg.Connection, folder: Path) -> list[str]:
    seen: dict[str, str] = dict(
        connection.execute("select file_name, sha256 from public.tollhouse_migrations").fetchall()
    )
    applied = []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        text = path.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if path.name in seen:
            if seen[path.name] != digest:
                raise MigrationError(
                    f"{path.name} was changed after it was applied: "
                    "add a new numbered file instead."
                )
            continue
        try:
            with connection.transaction():
                connection.execute(text.encode())
                connection.execute(
                    "insert into public.tollhouse_migrations (file_name, sha256) values (%s, %s)",
                    [path.name, digest],
                )
        except psycopg.Error as error:
            raise MigrationError(f"{path.name}: {error}") from error
        applied.append(path.name)
    return applied


def _set_role_passwords(connection: psycopg.Connection, settings: Settings) -> None:
    for role, variable in ROLE_PASSWORDS.items():
        password = settings.environment.get(variable)
        if password:
            connection.execute(
                sql.SQL("alter role {} login password {}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
            )
