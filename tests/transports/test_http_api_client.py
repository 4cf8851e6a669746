"""Asking over HTTPS: what passes is asked again, what does not is said, and no secret with it."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.collector.certificates import Authority
from tests.installed import pbx_of
from tests.transports.https_server import ConnectProxy, HttpsServer, Reply, Seen
from tollhouse.connections import PbxConnection
from tollhouse.settings import Settings, load_settings
from tollhouse.transports import SourceError
from tollhouse.transports.http_api import client as client_module
from tollhouse.transports.http_api.client import Answer, Ask, HttpsClient, Patience
from tollhouse.transports.http_api.failures import QUOTED_CHARACTERS, ApiError
from tollhouse.transports.http_api.reach import find_reach

PBX = pbx_of("grandstream_ucm")
PROXY_PASSWORD = "proxy-secret"
IMPATIENT = Patience(timeout_seconds=5, retry_seconds=0, attempts=3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[HttpsServer]:
    with HttpsServer(authority, lambda seen: Reply()) as server:
        yield server


@pytest.fixture
def server(running: HttpsServer) -> HttpsServer:
    running.script = lambda seen: Reply()
    running.seen.clear()
    return running


@pytest.fixture(autouse=True)
def no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def settings_with(var: Path) -> Settings:
    return replace(load_settings(), var=var)


def connection_to(server: HttpsServer, authority: Authority | None, **extra: Any) -> PbxConnection:
    trust = {"tls_ca": str(authority.file)} if authority else {}
    return PbxConnection("pbx_paris_hq", "127.0.0.1", server.port, extra=trust | extra)


def client_of(connection: PbxConnection, patience: Patience = IMPATIENT) -> HttpsClient:
    reach = find_reach(PBX, connection, load_settings(), default_port=443)
    return HttpsClient(PBX.id, reach, patience)


def body_of(answer: Answer) -> bytes:
    return answer.body


def asked(
    server: HttpsServer, authority: Authority, patience: Patience = IMPATIENT, **extra: Any
) -> bytes:
    client = client_of(connection_to(server, authority, **extra), patience)
    try:
        return client.ask(Ask("GET", "/records"), body_of)
    finally:
        client.close()


def one_after_the_other(*replies: Reply) -> Callable[[Seen], Reply]:
    waiting = list(replies)
    return lambda seen: waiting.pop(0) if len(waiting) > 1 else waiting[0]


CUT = Reply(body=b'{"half":', declared_bytes=100)


@pytest.mark.parametrize(
    "trouble",
    [Reply(500), Reply(502), Reply(503), Reply(504), Reply(429), CUT],
    ids=["500", "502", "503", "504", "429", "cut"],
)
def test_what_passes_is_asked_again_until_it_has_passed(
    server: HttpsServer, authority: Authority, trouble: Reply
) -> None:
    server.script = one_after_the_other(trouble, trouble, Reply(body=b"fine"))
    assert asked(server, authority) == b"fine"
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("trouble", "found", "remedy"),
    [
        (Reply(500, b"out of\x1b[31m memory"), r"answers 500 .*out of\?\[31m memory", "its logs"),
        (CUT, "broke the connection off", "page_rows"),
    ],
    ids=["500", "cut"],
)
def test_what_does_not_pass_ends_after_so_many_attempts_and_says_what_to_do(
    server: HttpsServer, authority: Authority, trouble: Reply, found: str, remedy: str
) -> None:
    server.script = lambda seen: trouble
    with pytest.raises(SourceError, match=f"paris_hq: .*{found}.*3 times.*{remedy}"):
        asked(server, authority)
    assert len(server.seen) == 3


def test_a_server_that_says_how_long_to_wait_is_not_kept_waiting_longer(
    server: HttpsServer, authority: Authority
) -> None:
    hour = replace(IMPATIENT, retry_seconds=60)
    past = "Mon, 02 Nov 2026 08:00:00 GMT"
    server.script = one_after_the_other(
        Reply(429, headers={"Retry-After": "0"}),
        Reply(503, headers={"Retry-After": past}),
        Reply(body=b"fine"),
    )
    assert asked(server, authority, hour) == b"fine"


@pytest.mark.parametrize("asked_for", ["9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_server_that_asks_for_ages_is_asked_again_after_the_longest_wait(
    server: HttpsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch, asked_for: str
) -> None:
    monkeypatch.setattr(client_module, "LONGEST_WAIT_SECONDS", 0.01)
    server.script = one_after_the_other(
        Reply(503, headers={"Retry-After": asked_for}), Reply(body=b"fine")
    )
    assert asked(server, authority) == b"fine"


def test_an_answer_that_was_compressed_unasked_is_unpacked_as_far_as_it_may_go(
    server: HttpsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAXIMUM_BYTES", 1 << 20)
    packed = {"Content-Encoding": "gzip"}
    server.script = lambda seen: Reply(body=gzip.compress(b"fine"), headers=packed)
    assert asked(server, authority) == b"fine"
    server.script = lambda seen: Reply(body=gzip.compress(b" " * (30 << 20)), headers=packed)
    with pytest.raises(SourceError, match="more than 1 MiB"):
        asked(server, authority)


def test_waits_double_and_are_never_quite_the_same() -> None:
    patience = Patience(retry_seconds=2)
    assert [patience.wait_seconds(attempt, 0.0) for attempt in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert patience.wait_seconds(1, 1.0) == 3
    assert patience.wait_seconds(30, 0.5) == client_module.LONGEST_WAIT_SECONDS


def test_a_server_that_is_silent_is_left(server: HttpsServer, authority: Authority) -> None:
    hurried = Patience(timeout_seconds=0.05, retry_seconds=0, attempts=2)
    server.script = lambda seen: Reply(pause_seconds=1)
    with pytest.raises(SourceError, match=r"did not answer within 0.05 s.*timeout_seconds"):
        asked(server, authority, hurried)


def test_a_server_that_was_slow_once_is_asked_again(
    server: HttpsServer, authority: Authority
) -> None:
    server.script = one_after_the_other(Reply(pause_seconds=5), Reply(body=b"fine"))
    assert asked(server, authority, replace(IMPATIENT, timeout_seconds=0.3)) == b"fine"


def test_a_server_that_only_trickles_is_left_too(
    server: HttpsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "WHOLE_ANSWER_FACTOR", 0.02)
    server.script = lambda seen: Reply(body=b"x" * 1000, drip_seconds=0.01)
    with pytest.raises(SourceError, match=r"did not answer within 0.1 s"):
        asked(server, authority, replace(IMPATIENT, attempts=1))


def test_an_answer_without_end_is_not_read_into_memory(
    server: HttpsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAXIMUM_BYTES", 1 << 20)
    server.script = lambda seen: Reply(body=b" " * (3 << 20))
    with pytest.raises(SourceError, match=r"more than 1 MiB.*page_rows"):
        asked(server, authority)


def test_nobody_listening_is_said_with_the_port(server: HttpsServer, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    connection = replace(connection_to(server, authority), port=port)
    with pytest.raises(SourceError, match=f"127.0.0.1:{port} refuses the connection"):
        client_of(connection).ask(Ask("GET", "/"), body_of)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"", r"broke the connection off.*asked 3 times"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"to terms over TLS\. Is the port"),
    ],
    ids=["cut while shaking hands", "no TLS at all"],
)
def test_a_port_that_does_not_speak_tls_is_told_from_a_cut_connection(
    authority: Authority, said: bytes, message: str
) -> None:
    def answer(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        trust = {"tls_ca": str(authority.file)}
        there = PbxConnection("pbx_paris_hq", "127.0.0.1", listener.getsockname()[1], extra=trust)
        with pytest.raises(SourceError, match=message):
            client_of(there).ask(Ask("GET", "/"), body_of)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_certificate_of_an_unknown_authority_is_refused_and_the_way_to_trust_it_is_named(
    server: HttpsServer,
) -> None:
    with pytest.raises(ApiError, match=r"is not trusted.*tls_ca") as refused:
        client_of(connection_to(server, None)).ask(Ask("GET", "/"), body_of)
    assert refused.value.fault.step == "TLS certificate"
    assert "verify" not in refused.value.fault.remedy
    assert server.seen == []


def test_a_certificate_for_another_name_is_refused_unless_the_connection_names_it(
    authority: Authority,
) -> None:
    with HttpsServer(authority, lambda seen: Reply(body=b"fine"), address="192.0.2.7") as elsewhere:
        with pytest.raises(SourceError, match=r"bears another name.*server_name"):
            asked(elsewhere, authority)
        assert asked(elsewhere, authority, server_name="192.0.2.7") == b"fine"


def test_a_certificate_that_nobody_can_vouch_for_is_accepted_by_its_fingerprint_alone(
    server: HttpsServer, authority: Authority
) -> None:
    """Boxes come with certificates without a name, of a weak key, or long expired."""
    with HttpsServer(Authority(authority.file.parent, "old"), lambda seen: Reply()) as other:
        text = ssl.get_server_certificate(("127.0.0.1", other.port))
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).digest()
        shown = digest.hex(":").upper()
        reached = client_of(connection_to(other, None, tls_fingerprint=shown))
        assert reached.ask(Ask("GET", "/"), body_of) == b"{}"
        reached.close()
    with pytest.raises(ApiError, match=r"is not the one of .*tls_fingerprint") as refused:
        client_of(connection_to(server, None, tls_fingerprint=shown)).ask(Ask("GET", "/"), body_of)
    assert refused.value.fault.step == "TLS certificate"
    assert server.seen == []


def test_a_certificate_of_its_own_is_trusted_though_another_signed_it(
    running: HttpsServer, authority: Authority, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.pem"
    saved.write_text(ssl.get_server_certificate(("127.0.0.1", running.port)), encoding="ascii")
    client = client_of(connection_to(running, None, tls_ca=str(saved)))
    assert client.ask(Ask("GET", "/"), body_of) == b"{}"
    client.close()


def test_a_box_that_knows_old_tls_alone_is_read_only_where_the_connection_says_so(
    authority: Authority,
) -> None:
    with HttpsServer(authority, lambda seen: Reply(), highest_tls="TLSv1_1") as old:
        with pytest.raises(SourceError, match=r"TLS 1.2 or newer.*old_tls"):
            asked(old, authority)
        assert asked(old, authority, old_tls=True) == b"{}"


def test_the_systems_authorities_count_where_they_are_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on Debian: there is no file of them where OpenSSL looks for one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert client_of(PbxConnection("pbx_paris_hq", "192.0.2.9")).reach.ca_file == str(tmp_path)


def test_only_who_says_so_goes_without_verification(server: HttpsServer) -> None:
    client = client_of(connection_to(server, None, verify="false"))
    with pytest.warns(match="Unverified HTTPS request"):
        assert client.ask(Ask("GET", "/"), body_of) == b"{}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(
    server: HttpsServer, authority: Authority, status: int
) -> None:
    with HttpsServer(authority, lambda seen: Reply(body=b"stolen")) as thief:
        target = f"https://127.0.0.1:{thief.port}/records"
        server.script = lambda seen: Reply(status, headers={"Location": target})
        with pytest.raises(SourceError, match="sends on to another address"):
            asked(server, authority)
        assert thief.seen == []


def test_a_redirect_on_the_same_host_is_followed_but_not_for_ever(
    server: HttpsServer, authority: Authority
) -> None:
    server.script = one_after_the_other(
        Reply(308, headers={"Location": "/records/"}), Reply(body=b"fine")
    )
    assert asked(server, authority) == b"fine"
    assert [seen.path for seen in server.seen] == ["/records", "/records/"]
    server.script = lambda seen: Reply(302, headers={"Location": "/records"})
    with pytest.raises(SourceError, match="without end"):
        asked(server, authority)


def test_a_redirect_that_leaves_the_port_of_https_out_stays_on_the_host() -> None:
    at = client_module._origin
    assert at("https://PBX.example.com/x") == at("https://pbx.example.com:443/")
    assert at("https://pbx.example.com:8443/") != at("https://pbx.example.com/")
    assert at("http://pbx.example.com:443/") != at("https://pbx.example.com/")


@pytest.mark.parametrize("location", ["http://[::1/", "/\u00ff"])
def test_a_redirect_to_what_is_no_address_ends_in_a_sentence(
    server: HttpsServer, authority: Authority, location: str
) -> None:
    server.script = lambda seen: Reply(302, headers={"Location": location})
    with pytest.raises(SourceError, match="broke the connection off"):
        asked(server, authority)


def test_a_proxy_of_the_connection_or_of_the_environment_is_used(
    server: HttpsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy("clerk", PROXY_PASSWORD) as proxy:
        url = f"http://clerk:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}"
        assert asked(server, authority, proxy=url) == b"{}"
        monkeypatch.setenv("HTTPS_PROXY", url)
        assert asked(server, authority) == b"{}"
        assert proxy.asked_for == [f"127.0.0.1:{server.port}"] * 2
        assert asked(server, authority, proxy="off") == b"{}"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert asked(server, authority) == b"{}"
        assert len(proxy.asked_for) == 2


def test_what_a_proxy_refuses_is_said_without_its_password(
    server: HttpsServer, authority: Authority
) -> None:
    with ConnectProxy("clerk", "another password") as proxy:
        url = f"http://clerk:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}"
        with pytest.raises(SourceError, match=rf"proxy 127.0.0.1:{proxy.port} wants a login") as no:
            asked(server, authority, proxy=url)
    assert PROXY_PASSWORD not in "".join(traceback.format_exception(no.value))


def test_no_secret_is_in_a_log_an_error_or_a_name(
    server: HttpsServer, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that repeats what it was sent must not bring a password into the log."""
    caplog.set_level(logging.DEBUG)
    secrets = ['pass "word"/ü', "token-0123", PROXY_PASSWORD]
    with ConnectProxy("clerk", PROXY_PASSWORD) as proxy:
        url = f"http://clerk:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}"
        client = client_of(connection_to(server, authority, proxy=url))
        basic = client.hide_login("tollhouse", secrets[0])
        client.hide(secrets[1])
        secrets.append(basic.removeprefix("Basic "))
        ask = Ask("GET", "/x", headers={"Authorization": basic, "X-Auth-Token": secrets[1]})
        server.script = lambda seen: Reply(
            500, " ".join([*secrets, json.dumps(secrets), str(seen.headers)]).encode()
        )
        with pytest.raises(SourceError, match="hidden") as refused:
            client.ask(ask, body_of)
        # A part of a secret, where what is quoted ends, is one too.
        cut = client.said(b"x" * (QUOTED_CHARACTERS - 4) + secrets[1].encode())
        assert "tok" not in cut
        said = [*traceback.format_exception(refused.value), repr(client), repr(client.reach)]
        client.close()
    said += [repr(ask), repr(Answer(200, {"Set-Cookie": secrets[1]}, secrets[0].encode()))]
    text = "".join(said) + caplog.text
    secrets.append(json.dumps(secrets[0])[1:-1])
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"host": ""}, "host of connection pbx_paris_hq"),
        ({"host": "https://pbx.example.com/api"}, "write it alone"),
        ({"host": "pbx.example.com:8443"}, "write it alone.*the port into port"),
        ({"extra": {"verify": "perhaps"}}, "true or false"),
        ({"extra": {"old_tls": "1.0"}}, "extra old_tls .* true or false"),
        ({"extra": {"tls_fingerprint": "AB:CD"}}, "no SHA-256 fingerprint: 32 bytes"),
        ({"extra": {"tls_ca": "no-such-file.pem"}}, "no-such-file.pem, which holds no certificate"),
        ({"extra": {"proxy": f"clerk:{PROXY_PASSWORD}@proxy"}}, "is no URL"),
        ({"extra": {"proxy": f"http://clerk:{PROXY_PASSWORD}/@proxy:x"}}, "is no URL"),
    ],
)
def test_a_connection_that_does_not_hold_is_said_without_its_secrets(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    connection = replace(PbxConnection("pbx_paris_hq", "192.0.2.9"), **change)
    with pytest.raises(SourceError, match=fault) as refused:
        find_reach(PBX, connection, settings_with(tmp_path), default_port=443)
    assert PROXY_PASSWORD not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("host", ["::1", "[::1]", " [0:0:0:0:0:0:0:1] "])
def test_an_address_of_ipv6_may_stand_in_brackets_or_not(tmp_path: Path, host: str) -> None:
    connection = PbxConnection("pbx_paris_hq", host)
    reach = find_reach(PBX, connection, settings_with(tmp_path), default_port=443)
    assert reach.url == "https://[::1]:443"
