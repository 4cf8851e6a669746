"""``tollhouse pbx check`` of PBXs asked over HTTPS: each step names itself and its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.grandstream_api import GrandstreamApi
from lab.streams.feed import Feed
from lab.wazo import TENANT
from lab.wazo_server import WazoServer
from tests.collector.certificates import Authority
from tests.conftest import free_port
from tests.test_pbx_check import failed_step, found, remedy, settings_of
from tests.transports.https_server import ConnectProxy
from tollhouse.pbx_check import Report, check_pbx

PASSWORD = "secret-of-the-reader"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> tuple[Path, Path]:
    return authority.issue("pbx")


class Checked:
    """A PBX that is checked; its connection can be changed before."""

    def __init__(self, folder: Path, model: str, port: int, ca_file: Path) -> None:
        self.folder = folder
        self.entry: dict[str, Any] = {"model": model, "transport": "http_api"}
        self.extra = {"tls_ca": str(ca_file), "proxy": "off"}
        self.connection = {
            "conn_type": "https",
            "host": "127.0.0.1",
            "port": port,
            "login": "reader",
            "password": PASSWORD,
        }

    def check(self, **settings: Any) -> Report:
        quick = {"retry_seconds": 0, "timeout_seconds": 5}
        report = check_pbx(
            "site",
            settings_of(
                self.folder / "var",
                self.entry | {"settings": quick | settings},
                self.connection | {"extra": self.extra},
            ),
        )
        assert PASSWORD not in str(report)
        return report


def call_log(number: int, started_at: datetime) -> str:
    item = {"tenant_uuid": TENANT, "start": started_at.isoformat(), "conversation_id": str(number)}
    return json.dumps(item | {"call_direction": "outbound"})


@pytest.fixture
def server(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[WazoServer]:
    now = datetime.now(UTC)
    feed = Feed(tmp_path / "feed.jsonl")
    feed.write(call_log(number, now - timedelta(minutes=9 - number)) for number in range(7))
    with WazoServer(feed.path, *certificate, login="reader", password=PASSWORD) as server:
        yield server


@pytest.fixture
def wazo(tmp_path: Path, server: WazoServer, authority: Authority) -> Checked:
    return Checked(tmp_path, "wazo", server.port, authority.file)


def test_the_way_to_a_wazo_ends_at_its_last_calls(wazo: Checked) -> None:
    report = wazo.check()
    assert report.is_ok
    names = [step.name for step in report.steps if step.name not in ("warehouse", "parsed")]
    assert names == [
        "entry", "name", "port", "TLS", "login", "rights", "tickets", "last ticket"
    ]  # fmt: skip
    assert found(report, "tickets") == "the highest id is 7"
    assert [json.loads(ticket.body)["id"] for ticket in report.last.tickets] == [3, 4, 5, 6, 7]


def test_a_certificate_that_is_not_trusted_is_told_before_the_login(wazo: Checked) -> None:
    del wazo.extra["tls_ca"]
    report = wazo.check()
    assert failed_step(report) == "TLS certificate"
    assert "tls_ca" in remedy(report, "TLS certificate")
    assert "login" not in [step.name for step in report.steps]


def test_going_without_verification_is_a_warning(wazo: Checked) -> None:
    wazo.extra |= {"verify": "false"}
    with pytest.warns(match="Unverified HTTPS request"):
        report = wazo.check()
    assert report.is_ok
    assert "not verified" in found(report, "TLS")


def test_a_wrong_password_a_missing_right_and_a_closed_port_are_told_apart(
    wazo: Checked, server: WazoServer
) -> None:
    server.access = ()
    refused = wazo.check()
    assert failed_step(refused) == "rights"
    assert "call-logd.cdr.read" in remedy(refused, "rights")
    server.password = "another"
    assert failed_step(wazo.check()) == "login"
    wazo.connection["port"] = free_port()
    assert failed_step(wazo.check()) == "port"
    wazo.connection["host"] = ""
    assert failed_step(wazo.check()) == "name"
    wazo.connection["host"] = "https://127.0.0.1"
    assert failed_step(wazo.check()) == "connection"


def test_a_wazo_behind_a_proxy_is_sought_through_it(wazo: Checked) -> None:
    with ConnectProxy() as proxy:
        wazo.extra["proxy"] = f"http://127.0.0.1:{proxy.port}"
        report = wazo.check()
    assert report.is_ok
    assert f"through 127.0.0.1:{proxy.port}" in found(report, "proxy")
    assert proxy.asked_for


def test_a_wazo_without_a_call_or_with_old_ones_says_what_to_do(
    wazo: Checked, server: WazoServer
) -> None:
    server.call_logs.regenerate(lambda item: True, {"tenant_uuid": "another"})
    report = wazo.check()
    assert failed_step(report) == "tickets"
    assert "Make a call" in remedy(report, "tickets")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    server.call_logs.regenerate(
        lambda item: True, {"tenant_uuid": TENANT, "start": long_ago.isoformat()}
    )
    assert failed_step(wazo.check()) == "last ticket"


@pytest.mark.parametrize("form", ["new", "old"])
def test_the_way_to_a_ucm_ends_at_its_last_records(
    tmp_path: Path, certificate: tuple[Path, Path], authority: Authority, form: str
) -> None:
    started_at = datetime.now() - timedelta(days=2)  # noqa: DTZ005 - the clock of the PBX
    record = {"AcctId": "7", "session": "1-2016", "start": f"{started_at:%Y-%m-%d %H:%M:%S}"}
    with GrandstreamApi(*certificate, login="reader", password=PASSWORD) as ucm:
        checked = Checked(tmp_path, "grandstream_ucm", ucm.port, authority.file)
        assert failed_step(checked.check(cdr_api=form)) == "tickets"
        ucm.records.append(record)
        report = checked.check(cdr_api=form)
        assert found(report, "tickets") == "1 records of the last days"
        assert json.loads(report.last.tickets[0].body)["AcctId"] == "7"
        ucm.password = "another"
        assert failed_step(checked.check(cdr_api=form)) == "login"
    assert failed_step(checked.check(cdr_api="other")) == "connection"
