"""Background processes of an installation: started detached, known by a pid file, ended exactly.

A process is itself only as long as its pid carries the start time that was recorded, so a number
that the system has given to another program since is never signalled. Each process leads a session
of its own: what it forked is found and ended with it, even when it was killed and left its children
behind.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
GRACE_SECONDS = 20.0


class ProcessError(Exception):
    """A background process cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Recorded:
    """What a pid file says of a process.

    Attributes:
        pid: its number, which is also the number of its session.
        start_ticks: when it started, in clock ticks since boot; with boot_id, makes pid unique.
        boot_id: the boot of the machine it belongs to.
        command: what was run, for a reader of the file.
    """

    pid: int
    start_ticks: int
    boot_id: str
    command: list[str]


@dataclass(frozen=True)
class BackgroundProcess:
    """One named process of an installation and where its pid file and log are."""

    name: str
    var: Path

    @property
    def pid_file(self) -> Path:
        """Where the process is recorded while it runs."""
        return self.var / "run" / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """Its standard output and error."""
        return self.var / "log" / f"{self.name}.log"

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        user: pwd.struct_passwd | None = None,
    ) -> bool:
        """Start it unless it runs, having ended what a killed predecessor left behind.

        Returns:
            Whether it was started now.

        Raises:
            ProcessError: the program cannot be run.
        """
        if self.is_running():
            return False
        self.stop()
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - a command of ours, no shell
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=folder,
                    start_new_session=True,
                    user=user.pw_uid if user else None,
                    group=user.pw_gid if user else None,
                    extra_groups=[] if user else None,
                )
        except OSError as error:
            raise ProcessError(
                f"{self.name} cannot be started: {command[0]}: {error.strerror}."
            ) from error
        status = _read_status(process.pid)
        recorded = Recorded(
            process.pid, status.start_ticks if status else 0, _boot_id(), list(command)
        )
        self.pid_file.write_text(json.dumps(asdict(recorded)), encoding="utf-8")
        return True

    def is_running(self) -> bool:
        """Whether the recorded process itself runs."""
        recorded = self._recorded()
        return recorded is not None and _is_alive(recorded)

    def stop(self) -> bool:
        """End it and what it forked, gently at first; return whether there was anything to end."""
        recorded = self._recorded()
        if recorded is None:
            return False
        was_there = bool(_members(recorded))
        if _is_alive(recorded):
            _signal([recorded.pid], signal.SIGTERM)
            _wait_until_gone(recorded, GRACE_SECONDS)
        _signal(_members(recorded), signal.SIGTERM)
        _wait_until_gone(recorded, GRACE_SECONDS / 4)
        _signal(_members(recorded), signal.SIGKILL)
        _wait_until_gone(recorded, GRACE_SECONDS)
        self.pid_file.unlink(missing_ok=True)
        return was_there

    def last_log_lines(self, count: int = 12) -> str:
        """The end of its log, for a message that says why it did not come up."""
        if not self.log.exists():
            return "(no log)"
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-count:])

    def _recorded(self) -> Recorded | None:
        try:
            return Recorded(**json.loads(self.pid_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            # Absent, or cut short by a crash while it was written.
            return None


def recorded_processes(var: Path) -> list[BackgroundProcess]:
    """Return the processes of this installation that have a pid file, the oldest first."""
    files = sorted((var / "run").glob("*.json"), key=lambda path: path.stat().st_mtime)
    return [BackgroundProcess(path.stem, var) for path in files]


def server_user(name: str) -> pwd.struct_passwd | None:
    """Return the system user that a server runs as when root starts it, made if it is absent."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        subprocess.run(  # noqa: S603
            ["/usr/sbin/useradd", "--system", "--user-group", "--no-create-home",
             "--shell", "/usr/sbin/nologin", name],
            check=True,
        )  # fmt: skip
        return pwd.getpwnam(name)


def port_is_taken(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free_port(port: int, variable: str, purpose: str) -> None:
    """Refuse a port that another program holds.

    Raises:
        ProcessError: it is taken; the message names the variable that moves it.
    """
    if port_is_taken(port):
        raise ProcessError(
            f"Port {port} ({purpose}) is taken by another program: "
            f"stop it, or set {variable} to a free port."
        )


@dataclass(frozen=True)
class _Status:
    pid: int
    state: str
    session: int
    start_ticks: int


def _read_status(pid: int) -> _Status | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    return _Status(pid=pid, state=fields[0], session=int(fields[3]), start_ticks=int(fields[19]))


def _boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _is_alive(recorded: Recorded) -> bool:
    status = _read_status(recorded.pid)
    return (
        status is not None
        and status.state not in "ZX"
        and status.start_ticks == recorded.start_ticks
        and recorded.boot_id == _boot_id()
    )


def _members(recorded: Recorded) -> list[int]:
    """Every living process of the recorded session; none when its number has been given anew."""
    leader = _read_status(recorded.pid)
    if recorded.boot_id != _boot_id() or (leader and leader.start_ticks != recorded.start_ticks):
        return []
    found = (_read_status(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return [
        status.pid
        for status in found
        if status
        and status.session == recorded.pid
        and status.start_ticks >= recorded.start_ticks
        and status.state not in "ZX"
    ]


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait_until_gone(recorded: Recorded, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _members(recorded) and time.monotonic() < deadline:
        time.sleep(0.1)
