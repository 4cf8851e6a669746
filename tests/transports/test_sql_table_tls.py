"""What the connection's ``tls`` asks of a database server that encrypts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.certificates import Authority
from tests.installed import pbx_of
from tests.mariadb_server import MariaDb
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.session import Session


@pytest.fixture(scope="module")
def authority(mariadb: MariaDb) -> Iterator[Authority]:
    """The authority of the server's certificate; the server encrypts for these tests only."""
    folder = mariadb.folder / "tls"
    folder.mkdir()
    made = Authority(folder, "own")
    certificate, key = made.issue("database.example.com")
    for path in (folder, certificate, key, made.file):
        shutil.chown(path, mariadb.user)
    options = (f"--ssl-cert={certificate}", f"--ssl-key={key}", f"--ssl-ca={made.file}")
    mariadb.stop()
    try:
        mariadb.start(*options)
        yield made
    finally:
        mariadb.stop()
        mariadb.start()


def cipher(mariadb: MariaDb, **extra: str) -> bytes:
    """Log in and return what the connection is encrypted with."""
    with Session(pbx_of("asterisk_mysql"), mariadb.connection(**extra), 3306) as session:
        ((_, found),) = session.rows("show status like 'Ssl_cipher'")
        return bytes(found)


@pytest.mark.parametrize("tls", ["preferred", "required"])
def test_a_server_that_offers_tls_is_spoken_to_in_tls(
    mariadb: MariaDb, authority: Authority, tls: str
) -> None:
    assert cipher(mariadb, tls=tls)


def test_tls_that_is_off_is_off(mariadb: MariaDb, authority: Authority) -> None:
    assert cipher(mariadb, tls="off") == b""


def test_a_certificate_is_checked_against_the_authority_that_is_named(
    mariadb: MariaDb, authority: Authority, tmp_path: Path
) -> None:
    assert cipher(mariadb, tls="verify", tls_ca=str(authority.file))
    another = Authority(tmp_path, "another")
    for extra in ({"tls_ca": str(another.file)}, {}):
        with pytest.raises(SourceError, match="certificate"):
            cipher(mariadb, tls="verify", **extra)
