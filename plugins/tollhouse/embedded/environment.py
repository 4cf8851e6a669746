"""``var/tollhouse.env``: ports, passwords and Airflow settings of one embedded installation.

``make up`` writes it and every process of the installation reads it (see ``tollhouse.settings``),
so all agree. Ports and passwords are kept from one start to the next; what follows from them and
from where the project lies is written afresh each time. The environment wins and is stored.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tollhouse.embedded.postgres import OWNER
from tollhouse.layouts.dbt_project import project_folder
from tollhouse.layouts.grouping import models_of_layouts
from tollhouse.layouts.registry import layouts
from tollhouse.settings import (
    ENVIRONMENT_FILE,
    ROLE_PASSWORDS,
    Settings,
    SettingsError,
    load_settings,
    read_environment_file,
)

ADMINISTRATOR = "admin"
AIRFLOW_DATABASE = "airflow"
WAREHOUSE_DATABASE = "tollhouse"

LAB_STREAM_PORT = "TOLLHOUSE_LAB_STREAM_PORT"
LAB_FILES_PORT = "TOLLHOUSE_LAB_FILES_PORT"

#: Ports by variable, with their defaults. All are loopback ports. The lab's PBXs that speak over
#: TCP take the ones that follow LAB_STREAM_PORT too, one each, and its file servers those that
#: follow LAB_FILES_PORT.
PORTS = {
    "TOLLHOUSE_POSTGRES_PORT": 54330,
    "TOLLHOUSE_AIRFLOW_PORT": 8080,
    "TOLLHOUSE_COLLECTOR_PORT": 17500,
    LAB_STREAM_PORT: 17520,
    "TOLLHOUSE_LAB_MARIADB_PORT": 33070,
    "TOLLHOUSE_LAB_WAZO_PORT": 17560,
    "TOLLHOUSE_LAB_UCM_PORT": 17561,
    "TOLLHOUSE_LAB_LIST_PORT": 17562,
    LAB_FILES_PORT: 17570,
}

PASSWORDS = (
    "TOLLHOUSE_OWNER_PASSWORD",
    *ROLE_PASSWORDS.values(),
    "TOLLHOUSE_AIRFLOW_DATABASE_PASSWORD",
    "TOLLHOUSE_ADMIN_PASSWORD",
    "TOLLHOUSE_LAB_MARIADB_PASSWORD",
    "TOLLHOUSE_LAB_API_PASSWORD",
    "TOLLHOUSE_LAB_FILES_PASSWORD",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
)

AUTH_MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
SECRETS_BACKEND = "airflow.secrets.local_filesystem.LocalFilesystemBackend"

#: Folders below var that hold numbers, names and amounts of people: closed to other accounts. Var
#: itself stays open to pass through, for the servers' own accounts have their data below it.
PRIVATE_FOLDERS = ("gx", "invoices", "lab", "log", "spool")

HEADER = """\
# Written by `tollhouse up`. Ports and passwords are kept; the rest is written again at each start.
# The environment wins over this file. Readable by its owner alone: it holds passwords.
"""


@dataclass(frozen=True)
class Installation:
    """The settings of an installation and which PostgreSQL it uses.

    Attributes:
        settings: as every process of the installation will load them.
        warehouse_is_embedded: false when TOLLHOUSE_DATABASE_URL names another server.
        airflow_database_is_embedded: false when AIRFLOW__DATABASE__SQL_ALCHEMY_CONN names another.
    """

    settings: Settings
    warehouse_is_embedded: bool
    airflow_database_is_embedded: bool

    def port(self, variable: str) -> int:
        """One of PORTS, as set for this installation."""
        return int(self.settings.environment[variable])


def make_installation() -> Installation:
    """Complete ``var/tollhouse.env``, close the folders of personal data, return the installation.

    Raises:
        SettingsError: a port is no number between 1 and 65535.
    """
    load_settings.cache_clear()
    settings = load_settings()
    path = settings.var / ENVIRONMENT_FILE
    known = {**read_environment_file(path), **os.environ}
    kept = {variable: _port(variable, known.get(variable)) for variable in PORTS}
    kept |= {variable: known.get(variable) or secrets.token_urlsafe(24) for variable in PASSWORDS}
    kept["AIRFLOW__CORE__FERNET_KEY"] = known.get("AIRFLOW__CORE__FERNET_KEY") or _fernet_key()

    database_url = os.environ.get("TOLLHOUSE_DATABASE_URL") or _embedded_url(
        OWNER, kept["TOLLHOUSE_OWNER_PASSWORD"], kept["TOLLHOUSE_POSTGRES_PORT"], WAREHOUSE_DATABASE
    )
    airflow_url = os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or _embedded_url(
        AIRFLOW_DATABASE,
        kept["TOLLHOUSE_AIRFLOW_DATABASE_PASSWORD"],
        kept["TOLLHOUSE_POSTGRES_PORT"],
        AIRFLOW_DATABASE,
    ).replace("postgresql://", "postgresql+psycopg2://")
    derived = {
        "TOLLHOUSE_PROJECT": str(settings.project),
        "TOLLHOUSE_VAR": str(settings.var),
        "TOLLHOUSE_DATABASE_URL": database_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_url,
        **_dbt_environment(settings, database_url),
        **_airflow_environment(settings, kept["TOLLHOUSE_AIRFLOW_PORT"]),
    }
    _write(path, kept, derived)
    _close_private_folders(settings.var)
    load_settings.cache_clear()
    return Installation(
        settings=load_settings(),
        warehouse_is_embedded="TOLLHOUSE_DATABASE_URL" not in os.environ,
        airflow_database_is_embedded="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in os.environ,
    )


def _port(variable: str, value: str | None) -> str:
    if value is None:
        return str(PORTS[variable])
    if not (value.isdecimal() and 0 < int(value) < 65_536):
        raise SettingsError(f"{variable} is {value!r}: expected a port number between 1 and 65535.")
    return value


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _embedded_url(user: str, password: str, port: str, database: str) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


def _dbt_environment(settings: Settings, database_url: str) -> dict[str, str]:
    """What ``.venv/bin/dbt`` needs to work on this warehouse by hand."""
    parts = urlsplit(database_url)
    return {
        "TOLLHOUSE_DBT_HOST": parts.hostname or "127.0.0.1",
        "TOLLHOUSE_DBT_PORT": str(parts.port or 5432),
        "TOLLHOUSE_DBT_NAME": parts.path.lstrip("/"),
        "TOLLHOUSE_DBT_USER": "tollhouse_dbt",
        "TOLLHOUSE_DBT_LAYOUTS": ",".join(models_of_layouts(layouts(settings.layouts_folder))),
        "DBT_PROJECT_DIR": str(project_folder(settings)),
        "DBT_PROFILES_DIR": str(settings.project / "dbt_project"),
        "DBT_TARGET_PATH": str(settings.var / "dbt" / "target"),
        "DBT_LOG_PATH": str(settings.var / "dbt" / "logs"),
    }


def _airflow_environment(settings: Settings, port: str) -> dict[str, str]:
    """Airflow's configuration: one machine, loopback only, quick to notice changes, small."""
    address = f"http://127.0.0.1:{port}"
    connections = json.dumps({"connections_file_path": str(settings.connections_file)})
    configuration: dict[str, dict[str, object]] = {
        "CORE": {
            "EXECUTOR": "LocalExecutor",
            "DAGS_FOLDER": settings.project / "dags",
            "PLUGINS_FOLDER": settings.project / "plugins",
            "LOAD_EXAMPLES": False,
            # Extracts start by themselves; what must not says so in its own file (invoice_monthly).
            "DAGS_ARE_PAUSED_AT_CREATION": False,
            "PARALLELISM": 4,
            "MAX_MAP_LENGTH": 10_000,
            "EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "ALLOWED_DESERIALIZATION_CLASSES_REGEXP": r"(airflow|tollhouse)\..*",
            "AUTH_MANAGER": AUTH_MANAGER,
            "SIMPLE_AUTH_MANAGER_USERS": f"{ADMINISTRATOR}:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": settings.var / "airflow" / "passwords.json",
        },
        # The default binds every interface.
        "API": {"HOST": "127.0.0.1", "PORT": port, "BASE_URL": address, "WORKERS": 1},
        "LOGGING": {
            "BASE_LOG_FOLDER": settings.var / "log" / "tasks",
            "DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": settings.var / "log" / "dag_files",
        },
        # DAGs, collector and command read the same connections (tollhouse.connections).
        "SECRETS": {"BACKEND": SECRETS_BACKEND, "BACKEND_KWARGS": connections},
        "WORKERS": {
            "SECRETS_BACKEND": SECRETS_BACKEND,
            "SECRETS_BACKEND_KWARGS": connections,
        },
        "DAG_PROCESSOR": {
            "MIN_FILE_PROCESS_INTERVAL": 60,
            "REFRESH_INTERVAL": 60,
            "PARSING_PROCESSES": 1,
        },
        "SCHEDULER": {
            # A killed scheduler is noticed within half a minute and its tasks run again.
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": 20,
            "ORPHANED_TASKS_CHECK_INTERVAL": 15,
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": 60,
        },
        "TRIGGERER": {"CAPACITY": 100},
        "USAGE_DATA_COLLECTION": {"ENABLED": False},
    }
    return {
        "AIRFLOW_HOME": str(settings.var / "airflow"),
        **{
            f"AIRFLOW__{section}__{key}": str(value)
            for section, keys in configuration.items()
            for key, value in keys.items()
        },
    }


def _write(path: Path, kept: dict[str, str], derived: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADER]
    lines += [f"{name}={value}\n" for name, value in kept.items()]
    lines += ["\n", *(f"{name}={value}\n" for name, value in derived.items())]
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(path)


def _close_private_folders(var: Path) -> None:
    for name in PRIVATE_FOLDERS:
        folder = var / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
