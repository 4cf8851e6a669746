"""A real MariaDB for the tests: a private server of the system's mariadbd, thrown away afterwards.

A conftest that wants the fixture imports it: ``from tests.mariadb_server import mariadb``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import mysql.connector
import pytest

from tests.conftest import free_port
from tollhouse.connections import PbxConnection

ADMINISTRATOR = "administrator"
PASSWORD = "made-up-for-the-tests"
START_SECONDS = 60
#: Column types as stock Asterisk has them, with the id that the set-up guide adds.
STOCK_COLUMNS = """
    accountcode varchar(80), src varchar(80), dst varchar(80), dcontext varchar(80),
    clid varchar(80), channel varchar(80), dstchannel varchar(80), lastapp varchar(80),
    lastdata varchar(80), start datetime, answer datetime, end datetime, duration int, billsec int,
    disposition varchar(45), amaflags varchar(45), userfield varchar(256), uniqueid varchar(150),
    linkedid varchar(150), peeraccount varchar(80), sequence int,
    id bigint unsigned not null auto_increment primary key
"""

database_numbers = count(1)


@dataclass
class MariaDb:
    """The session's server."""

    port: int
    folder: Path
    user: str
    process: subprocess.Popen[bytes] | None = None

    def connection(self, database: str = "", **extra: Any) -> PbxConnection:
        """Address and login of a database, as an Airflow Connection would hold them."""
        return PbxConnection(
            connection_id="pbx_of_the_tests",
            host="127.0.0.1",
            port=self.port,
            login=ADMINISTRATOR,
            password=PASSWORD,
            schema=database,
            extra=extra,
        )

    def make_database(self, columns: str = STOCK_COLUMNS) -> str:
        """Make a database with a table ``cdr`` and return its name."""
        name = f"asterisk_{next(database_numbers)}"
        self.run(f"create database {name} character set utf8mb4")
        self.run(f"create table cdr ({columns})", database=name)
        return name

    def open(self, database: str = "", *, autocommit: bool = True) -> Any:
        """Open a connection, as the PBX that writes its tickets would."""
        return mysql.connector.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMINISTRATOR,
            password=PASSWORD,
            database=database or None,
            autocommit=autocommit,
            collation="utf8mb4_general_ci",
        )

    def run(self, *statements: str, database: str = "") -> None:
        """Run statements as the administrator."""
        with closing(self.open(database)) as connection, closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)

    def make(self) -> None:
        """Make the server's files, and the administrator."""
        subprocess.run(
            [program("mariadb-install-db"), "--no-defaults", *self._place,
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        statements = self.folder / "first.sql"
        statements.write_text(
            f"create user if not exists {ADMINISTRATOR}@'127.0.0.1' identified by '{PASSWORD}';\n"
            f"grant all on *.* to {ADMINISTRATOR}@'127.0.0.1' with grant option;\n"
        )
        statements.chmod(0o644)

    def start(self, *options: str) -> None:
        """Start the server, with further options, and wait until it answers."""
        log = self.folder / "mariadb.log"
        self.process = subprocess.Popen(
            [program("mariadbd"), "--no-defaults", *self._place, f"--port={self.port}",
             "--bind-address=127.0.0.1", f"--socket={self.folder}/mariadb.sock",
             f"--pid-file={self.folder}/mariadb.pid", f"--init-file={self.folder}/first.sql",
             "--skip-name-resolve", "--skip-log-bin", "--innodb-buffer-pool-size=64M", *options],
            stdout=subprocess.DEVNULL, stderr=log.open("ab"),
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, log.read_text(errors="replace")[-2000:]
            with suppress(mysql.connector.Error):
                self.open().close()
                return
            time.sleep(0.1)
        raise AssertionError(log.read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """Stop the server; whoever is connected loses the connection."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    @property
    def _place(self) -> list[str]:
        return [f"--datadir={self.folder}/data", f"--user={self.user}"]


def program(name: str) -> str:
    """Return the path of one of MariaDB's programs."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert found, f"{name} is not installed: apt-get install mariadb-server"
    return found


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A MariaDB server of the session's own."""
    folder = Path(tempfile.mkdtemp(prefix="tollhouse-mariadb-"))
    user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)
    server = MariaDb(free_port(), folder, user)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
