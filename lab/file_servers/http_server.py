"""A web server that lists a folder, as Apache, nginx and lighttpd do, and gives parts of files."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit
from urllib.request import parse_http_list, parse_keqv_list
from zoneinfo import ZoneInfo

from lab.file_servers.misbehaviour import CutError, Misbehaviour
from lab.file_servers.serving import Listener, Serving
from lab.file_servers.users import User, entries_of, is_plain

REALM = "tickets"
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class HttpFileServer(Serving):
    """Serves the folder of each user under its login: everything to who shows the password.

    Attributes:
        faults: what it does wrong.
        requests: method and path of each, in order.
    """

    def __init__(
        self,
        users: Sequence[User],
        *,
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
        style: str = "apache",
        login_kind: str = "basic",
        zone: str = "Europe/Paris",
        faults: Misbehaviour | None = None,
    ) -> None:
        """Prepare a server.

        Args:
            users: who may log in.
            port: where it listens; 0 takes a free one.
            certificate: its file and that of its key, for HTTPS.
            style: of its listing: apache, nginx or lighttpd.
            login_kind: basic, digest, or none.
            zone: of the times in its listing.
            faults: what it does wrong.
        """
        self.faults = faults or Misbehaviour()
        self.requests: list[tuple[str, str]] = []
        server = self

        class Handler(_Request):
            def setup(self) -> None:
                self.faults, self.users, self.style = server.faults, users, style
                self.login_kind, self.zone, self.requests = (
                    login_kind,
                    ZoneInfo(zone),
                    server.requests,
                )
                super().setup()

        listener = Listener(("127.0.0.1", port), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            listener.socket = context.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        super().__init__(listener)


class _Request(BaseHTTPRequestHandler):
    """One request after the other on a connection."""

    protocol_version = "HTTP/1.1"
    faults: Misbehaviour
    users: Sequence[User]
    style: str
    login_kind: str
    zone: ZoneInfo
    requests: list[tuple[str, str]]

    def do_GET(self) -> None:
        """Give a listing or a file."""
        self._answer()

    def do_HEAD(self) -> None:
        """Tell of a listing or a file."""
        if self.faults.tells_no_files:
            self._refuse(405, {})
            return
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in ``requests``."""

    def _answer(self) -> None:
        self.requests.append((self.command, self.path))
        user = self._user()
        if user is None:
            self._refuse(401, {"WWW-Authenticate": self._challenge()})
            return
        path = user.path("", os.fsdecode(unquote_to_bytes(urlsplit(self.path).path)))
        if path is not None and path.is_dir():
            self._say(200, _PAGES[self.style](self._shown(path)).encode("utf-8", "replace"), {})
        elif path is None or path.name in self.faults.denied_names:
            self._refuse(403, {})
        else:
            self.faults.before_transfer(path) if self.command == "GET" else None
            self._send_file(path) if path.is_file() else self._refuse(404, {})

    def _send_file(self, path: Path) -> None:
        state = path.stat()
        size, start = state.st_size, 0
        headers = {"Accept-Ranges": "bytes"}
        if not self.faults.tells_no_files:
            written = datetime.fromtimestamp(int(state.st_mtime), UTC)
            headers["Last-Modified"] = format_datetime(written, usegmt=True)
        wanted = RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted and not self.faults.refuses_resume:
            start = int(wanted[1])
            if start >= size:
                self._refuse(416, {"Content-Range": f"bytes */{size}"})
                return
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self.send_response(206 if "Content-Range" in headers else 200)
        for name, value in {**headers, "Content-Length": str(size - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with path.open("rb") as file:
            file.seek(start)
            try:
                for block in self.faults.blocks(file, size - start):
                    self.wfile.write(block)
            except (CutError, OSError):
                self.close_connection = True

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self._say(status, f"<html><h1>{status}</h1></html>".encode(), headers)

    def _shown(self, folder: Path) -> list[tuple[str, str, datetime | None, int]]:
        """Return what the page shows of each entry: its address, name, time and size."""
        shown: list[tuple[str, str, datetime | None, int]] = []
        for name, state in entries_of(folder):
            written = datetime.fromtimestamp(state.st_mtime, self.zone)
            slash = "" if is_plain(state) else "/"
            size = state.st_size + self.faults.wrong_size_bytes if is_plain(state) else -1
            shown.append((quote(os.fsencode(name)) + slash, name + slash, written, size))
        shown += [(name, "strange", None, 7) for name in self.faults.strange_names]
        return shown

    # --- login -----------------------------------------------------------------------------------

    def _user(self) -> User | None:
        if self.login_kind == "none":
            return self.users[0]
        shown = self.headers.get("Authorization", "")
        for user in self.users:
            if self.login_kind == "basic":
                wanted = base64.b64encode(f"{user.login}:{user.password}".encode()).decode()
                if shown == f"Basic {wanted}":
                    return user
            elif shown.startswith("Digest ") and self._is_digest_of(user, shown[7:]):
                return user
        return None

    def _challenge(self) -> str:
        if self.login_kind == "basic":
            return f'Basic realm="{REALM}"'
        return f'Digest realm="{REALM}", nonce="{secrets.token_hex(8)}", qop="auth"'

    def _is_digest_of(self, user: User, shown: str) -> bool:
        fields = parse_keqv_list(parse_http_list(shown))
        secret = _md5(f"{user.login}:{REALM}:{user.password}")
        request = _md5(f"{self.command}:{self.path}")
        middle = ":".join(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        return fields.get("response") == _md5(f"{secret}:{middle}:{request}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


Shown = list[tuple[str, str, datetime | None, int]]


def _apache(shown: Shown) -> str:
    rows = "".join(
        f'<tr><td><img src="/icons/text.gif" alt="[TXT]"></td><td><a href="{escape(address)}">'
        f'{escape(name)}</a></td><td align="right">{_time(written, "%Y-%m-%d %H:%M")}  </td>'
        f'<td align="right">{_rounded(size)}</td><td>&nbsp;</td></tr>\n'
        for address, name, written, size in shown
    )
    return (
        "<html><head><title>Index of /</title></head><body><h1>Index of /</h1><table><tr><th><a "
        'href="?C=N;O=D">Name</a></th></tr><tr><td><a href="/">Parent Directory</a></td></tr>\n'
        f"{rows}</table></body></html>"
    )


def _nginx(shown: Shown) -> str:
    rows = "".join(
        f'<a href="{escape(address)}">{escape(name)}</a>  {_time(written, "%d-%b-%Y %H:%M")} '
        f"{size if size >= 0 else '-':>19}\r\n"
        for address, name, written, size in shown
    )
    return (
        "<html><head><title>Index of /</title></head><body><h1>Index of /</h1><hr><pre>"
        f'<a href="../">../</a>\r\n{rows}</pre></body></html>'
    )


def _lighttpd(shown: Shown) -> str:
    rows = "".join(
        f'<tr><td class="n"><a href="{escape(address)}">{escape(name)}</a></td>'
        f'<td class="m">{_time(written, "%Y-%b-%d %H:%M:%S")}</td>'
        f'<td class="s">{_rounded(size)}</td><td class="t">application/octet-stream</td></tr>\n'
        for address, name, written, size in shown
    )
    return (
        "<html><head><title>Index of /</title></head><body><h2>Index of /</h2><table><tbody>"
        f'<tr class="d"><td class="n"><a href="../">..</a>/</td></tr>\n{rows}'
        "</tbody></table></html>"
    )


def _time(written: datetime | None, form: str) -> str:
    return written.strftime(form) if written else ""


def _rounded(size: int) -> str:
    if size < 0:
        return "  - "
    if size < 1000:
        return str(size)
    power = 1 if size < 1000 * 1024 else 2
    return f"{size / 1024**power:.1f}{'KM'[power - 1]}"


_PAGES = {"apache": _apache, "nginx": _nginx, "lighttpd": _lighttpd}
