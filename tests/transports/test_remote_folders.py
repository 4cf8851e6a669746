"""Folders on real servers: what each protocol shows, gives and refuses, and what then is to do."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.file_servers import Misbehaviour, new_host_key
from tests.collector.certificates import Authority
from tests.transports.remote_sites import LONG_AGO, PASSWORD, PROTOCOLS, Served, served
from tollhouse.transports import SourceError
from tollhouse.transports.remote_files import open_session
from tollhouse.transports.remote_files.folder import (
    Listing,
    RemoteError,
    RemoteFile,
    RemoteFileError,
    RemoteFolder,
)
from tollhouse.transports.remote_files.site import Site

WRITTEN_AT = datetime.fromtimestamp(LONG_AGO, UTC)
CONTENT = b"".join(b"%06d\n" % number for number in range(20_000))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(params=PROTOCOLS)
def there(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[Served]:
    with served(request.param, tmp_path, authority) as running:
        yield running


def listed(site: Site) -> Listing:
    with open_session(site) as session:
        return session.attempt(
            lambda folder: folder.list_files(lambda name: name.startswith("c"), lambda name: None)
        )


def content(folder: RemoteFolder, name: str, offset: int = 0) -> bytes:
    return b"".join(folder.blocks(name, offset))


def fault_of(site: Site) -> Any:
    """The fault of a folder that cannot be listed; no password is in it."""
    with pytest.raises(RemoteError) as caught:
        listed(site)
    assert PASSWORD not in str(caught.value)
    return caught.value.fault


def test_a_folder_shows_exact_sizes_and_times_and_gives_files_from_any_place(there: Served) -> None:
    there.write("cdr_1", CONTENT)
    there.write("cdr été", "1\n")
    there.write("notes.txt", "no")
    (there.folder / "c_folder").mkdir()
    with open_session(there.site()) as session:
        found = session.attempt(
            lambda folder: folder.list_files(lambda name: name.startswith("c"), lambda name: None)
        )
        files = {file.name: file for file in found.files}
        assert files["cdr_1"] == RemoteFile("cdr_1", len(CONTENT), WRITTEN_AT)
        assert files["c_folder"].kind == "folder"
        assert found.other_names == ["notes.txt"]
        assert session.attempt(lambda folder: content(folder, "cdr été")) == b"1\n"
        assert session.attempt(lambda folder: content(folder, "cdr_1", 70_001)) == CONTENT[70_001:]
        looked = session.attempt(lambda folder: folder.look("cdr_1"))
        assert looked is not None
        assert looked.is_as(files["cdr_1"])
        assert session.attempt(lambda folder: folder.look("cdr_9")) is None
        with pytest.raises(RemoteFileError, match="vanished"):
            session.attempt(lambda folder: content(folder, "cdr_9"))


def test_a_file_that_may_not_be_read_is_no_end_of_the_others(there: Served) -> None:
    there.faults.denied_names = ("cdr_1",)
    there.write("cdr_1", "1\n")
    there.write("cdr_2", "2\n")
    with open_session(there.site()) as session:
        with pytest.raises(RemoteFileError, match="refuses to give it"):
            session.attempt(lambda folder: content(folder, "cdr_1"))
        assert session.attempt(lambda folder: content(folder, "cdr_2")) == b"2\n"


def test_a_wrong_password_says_whose_it_is_and_never_what_it_is(there: Served) -> None:
    wrong = there.connection(password="another-secret")
    fault = fault_of(there.site(connection=wrong))
    assert fault.step == "login"
    assert "'reader'" in fault.found
    assert "another-secret" not in fault.found + fault.remedy


def test_a_missing_folder_names_the_setting(there: Served) -> None:
    fault = fault_of(there.site(folder="/not/there"))
    assert (fault.step, fault.may_pass) == ("folder", False)
    assert "settings.folder" in fault.remedy


def test_a_server_that_is_switched_off_is_asked_again_before_it_is_told(there: Served) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        site = there.site(connection=there.connection(port=closed.getsockname()[1]))
        fault = fault_of(site)
    assert "refuses the connection (tried 5 times)" in fault.found
    assert fault.step == "port"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("protocol", ["ftps", "https"])
def test_a_certificate_of_an_unknown_authority_is_refused(
    protocol: str, tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "stranger", "stranger")
    with served(protocol, tmp_path, authority) as there:
        there.extra["tls_ca"] = str(stranger.file)
        fault = fault_of(there.site())
        assert fault.step == "TLS certificate"
        assert "tls_ca" in fault.remedy
        there.extra["verify"] = "false"
        assert listed(there.site()).files == []
        with open_session(there.site()) as session:
            assert "not verified" in session.attempt(lambda folder: folder.protection).found


def test_tls_is_demanded_by_one_side_and_not_spoken_by_the_other(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "plain").mkdir()
    with served("ftp", tmp_path / "plain", authority) as plain:
        fault = fault_of(plain.site(protocol="ftps"))
        assert (fault.step, "offers no TLS" in fault.found) == ("TLS", True)
    with served("ftps", tmp_path, authority) as protected:
        fault = fault_of(protected.site(protocol="ftp"))
        assert "ftps" in fault.remedy


# --- SSH ------------------------------------------------------------------------------------------


@pytest.fixture
def ssh(tmp_path: Path, authority: Authority) -> Iterator[Served]:
    with served("sftp", tmp_path, authority) as running:
        yield running


def test_a_host_key_that_nobody_vouches_for_is_shown_and_refused(ssh: Served) -> None:
    fingerprint = ssh.extra.pop("host_key")
    fault = fault_of(ssh.site())
    assert (fault.step, fault.may_pass) == ("host key", False)
    assert fingerprint in fault.found
    assert "ssh-keygen -lf" in fault.remedy


def test_another_host_key_than_the_expected_is_refused(ssh: Served) -> None:
    ssh.extra["host_key"] = "SHA256:" + base64.b64encode(bytes(32)).decode()
    fault = fault_of(ssh.site())
    assert "another host key" in fault.found


def test_a_fingerprint_may_be_md5_and_stand_among_others(ssh: Served) -> None:
    key = new_host_key(ssh.folder.parent / "host_key")
    digits = key.get_fingerprint().hex()
    md5 = "MD5:" + ":".join(digits[place : place + 2] for place in range(0, 32, 2))
    ssh.extra["host_key"] = f"SHA256:{'A' * 43}, {md5}"
    assert listed(ssh.site()).files == []


def test_known_hosts_knows_the_host_or_refuses_it(ssh: Served) -> None:
    key = new_host_key(ssh.folder.parent / "host_key")
    del ssh.extra["host_key"]
    ssh.extra["known_hosts"] = "known_hosts"
    assert "cannot be read" in fault_of(ssh.site()).found
    ssh.settings.var.mkdir()
    known_hosts = ssh.settings.var / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{ssh.port} {key.get_name()} {key.get_base64()}\n")
    assert listed(ssh.site()).files == []
    other = new_host_key(ssh.folder.parent / "other_key")
    known_hosts.write_text(f"[127.0.0.1]:{ssh.port} {other.get_name()} {other.get_base64()}\n")
    fault = fault_of(ssh.site())
    assert key.fingerprint in fault.found
    assert "known_hosts" in fault.found


def test_a_key_opens_without_a_password(tmp_path: Path, authority: Authority) -> None:
    own = new_host_key(tmp_path / "own_key")
    with served("sftp", tmp_path, authority, public_key=own.get_base64()) as there:
        there.extra["key_file"] = str(tmp_path / "own_key")
        assert listed(there.site(connection=there.connection(password=""))).files == []
        there.extra["key_file"] = str(tmp_path / "no_key")
        assert "no_key" in fault_of(there.site()).found


def test_a_server_that_is_no_ssh_server_is_told(tmp_path: Path, authority: Authority) -> None:
    with served("ftp", tmp_path, authority) as there:
        site = there.site(protocol="sftp", timeout_seconds=0.2)
        assert "broke the connection off" in fault_of(site).found


# --- FTP ------------------------------------------------------------------------------------------


@pytest.fixture
def ftp(tmp_path: Path, authority: Authority) -> Iterator[Served]:
    with served("ftp", tmp_path, authority) as running:
        running.write("cdr_1", CONTENT)
        yield running


@pytest.mark.parametrize("mode", ["passive", "active"])
@pytest.mark.parametrize("protocol", ["ftp", "ftps"])
def test_both_modes_list_and_give_files(
    protocol: str, mode: str, tmp_path: Path, authority: Authority
) -> None:
    with served(protocol, tmp_path, authority) as there:
        there.write("cdr_1", CONTENT)
        with open_session(there.site(ftp_mode=mode, active_ports="50100-50199")) as session:
            assert session.attempt(lambda folder: content(folder, "cdr_1", 7)) == CONTENT[7:]


def test_a_firewall_before_active_mode_names_the_ports_and_the_other_mode(ftp: Served) -> None:
    ftp.faults.refuses_active = True
    fault = fault_of(ftp.site(ftp_mode="active"))
    assert fault.step == "data connection"
    assert "could not connect back to 127.0.0.1:" in fault.found
    assert "settings.active_ports" in fault.remedy
    assert "passive" in fault.remedy


def test_a_server_without_passive_mode_asks_for_the_active_one(ftp: Served) -> None:
    ftp.faults.refuses_passive = True
    fault = fault_of(ftp.site())
    assert "refuses passive mode" in fault.found
    assert "active" in fault.remedy
    assert [file.name for file in listed(ftp.site(ftp_mode="active")).files] == ["cdr_1"]


def test_the_address_that_a_server_behind_nat_announces_is_not_used(ftp: Served) -> None:
    ftp.faults.announced_host = "192.0.2.77"
    assert [file.name for file in listed(ftp.site()).files] == ["cdr_1"]


def test_a_passive_port_that_nobody_answers_on_says_so_and_names_nat(ftp: Served) -> None:
    ftp.faults.announced_host, ftp.faults.blocks_passive = "192.0.2.77", True
    fault = fault_of(ftp.site())
    assert "192.0.2.77, an address behind NAT" in fault.found
    assert "passive ports" in fault.remedy


def test_a_listing_for_people_is_made_exact_by_asking_for_single_files(ftp: Served) -> None:
    ftp.faults.lists_for_people = True
    ftp.write("cdr 2 with blanks", "1\n", LONG_AGO + 1)
    (ftp.folder / "c_link").symlink_to("/etc/passwd")
    found = {file.name: file for file in listed(ftp.site()).files}
    assert found["cdr_1"] == RemoteFile("cdr_1", len(CONTENT), WRITTEN_AT)
    assert found["cdr 2 with blanks"].modified_at.timestamp() == LONG_AGO + 1
    assert found["c_link"].kind == "link"


def test_times_of_people_are_read_in_the_zone_of_the_server(
    tmp_path: Path, authority: Authority
) -> None:
    faults = Misbehaviour(lists_for_people=True, tells_no_files=True)
    with served("ftp", tmp_path, authority, faults=faults, zone="Asia/Tokyo") as there:
        there.write("cdr_1", "1\n")
        minute = WRITTEN_AT.replace(second=0)
        (found,) = listed(there.site(server_time_zone="Asia/Tokyo")).files
        assert (found.size_bytes, found.modified_at) == (2, minute)


def test_a_zone_that_nobody_told_is_found_by_one_file(tmp_path: Path, authority: Authority) -> None:
    with served("http", tmp_path, authority, zone="Asia/Tokyo") as there:
        there.write("cdr_1", "1\n")
        there.write("cdr_2", "2\n", LONG_AGO + 3600)
        copies = {file.name: file for file in listed(there.site()).files}
        assert copies["cdr_1"].modified_at == WRITTEN_AT
        there.server.requests.clear()
        with open_session(there.site()) as session:
            again = session.attempt(lambda folder: folder.list_files(lambda name: True, copies.get))
        assert {file.name: file for file in again.files} == copies
        # One file tells the zone; the other is as it was fetched.
        assert [path for method, path in there.server.requests if method == "HEAD"] == ["/cdr_2"]


# --- web pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["apache", "nginx", "lighttpd"])
@pytest.mark.parametrize("login_kind", ["basic", "digest", "none"])
def test_the_listings_of_web_servers_are_understood(
    style: str, login_kind: str, tmp_path: Path, authority: Authority
) -> None:
    with served("http", tmp_path, authority, style=style, login_kind=login_kind) as there:
        below = there.folder / "trf" / "backup"
        below.mkdir(parents=True)
        there.write("trf/backup/cdr 1.gz", CONTENT)
        (below / "cold").mkdir()
        found = listed(there.site(folder="/trf/backup"))
        files = {file.name: file for file in found.files}
        assert files["cdr 1.gz"] == RemoteFile("cdr 1.gz", len(CONTENT), WRITTEN_AT)
        assert files["cold"].kind == "folder"
        assert found.server_time is not None
        assert abs((found.server_time - datetime.now(UTC)).total_seconds()) < 60


def test_a_page_without_a_listing_is_told(tmp_path: Path, authority: Authority) -> None:
    with served("http", tmp_path, authority) as there:
        there.write("cdr_1", "<html><form><input type='password'></form></html>")
        # The path of a file: what is answered is no list.
        fault = fault_of(there.site(folder="/cdr_1"))
        assert "shows no list of files" in fault.found
        assert "browser" in fault.remedy


def test_a_server_that_tells_nothing_of_single_files_is_still_read(
    tmp_path: Path, authority: Authority
) -> None:
    faults = Misbehaviour(tells_no_files=True)
    with served("http", tmp_path, authority, faults=faults) as there:
        there.write("cdr_1", CONTENT)
        (found,) = listed(there.site()).files
        assert (found.size_bytes, found.modified_at) == (
            len(CONTENT),
            WRITTEN_AT.replace(second=0),
        )


# --- entries that do not hold ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "value"),
    [
        ("protocol", "gopher"),
        ("folder", ""),
        ("after_landing", "burn"),
        ("ftp_mode", "sideways"),
        ("active_ports", "80"),
        ("server_time_zone", "Paris"),
        ("stable_seconds", -1),
    ],
)
def test_a_setting_that_does_not_hold_is_named(ftp: Served, wish: str, value: object) -> None:
    with pytest.raises(SourceError, match=rf"paris_hq: settings\.{wish} .*{value!r}"):
        ftp.site(**{wish: value})


def test_over_http_files_can_only_be_kept(ftp: Served) -> None:
    with pytest.raises(SourceError, match="over HTTP files can only be kept"):
        ftp.site(protocol="http", after_landing="delete")


def test_names_that_are_no_utf_8_are_shown_as_what_cannot_be_printed(there: Served) -> None:
    Path(os.fsdecode(os.fsencode(there.folder) + b"/cdr_\xe9")).write_text("1\n")
    (found,) = listed(there.site()).files
    assert not found.name.isprintable()


def test_the_log_of_the_ssh_library_stays_silent(ssh: Served, caplog: Any) -> None:
    fault_of(ssh.site(connection=ssh.connection(password="another-secret")))
    assert [record for record in caplog.records if record.name.startswith("paramiko")] == []
