"""The form of the Docker files: no engine is needed, and none is started."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse.cli import app
from tollhouse.collector.health import DEFAULT_PORT as HEALTH_PORT
from tollhouse.pbx import models
from tollhouse.settings import PROJECT, ROLE_PASSWORDS

ALWAYS_ON = ("postgres", "api-server", "scheduler", "dag-processor", "triggerer", "collector")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))


def variables_of(text: str) -> set[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", "\n".join(lines)))


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_the_passwords_go_neither_into_git_nor_into_the_image(name: str) -> None:
    left_out = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    assert {".env", "connections.env"} <= set(left_out)


def test_every_part_of_the_installation_is_a_service(compose: dict[str, Any]) -> None:
    assert set(ALWAYS_ON) <= set(compose["services"])
    assert "profiles" not in compose["services"]["collector"]


def test_the_lab_database_starts_only_with_the_lab_profile(compose: dict[str, Any]) -> None:
    assert compose["services"]["mariadb"]["profiles"] == ["lab"]


def test_every_long_running_service_has_a_health_check(compose: dict[str, Any]) -> None:
    for name in (*ALWAYS_ON, "drop", "mariadb"):
        assert compose["services"][name]["healthcheck"]["test"], name


def test_every_named_volume_is_declared_and_used(compose: dict[str, Any]) -> None:
    used = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "/"))
    }
    assert used == set(compose["volumes"])


def test_what_is_mounted_from_the_project_is_there(compose: dict[str, Any]) -> None:
    # ./drop is made by Docker: PBXs push their files into it.
    sources = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    } - {"./drop"}
    assert sources
    assert [source for source in sources if not (PROJECT / source).exists()] == []


def test_services_wait_for_a_finished_set_up_of_a_healthy_database(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert services["setup"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        condition = services[name]["depends_on"]["setup"]["condition"]
        assert condition == "service_completed_successfully"


def test_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    def walk(value: Any, name: str = "") -> list[tuple[str, Any]]:
        if isinstance(value, dict):
            return [found for key, inner in value.items() for found in walk(inner, key)]
        return [(name, value)]

    secret_name = "PASSWORD|SECRET(?!S__BACKEND)|FERNET|_CONN$|_URL$"
    secrets = [(name, value) for name, value in walk(compose) if re.search(secret_name, name)]
    assert len(secrets) > 10
    for name, value in secrets:
        if name in ("MARIADB_RANDOM_ROOT_PASSWORD", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"):
            continue
        assert "${" in value, f"{name} holds a value of its own"


def test_every_variable_of_the_file_is_in_the_example_and_has_no_value_there() -> None:
    wanted = variables_of((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    offered = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert wanted == set(offered)
    assert set(offered.values()) == {""}


def test_every_role_of_the_warehouse_gets_its_password(compose: dict[str, Any]) -> None:
    environment = compose["services"]["scheduler"]["environment"]
    assert set(ROLE_PASSWORDS.values()) <= set(environment)


def test_ports_are_published_on_loopback_unless_the_network_of_the_pbxs_is_named(
    compose: dict[str, Any],
) -> None:
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if service.get("ports")
    }
    for_pbxs = published.pop("collector")
    assert all(port.startswith("${TOLLHOUSE_PBX_ADDRESS:-127.0.0.1}:") for port in for_pbxs)
    for_files = published.pop("drop")
    assert all(port.startswith("${TOLLHOUSE_DROP_ADDRESS:-127.0.0.1}:") for port in for_files)
    others = [port for ports in published.values() for port in ports]
    assert others
    assert all(port.startswith("127.0.0.1:") for port in others)


def test_pbxs_that_connect_reach_the_collector_on_the_port_of_their_model(
    compose: dict[str, Any],
) -> None:
    listening = {
        model.stream.port
        for model in models().values()
        if model.stream is not None and model.stream.direction == "listen"
    }
    published = [port.rsplit(":", 2) for port in compose["services"]["collector"]["ports"]]

    assert listening
    assert {int(inside) for _, _, inside in published} == listening
    # The PBX is told the port that the entry's connection names.
    assert all(outside == inside for _, outside, inside in published)


def test_the_collector_collects_while_nothing_else_runs(compose: dict[str, Any]) -> None:
    collector = compose["services"]["collector"]
    assert collector["depends_on"] == {}
    assert collector["restart"] == "unless-stopped"
    # A silent PBX does not make the collector unhealthy: only whether it answers is asked.
    assert f"127.0.0.1:{HEALTH_PORT}/health" in collector["healthcheck"]["test"][-1]


def test_files_that_pbxs_push_arrive_where_tasks_read_them(compose: dict[str, Any]) -> None:
    drop, scheduler = (compose["services"][name] for name in ("drop", "scheduler"))
    assert drop["profiles"] == ["drop"]
    assert "./drop:/srv/drop" in drop["volumes"]
    assert "./drop:/opt/tollhouse/var/drop" in scheduler["volumes"]
    # What a passive FTP client is told is what is published.
    environment = drop["environment"]
    first, last = (
        environment[f"SFTPGO_FTPD__PASSIVE_PORT_RANGE__{end}"] for end in ("START", "END")
    )
    assert [port.rsplit(":", 1)[1] for port in drop["ports"]] == ["2022", "2121", f"{first}-{last}"]
    # The PBX, the address and FTP's own idea of it agree.
    assert environment["SFTPGO_FTPD__BINDINGS__0__FORCE_PASSIVE_IP"] == (
        "${TOLLHOUSE_DROP_ADDRESS:-127.0.0.1}"
    )


def started_drop_server(folder: Path, password: str) -> subprocess.CompletedProcess[str]:
    """Run the start of the drop server with a program that stands in for the server's."""
    program = folder / "sftpgo"
    program.write_text('#!/bin/sh\ntest -z "${DROP_PASSWORD:-}" && echo "$@" && umask\n')
    program.chmod(0o755)
    script = (PROJECT / "include" / "docker" / "drop_server.sh").read_text(encoding="utf-8")
    own = folder / "drop_server.sh"
    own.write_text(script.replace("/tmp/accounts.json", str(folder / "accounts.json")))
    return subprocess.run(
        ["sh", str(own)],
        env={"PATH": f"{folder}:/usr/bin:/bin", "DROP_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_account_of_the_drop_server_may_neither_read_nor_delete(tmp_path: Path) -> None:
    started = started_drop_server(tmp_path, "a-password_1")
    assert (started.returncode, started.stdout.split()) == (0, ["serve", "0022"]), started.stderr
    accounts = tmp_path / "accounts.json"
    assert accounts.stat().st_mode & 0o077 == 0
    (account,) = json.loads(accounts.read_text())["users"]
    assert (account["username"], account["password"]) == ("pbx", "a-password_1")
    assert account["permissions"] == {"/": ["list", "upload", "overwrite", "rename"]}


@pytest.mark.parametrize("password", ["", 'with "quotes"', "two\nlines"])
def test_a_drop_server_without_a_fit_password_does_not_start(tmp_path: Path, password: str) -> None:
    started = started_drop_server(tmp_path, password)
    assert started.returncode == 1
    assert "TOLLHOUSE_DROP_PASSWORD" in started.stderr
    assert not password or password not in started.stderr


def test_what_the_collector_spools_is_where_tasks_land_it_from(compose: dict[str, Any]) -> None:
    collector, scheduler = (compose["services"][name] for name in ("collector", "scheduler"))
    assert "tollhouse-var:/opt/tollhouse/var" in collector["volumes"]
    assert collector["volumes"] == scheduler["volumes"]
    assert collector["environment"] == scheduler["environment"]
    # Below the volume, and by the same user.
    dockerfile = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    assert "TOLLHOUSE_VAR=/opt/tollhouse/var" in dockerfile
    assert "TOLLHOUSE_SPOOL" not in {*collector["environment"], *dockerfile.split()}
    assert "user" not in {*collector, *scheduler}


def test_every_part_that_reaches_pbxs_reads_the_same_connections(compose: dict[str, Any]) -> None:
    for name in ("collector", "scheduler"):
        assert compose["services"][name]["env_file"] == [
            {"path": "connections.env", "required": False}
        ]


def test_the_users_of_the_interface_are_real_ones(compose: dict[str, Any]) -> None:
    auth_manager = compose["services"]["api-server"]["environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    assert "Simple" not in auth_manager
    module, name = auth_manager.rsplit(".", 1)
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert f"class {name}" in Path(str(spec.origin)).read_text(encoding="utf-8")


def test_the_image_installs_the_lock_and_runs_as_an_ordinary_user() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes --only-binary :all: -r requirements.txt" in dockerfile
    assert re.search(r"^USER tollhouse$", dockerfile, re.MULTILINE)
    copied_for_the_lock = re.search(r"^COPY (.+) \./$", dockerfile, re.MULTILINE)
    assert copied_for_the_lock
    assert [name for name in copied_for_the_lock[1].split() if not (PROJECT / name).exists()] == []


def test_the_commands_of_the_set_up_exist() -> None:
    script = (PROJECT / "include" / "docker" / "set_up.sh").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^tollhouse (\w+)", script, re.MULTILINE))
    offered = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert wanted
    assert wanted <= offered
