"""Where this installation lives and how its parts reach the database.

Everything comes from the environment. ``make up`` writes what it generated (ports, passwords) to
``var/tollhouse.env``; that file fills in what the environment does not say, so that every process
of one installation agrees.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT_FILE = "tollhouse.env"

#: Database roles (architecture.md, "Roles") and the environment variable that holds the password of
#: each.
ROLE_PASSWORDS = {
    "tollhouse_loader": "TOLLHOUSE_LOADER_PASSWORD",
    "tollhouse_dbt": "TOLLHOUSE_DBT_PASSWORD",
    "tollhouse_billing": "TOLLHOUSE_BILLING_PASSWORD",
    "analyst": "TOLLHOUSE_ANALYST_PASSWORD",
    "analyst_full": "TOLLHOUSE_ANALYST_FULL_PASSWORD",
}

#: More digits than any number of the environment has.
LONGEST_NUMBER = 20


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """Paths and addresses of one installation."""

    project: Path
    var: Path
    include: Path
    environment: dict[str, str]

    @property
    def owner_url(self) -> str:
        """URL of the database as its owner, for migrations only."""
        url = self.environment.get("TOLLHOUSE_DATABASE_URL")
        if not url:
            raise SettingsError(
                "No database is configured: run `make up`, which starts one, or set "
                "TOLLHOUSE_DATABASE_URL to a PostgreSQL 17 or newer "
                "(postgresql://user:password@host:port/name)."
            )
        return url

    def role_url(self, role: str) -> str:
        """URL of the same database for one of the working roles (a key of ROLE_PASSWORDS)."""
        variable = ROLE_PASSWORDS[role]
        password = self.environment.get(variable)
        if not password:
            raise SettingsError(
                f"{variable} is not set: run `make up`, or set it in the environment."
            )
        parts = urlsplit(self.owner_url)
        host = parts.hostname or "127.0.0.1"
        if ":" in host:
            host = f"[{host}]"  # an IPv6 address
        address = f"{role}:{quote(password, safe='')}@{host}:{parts.port or 5432}"
        return urlunsplit((parts.scheme, address, parts.path, parts.query, ""))

    def whole_number(self, variable: str, default: int, *, lowest: int, highest: int) -> int:
        """Return a number of the environment.

        Raises:
            SettingsError: it is none, or none that can be meant.
        """
        value = self.environment.get(variable, str(default))
        is_number = value.isascii() and value.isdecimal() and len(value) <= LONGEST_NUMBER
        if not is_number or not lowest <= int(value) <= highest:
            raise SettingsError(
                f"{variable} is {value!r}: it is a whole number from {lowest} to {highest}."
            )
        return int(value)

    @property
    def connections_file(self) -> Path:
        """The file of Airflow's local-filesystem secrets backend, read by every part alike."""
        return Path(self.environment.get("TOLLHOUSE_CONNECTIONS", self.var / "connections.yaml"))

    @property
    def pbx_file(self) -> Path:
        """The list of installed PBXs."""
        return Path(self.environment.get("TOLLHOUSE_PBX_FILE", self.include / "pbx.yml"))

    @property
    def layouts_folder(self) -> Path:
        """The declared layouts: one YAML file each."""
        return Path(self.environment.get("TOLLHOUSE_LAYOUTS", self.include / "layouts"))

    @property
    def spool(self) -> Path:
        """Root of the collector's spool: one folder per pbx."""
        return Path(self.environment.get("TOLLHOUSE_SPOOL", self.var / "spool"))


def read_environment_file(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file; blank lines and # comments are skipped."""
    if not path.exists():
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator:
            raise SettingsError(f"{path}, line {number}: expected NAME=value, found {text!r}.")
        values[name.strip()] = value.strip()
    return values


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings of this process: the environment first, then ``var/tollhouse.env``."""
    project = Path(os.environ.get("TOLLHOUSE_PROJECT", PROJECT))
    var = Path(os.environ.get("TOLLHOUSE_VAR", project / "var"))
    environment = {**read_environment_file(var / ENVIRONMENT_FILE), **os.environ}
    include = Path(environment.get("TOLLHOUSE_INCLUDE", project / "include"))
    return Settings(project=project, var=var, include=include, environment=environment)
