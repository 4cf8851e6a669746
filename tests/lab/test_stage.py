"""The lab of an installation: ports it needs, connections it enters."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.sites import SITES
from lab.stage import Lab
from tests.conftest import first_of_free_ports, free_port
from tollhouse.embedded.environment import LAB_FILES_PORT, LAB_STREAM_PORT, make_installation
from tollhouse.embedded.processes import ProcessError
from tollhouse.installed_pbxs import load_pbxs
from tollhouse.settings import PROJECT, load_settings


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("TOLLHOUSE_VAR", str(tmp_path))
    monkeypatch.setenv("TOLLHOUSE_LAB_WAZO_PORT", str(free_port()))
    for variable in (LAB_STREAM_PORT, LAB_FILES_PORT):
        monkeypatch.setenv(variable, str(first_of_free_ports(len(SITES))))
    yield Lab(make_installation())
    load_settings.cache_clear()


def test_every_site_of_the_lab_is_an_installed_pbx_that_its_simulator_can_meet() -> None:
    installed = {pbx.id: pbx for pbx in load_pbxs(PROJECT / "include" / "pbx.yml")}
    assert set(installed) == {pbx.site.pbx_id for pbx in SITES}
    roles = {"dial": "server", "listen": "client"}
    for pbx in SITES:
        if pbx.stream:
            model = installed[pbx.site.pbx_id].known_model
            assert model.model_id == pbx.stream.model_id
            assert model.stream is not None
            assert roles[model.stream.direction] == pbx.stream.role, model.model_id


def test_a_busy_port_is_named_with_its_pbx_and_the_variable_that_moves_it(lab: Lab) -> None:
    last = lab.pbxs_on_tcp[-1]
    with (
        socket.create_server(("127.0.0.1", last.port)),
        pytest.raises(ProcessError, match=rf"Port {last.port} .*{last.pbx_id}.*{LAB_STREAM_PORT}"),
    ):
        lab.start()


def test_a_pbx_asked_over_https_names_its_busy_port_too(lab: Lab) -> None:
    pbx = lab.pbxs_on_https[0]
    variable = pbx.simulator.port_variable
    with (
        socket.create_server(("127.0.0.1", pbx.port)),
        pytest.raises(ProcessError, match=rf"Port {pbx.port} .*{pbx.pbx_id}.*{variable}"),
    ):
        pbx.start()


def test_a_busy_port_of_a_file_server_is_named_with_its_pbx(lab: Lab) -> None:
    last = lab.file_hosts.hosts[-1]
    with (
        socket.create_server(("127.0.0.1", last.port)),
        pytest.raises(ProcessError, match=rf"Port {last.port} .*{last.pbx_id}.*{LAB_FILES_PORT}"),
    ):
        lab.file_hosts.start()


def test_every_way_of_fetching_files_is_played_with_an_account_that_can_be_trusted(
    lab: Lab,
) -> None:
    lab.write_connections()
    connections = yaml.safe_load(lab.installation.settings.connections_file.read_text())
    hosts = {host.protocol: connections[f"pbx_{host.pbx_id}"] for host in lab.file_hosts.hosts}
    assert set(hosts) == {"ftp", "ftps", "sftp", "http"}
    assert len({connection["port"] for connection in hosts.values()}) == len(hosts)
    assert all(len(connection["password"]) > 20 for connection in hosts.values())
    assert hosts["sftp"]["extra"]["host_key"].startswith("SHA256:")
    assert Path(hosts["ftps"]["extra"]["tls_ca"]).is_relative_to(lab.var)


def test_a_pbx_whose_files_are_fetched_is_asked_for_the_folder_that_they_are_in() -> None:
    installed = {pbx.id: pbx for pbx in load_pbxs(PROJECT / "include" / "pbx.yml")}
    for pbx in SITES:
        if pbx.files:
            entry = installed[pbx.site.pbx_id]
            fetched = entry.known_model.files if pbx.files.fetched_by else None
            assert entry.transport == ("remote_files" if fetched else "dropped_files")
            if fetched:
                folder = entry.settings.get("folder", fetched.remote_folder)
                protocol = entry.settings.get("protocol", fetched.remote_protocol)
                assert (protocol, folder) == (pbx.files.fetched_by, pbx.files.remote_folder)


def test_every_pbx_on_https_is_trusted_by_its_own_certificate_alone(lab: Lab) -> None:
    lab.write_connections()
    connections = yaml.safe_load(lab.installation.settings.connections_file.read_text())
    named = [connections[f"pbx_{pbx.pbx_id}"]["extra"]["tls_ca"] for pbx in lab.pbxs_on_https]
    assert len(set(named)) == len(named) > 1
    for file in named:
        assert Path(file).is_relative_to(lab.var)
        assert Path(file).read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_every_pbx_on_tcp_has_a_connection_to_a_port_of_its_own(lab: Lab) -> None:
    lab.write_connections()
    text = lab.installation.settings.connections_file.read_text(encoding="utf-8")
    connections = yaml.safe_load(text)
    assert set(connections) == {f"pbx_{pbx.site.pbx_id}" for pbx in SITES}
    first = lab.installation.port(LAB_STREAM_PORT)
    ports = [connections[f"pbx_{pbx.pbx_id}"]["port"] for pbx in lab.pbxs_on_tcp]
    assert ports == list(range(first, first + len(ports)))


def test_what_an_operator_entered_stays(lab: Lab) -> None:
    path = lab.installation.settings.connections_file
    path.write_text("pbx_other: {conn_type: generic, host: 192.0.2.10}\n", encoding="utf-8")
    lab.write_connections()
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["pbx_other"]["host"] == "192.0.2.10"
