"""A folder that a web server lists, as the web manager of an A5000 does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests.utils

from tollhouse.transports.http_api.client import Answer, Ask, HttpsClient, Patience
from tollhouse.transports.http_api.digest import DigestLogin
from tollhouse.transports.http_api.failures import ApiError, Fault
from tollhouse.transports.http_api.reach import Reach
from tollhouse.transports.remote_files.faults import (
    GONE,
    connection_fault,
    missing_folder,
    refused_login,
)
from tollhouse.transports.remote_files.folder import (
    BLOCK_BYTES,
    Listing,
    Protection,
    RemoteError,
    RemoteFile,
    RemoteFileError,
    ResumeRefusedError,
)
from tollhouse.transports.remote_files.index_page import read_index
from tollhouse.transports.remote_files.rough_listing import Exact, settle
from tollhouse.transports.remote_files.site import Site

GONE_STATUSES = (404, 410)
NO_HEAD = (400, 405, 501)


def open_listing(site: Site) -> HttpFolder:
    """Return a folder that a web server lists; nothing is asked yet."""
    return HttpFolder(site, FileClient(site))


@dataclass(frozen=True)
class _PlainReach(Reach):
    """The way to a server that speaks no TLS."""

    @property
    def url(self) -> str:
        """The beginning of every URL that is asked."""
        return f"http://{self.place}"


class FileClient(HttpsClient):
    """A web server that is asked for files: by basic or digest login, and for parts of files."""

    def __init__(self, site: Site) -> None:
        reach = site.reach
        if site.protocol == "http":
            reach = _PlainReach(reach.host, reach.port, None, proxy=_plain_proxy(site))
        # What may pass is tried again by the session, on a new connection.
        super().__init__(site.pbx.id, reach, Patience(site.patience.timeout_seconds, attempts=1))
        if site.protocol == "http":
            self._session.proxies = {"http": reach.proxy} if reach.proxy else {}
        self._login, self._password = site.connection.login, site.connection.password
        self._basic = self.hide_login(self._login, self._password)
        self._digest = DigestLogin(self._login, self._password)
        self._scheme = ""

    @contextmanager
    def answered(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """Ask for a path, logging in if the server wants it; the body is not read yet."""
        for is_last in (False, True):
            asked = {**(headers or {}), **self._credentials(method, path)}
            ask = Ask(method, path, headers=asked)
            with self._answered(ask, self.reach.url + path, None) as response:
                # A digest login that was good a moment ago may have run out, too.
                if response.status_code == 401 and not is_last and self._take_challenge(response):
                    self.body(response)  # read to its end, the connection serves on
                    continue
                yield response
                return

    def body(self, response: requests.Response) -> bytes:
        """Return the body of an answer that is no file; it is bounded."""
        return self._read(response.raw)

    def _credentials(self, method: str, path: str) -> dict[str, str]:
        if self._scheme == "digest":
            return self._digest.header(method, path)
        return {"Authorization": self._basic} if self._scheme == "basic" else {}

    def _take_challenge(self, response: requests.Response) -> bool:
        """Take the best of the logins that the server offers; return whether there is one."""
        challenges = response.raw.headers.getlist("WWW-Authenticate")
        if not self._login:
            return False
        if any(self._digest.take(challenge) for challenge in challenges):
            is_new, self._scheme = self._scheme != "basic", "digest"
            return is_new
        if self._scheme == "" and any(
            challenge.lower().startswith("basic") for challenge in challenges
        ):
            self._scheme = "basic"
            return True
        return False

    def _fault_of(self, error: Exception) -> Fault:
        return connection_fault(error, self.reach, self._patience.timeout_seconds)


class HttpFolder:
    """A folder by its address."""

    def __init__(self, site: Site, client: FileClient) -> None:
        self._site = site
        self._client = client
        self._path = quote(f"/{site.folder.strip('/')}/".replace("//", "/"))

    @property
    def protection(self) -> Protection:
        """How well the connection is protected."""
        place = self._site.reach.place
        if self._site.protocol == "http":
            return Protection(
                "TLS",
                f"{place} is spoken to in the clear: whoever listens reads the calls, and the "
                "password too unless the server takes digest login",
                "If the PBX can, set settings.protocol of the entry to https.",
            )
        if self._site.reach.ca_file is None:
            return Protection(
                "TLS",
                f"{place} is not verified: whoever stands in between can read along",
                "Name the certificate of its authority in the connection's extra tls_ca and take "
                "verify out.",
            )
        return Protection("TLS", f"the certificate of {place} is trusted")

    def list_files(
        self, is_wanted: Callable[[str], bool], fetched: Callable[[str], RemoteFile | None]
    ) -> Listing:
        """Return what the page lists; of files that it shows roughly, the server is asked."""
        with self._told():
            with self._client.answered("GET", self._path) as response:
                body = self._client.body(response)
                answer = Answer(response.status_code, response.headers, body)
            self._require_folder(answer)
            page = read_index(body.decode("utf-8", "replace"), self._client.reach.url + self._path)
            if not page.is_listing:
                raise self._client.error(self._no_listing(body))
            wanted = [file for file in page.files if is_wanted(file.name)]
            files = settle(wanted, fetched, self._ask, self._site.server_zone)
        outside = [
            RemoteFile(f"../{name}", 0, datetime.fromtimestamp(0, UTC), "other")
            for name in page.elsewhere
            if name and is_wanted(name)
        ]
        other_names = [file.name for file in page.files if not is_wanted(file.name)]
        return Listing([*files, *outside], other_names, _date(answer.headers.get("Date")))

    def look(self, name: str) -> RemoteFile | None:
        """Return a file as it is now."""
        with self._told():
            exact = self._ask(name)
        if exact is None or exact.size_bytes is None:
            return None
        listed = datetime.fromtimestamp(0, UTC)
        return RemoteFile(name, exact.size_bytes, exact.modified_at or listed)

    def blocks(self, name: str, offset: int) -> Generator[bytes]:
        """Yield the content of a file from an offset on."""
        headers = {"Range": f"bytes={offset}-"} if offset else None
        with (
            self._told(),
            self._client.answered("GET", self._address(name), headers) as response,
        ):
            status = response.status_code
            if status in GONE_STATUSES:
                raise RemoteFileError(GONE)
            if status == 416 or (offset and status == 200):
                raise ResumeRefusedError
            if status != (206 if offset else 200):
                raise self._refused(status, name)
            if offset and not _begins_at(response.headers.get("Content-Range", ""), offset):
                raise ResumeRefusedError
            raw: Any = response.raw
            while block := raw.read1(BLOCK_BYTES):
                yield block

    def make_folder(self, name: str) -> None:
        """Make no folder: nothing can be changed over HTTP."""
        raise RemoteFileError(f"{name!r} cannot be made over HTTP")

    def rename(self, name: str, new_name: str) -> None:
        """Rename nothing."""
        raise RemoteFileError(f"{name!r} cannot become {new_name!r} over HTTP")

    def delete(self, name: str) -> None:
        """Delete nothing."""
        raise RemoteFileError(f"{name!r} cannot be deleted over HTTP")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _address(self, name: str) -> str:
        return self._path + quote(name, safe="", errors="surrogateescape")

    def _ask(self, name: str) -> Exact | None:
        """Return size and time of a file without fetching it; None if it is gone."""
        for method in ("HEAD", "GET"):
            with self._client.answered(method, self._address(name)) as response:
                status, headers = response.status_code, response.headers
                if method == "HEAD":
                    self._client.body(response)
            if status not in NO_HEAD:
                break
        if status in GONE_STATUSES:
            return None
        if status != 200:
            return Exact(None, None)
        length = headers.get("Content-Length", "")
        size_bytes = int(length) if length.isascii() and length.isdecimal() else None
        return Exact(size_bytes, _date(headers.get("Last-Modified")))

    def _require_folder(self, answer: Answer) -> None:
        reach, status = self._client.reach, answer.status
        said = self._client.said(answer.body) if answer.body.lstrip()[:1] != b"<" else ""
        if status == 200:
            return
        if status in (401, 407):
            raise self._client.error(refused_login(reach, self._site.connection.login, said))
        if status in (403, *GONE_STATUSES):
            raise self._client.error(
                missing_folder(reach, self._site.folder, f"status {status} {said}".strip())
            )
        if status in (301, 302, 303, 307, 308):
            where = urlsplit(urljoin(reach.url + self._path, answer.headers.get("Location", "")))
            raise self._client.error(
                Fault(
                    "folder",
                    f"{reach.place} sends on to {self._client.said(where.geturl().encode())}",
                    "If that is the folder, put its host, port and protocol into connection and "
                    "entry. The page of a login means that another kind of login is wanted.",
                )
            )
        fault = self._client.status_fault(
            answer, "folder", "the request for the folder", "Look at the log of the web server."
        )
        raise self._client.error(fault._replace(may_pass=status >= 500 or status in (408, 429)))

    def _refused(self, status: int, name: str) -> Exception:
        place = self._client.reach.place
        if status >= 500 or status in (401, 408, 429):
            found = f"{place} answers {status} to the request for {name!r}"
            remedy = "Look at the log of the web server."
            return self._client.error(Fault("answer", found, remedy, may_pass=status != 401))
        return RemoteFileError(f"{place} refuses to give it (status {status}).")

    def _no_listing(self, body: bytes) -> Fault:
        return Fault(
            "folder",
            f"{self._client.reach.place} shows no list of files in {self._site.folder!r}: "
            f"{self._client.said(body)}",
            "The page of a login, or of another service? Open the address in a browser: it must "
            "show the files as links. Correct host, port and settings.folder.",
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            raise RemoteError(self._site.pbx.id, error.fault) from None


def _plain_proxy(site: Site) -> str | None:
    """Return the proxy on the way to a server without TLS: a named one, or the environment's."""
    if site.connection.extra.get("proxy"):
        return site.reach.proxy
    url = f"http://{site.reach.place}"
    return requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))


def _begins_at(content_range: str, offset: int) -> bool:
    return content_range.strip().lower().startswith(f"bytes {offset}-")


def _date(value: str | None) -> datetime | None:
    try:
        instant = parsedate_to_datetime(value or "")
    except (ValueError, TypeError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
