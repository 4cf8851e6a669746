"""Pages on which a web server lists a folder, as Apache, nginx and lighttpd make them.

Each entry is a link, and what stands between it and the next one may tell its time and size. There
is no standard: whatever a page lacks is asked of the server, file by file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from tollhouse.transports.remote_files.folder import Kind
from tollhouse.transports.remote_files.ftp_lines import MONTHS
from tollhouse.transports.remote_files.rough_listing import RoughFile

#: 2026-11-22 07:15 and 2026-Nov-22 07:15:01, or 22-Nov-2026 07:15.
WRITTEN = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d\d|[A-Za-z]{3})-(?P<day>\d\d)"
    r"|(?P<day_first>\d\d)-(?P<month_second>[A-Za-z]{3})-(?P<year_last>\d{4}))"
    r"\s+(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
)
#: 1234, or 1.2K.
SIZE = re.compile(
    r"(?<![\w.])(?P<number>\d+(?:\.(?P<decimals>\d+))?)\s*(?P<unit>[KMGT]?)i?B?(?!\w)"
)
UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
#: More is no part of an entry.
LONGEST_ENTRY_TEXT = 1_000


@dataclass
class _Link:
    """A link and the text that follows it."""

    target: str
    text: list[str] = field(default_factory=list)


class _Links(HTMLParser):
    """Finds the links of a page, and whether it asks for a password."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[_Link] = []
        self.asks_for_password = False
        self._is_in_link = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Begin a link."""
        found = dict(attributes)
        if tag == "a" and found.get("href"):
            self.links.append(_Link(str(found["href"])))
            self._is_in_link = True
        elif tag == "input" and (found.get("type") or "").lower() == "password":
            self.asks_for_password = True

    def handle_endtag(self, tag: str) -> None:
        """End a link."""
        if tag == "a":
            self._is_in_link = False

    def handle_data(self, data: str) -> None:
        """Take what is said about the last link."""
        if self.links and not self._is_in_link:
            self.links[-1].text.append(data)


@dataclass(frozen=True)
class IndexPage:
    """What a page shows.

    Attributes:
        files: the entries of the folder itself.
        elsewhere: links that lead out of the folder, by the name that they end in.
        is_listing: whether it looks like a listing at all.
    """

    files: Sequence[RoughFile]
    elsewhere: Sequence[str]
    is_listing: bool


def read_index(page: str, url: str) -> IndexPage:
    """Return what a page lists.

    Args:
        page: its HTML.
        url: its own address, which ends in a slash.
    """
    parser = _Links()
    parser.feed(page)
    parser.close()
    here = urlsplit(url)
    files: dict[str, RoughFile] = {}
    elsewhere: list[str] = []
    for link in parser.links:
        try:
            target = urlsplit(urljoin(url, link.target))
        except ValueError:
            continue
        folder, _, last = target.path.rstrip("/").rpartition("/")
        name = unquote(last, errors="surrogateescape")
        if target[:2] != here[:2] or f"{folder}/" != here.path:
            elsewhere.append(name)
        elif name:
            shown = _entry(name, target.path.endswith("/"), "".join(link.text))
            if name not in files or shown.written is not None:
                files[name] = shown
    has_parent = any(link.target in ("../", "..") for link in parser.links)
    is_listing = not parser.asks_for_password and (
        bool(files) or has_parent or re.search(r"index of", page, re.IGNORECASE) is not None
    )
    return IndexPage(list(files.values()), elsewhere, is_listing)


def _entry(name: str, is_folder: bool, text: str) -> RoughFile:
    text = text[:LONGEST_ENTRY_TEXT]
    kind: Kind = "folder" if is_folder else "file"
    match = WRITTEN.search(text)
    if match is None:
        return RoughFile(name, kind, None, None)
    return RoughFile(name, kind, _sizes(text[match.end() :]), _time(match), _step(match))


def _time(match: re.Match[str]) -> datetime | None:
    month = (match["month"] or match["month_second"]).lower()
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month) if month.isdecimal() else 0
    with suppress(ValueError):
        return datetime(  # noqa: DTZ001 - of unknown zone
            int(match["year"] or match["year_last"]),
            number,
            int(match["day"] or match["day_first"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
        )
    return None


def _step(match: re.Match[str]) -> timedelta:
    return timedelta(seconds=1) if match["second"] else timedelta(minutes=1)


def _sizes(text: str) -> tuple[int, int] | None:
    """Return the smallest and the largest size that a rounded one may stand for."""
    match = SIZE.search(text)
    if match is None or len(match["number"]) > 18:
        return None
    if not match["unit"]:
        return (int(match["number"]),) * 2 if not match["decimals"] else None
    power = UNITS[match["unit"]]
    number, step = float(match["number"]), 10.0 ** -len(match["decimals"] or "")
    # A thousand or 1024, rounded up or down: each server does it in its own way.
    return round(max(number - step, 0) * 1000**power), round((number + step) * 1024**power)
