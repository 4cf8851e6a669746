"""A small PostgreSQL of its own for commands that only try something, where no warehouse runs.

It holds the migrations, where they are needed the staging views, and no data, and runs while it is
used. Making it takes some seconds, once, and again when the migrations or the staging models have
changed; of layouts that have changed only the views are made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tollhouse.building import deploy_layouts, run_dbt
from tollhouse.embedded.postgres import OWNER, EmbeddedPostgres, cluster_home
from tollhouse.layouts.dbt_project import GENERATED
from tollhouse.layouts.deployment import prepare, record
from tollhouse.migrations import migrate
from tollhouse.settings import ROLE_PASSWORDS, Settings
from tollhouse.warehouse import LOADER, connect

DATABASE = "scratch"


@contextmanager
def scratch_warehouse(settings: Settings, *, with_views: bool = True) -> Iterator[Settings]:
    """Start the scratch database, up to date, and stop it afterwards; one process at a time.

    Args:
        settings: of the installation; the database lies below its ``var``.
        with_views: whether the staging views are needed, which take longer than all the rest.
    """
    folder = settings.var / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        postgres = EmbeddedPostgres(cluster_home(settings.var, "scratch-postgres"), _free_port())
        # A server that a killed command left behind still has its old port.
        postgres.stop()
        migrated, deployed = folder / "migrated", folder / "deployed"
        migrations, views = _digest(_migrations(settings)), _digest(_staging_sources(settings))
        if _text(migrated) != migrations:
            # A migration that changed cannot be applied over its old self: begin again.
            shutil.rmtree(postgres.home, ignore_errors=True)
            migrated.unlink(missing_ok=True)
            deployed.unlink(missing_ok=True)
        postgres.start()
        try:
            scratch = _scratch_settings(settings, folder, postgres)
            migrate(scratch)
            migrated.write_text(migrations, encoding="utf-8")
            if with_views:
                _deploy_staging(scratch, is_new=_text(deployed) != views)
                deployed.write_text(views, encoding="utf-8")
            yield scratch
        finally:
            postgres.stop()


def _deploy_staging(scratch: Settings, *, is_new: bool) -> None:
    """Make the staging views, or only those of layouts that have changed since."""
    with (
        (scratch.var / "deploy.log").open("w", encoding="utf-8") as log,
        connect(LOADER, settings=scratch, autocommit=True) as connection,
    ):
        if not is_new:
            deploy_layouts(connection, scratch, output=log)
            return
        layouts = prepare(connection, scratch)
        folders = ("path:models/staging", f"path:{GENERATED}")
        run_dbt(scratch, "run", "--select", *folders, output=log)
        record(connection, scratch, layouts)


def _scratch_settings(settings: Settings, folder: Path, postgres: EmbeddedPostgres) -> Settings:
    password = secrets.token_urlsafe(24)
    url = postgres.ensure_database(DATABASE, OWNER, password, may_make_roles=True)
    passwords = {variable: secrets.token_urlsafe(24) for variable in ROLE_PASSWORDS.values()}
    environment = settings.environment | passwords | {"TOLLHOUSE_DATABASE_URL": url}
    return replace(settings, var=folder, environment=environment)


def _migrations(settings: Settings) -> list[Path]:
    return sorted((settings.include / "sql").glob("*.sql"))


def _staging_sources(settings: Settings) -> list[Path]:
    project = settings.project / "dbt_project"
    models, macros = project / "models" / "staging", project / "macros"
    return sorted([*models.rglob("*.sql"), *macros.rglob("*.sql")])


def _digest(sources: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sources:
        # By its path: a model that moves to another folder is another model.
        digest.update(str(path).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
