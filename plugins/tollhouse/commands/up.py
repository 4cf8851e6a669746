"""``tollhouse up``: the embedded installation, started and made ready, however often called."""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from tollhouse.building import deploy, deploy_changed_layouts
from tollhouse.commands.steps import step
from tollhouse.embedded import airflow
from tollhouse.embedded.environment import (
    ADMINISTRATOR,
    AIRFLOW_DATABASE,
    WAREHOUSE_DATABASE,
    Installation,
    make_installation,
)
from tollhouse.embedded.postgres import OWNER, EmbeddedPostgres, cluster_home
from tollhouse.embedded.processes import BackgroundProcess, require_free_port
from tollhouse.migrations import migrate
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

COLLECTOR = "collector"
COLLECTOR_PORT = "TOLLHOUSE_COLLECTOR_PORT"


def run() -> None:
    """Start everything and say where the UI is."""
    console = Console()
    installation = make_installation()
    start_all(installation, console)
    show_address(installation, console)


def start_all(installation: Installation, console: Console) -> None:
    """Start what does not run: PostgreSQL, the collector and Airflow, with the warehouse ready.

    Raises:
        PostgresError, ProcessError, MigrationError, BuildError: what could not be started, and why.
    """
    settings = installation.settings
    _require_ports(installation)
    with step(console, "PostgreSQL"):
        start_postgres(installation)
    with step(console, "Migrations"):
        migrate(settings)
    # dbt and Airflow's migrations wait for disk and start-up, each on its own: together they take
    # hardly longer than one.
    with step(console, "dbt models and Airflow's database"), ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(_deploy, settings)]
        if not airflow.is_running(installation):
            tasks.append(pool.submit(airflow.prepare, installation))
        for task in tasks:
            task.result()
    with step(console, "Collector"):
        _start_collector(installation)
    with step(console, "Airflow") as status:
        airflow.start(installation)
        airflow.wait_until_healthy(
            installation, on_progress=lambda text: status.update(f"Airflow: {text}")
        )


def show_address(installation: Installation, console: Console) -> None:
    """Print where the UI is and how to log in."""
    environment = installation.settings.environment
    console.print(
        f"\nAirflow: [link]{environment['AIRFLOW__API__BASE_URL']}[/link]   "
        f"login [bold]{ADMINISTRATOR}[/bold]   "
        f"password [bold]{environment['TOLLHOUSE_ADMIN_PASSWORD']}[/bold]\n"
        "`make down` stops everything.",
        highlight=False,
        soft_wrap=True,
    )


def embedded_postgres(installation: Installation) -> EmbeddedPostgres:
    """The cluster of this installation, whether it runs or not."""
    return EmbeddedPostgres(
        home=cluster_home(installation.settings.var),
        port=installation.port("TOLLHOUSE_POSTGRES_PORT"),
    )


def start_postgres(installation: Installation) -> None:
    """Start the embedded cluster, unless other servers are used, and make its databases."""
    if not (installation.warehouse_is_embedded or installation.airflow_database_is_embedded):
        return
    environment = installation.settings.environment
    postgres = embedded_postgres(installation)
    postgres.start()
    if installation.warehouse_is_embedded:
        postgres.ensure_database(
            WAREHOUSE_DATABASE, OWNER, environment["TOLLHOUSE_OWNER_PASSWORD"], may_make_roles=True
        )
    if installation.airflow_database_is_embedded:
        postgres.ensure_database(
            AIRFLOW_DATABASE, AIRFLOW_DATABASE, environment["TOLLHOUSE_AIRFLOW_DATABASE_PASSWORD"]
        )


def _deploy(settings: Settings) -> None:
    """Deploy the dbt project unless this warehouse has it as it is in the checkout."""
    digest = hashlib.sha256()
    # What makes views of layouts counts too; the layouts themselves are compared in the database.
    compiler = settings.project / "plugins" / "tollhouse" / "layouts"
    for path in sorted([*(settings.project / "dbt_project").rglob("*"), *compiler.rglob("*.py")]):
        if path.is_file():
            name = path.relative_to(settings.project)
            digest.update(f"{name}\0".encode() + path.read_bytes())
    deployed = settings.var / "dbt" / "deployed.sha256"
    is_new = not deployed.exists() or deployed.read_text() != digest.hexdigest()
    log = settings.var / "log" / "deploy.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        if not is_new and _is_deployed(settings):
            deploy_changed_layouts(settings, output=output)
            return
        deployed.unlink(missing_ok=True)
        deploy(settings, output=output)
    deployed.write_text(digest.hexdigest())


def _is_deployed(settings: Settings) -> bool:
    with connect(DBT, settings=settings) as connection:
        row = connection.execute("select to_regclass('marts.fct_calls') is not null").fetchone()
    return row is not None and bool(row[0])


def _require_ports(installation: Installation) -> None:
    """Find a busy port before anything is started; PostgreSQL looks for itself."""
    if not airflow.is_serving(installation):
        require_free_port(installation.port(airflow.PORT), airflow.PORT, "the Airflow UI")
    if not BackgroundProcess(COLLECTOR, installation.settings.var).is_running():
        port = installation.port(COLLECTOR_PORT)
        require_free_port(port, COLLECTOR_PORT, "the collector's health")


def _start_collector(installation: Installation) -> None:
    process = BackgroundProcess(COLLECTOR, installation.settings.var)
    process.start(
        [str(Path(sys.executable).parent / "tollhouse"), "collector", "run"],
        airflow.process_environment(installation),
        folder=installation.settings.var,
    )
