"""Simulated PBXs that keep their files until somebody fetches them: one process, a server for each.

Each has a port, an account and a key or certificate of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.certificates import own_certificate
from lab.file_drops import Protocol
from lab.file_servers import new_host_key
from tollhouse.embedded.airflow import process_environment
from tollhouse.embedded.environment import LAB_FILES_PORT, Installation
from tollhouse.embedded.processes import (
    BackgroundProcess,
    ProcessError,
    port_is_taken,
    require_free_port,
)

PROCESS = "lab-files"
LOGIN = "tollhouse"
START_SECONDS = 20.0


@dataclass(frozen=True)
class FileHost:
    """The file server of one PBX.

    Attributes:
        root: what the account sees.
        own: its keys.
    """

    pbx_id: str
    protocol: Protocol
    port: int
    root: Path
    own: Path
    password: str

    @property
    def connection(self) -> dict[str, Any]:
        """How it is reached, as an Airflow Connection."""
        return {
            "conn_type": self.protocol,
            "host": "127.0.0.1",
            "port": self.port,
            "login": LOGIN,
            "password": self.password,
            "extra": self._proof,
        }

    @property
    def served(self) -> dict[str, Any]:
        """What it serves, as ``lab.file_servers`` wants it."""
        user = {"login": LOGIN, "password": self.password, "folder": str(self.root)}
        served: dict[str, Any] = {"protocol": self.protocol, "port": self.port, "users": [user]}
        if self.protocol == "sftp":
            served["host_key"] = str(self._host_key)
        elif self.protocol == "ftps":
            served["certificate"], served["key"] = map(str, own_certificate(self.own, "files"))
        elif self.protocol == "http":
            served["login_kind"] = "digest"
        return served

    @property
    def _proof(self) -> dict[str, str]:
        """By what it is known to be itself."""
        if self.protocol == "sftp":
            return {"host_key": new_host_key(self._host_key).fingerprint}
        if self.protocol == "ftps":
            return {"tls_ca": str(own_certificate(self.own, "files")[0])}
        return {}

    @property
    def _host_key(self) -> Path:
        return self.own / "host_key"


@dataclass(frozen=True)
class FileHosts:
    """The file servers of one installation."""

    installation: Installation
    hosts: Sequence[FileHost]

    @property
    def process(self) -> BackgroundProcess:
        """The process that serves for all of them."""
        return BackgroundProcess(PROCESS, self.installation.settings.var)

    def start(self) -> None:
        """Start the process unless it runs, and wait until every server listens.

        Raises:
            ProcessError: a port is taken, or the process does not come up.
        """
        if self.process.is_running():
            return
        self.process.stop()
        for host in self.hosts:
            host.root.mkdir(parents=True, exist_ok=True)
            purpose = f"the lab's {host.pbx_id}, whose files are fetched by {host.protocol}"
            require_free_port(host.port, LAB_FILES_PORT, purpose)
        self.process.start(
            [sys.executable, "-m", "lab.file_servers", str(self._write_config())],
            process_environment(self.installation),
            folder=self.installation.settings.project,
        )
        self._wait_until_they_listen()

    def _write_config(self) -> Path:
        path = self.installation.settings.var / "lab" / "file_servers.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps([host.served for host in self.hosts], indent=1))
        return path

    def _wait_until_they_listen(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not all(port_is_taken(host.port) for host in self.hosts):
            if not self.process.is_running() or time.monotonic() > deadline:
                raise ProcessError(
                    f"{self.process.name} did not come up; the end of {self.process.log}:\n"
                    f"{self.process.last_log_lines()}"
                )
            time.sleep(0.05)
