"""Simulated PBXs that are asked over HTTPS: a process each, with a certificate of its own.

They hand out what stands in their feed, to the one account that extracts log in with.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.certificates import own_certificate
from lab.streams.feed import Feed
from tollhouse.embedded.airflow import process_environment
from tollhouse.embedded.environment import Installation
from tollhouse.embedded.processes import (
    BackgroundProcess,
    ProcessError,
    port_is_taken,
    require_free_port,
)

LOGIN = "tollhouse"
START_SECONDS = 20.0


@dataclass(frozen=True)
class ApiSimulator:
    """The program that plays a model, and the variable that says on which port.

    Attributes:
        module: run with ``python -m``; it takes a port, a feed, a certificate, a login.
        arguments: what it takes beyond.
    """

    module: str
    port_variable: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class PbxOnHttps:
    """A simulated PBX of one installation.

    Attributes:
        folder: its feed, its certificate and the password that it asks for.
    """

    pbx_id: str
    simulator: ApiSimulator
    installation: Installation
    folder: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.installation.port(self.simulator.port_variable)

    @property
    def feed(self) -> Feed:
        """What it has to hand out."""
        return Feed(self.folder / "feed.jsonl")

    @property
    def process(self) -> BackgroundProcess:
        """Its process."""
        return BackgroundProcess(f"lab-{self.pbx_id}", self.installation.settings.var)

    @property
    def connection(self) -> dict[str, Any]:
        """How it is reached, as an Airflow Connection."""
        certificate, _ = self._certificate
        return {
            "conn_type": "https",
            "host": "127.0.0.1",
            "port": self.port,
            "login": LOGIN,
            "password": self._password,
            "extra": {"tls_ca": str(certificate)},
        }

    def start(self) -> None:
        """Start it unless it runs, and wait until it listens.

        Raises:
            ProcessError: its port is taken, or it does not come up.
        """
        if self.process.is_running():
            return
        self.process.stop()
        purpose = f"the lab's {self.pbx_id}, asked over HTTPS"
        require_free_port(self.port, self.simulator.port_variable, purpose)
        certificate, key = self._certificate
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password, encoding="utf-8")
        self.process.start(
            [
                sys.executable, "-m", self.simulator.module, f"--port={self.port}",
                f"--feed={self.feed.path}", f"--certificate={certificate}", f"--key={key}",
                f"--login={LOGIN}", f"--password-file={password}", *self.simulator.arguments,
            ],
            process_environment(self.installation),
            folder=self.installation.settings.project,
        )  # fmt: skip
        self._wait_until_it_listens()

    @property
    def _certificate(self) -> tuple[Path, Path]:
        return own_certificate(self.folder, "certificate")

    @property
    def _password(self) -> str:
        return self.installation.settings.environment["TOLLHOUSE_LAB_API_PASSWORD"]

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not port_is_taken(self.port):
            if not self.process.is_running() or time.monotonic() > deadline:
                raise ProcessError(
                    f"{self.process.name} did not come up; the end of {self.process.log}:\n"
                    f"{self.process.last_log_lines()}"
                )
            time.sleep(0.05)
