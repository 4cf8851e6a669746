"""Fetching over real servers that cut, lie and change: what is here is whole, or continued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.collector.certificates import Authority
from tests.transports.remote_sites import LONG_AGO, PROTOCOLS, Served, served
from tollhouse.settings import Settings
from tollhouse.transports.remote_files import open_session
from tollhouse.transports.remote_files.copies import Copies, FetchedFile
from tollhouse.transports.remote_files.fetching import Fetching
from tollhouse.transports.remote_files.folder import RemoteFile

CONTENT = b"".join(b"%06d\n" % number for number in range(40_000))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(params=PROTOCOLS)
def there(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[Served]:
    with served(request.param, tmp_path, authority) as running:
        yield running


@pytest.fixture
def ftp(tmp_path: Path, authority: Authority) -> Iterator[Served]:
    with served("ftp", tmp_path, authority) as running:
        yield running


def fetched(
    there: Served, *, between: Callable[[], object] = lambda: None, settings: Settings | None = None
) -> tuple[dict[str, bytes], list[str]]:
    """List, let something happen, and fetch: the contents by name, and the warnings."""
    site = there.site()
    copies, warnings = Copies(settings or there.settings, "paris_hq"), list[str]()
    with open_session(site) as session:
        listing = session.attempt(
            lambda folder: folder.list_files(lambda name: name.startswith("cdr"), copies.find)
        )
        between()
        fetching = Fetching(
            "paris_hq",
            session,
            copies,
            warnings,
            model=site.pbx.known_model,
            reserve_bytes=site.reserve_bytes,
        )
        found = fetching.fetched(sorted(listing.files, key=lambda file: file.name))
        return {file.unit: content_of(file) for file in found}, warnings


def content_of(file: FetchedFile) -> bytes:
    with file.open() as stream:
        content = stream.read()
    assert len(content) == file.size_bytes
    return content


def partials(there: Served) -> list[Path]:
    return sorted((there.settings.var / "fetched" / "paris_hq" / ".partial").iterdir())


def test_a_file_is_fetched_once_and_bears_the_time_of_the_pbx(there: Served) -> None:
    there.write("cdr_1", CONTENT)
    there.write("cdr_empty", b"")
    assert fetched(there) == ({"cdr_1": CONTENT, "cdr_empty": b""}, [])
    sent = there.faults.sent_bytes
    assert fetched(there) == ({"cdr_1": CONTENT, "cdr_empty": b""}, [])
    assert there.faults.sent_bytes == sent
    copy = there.settings.var / "fetched" / "paris_hq" / "cdr_1"
    assert copy.stat().st_mtime == LONG_AGO
    assert partials(there) == []


def test_a_transfer_that_is_cut_twice_goes_on_where_it_stood(there: Served) -> None:
    there.write("cdr_1", CONTENT)
    there.faults.cut_after_bytes, there.faults.cuts = 100_000, 2
    assert fetched(there) == ({"cdr_1": CONTENT}, [])
    # What the requests ahead had fetched beyond a cut is fetched again, and some was compared.
    assert there.faults.sent_bytes < len(CONTENT) * 1.5


def test_what_came_before_a_server_went_away_is_kept_for_the_next_pull(ftp: Served) -> None:
    ftp.write("cdr_1", CONTENT)
    ftp.write("cdr_2", CONTENT + b"2")
    ftp.faults.cut_after_bytes, ftp.faults.cuts = 0, None
    found, warnings = fetched(ftp)
    assert found == {}
    assert "broke the connection off" in warnings[0]
    assert "2 files wait: cdr_1 and 1 more" in warnings[0]
    ftp.faults.cut_after_bytes, ftp.faults.cuts = 100_000, 1
    first = fetched(ftp, between=lambda: None)[0]
    assert first == {"cdr_1": CONTENT, "cdr_2": CONTENT + b"2"}


def test_a_server_that_gives_files_from_their_beginning_only_is_still_read(there: Served) -> None:
    there.faults.refuses_resume = True
    there.write("cdr_1", CONTENT)
    there.faults.cut_after_bytes, there.faults.cuts = 100_000, 1
    assert fetched(there) == ({"cdr_1": CONTENT}, [])


def test_a_partial_file_of_what_has_changed_since_is_not_continued(ftp: Served) -> None:
    ftp.write("cdr_1", CONTENT)
    site, copies = ftp.site(), Copies(ftp.settings, "paris_hq")
    with open_session(site) as session:
        listing = session.attempt(lambda folder: folder.list_files(lambda name: True, copies.find))
    copies.prepare()
    stale = copies.partial_path(listing.files[0])
    stale.write_bytes(CONTENT[:100_000])
    changed = CONTENT[::-1] + b"more\n"
    ftp.write("cdr_1", changed, LONG_AGO + 5)
    assert fetched(ftp) == ({"cdr_1": changed}, [])
    assert partials(ftp) == []


def test_a_partial_file_whose_end_differs_is_fetched_anew(ftp: Served) -> None:
    ftp.write("cdr_1", CONTENT)
    copies = Copies(ftp.settings, "paris_hq")
    copies.prepare()
    with open_session(ftp.site()) as session:
        listing = session.attempt(lambda folder: folder.list_files(lambda name: True, copies.find))
    copies.partial_path(listing.files[0]).write_bytes(b"x" * 50_000)
    assert fetched(ftp) == ({"cdr_1": CONTENT}, [])


def test_of_a_file_that_has_grown_only_what_is_new_comes_over_the_line(there: Served) -> None:
    there.write("cdr_1", CONTENT)
    fetched(there)
    before = there.faults.sent_bytes
    there.write("cdr_1", CONTENT + b"one more\n", LONG_AGO + 60)
    assert fetched(there) == ({"cdr_1": CONTENT + b"one more\n"}, [])
    assert there.faults.sent_bytes - before < 10_000


def test_another_content_under_an_old_name_is_fetched_anew(there: Served) -> None:
    there.write("cdr_1", CONTENT)
    fetched(there)
    there.write("cdr_1", CONTENT[::-1] + b"longer\n", LONG_AGO + 60)
    assert fetched(there) == ({"cdr_1": CONTENT[::-1] + b"longer\n"}, [])
    there.write("cdr_1", CONTENT, LONG_AGO + 120)
    assert fetched(there) == ({"cdr_1": CONTENT}, [])


def test_a_file_that_vanishes_before_it_is_fetched_is_named_and_the_others_come(
    there: Served,
) -> None:
    gone = there.write("cdr_1", b"1\n")
    there.write("cdr_2", b"2\n")
    found, warnings = fetched(there, between=gone.unlink)
    assert found == {"cdr_2": b"2\n"}
    assert len(warnings) == 1
    assert warnings[0].startswith("paris_hq: cdr_1 is not fetched: it vanished from the PBX")


def test_a_file_that_changes_while_it_is_fetched_waits_for_the_next_pull(there: Served) -> None:
    there.write("cdr_1", CONTENT)
    there.faults.before_transfer = lambda path: there.write("cdr_1", CONTENT + b"!", LONG_AGO + 9)
    found, warnings = fetched(there)
    assert found == {}
    assert "changed while it was fetched" in warnings[0]
    assert partials(there) == []
    there.faults.before_transfer = lambda path: None
    assert fetched(there)[0] == {"cdr_1": CONTENT + b"!"}


@pytest.mark.parametrize("protocol", ["ftp", "sftp"])
def test_a_listing_that_is_wrong_about_a_size_is_named_and_harms_no_other_file(
    protocol: str, tmp_path: Path, authority: Authority
) -> None:
    with served(protocol, tmp_path, authority) as there:
        there.write("cdr_1", b"1\n")
        there.faults.wrong_size_bytes = 7
        found, warnings = fetched(there)
        assert found == {}
        assert "the listing says 9 bytes, and there are 2" in warnings[0]
        there.faults.wrong_size_bytes = 0
        assert fetched(there) == ({"cdr_1": b"1\n"}, [])


def test_a_slow_server_is_waited_for(ftp: Served) -> None:
    ftp.write("cdr_1", CONTENT)
    ftp.faults.bytes_per_second = len(CONTENT) * 5
    assert fetched(ftp) == ({"cdr_1": CONTENT}, [])


def test_a_disk_without_room_says_what_to_do_and_fetches_nothing(ftp: Served) -> None:
    ftp.write("cdr_1", CONTENT)
    full = replace(ftp.settings, environment={"TOLLHOUSE_SPOOL_RESERVE_MIB": str(1 << 30)})
    ftp.settings = full
    found, warnings = fetched(ftp)
    assert found == {}
    assert "MiB left, too few" in warnings[0]
    assert "Make room there" in warnings[0]
    assert ftp.faults.sent_bytes == 0


def test_copies_and_partials_are_nobody_elses_business(ftp: Served) -> None:
    ftp.write("cdr_1", b"1\n")
    fetched(ftp)
    folder = ftp.settings.var / "fetched" / "paris_hq"
    assert folder.stat().st_mode & 0o077 == 0


def test_a_link_in_the_place_of_a_copy_is_no_copy(ftp: Served) -> None:
    secret = ftp.settings.var / "secret"
    secret.parent.mkdir(exist_ok=True)
    secret.write_bytes(b"secret")
    ftp.write("cdr_1", b"1\n")
    copies = Copies(ftp.settings, "paris_hq")
    copies.prepare()
    (copies.folder / "cdr_1").symlink_to(secret)
    assert fetched(ftp)[0] == {"cdr_1": b"1\n"}
    assert secret.read_bytes() == b"secret"
    assert copies.find("../paris_hq/cdr_1") is None
    assert [file.name for file in copies.all()] == ["cdr_1"]
    assert isinstance(copies.find("cdr_1"), RemoteFile)
