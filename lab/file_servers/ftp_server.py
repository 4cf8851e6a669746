"""An FTP server, plain or over TLS, that speaks what PBXs and their clients need of RFC 959 ff."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import ssl
import stat
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lab.file_servers.misbehaviour import CutError, Misbehaviour
from lab.file_servers.serving import Listener, Serving
from lab.file_servers.users import User, entries_of, is_plain, user_of

WITHOUT_LOGIN = {"USER", "PASS", "AUTH", "PBSZ", "PROT", "FEAT", "QUIT", "NOOP", "SYST", "OPTS"}
DATA_SECONDS = 10.0
#: ``ls`` shows the time of day of files that are younger.
RECENT = timedelta(days=180)
BLOCK_BYTES = 1 << 16


class FtpServer(Serving):
    """Serves the folders of users.

    Attributes:
        faults: what it does wrong.
    """

    def __init__(
        self,
        users: Sequence[User],
        *,
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
        zone: str = "Europe/Paris",
        faults: Misbehaviour | None = None,
    ) -> None:
        """Prepare a server.

        Args:
            users: who may log in.
            port: where it listens; 0 takes a free one.
            certificate: its file and that of its key; with one, nobody logs in without TLS.
            zone: of the times in its listing for people.
            faults: what it does wrong.
        """
        self.faults = faults or Misbehaviour()
        server = self
        context: ssl.SSLContext | None = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)

        class Handler(_Conversation):
            def setup(self) -> None:
                self.faults, self.users = server.faults, users
                self.context, self.zone = context, ZoneInfo(zone)

        super().__init__(Listener(("127.0.0.1", port), Handler))


class _Conversation(socketserver.BaseRequestHandler):
    """What is said on one connection."""

    faults: Misbehaviour
    users: Sequence[User]
    context: ssl.SSLContext | None
    zone: ZoneInfo
    request: socket.socket

    def handle(self) -> None:
        """Answer one command after the other."""
        self.login, self.user, self.folder = "", None, ""
        self.offset, self.renamed, self.protects_data = 0, None, False
        self.passive: socket.socket | None = None
        self.active: tuple[str, int] | None = None
        self._lines = self.request.makefile("rb")
        self.say("220 A simulated PBX")
        with contextlib.suppress(OSError, CutError), contextlib.ExitStack() as at_end:
            at_end.callback(self._end)
            while line := self._lines.readline(8_192):
                verb, _, argument = os.fsdecode(line.rstrip(b"\r\n")).partition(" ")
                verb = verb.upper()
                command: Callable[[str], Any] | None = getattr(self, f"_on_{verb.lower()}", None)
                if command is None:
                    self.say("500 Not understood")
                elif self.user is None and verb not in WITHOUT_LOGIN:
                    self.say("530 Log in first")
                else:
                    command(argument)
                if verb == "QUIT":
                    return

    def say(self, line: str) -> None:
        """Send a line."""
        self.request.sendall(os.fsencode(line) + b"\r\n")

    # --- login -----------------------------------------------------------------------------------

    def _on_auth(self, argument: str) -> None:
        if self.context is None:
            self.say("502 No TLS here")
            return
        self.say("234 Go on")
        self.request = self.context.wrap_socket(self.request, server_side=True)
        self._lines = self.request.makefile("rb")

    def _on_pbsz(self, argument: str) -> None:
        self.say("200 0")

    def _on_prot(self, argument: str) -> None:
        self.protects_data = argument.upper() == "P"
        self.say("200 So be it")

    def _on_user(self, argument: str) -> None:
        if self.context is not None and not isinstance(self.request, ssl.SSLSocket):
            self.say("530 TLS is required here")
            return
        self.login = argument
        self.say("331 Password?")

    def _on_pass(self, argument: str) -> None:
        self.user = user_of(self.users, self.login, argument)
        self.say("230 Welcome" if self.user else f"530 Wrong password {argument} of {self.login}")

    def _on_feat(self, argument: str) -> None:
        features = ["REST STREAM", "PASV", "UTF8"]
        features += [] if self.faults.lists_for_people else ["MLST type*;size*;modify*;"]
        features += [] if self.faults.tells_no_files else ["SIZE", "MDTM"]
        self.say("\r\n".join(["211-Features:", *(f" {one}" for one in features), "211 End"]))

    def _on_syst(self, argument: str) -> None:
        self.say("215 UNIX Type: L8")

    def _on_opts(self, argument: str) -> None:
        self.say("200 Yes")

    def _on_noop(self, argument: str) -> None:
        self.say("200 Yes")

    def _on_type(self, argument: str) -> None:
        self.say("200 Yes")

    def _on_quit(self, argument: str) -> None:
        self.say("221 Farewell")

    # --- data connections ------------------------------------------------------------------------

    def _on_pasv(self, argument: str) -> None:
        if self.faults.refuses_passive:
            self.say("502 No passive mode here")
            return
        self._forget_data()
        host = self.request.getsockname()[0]
        self.passive = socket.create_server((host, 0))
        self.passive.settimeout(DATA_SECONDS)
        port = self.passive.getsockname()[1]
        if self.faults.blocks_passive:
            self._forget_data()
        shown = (self.faults.announced_host or host).replace(".", ",")
        self.say(f"227 Entering passive mode ({shown},{port // 256},{port % 256})")

    def _on_port(self, argument: str) -> None:
        *host, high, low = argument.split(",")
        self._forget_data()
        self.active = ".".join(host), int(high) * 256 + int(low)
        self.say("200 I shall connect")

    def _open_data(self) -> socket.socket | None:
        """Say that a transfer begins and return its connection."""
        passive, active = self.passive, self.active
        self.passive = self.active = None
        try:
            if passive is not None:
                self.say("150 Here it comes")
                with passive:
                    data, _ = passive.accept()
            elif active is not None and not self.faults.refuses_active:
                data = socket.create_connection(active, DATA_SECONDS)
                self.say("150 Here it comes")
            else:
                raise ConnectionRefusedError
        except OSError:
            self.say("425 Cannot open the data connection")
            return None
        if self.protects_data and self.context is not None:
            protected = self.context.wrap_socket(data, server_side=True)
            if not protected.session_reused:
                protected.close()
                self.say("522 The data connection must go on with the session of the commands")
                return None
            return protected
        return data

    def _send(self, blocks: Iterable[bytes]) -> None:
        data = self._open_data()
        if data is None:
            return
        try:
            for block in blocks:
                data.sendall(block)
        except CutError:
            data.close()
            raise
        except OSError:
            data.close()
            self.say("426 The data connection is gone")
            return
        _end_of_data(data)
        self.say("226 That was all")

    # --- files -----------------------------------------------------------------------------------

    def _on_pwd(self, argument: str) -> None:
        self.say(f'257 "/{self.folder}"')

    def _on_cwd(self, argument: str) -> None:
        path = self._path(argument)
        if path is None or not path.is_dir():
            self.say("550 No such folder")
            return
        self.folder = path.relative_to(self._user.folder).as_posix()
        self.say("250 There we are")

    def _on_mlsd(self, argument: str) -> None:
        if self.faults.lists_for_people:
            self.say("500 Not understood")
            return
        shown = [f"{_facts(name, state, self.faults)} {name}" for name, state in self._entries()]
        shown += [f"type=file;size=7;modify=20261001080000; {name}" for name in self._strange]
        self._send([os.fsencode("".join(f"{line}\r\n" for line in shown))])

    def _on_mlst(self, argument: str) -> None:
        found = self._state(argument)
        if found is None or self.faults.lists_for_people:
            self.say("550 No such file" if found is None else "500 Not understood")
            return
        name = Path(argument).name
        self.say(f"250-Listing\r\n {_facts(name, found, Misbehaviour())} {name}\r\n250 End")

    def _on_list(self, argument: str) -> None:
        lines = [_long_line(name, state, self.faults, self.zone) for name, state in self._entries()]
        lines += [f"-rw-r--r-- 1 pbx pbx 7 Oct  1  2025 {name}" for name in self._strange]
        self._send([os.fsencode("".join(f"{line}\r\n" for line in ["total 1", *lines]))])

    def _on_nlst(self, argument: str) -> None:
        self._send([os.fsencode("".join(f"{name}\r\n" for name, _ in self._entries()))])

    def _on_size(self, argument: str) -> None:
        state = self._state(argument)
        if self.faults.tells_no_files:
            self.say("502 Not here")
        elif state is None or not is_plain(state):
            self.say("550 No such file")
        else:
            self.say(f"213 {state.st_size}")

    def _on_mdtm(self, argument: str) -> None:
        state = self._state(argument)
        if self.faults.tells_no_files:
            self.say("502 Not here")
        elif state is None:
            self.say("550 No such file")
        else:
            self.say(f"213 {datetime.fromtimestamp(state.st_mtime, UTC):%Y%m%d%H%M%S}")

    def _on_rest(self, argument: str) -> None:
        if self.faults.refuses_resume:
            self.say("502 Not here")
            return
        self.offset = int(argument)
        self.say(f"350 From {self.offset}")

    def _on_retr(self, argument: str) -> None:
        offset, self.offset = self.offset, 0
        path = self._path(argument)
        if path is not None:
            self.faults.before_transfer(path)
        if path is None or not path.is_file():
            self.say("550 No such file")
        elif path.name in self.faults.denied_names:
            self.say("550 Permission denied")
        else:
            with path.open("rb") as file:
                file.seek(offset)
                self._send(self.faults.blocks(file))

    def _on_stor(self, argument: str) -> None:
        path = self._path(argument)
        data = self._open_data() if path is not None else None
        if path is None or data is None:
            return
        with path.open("wb") as file:
            while block := data.recv(BLOCK_BYTES):
                file.write(block)
        data.close()
        self.say("226 Taken")

    def _on_dele(self, argument: str) -> None:
        self._change(argument, Path.unlink)

    def _on_mkd(self, argument: str) -> None:
        self._change(argument, Path.mkdir)

    def _on_rnfr(self, argument: str) -> None:
        self.renamed = self._path(argument)
        self.say("350 To what?")

    def _on_rnto(self, argument: str) -> None:
        renamed = self.renamed
        if renamed is None:
            self.say("503 What?")
            return
        self._change(argument, lambda path: renamed.rename(path))

    def _change(self, argument: str, change: Callable[[Path], Any]) -> None:
        path = self._path(argument)
        try:
            if path is None:
                raise FileNotFoundError
            change(path)
        except OSError as error:
            self.say(f"550 {error.strerror}")
        else:
            self.say("250 Done")

    @property
    def _user(self) -> User:
        assert self.user is not None
        return self.user

    @property
    def _strange(self) -> tuple[str, ...]:
        return self.faults.strange_names

    def _path(self, argument: str) -> Path | None:
        return self._user.path(self.folder, argument)

    def _entries(self) -> list[tuple[str, os.stat_result]]:
        return entries_of(self._user.folder / self.folder)

    def _state(self, argument: str) -> os.stat_result | None:
        path = self._path(argument)
        try:
            return path.lstat() if path is not None else None
        except OSError:
            return None

    def _forget_data(self) -> None:
        if self.passive is not None:
            self.passive.close()
        self.passive = self.active = None

    def _end(self) -> None:
        self._forget_data()
        self.request.close()


def _facts(name: str, state: os.stat_result, faults: Misbehaviour) -> str:
    kind = "file" if is_plain(state) else "dir" if stat.S_ISDIR(state.st_mode) else "OS.unix=other"
    kind = "OS.unix=slink" if stat.S_ISLNK(state.st_mode) else kind
    size = state.st_size + faults.wrong_size_bytes
    written = datetime.fromtimestamp(state.st_mtime, UTC)
    return f"type={kind};size={size};modify={written:%Y%m%d%H%M%S};"


def _long_line(name: str, state: os.stat_result, faults: Misbehaviour, zone: ZoneInfo) -> str:
    written = datetime.fromtimestamp(state.st_mtime, zone)
    is_recent = datetime.now(UTC) - written < RECENT
    shown = f"{written:%b} {written.day:2d} " + (
        f"{written:%H:%M}" if is_recent else f" {written:%Y}"
    )
    size = state.st_size + faults.wrong_size_bytes
    shown_name = f"{name} -> elsewhere" if stat.S_ISLNK(state.st_mode) else name
    return f"{stat.filemode(state.st_mode)}   1 pbx      pbx      {size:12d} {shown} {shown_name}"


def _end_of_data(data: socket.socket) -> None:
    """End a data connection in the way of the protocol, which with TLS is to say so."""
    with contextlib.suppress(OSError):
        if isinstance(data, ssl.SSLSocket):
            data.settimeout(1)
            data.unwrap()
    data.close()
