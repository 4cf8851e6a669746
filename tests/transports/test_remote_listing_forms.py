"""Listings made for people: lines of ``ls`` and of Windows, pages of web servers, their clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tollhouse.transports.remote_files.folder import RemoteFile
from tollhouse.transports.remote_files.ftp_lines import rough_file
from tollhouse.transports.remote_files.index_page import read_index
from tollhouse.transports.remote_files.names import clashing, refusal
from tollhouse.transports.remote_files.rough_listing import clock_of

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def clock(shown: str) -> datetime:
    """A time as a listing shows it, of unknown zone."""
    return datetime.fromisoformat(shown)


@pytest.mark.parametrize(
    ("line", "name", "kind", "size", "written"),
    [
        (
            "-rw-r--r--   1 mtcl     tel         18231 Nov 21 23:59 TAXBAWKO.DAT",
            "TAXBAWKO.DAT",
            "file",
            18_231,
            clock("2026-11-21 23:59"),
        ),
        (
            "-rw-rw----+  1 root 0 7 Dec  1  2025 a name with  blanks.csv",
            "a name with  blanks.csv",
            "file",
            7,
            clock("2025-12-01 00:00"),
        ),
        # Without a group, as some servers write; of last December, since this one is to come.
        ("-rw-r--r-- 1 pbx 7 Dec 24 08:00 x.csv", "x.csv", "file", 7, clock("2025-12-24 08:00")),
        # A clock that is ahead of ours.
        ("-rw-r--r-- 1 p p 7 Nov 22 20:00 x.csv", "x.csv", "file", 7, clock("2026-11-22 20:00")),
        (
            "lrwxrwxrwx 1 p p 11 Oct  3 10:00 x.csv -> /etc/passwd",
            "x.csv",
            "link",
            11,
            clock("2026-10-03 10:00"),
        ),
        (
            "drwxr-xr-x 2 p p 4096 Oct  3 10:00 old",
            "old",
            "folder",
            4096,
            clock("2026-10-03 10:00"),
        ),
        ("crw-rw-rw- 1 root root 1, 3 Oct  3 10:00 null", "null", "other", None, None),
        (
            "11-21-26  11:59PM                18231 cdr.log",
            "cdr.log",
            "file",
            18_231,
            clock("2026-11-21 23:59"),
        ),
        (
            "11-21-2026  12:05AM       <DIR>          archive",
            "archive",
            "folder",
            None,
            clock("2026-11-21 00:05"),
        ),
    ],
)
def test_a_line_of_a_listing_is_understood(
    line: str, name: str, kind: str, size: int | None, written: datetime | None
) -> None:
    found = rough_file(line, NOW)
    assert found is not None
    assert (found.name, found.kind) == (name, kind)
    assert found.sizes == (None if size is None else (size, size))
    assert written is None or found.written == written


@pytest.mark.parametrize("line", ["total 12", "", "226 done", "-rw", "\0" * 50, "-" * 5000])
def test_what_is_no_entry_is_none(line: str) -> None:
    assert rough_file(line, NOW) is None


def test_a_day_that_does_not_exist_has_no_time() -> None:
    found = rough_file("-rw-r--r-- 1 p p 7 Feb 30 10:00 x.csv", NOW)
    assert found is not None
    assert found.written is None


@pytest.mark.parametrize(
    ("entry", "sizes", "written"),
    [
        (
            '<a href="t.gz">t.gz</a>   2026-11-21 23:59  1.2K  ',
            (1100, 1331),
            clock("2026-11-21 23:59"),
        ),
        (
            '<a href="t.gz">t.gz</a>  21-Nov-2026 23:59    1234',
            (1234, 1234),
            clock("2026-11-21 23:59"),
        ),
        (
            '<a href="t.gz">t.gz</a></td><td>2026-Nov-21 23:59:07</td><td>12M</td>',
            (11_000_000, 13_631_488),
            clock("2026-11-21 23:59:07"),
        ),
        ('<A HREF="/tickets/t.gz">t.gz</A><br>', None, None),
        ('<a href="http://pbx/tickets/t.gz">a ticket file</a> 2026-13-45 99:99 x', None, None),
        (
            "<a href='t.gz'><img src=i></a><a href='t.gz'>t.gz</a> 2026-11-21 23:59 -",
            None,
            clock("2026-11-21 23:59"),
        ),
    ],
)
def test_an_entry_of_a_page_is_understood(
    entry: str, sizes: tuple[int, int] | None, written: datetime | None
) -> None:
    page = read_index(f"<html>{entry}</html>", "http://pbx/tickets/")
    (found,) = page.files
    assert (found.name, found.kind, found.sizes, found.written) == ("t.gz", "file", sizes, written)


def test_links_out_of_the_folder_are_none_of_its_files() -> None:
    page = read_index(
        '<a href="../secret.csv">x.csv</a> <a href="/etc/a.csv">y</a>'
        '<a href="http://elsewhere/tickets/b.csv">z</a> <a href="deep/er/c.csv">z</a>'
        '<a href="?C=N;O=D">Name</a> <a href="http://[bad">w</a> <a href="ok.csv">ok</a>'
        '<a href="..%2Fd.csv">d</a>',
        "http://pbx/tickets/",
    )
    assert [file.name for file in page.files] == ["ok.csv", "../d.csv"]
    assert {"secret.csv", "a.csv", "b.csv", "c.csv"} <= set(page.elsewhere)


def test_the_page_of_a_login_is_no_listing() -> None:
    page = '<a href="help.html">Help</a><form><input type="PASSWORD" name="p"></form>'
    assert not read_index(page, "http://pbx/tickets/").is_listing
    assert read_index("<title>Index of /tickets</title>", "http://pbx/tickets/").is_listing


def test_the_zone_of_a_listing_follows_from_one_file() -> None:
    instant = datetime(2026, 7, 1, 10, 0, 42, tzinfo=UTC)
    assert clock_of(clock("2026-07-01 12:00"), instant, PARIS) is PARIS
    assert clock_of(clock("2026-07-01 10:00"), instant, PARIS) == timezone(timedelta(0))
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert clock_of(clock("2026-07-01 15:45"), instant, PARIS) == kathmandu
    # Another year: one of the two lies, and the entry is believed.
    assert clock_of(clock("2016-07-01 10:00"), instant, PARIS) is PARIS


@pytest.mark.parametrize(
    "name",
    [
        "../cdr",
        "/etc/passwd",
        "a\\b",
        ".",
        "..",
        "",
        "a\nb",
        "a\0b",
        "cdr_\udce9",
        "x" * 201,
        ".partial",
        "\u202etxt.exe",
    ],
)
def test_a_name_that_is_no_plain_name_is_refused(name: str) -> None:
    assert refusal(RemoteFile(name, 1, NOW)) is not None


def test_names_that_some_disks_do_not_tell_apart_clash() -> None:
    files = [RemoteFile(name, 1, NOW) for name in ("cdr.log", "CDR.LOG", "e\u0301", "\u00e9", "x")]
    assert clashing(files) == {"cdr.log": "CDR.LOG", "\u00e9": "e\u0301"}
