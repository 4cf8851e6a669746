"""``tollhouse down``: ends exactly what ``up`` and ``demo`` started, PostgreSQL last."""

from __future__ import annotations

import shutil

from rich.console import Console

from tollhouse.embedded.environment import PORTS
from tollhouse.embedded.postgres import EmbeddedPostgres, cluster_home
from tollhouse.embedded.processes import recorded_processes
from tollhouse.settings import load_settings


def run(*, erase_database: bool = False) -> None:
    """Stop every process of this installation.

    Args:
        erase_database: remove the embedded databases too, which may lie outside ``var``.
    """
    console = Console()
    settings = load_settings()
    # The reverse of the order of their start: whoever reads stops before what is read.
    for process in reversed(recorded_processes(settings.var)):
        with console.status(f"stopping {process.name}"):
            stopped = process.stop()
        if stopped:
            console.print(f"stopped {process.name}")
    port = int(
        settings.environment.get("TOLLHOUSE_POSTGRES_PORT", PORTS["TOLLHOUSE_POSTGRES_PORT"])
    )
    postgres = EmbeddedPostgres(cluster_home(settings.var), port)
    if postgres.is_running():
        postgres.stop()
        console.print("stopped PostgreSQL")
    if erase_database:
        for name in ("postgres", "mariadb"):
            shutil.rmtree(cluster_home(settings.var, name), ignore_errors=True)
