"""A real MariaDB server for the lab: own folder, loopback only, never as root.

It holds a database per PBX that keeps its tickets in SQL. Databases, users and passwords are set by
a file that the server reads at each start, so a half-made server is made whole by starting it
again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mysql.connector

from lab.tables import PbxTables
from tollhouse.embedded.postgres import cluster_home
from tollhouse.embedded.processes import (
    BackgroundProcess,
    ProcessError,
    require_free_port,
    server_user,
)

READER = "tollhouse_reader"
WRITER = "pbx"
SERVER_USER = "tollhouse-mariadb"
PORT_VARIABLE = "TOLLHOUSE_LAB_MARIADB_PORT"
PROCESS = "lab-mariadb"


@dataclass(frozen=True)
class LabMariadb:
    """The server of one installation.

    Attributes:
        var: the installation's runtime folder.
        password: of the reader that extracts log in with, and of the writer, the PBXs themselves.
        databases: the tables of each PBX, in a database of its own.
    """

    var: Path
    port: int
    password: str
    databases: tuple[PbxTables, ...]

    @property
    def home(self) -> Path:
        """Folder of the server's data, reachable for its user."""
        return cluster_home(self.var, "mariadb")

    @property
    def process(self) -> BackgroundProcess:
        """The server's process."""
        return BackgroundProcess(PROCESS, self.var)

    def start(self) -> None:
        """Make the server if it is absent, start it, and wait until it answers.

        Raises:
            ProcessError: MariaDB is not installed, its port is taken, or it does not come up.
        """
        if self.process.is_running():
            return
        self.process.stop()
        require_free_port(self.port, PORT_VARIABLE, "the lab's MariaDB")
        user = server_user(SERVER_USER)
        data = self.home / "data"
        if not (self.home / "made").exists():
            self._make(data, user)
        setup = self.home / "setup.sql"
        setup.touch(mode=0o600)
        setup.write_text(self._setup_statements(), encoding="utf-8")
        if user:
            os.chown(setup, user.pw_uid, user.pw_gid)
        self.process.start(
            [
                _program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={self.port}",
                "--bind-address=127.0.0.1", f"--socket={self.home / 'mariadb.sock'}",
                f"--pid-file={self.home / 'mariadb.pid'}", f"--init-file={setup}",
                "--innodb-buffer-pool-size=32M", "--skip-log-bin", "--performance-schema=off",
                "--skip-name-resolve", "--character-set-server=utf8mb4",
            ],
            {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            folder=self.home,
            user=user,
        )  # fmt: skip
        self._wait_until_ready()

    def connect(self, database: str | None = None, user: str = WRITER) -> Any:
        """Open a connection, to one of the databases if it is named."""
        return mysql.connector.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=self.password,
            database=database,
            connection_timeout=5,
        )

    def _make(self, data: Path, user: pwd.struct_passwd | None) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.home.chmod(0o755)
        if user:
            os.chown(self.home, user.pw_uid, user.pw_gid)
        made = subprocess.run(  # noqa: S603 - a program of the system, no shell
            [
                _program("mariadb-install-db"), "--no-defaults", f"--datadir={data}",
                "--auth-root-authentication-method=normal", "--skip-test-db",
                *([f"--user={user.pw_name}"] if user else []),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise ProcessError(
                f"mariadb-install-db failed: {(made.stderr or made.stdout).strip()[-600:]}"
            )
        (self.home / "made").touch()

    def _setup_statements(self) -> str:
        # The server reads one statement a line.
        return "".join(f"{' '.join(statement.split())};\n" for statement in self._statements())

    def _statements(self) -> Iterator[str]:
        yield f"alter user root@localhost identified by '{self.password}'"
        for user in (READER, WRITER):
            yield f"create user if not exists '{user}'@'127.0.0.1'"
            yield f"alter user '{user}'@'127.0.0.1' identified by '{self.password}'"
        for tables in self.databases:
            yield f"create database if not exists {tables.database}"
            yield f"use {tables.database}"
            yield from tables.definitions.values()
            yield f"grant all on {tables.database}.* to '{WRITER}'@'127.0.0.1'"
            for table in tables.readable:
                yield f"grant select on {tables.database}.`{table}` to '{READER}'@'127.0.0.1'"

    def _wait_until_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.connect(user=READER).close()
            except mysql.connector.Error as error:
                if self.process.is_running() and time.monotonic() < deadline:
                    time.sleep(0.2)
                    continue
                raise ProcessError(
                    f"MariaDB did not come up ({error}); the end of {self.process.log}:\n"
                    f"{self.process.last_log_lines()}"
                ) from error
            else:
                return


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if path is None:
        raise ProcessError(
            f"{name} is not installed; as root: "
            "apt-get install mariadb-server-core mariadb-client-core"
        )
    return path
