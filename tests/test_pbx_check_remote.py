"""``tollhouse pbx check`` of PBXs whose files are fetched: where it stops, and what to do."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector.certificates import Authority
from tests.test_pbx_check import CUCM_HEADER, CUCM_TYPES, failed_step, found, remedy, settings_of
from tests.transports.remote_sites import PASSWORD, Served, served
from tollhouse.pbx_check import Report, check_pbx

FILE = "cdr_Example_01_202602041200_1"
RECORDS = f"{CUCM_HEADER}\n{CUCM_TYPES}\n1,1,10\n1,1,11\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture
def sftp(tmp_path: Path, authority: Authority) -> Iterator[Served]:
    with served("sftp", tmp_path, authority) as there:
        yield there


def checked(there: Served, *, password: str = PASSWORD, **wishes: Any) -> Report:
    """Check the PBX; no password is in what is told."""
    quick = {"retry_seconds": 0, "timeout_seconds": 5}
    entry = {"model": "cisco_cucm", "transport": "remote_files"}
    settings = {"protocol": there.protocol, "folder": "/"} | quick | wishes
    connection = {"host": "127.0.0.1", "port": there.port, "login": "reader"}
    report = check_pbx(
        "site",
        settings_of(
            there.settings.var,
            entry | {"settings": settings},
            connection | {"password": password, "extra": there.extra},
        ),
    )
    assert PASSWORD not in str(report)
    assert password not in str(report)
    return report


@pytest.mark.parametrize("protocol", ["ftp", "ftps", "sftp", "http", "https"])
def test_each_way_shows_the_last_tickets_and_leaves_nothing(
    protocol: str, tmp_path: Path, authority: Authority
) -> None:
    with served(protocol, tmp_path, authority) as there:
        there.write(FILE, gzip.compress(RECORDS.encode()), int(time.time()) - 60)
        there.write("cdr_Example_01_202602041201_2", f"{CUCM_HEADER}\n{CUCM_TYPES}\n")
        report = checked(there)
        assert report.is_ok, report.steps
        names = [step.name for step in report.steps]
        trust = "host key" if protocol == "sftp" else "TLS"
        way = ["name", "port", trust, "login", "folder", "files", "content", "last ticket"]
        assert [name for name in names if name in way] == way
        assert [ticket.body for ticket in report.last.tickets] == ["1,1,10", "1,1,11"]
        assert found(report, "files") == "2 named like 'c[dm]r_*'"
        assert not (there.settings.var / "fetched").exists()


def test_a_wrong_password_fails_at_the_login(sftp: Served) -> None:
    report = checked(sftp, password="another-secret")
    assert failed_step(report) == "login"
    assert "login and password" in remedy(report, "login")


def test_an_unknown_host_key_fails_there_and_is_shown(sftp: Served) -> None:
    fingerprint = sftp.extra.pop("host_key")
    report = checked(sftp)
    assert failed_step(report) == "host key"
    assert fingerprint in found(report, "host key")


def test_a_missing_folder_fails_at_the_folder(sftp: Served) -> None:
    assert failed_step(checked(sftp, folder="/nowhere")) == "folder"


def test_a_folder_without_a_ticket_file_names_what_is_there(sftp: Served) -> None:
    sftp.write("tickets.txt", RECORDS)
    report = checked(sftp)
    assert failed_step(report) == "files"
    assert "tickets.txt" in found(report, "files")
    (sftp.folder / "tickets.txt").unlink()
    assert "Make a call" in remedy(checked(sftp), "files")


def test_a_file_that_may_not_be_read_fails_at_the_rights(sftp: Served) -> None:
    sftp.write(FILE, RECORDS)
    sftp.faults.denied_names = (FILE,)
    report = checked(sftp)
    assert failed_step(report) == "rights"
    assert FILE in found(report, "rights")


def test_files_that_are_all_old_fail_at_the_last_ticket(sftp: Served) -> None:
    sftp.write(FILE, RECORDS, int(time.time()) - 9 * 86_400)
    report = checked(sftp)
    assert failed_step(report) == "last ticket"
    assert "9 days ago" in found(report, "last ticket")


def test_a_setting_that_does_not_hold_fails_at_the_connection(sftp: Served) -> None:
    report = checked(sftp, ftp_mode="sideways")
    assert failed_step(report) == "connection"
    assert "settings.ftp_mode" in found(report, "connection")
