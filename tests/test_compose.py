"""The form of the Docker files: no engine is needed, and none is started."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse.cli import app
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
    assert ".env" in (PROJECT / name).read_text(encoding="utf-8").splitlines()


def test_every_part_of_the_installation_is_a_service(compose: dict[str, Any]) -> None:
    assert set(ALWAYS_ON) <= set(compose["services"])
    assert "profiles" not in compose["services"]["collector"]


def test_the_lab_database_starts_only_with_the_lab_profile(compose: dict[str, Any]) -> None:
    assert compose["services"]["mariadb"]["profiles"] == ["lab"]


def test_every_long_running_service_has_a_health_check(compose: dict[str, Any]) -> None:
    for name in (*ALWAYS_ON, "mariadb"):
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
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "collector"):
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


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


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
