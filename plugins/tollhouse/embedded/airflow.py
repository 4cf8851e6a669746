"""The Airflow components of an embedded installation, one process each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tollhouse.embedded.airflow_api import AirflowApi
from tollhouse.embedded.environment import ADMINISTRATOR, Installation
from tollhouse.embedded.processes import BackgroundProcess, ProcessError

PORT = "TOLLHOUSE_AIRFLOW_PORT"
API_SERVER = "airflow-api-server"

#: Commands by process name. Logs are read from disk by the API server: no log server listens.
COMPONENTS = {
    API_SERVER: ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}


def airflow_program() -> str:
    """Path of the ``airflow`` command of this environment."""
    return str(Path(sys.executable).parent / "airflow")


def process_environment(installation: Installation) -> dict[str, str]:
    """The environment of every background process: this installation's, not the caller's."""
    return {
        **installation.settings.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "PYTHONUNBUFFERED": "1",
    }


def prepare(installation: Installation) -> None:
    """Make what Airflow reads at its start: folders, the administrator's password, the database.

    Raises:
        ProcessError: its database cannot be made or migrated.
    """
    environment = installation.settings.environment
    home = Path(environment["AIRFLOW_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    passwords = home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({ADMINISTRATOR: environment["TOLLHOUSE_ADMIN_PASSWORD"]}))
    connections = installation.settings.connections_file
    if not connections.exists():
        connections.touch(mode=0o600)
        connections.write_text("# One Airflow Connection per pbx: docs/configuration.md.\n{}\n")
    migrated = subprocess.run(  # noqa: S603 - a command of ours, no shell
        [airflow_program(), "db", "migrate"],
        env=process_environment(installation),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if migrated.returncode != 0:
        tail = "\n".join((migrated.stderr or migrated.stdout).splitlines()[-8:])
        raise ProcessError(f"Airflow's database could not be migrated:\n{tail}")


def is_running(installation: Installation) -> bool:
    """Whether every component runs."""
    var = installation.settings.var
    return all(BackgroundProcess(name, var).is_running() for name in COMPONENTS)


def is_serving(installation: Installation) -> bool:
    """Whether the API server, which holds the port, runs."""
    return BackgroundProcess(API_SERVER, installation.settings.var).is_running()


def start(installation: Installation) -> list[str]:
    """Start the components that do not run; return the names of those started now."""
    return [
        name
        for name, arguments in COMPONENTS.items()
        if BackgroundProcess(name, installation.settings.var).start(
            [airflow_program(), *arguments],
            process_environment(installation),
            folder=Path(installation.settings.environment["AIRFLOW_HOME"]),
        )
    ]


def client(installation: Installation) -> AirflowApi:
    """A client of this installation's API, as its administrator."""
    return AirflowApi(
        port=installation.port(PORT),
        user=ADMINISTRATOR,
        password=installation.settings.environment["TOLLHOUSE_ADMIN_PASSWORD"],
    )


def wait_until_healthy(
    installation: Installation,
    *,
    seconds: float = 180,
    on_progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Wait until every component reports healthy.

    Raises:
        ProcessError: one ended, or does not come up in time; the message shows its log's end.
    """
    api = client(installation)
    processes = {name: BackgroundProcess(name, installation.settings.var) for name in COMPONENTS}
    deadline = time.monotonic() + seconds
    while waiting := api.unhealthy_components():
        for name, process in processes.items():
            if not process.is_running():
                raise ProcessError(
                    f"{name} ended at its start; the end of {process.log}:\n"
                    f"{process.last_log_lines()}"
                )
        if time.monotonic() > deadline:
            raise ProcessError(
                f"Airflow is not healthy after {seconds:.0f} seconds: waiting for "
                f"{', '.join(waiting)}. Logs are in {installation.settings.var / 'log'}."
            )
        on_progress(f"waiting for {', '.join(waiting).replace('_', ' ')}")
        time.sleep(0.5)
