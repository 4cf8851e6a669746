"""Hosts and passwords are read where Airflow reads them: environment or connections file."""

from __future__ import annotations

import json
from pathlib import Path
from traceback import format_exception

import pytest

from tollhouse.connections import (
    ConnectionFormatError,
    ConnectionMissingError,
    PbxConnection,
    find_connection,
)
from tollhouse.settings import Settings


def installation(folder: Path, **environment: str) -> Settings:
    return Settings(project=folder, var=folder, include=folder, environment=environment)


def test_a_connection_in_the_environment_may_be_a_uri(tmp_path: Path) -> None:
    uri = "mysql://reader:s%2Fcret@192.0.2.20:3307/asteriskcdrdb?ssl_ca=%2Fca.pem"
    found = find_connection("pbx_lyon", installation(tmp_path, AIRFLOW_CONN_PBX_LYON=uri))
    assert found == PbxConnection(
        connection_id="pbx_lyon",
        host="192.0.2.20",
        port=3307,
        login="reader",
        password="s/cret",
        schema="asteriskcdrdb",
        extra={"ssl_ca": "/ca.pem"},
    )


def test_a_connection_in_the_environment_may_be_json(tmp_path: Path) -> None:
    value = json.dumps({"conn_type": "tcp", "host": "192.0.2.10", "port": "1752", "extra": "{}"})
    found = find_connection("pbx_paris", installation(tmp_path, AIRFLOW_CONN_PBX_PARIS=value))
    assert (found.host, found.port, found.extra) == ("192.0.2.10", 1752, {})


def test_the_connections_file_serves_what_the_environment_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "connections.yaml").write_text(
        "pbx_paris:\n  conn_type: tcp\n  host: 192.0.2.10\n  port: 1752\n", encoding="utf-8"
    )
    assert find_connection("pbx_paris", installation(tmp_path)).port == 1752


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "connections.yaml").write_text("pbx_a: tcp://192.0.2.1:1\n", encoding="utf-8")
    settings = installation(tmp_path, AIRFLOW_CONN_PBX_A="tcp://192.0.2.2:2")
    assert find_connection("pbx_a", settings).host == "192.0.2.2"


def test_a_missing_connection_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(ConnectionMissingError) as caught:
        find_connection("pbx_nowhere", installation(tmp_path))
    assert "AIRFLOW_CONN_PBX_NOWHERE" in str(caught.value)
    assert "connections.yaml" in str(caught.value)
    assert "UI" in str(caught.value)


def test_a_password_never_shows_when_a_connection_is_printed() -> None:
    assert "hunter2" not in repr(PbxConnection("pbx_a", password="hunter2"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("pbx_a:\n  password: hunter2\n  host: [unclosed\n", r"no YAML at line 4, column 1"),
        ("pbx_a:\n  password: 'hunter2\n", r"no YAML"),
        ("- pbx_a: hunter2\n", r"the file is no mapping"),
        ("hunter2", r"the file is no mapping"),
        ("pbx_a: [hunter2]\n", r"neither a URI nor a mapping"),
        ("pbx_a:\n  host: 192.0.2.1\n  port: hunter2\n", r"port is no number"),
        ("pbx_a:\n  host: 192.0.2.1\n  port: 70000\n  password: hunter2\n", r"port is no number"),
        ("pbx_a:\n  password: [hunter2]\n", r"password is no text"),
        ("pbx_a:\n  extra: '{hunter2'\n", r"extra is no JSON"),
        ("pbx_a:\n  extra: [hunter2]\n", r"extra is no mapping"),
        (b"pbx_a: hunter2 \xff\n", r"not UTF-8"),
    ],
)
def test_a_faulty_file_is_named_with_its_fault_and_no_password(
    tmp_path: Path, content: str | bytes, fault: str
) -> None:
    path = tmp_path / "connections.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConnectionFormatError, match=fault) as caught:
        find_connection("pbx_a", installation(tmp_path))
    assert "'pbx_a'" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "hunter2" not in "".join(format_exception(caught.value))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ('{"password": "hunter2"', r"it is no JSON"),
        ('{"port": "hunter2"}', r"port is no number"),
        ("tcp://reader:hunter2@192.0.2.1:abc", r"the port of the URI is no number"),
        ("tcp://reader:hunter2/x@192.0.2.1:1752", r"the port of the URI is no number"),
        ("tcp://reader:hunter2@192.0.2.1:0", r"port is no number"),
        ("tcp://reader:hunter2@[192.0.2.1:1752", r"no URI"),
    ],
)
def test_a_faulty_variable_is_named_with_its_fault_and_no_password(
    tmp_path: Path, value: str, fault: str
) -> None:
    with pytest.raises(ConnectionFormatError, match=fault) as caught:
        find_connection("pbx_a", installation(tmp_path, AIRFLOW_CONN_PBX_A=value))
    assert "AIRFLOW_CONN_PBX_A" in str(caught.value)
    assert "hunter2" not in "".join(format_exception(caught.value))


def test_a_password_of_digits_is_text(tmp_path: Path) -> None:
    (tmp_path / "connections.yaml").write_text("pbx_a:\n  password: 123456\n", encoding="utf-8")
    assert find_connection("pbx_a", installation(tmp_path)).password == "123456"
