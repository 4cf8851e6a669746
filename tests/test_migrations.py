"""Migrations run once, in order, whole; a file that changed after it ran is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tollhouse.migrations import MigrationError, migrate
from tollhouse.settings import Settings
from tollhouse.warehouse import WarehouseError, connect

pytestmark = pytest.mark.postgres


def with_files(warehouse: Settings, folder: Path, **files: str) -> Settings:
    (folder / "sql").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "sql" / f"{name.removeprefix('m')}.sql").write_text(text, encoding="utf-8")
    return replace(warehouse, include=folder)


def test_migrations_that_ran_are_not_run_again(warehouse: Settings) -> None:
    assert migrate(warehouse) == []


def test_a_failing_migration_leaves_nothing_behind(warehouse: Settings, tmp_path: Path) -> None:
    text = "create table public.half_made (a int); select 1 / 0;"
    settings = with_files(warehouse, tmp_path, m9001_breaks=text)
    with pytest.raises(MigrationError, match="9001_breaks"):
        migrate(settings)
    with psycopg.connect(settings.owner_url) as connection:
        found = connection.execute("select to_regclass('public.half_made')").fetchone()
    assert found == (None,)


def test_a_migration_edited_after_it_ran_is_refused(warehouse: Settings, tmp_path: Path) -> None:
    settings = with_files(warehouse, tmp_path, m9001_note="select 1;")
    assert migrate(settings) == ["9001_note.sql"]
    with_files(warehouse, tmp_path, m9001_note="select 2;")
    with pytest.raises(MigrationError, match="changed after it was applied"):
        migrate(settings)


def test_no_working_role_is_a_superuser(warehouse: Settings) -> None:
    with psycopg.connect(warehouse.owner_url) as connection:
        superusers = connection.execute(
            "select rolname from pg_roles where rolsuper and rolname ~ '^(tollhouse|analyst)'"
        ).fetchall()
    assert superusers == []


def test_the_loader_cannot_touch_invoices(warehouse: Settings) -> None:
    with (
        connect("tollhouse_loader", settings=warehouse) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("delete from billing.invoices")


def test_a_wrong_password_says_which_role_and_what_to_do(warehouse: Settings) -> None:
    environment = {**warehouse.environment, "TOLLHOUSE_DBT_PASSWORD": "wrong"}
    with pytest.raises(WarehouseError, match=r"as tollhouse_dbt.*make up"):
        connect("tollhouse_dbt", settings=replace(warehouse, environment=environment))
