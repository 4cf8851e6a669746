"""How the DAGs call for help."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from airflow.sdk import RetryAction

from tests.conftest import free_port
from tollhouse.dag_defaults import ALARM_FILE, FailureNotifier, default_args, raise_alarm
from tollhouse.settings import Settings, load_settings
from tollhouse.transports import SourceError
from tollhouse.watermark import IdlastError


def settings_in(folder: Path, **environment: str) -> Settings:
    return Settings(project=folder, var=folder / "var", include=folder, environment=environment)


def alarms(settings: Settings) -> list[dict[str, str]]:
    lines = (settings.var / ALARM_FILE).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail on loopback and keeps it."""

    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), MailSession)
        self.mails: list[str] = []


class MailSession(socketserver.StreamRequestHandler):
    """The little of SMTP that a mail needs."""

    server: MailServer

    def handle(self) -> None:
        self.answer("220 ready")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"DATA"):
                self.answer("354 go on")
                self.server.mails.append(self.take_mail())
                self.answer("250 taken")
            elif line.startswith(b"QUIT"):
                self.answer("221 bye")
                return
            else:
                self.answer("250 fine")

    def answer(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def take_mail(self) -> str:
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(lines).decode()


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    port = free_port()
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT",
        f"smtp://127.0.0.1:{port}?disable_ssl=true&disable_tls=true&from_email=tollhouse@example.org",
    )
    with MailServer(port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_alarm_is_written_down_where_everybody_can_read_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    raise_alarm("paris_hq", "a\nticket 'changed'", settings)
    raise_alarm("lyon_support", "another", settings)
    found = alarms(settings)
    assert [alarm["subject"] for alarm in found] == ["paris_hq", "lyon_support"]
    assert found[0]["text"] == "a\nticket 'changed'"


def test_an_alarm_is_mailed_to_whom_the_environment_names(
    tmp_path: Path, mail_server: MailServer
) -> None:
    settings = settings_in(tmp_path, TOLLHOUSE_ALARM_RECIPIENTS="a@example.org, b@example.org")
    raise_alarm("paris_hq failed", "the text <b>", settings)
    (mail,) = mail_server.mails
    assert "Subject: Tollhouse: paris_hq failed" in mail
    assert "a@example.org, b@example.org" in mail
    assert "<b>" not in mail


def test_a_mail_that_cannot_be_sent_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{free_port()}?retry_limit=1")
    settings = settings_in(tmp_path, TOLLHOUSE_ALARM_RECIPIENTS="a@example.org")
    raise_alarm("paris_hq failed", "the text", settings)
    assert len(alarms(settings)) == 1


@dataclass(frozen=True)
class FailedTask:
    """A task instance, as far as the notifier looks at it."""

    dag_id: str = "extract__paris_hq"
    task_id: str = "pull_tickets"
    run_id: str = "scheduled__1"


def test_a_failed_task_raises_an_alarm_that_names_it_and_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLHOUSE_VAR", str(tmp_path / "var"))
    load_settings.cache_clear()
    try:
        FailureNotifier().notify(
            {"task_instance": FailedTask(), "exception": SourceError("no route to the PBX")}
        )
        (alarm,) = alarms(load_settings())
    finally:
        load_settings.cache_clear()
    assert alarm["subject"] == "extract__paris_hq.pull_tickets failed"
    assert alarm["text"] == "Run scheduled__1: no route to the PBX"


def test_what_only_an_operator_can_settle_is_not_tried_again() -> None:
    policy = default_args()["retry_policy"]
    assert policy.evaluate(IdlastError("ahead"), 1, 3).action == RetryAction.FAIL
    assert policy.evaluate(SourceError("away"), 1, 3).action == RetryAction.DEFAULT
