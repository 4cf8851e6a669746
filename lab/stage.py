"""The lab of one installation: its servers, its connections, and the sending of traffic."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lab import truth
from lab.api_servers import PbxOnHttps
from lab.file_drops import DropPlace, FileSimulator
from lab.file_hosts import FileHost, FileHosts
from lab.mariadb import READER, LabMariadb
from lab.sites import SITES, simulated_pbxs
from lab.streams import StreamSimulator
from lab.streams.feed import Feed
from lab.tables import PbxTables, insert_people, insert_tickets
from lab.traffic import Site, calls_between
from lab.truth import Ledger
from tollhouse.commands.up import COLLECTOR
from tollhouse.embedded.airflow import process_environment
from tollhouse.embedded.environment import LAB_FILES_PORT, LAB_STREAM_PORT, Installation
from tollhouse.embedded.processes import BackgroundProcess, require_free_port
from tollhouse.settings import SettingsError

MARIADB_PORT = "TOLLHOUSE_LAB_MARIADB_PORT"
STREAMS_PROCESS = "lab-streams"


@dataclass(frozen=True)
class PbxOnTcp:
    """A simulated PBX that speaks over TCP.

    Attributes:
        port: where it listens, or the collector for it.
    """

    pbx_id: str
    simulator: StreamSimulator
    port: int
    feed: Feed


@dataclass(frozen=True)
class PbxInFiles:
    """A simulated PBX that puts its tickets into files.

    Attributes:
        place: the folder of this machine that it drops them in, or of its own file server.
    """

    pbx_id: str
    simulator: FileSimulator
    place: DropPlace


@dataclass(frozen=True)
class Lab:
    """The simulated PBXs of one installation."""

    installation: Installation

    @property
    def var(self) -> Path:
        """The installation's runtime folder."""
        return self.installation.settings.var

    @property
    def mariadb(self) -> LabMariadb:
        """The database server that PBXs write to."""
        return LabMariadb(
            var=self.var,
            port=self.installation.port(MARIADB_PORT),
            password=self.installation.settings.environment["TOLLHOUSE_LAB_MARIADB_PASSWORD"],
            databases=tuple(tables for _, tables in self.pbxs_in_sql),
        )

    @property
    def pbxs_in_sql(self) -> list[tuple[Site, PbxTables]]:
        """Those that write their tickets into a database."""
        return [(pbx.site, pbx.tables) for pbx in SITES if pbx.tables]

    @property
    def pbxs_on_tcp(self) -> list[PbxOnTcp]:
        """Those that speak over TCP, on consecutive ports."""
        first_port = self.installation.port(LAB_STREAM_PORT)
        simulators = {pbx.site.pbx_id: pbx.stream for pbx in SITES if pbx.stream}
        return [
            PbxOnTcp(
                pbx_id=pbx_id,
                simulator=simulator,
                port=port,
                feed=Feed(self.var / "lab" / pbx_id / "feed.jsonl"),
            )
            for port, (pbx_id, simulator) in enumerate(simulators.items(), start=first_port)
        ]

    @property
    def pbxs_on_https(self) -> list[PbxOnHttps]:
        """Those that are asked over HTTPS."""
        return [
            PbxOnHttps(
                pbx_id=pbx.site.pbx_id,
                simulator=pbx.api,
                installation=self.installation,
                folder=self.var / "lab" / pbx.site.pbx_id,
            )
            for pbx in SITES
            if pbx.api
        ]

    @property
    def pbxs_in_files(self) -> list[PbxInFiles]:
        """Those that put their tickets into files."""
        return [
            PbxInFiles(pbx.site.pbx_id, pbx.files, self._drop_place(pbx.site, pbx.files))
            for pbx in SITES
            if pbx.files
        ]

    def _drop_place(self, site: Site, simulator: FileSimulator) -> DropPlace:
        own = self.var / "lab" / site.pbx_id
        folder = self.var / "drop" / site.pbx_id
        if simulator.fetched_by:
            folder = _root_of_server(own) / simulator.remote_folder.strip("/")
        return DropPlace(folder, memory=own / "dropped", time_zone=site.time_zone)

    @property
    def file_hosts(self) -> FileHosts:
        """Those of them that keep their files until they are fetched, on consecutive ports."""
        protocols = {
            pbx.pbx_id: pbx.simulator.fetched_by
            for pbx in self.pbxs_in_files
            if pbx.simulator.fetched_by
        }
        first_port = self.installation.port(LAB_FILES_PORT)
        password = self.installation.settings.environment["TOLLHOUSE_LAB_FILES_PASSWORD"]
        hosts = []
        for port, (pbx_id, protocol) in enumerate(protocols.items(), start=first_port):
            own = self.var / "lab" / pbx_id
            hosts.append(FileHost(pbx_id, protocol, port, _root_of_server(own), own, password))
        return FileHosts(self.installation, hosts)

    def write_connections(self) -> None:
        """Enter the lab's PBXs into the connections file; other entries stay as they are."""
        path = self.installation.settings.connections_file
        entries: dict[str, Any] = {}
        if path.exists():
            entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        entries |= {
            f"pbx_{pbx.pbx_id}": {"conn_type": "generic", "host": "127.0.0.1", "port": pbx.port}
            for pbx in self.pbxs_on_tcp
        }
        entries |= {
            f"pbx_{site.pbx_id}": {
                "conn_type": "mysql",
                "host": "127.0.0.1",
                "port": self.mariadb.port,
                "login": READER,
                "password": self.mariadb.password,
                "schema": tables.database,
                "extra": {"client": "mysql-connector-python"},
            }
            for site, tables in self.pbxs_in_sql
        }
        entries |= {f"pbx_{pbx.pbx_id}": pbx.connection for pbx in self.pbxs_on_https}
        entries |= {
            f"pbx_{pbx.pbx_id}": {"conn_type": "fs", "extra": {"path": str(pbx.place.folder)}}
            for pbx in self.pbxs_in_files
        }
        entries |= {f"pbx_{host.pbx_id}": host.connection for host in self.file_hosts.hosts}
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(yaml.safe_dump(entries, sort_keys=True), encoding="utf-8")
        draft.replace(path)

    def start(self) -> None:
        """Start the servers that do not run and make the folders.

        Raises:
            ProcessError: a port is taken, or MariaDB is not installed or does not come up.
        """
        streams = BackgroundProcess(STREAMS_PROCESS, self.var)
        if not streams.is_running():
            streams.stop()
            self._require_free_ports()
        for dropping in self.pbxs_in_files:
            dropping.place.folder.mkdir(parents=True, exist_ok=True)
        self.mariadb.start()
        for pbx in self.pbxs_on_https:
            pbx.start()
        self.file_hosts.start()
        streams.start(
            [sys.executable, "-m", "lab.streams", f"--config={self._write_streams()}"],
            process_environment(self.installation),
            folder=self.installation.settings.project,
        )

    def _require_free_ports(self) -> None:
        """Find a busy port before a PBX wants to listen there, or the collector for it."""
        collector_runs = BackgroundProcess(COLLECTOR, self.var).is_running()
        for pbx in self.pbxs_on_tcp:
            if pbx.simulator.role == "server" or not collector_runs:
                purpose = f"the lab's {pbx.pbx_id}, a {pbx.simulator.model_id}"
                require_free_port(pbx.port, LAB_STREAM_PORT, purpose)

    def _write_streams(self) -> Path:
        """Write what the process of all PBXs on TCP is to play; return where."""
        streams = [
            {"model": pbx.simulator.model_id, "port": pbx.port, "feed": str(pbx.feed.path)}
            for pbx in self.pbxs_on_tcp
        ]
        path = self.var / "lab" / "streams.json"
        path.write_text(json.dumps(streams, indent=1), encoding="utf-8")
        return path

    def send_traffic(self, *, since: datetime, until: datetime) -> dict[str, Ledger]:
        """Let every PBX write the tickets of the calls that ended by ``until``.

        A first call starts at ``since``; a later one goes on where the last one ended: nothing is
        sent twice.

        Returns:
            The truth of each pbx.
        """
        ledgers = {}
        for pbx in simulated_pbxs(self._calls_per_working_day()):
            ledger = truth.open_ledger(self.var, pbx.site.pbx_id, seed=self._seed(), since=since)
            calls = calls_between(pbx.site, ledger.seed, ledger.until, until)
            tickets = [
                ticket
                for number, call in enumerate(calls, start=ledger.calls_sent)
                for ticket in pbx.tickets_of(call, pbx.site, number)
            ]
            ledger.add(tickets, call_count=len(calls), until=max(until, ledger.until))
            ledgers[pbx.site.pbx_id] = ledger
        self._deliver(ledgers)
        return ledgers

    def _deliver(self, ledgers: dict[str, Ledger]) -> None:
        """Hand over what the truth holds and was not yet, after a run that was killed too."""
        feeds = {pbx.pbx_id: pbx.feed for pbx in self.pbxs_on_tcp}
        feeds |= {pbx.pbx_id: pbx.feed for pbx in self.pbxs_on_https}
        for pbx_id, feed in feeds.items():
            feed.write(ticket.ticket for ticket in ledgers[pbx_id].tickets)
        for site, tables in self.pbxs_in_sql:
            with closing(self.mariadb.connect(tables.database)) as connection:
                insert_people(connection, tables, site)
                insert_tickets(connection, tables, ledgers[site.pbx_id].tickets)
        for pbx in self.pbxs_in_files:
            pbx.simulator.deliver(pbx.place, ledgers[pbx.pbx_id].tickets)

    def _seed(self) -> int:
        return int(self._number("TOLLHOUSE_LAB_SEED") or 1)

    def _calls_per_working_day(self) -> float | None:
        return self._number("TOLLHOUSE_LAB_CALLS_PER_DAY")

    def _number(self, variable: str) -> float | None:
        text = self.installation.settings.environment.get(variable)
        if not text:
            return None
        try:
            return float(text)
        except ValueError as error:
            raise SettingsError(f"{variable} is {text!r}: expected a number.") from error


def _root_of_server(own: Path) -> Path:
    """Return what the account of a PBX's file server sees, in the PBX's folder of the lab."""
    return own / "files"
