"""Encrypted connections, dialled and accepted, with certificates that hold and that do not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.collector.certificates import Authority
from tests.collector.collecting import collecting, pbx_of
from tests.collector.speaking_pbx import say, speaking, wait_until
from tollhouse.collector.tls import TlsSettingsError, dialling_context, listening_context
from tollhouse.connections import PbxConnection

TICKETS = b" 02/04 13:34  00:00:53 T001\r\n-02/04 13:40  00:07:12 4216\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


def encrypted(
    files: tuple[Path, Path], client_authority: Path | None = None
) -> Callable[[socket.socket], None]:
    """A PBX that says its tickets over TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED

    def speak(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as line:
            say(TICKETS)(line)

    return speak


def dialled(port: int, **extra: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "extra": {"tls": True} | extra}


def test_a_pbx_with_a_certificate_of_a_trusted_authority_is_heard(
    tmp_path: Path, authority: Authority
) -> None:
    with speaking(encrypted(authority.issue("pbx"))) as pbx:
        connection = dialled(pbx.port, ca_file=str(authority.file))
        with collecting(tmp_path, (pbx_of(), connection)) as site:
            wait_until(lambda: site.spooled() == TICKETS)
            assert site.status().state == "connected"


def test_a_pbx_that_asks_for_a_certificate_is_shown_ours(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("collector")
    with speaking(encrypted(authority.issue("pbx"), authority.file)) as pbx:
        ours = {"certificate_file": str(certificate), "key_file": str(key)}
        bare = dialled(pbx.port, ca_file=str(authority.file))
        shown = dialled(pbx.port, ca_file=str(authority.file), **ours)
        entries = [(pbx_of(pbx_id="bare"), bare), (pbx_of(pbx_id="shown"), shown)]
        with collecting(tmp_path, *entries) as sites:
            wait_until(lambda: sites.spooled("shown") == TICKETS)
            wait_until(lambda: "certificate required" in sites.status("bare").detail.lower())
            assert sites.records("bare") == []


@pytest.mark.parametrize(
    ("issued_to", "is_trusted", "told"),
    [
        ("127.0.0.1", False, "unable to get local issuer certificate"),
        ("192.0.2.1", True, "IP address mismatch"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused_and_nothing_is_read(
    tmp_path: Path, authority: Authority, issued_to: str, is_trusted: bool, told: str
) -> None:
    with speaking(encrypted(authority.issue("odd", issued_to))) as pbx:
        trusted = {"ca_file": str(authority.file)} if is_trusted else {}
        careless = dialled(pbx.port, tls_verify=False)
        entries = [
            (pbx_of(pbx_id="careful"), dialled(pbx.port, **trusted)),
            (pbx_of(pbx_id="careless"), careless),
        ]
        with collecting(tmp_path, *entries) as sites:
            wait_until(lambda: sites.status("careful").state == "refused")
            assert told in sites.status("careful").detail
            wait_until(lambda: sites.spooled("careless") == TICKETS)
            assert sites.records("careful") == []


def test_the_name_to_expect_can_be_said_apart_from_the_address(
    tmp_path: Path, authority: Authority
) -> None:
    with speaking(encrypted(authority.issue("odd", "192.0.2.1"))) as pbx:
        connection = dialled(pbx.port, ca_file=str(authority.file), server_name="192.0.2.1")
        with collecting(tmp_path, (pbx_of(), connection)) as site:
            wait_until(lambda: site.spooled() == TICKETS)


def test_a_pbx_without_tls_is_told_from_one_that_is_down(tmp_path: Path) -> None:
    with (
        speaking(say(TICKETS)) as pbx,
        collecting(tmp_path, (pbx_of(), dialled(pbx.port))) as site,
    ):
        wait_until(lambda: site.status().state == "refused")
        assert "no TLS connection comes about" in site.status().detail
        assert site.records() == []


def listening(authority: Authority, *, with_authority: bool) -> dict[str, Any]:
    certificate, key = authority.issue("listener")
    extra = {"tls": "true", "certificate_file": str(certificate), "key_file": str(key)}
    if with_authority:
        extra["ca_file"] = str(authority.file)
    # Port 0 asks for a free one, which a connection cannot say: the socket is taken and given back.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return {"host": "127.0.0.1", "port": probe.getsockname()[1], "extra": extra}


def client(
    authority: Authority, port: int, files: tuple[Path, Path] | None = None
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=authority.file)
    if files is not None:
        context.load_cert_chain(*files)
    plain = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_pbx_that_connects_over_tls_is_heard_and_a_plain_one_does_not_take_its_place(
    tmp_path: Path, authority: Authority
) -> None:
    entry = (pbx_of(direction="listen"), listening(authority, with_authority=False))
    with collecting(tmp_path, entry) as site, client(authority, site.port()) as line:
        line.sendall(TICKETS[:30])
        wait_until(lambda: site.status().connection_count == 1)
        with socket.create_connection(("127.0.0.1", site.port())) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_until(lambda: site.status().refused_peer_count == 1)
        assert "the TLS handshake failed" in site.status().last_refusal
        line.sendall(TICKETS[30:])
        wait_until(lambda: site.spooled() == TICKETS)


def test_a_pbx_has_to_show_a_certificate_where_an_authority_is_named(
    tmp_path: Path, authority: Authority
) -> None:
    entry = (pbx_of(direction="listen"), listening(authority, with_authority=True))
    with collecting(tmp_path, entry) as site:
        with suppress(OSError), client(authority, site.port()) as stranger:
            stranger.sendall(b"not a ticket\r\n")
            stranger.recv(1)
        wait_until(lambda: site.status().refused_peer_count == 1)
        with client(authority, site.port(), authority.issue("known-pbx")) as line:
            line.sendall(TICKETS)
            wait_until(lambda: site.spooled() == TICKETS)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"tls": "perhaps"}, "extra tls: 'perhaps' is neither true nor false"),
        ({"tls": True, "ca_file": "nowhere.pem"}, "nowhere.pem is no file"),
        ({"tls": True, "ca_file": "text.pem"}, "text.pem holds no certificate"),
        ({"tls": True, "certificate_file": "text.pem"}, "text.pem with key_file"),
    ],
)
def test_what_the_connection_asks_for_and_cannot_have_is_named(
    tmp_path: Path, extra: dict[str, Any], told: str
) -> None:
    (tmp_path / "text.pem").write_text("no certificate\n")
    connection = PbxConnection("pbx_site", host="127.0.0.1", extra=extra)
    for context in (dialling_context, listening_context):
        with pytest.raises(TlsSettingsError) as fault:
            context(connection, tmp_path)
        is_bare = context is listening_context and "ca_file" in extra
        assert ("certificate_file: is needed" if is_bare else told) in str(fault.value)


def test_a_listening_collector_without_a_certificate_says_so(tmp_path: Path) -> None:
    connection = {"host": "127.0.0.1", "extra": {"tls": True}}
    with collecting(tmp_path, (pbx_of(direction="listen"), connection)) as site:
        wait_until(lambda: site.status().state == "misconfigured")
        assert "certificate_file: is needed" in site.status().detail
