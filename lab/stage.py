"""The lab of one installation: its servers, its connections, and the sending of traffic."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lab import asterisk, cisco_cucm, mitel_3300, truth
from lab.mariadb import DATABASE, READER, LabMariadb
from lab.sites import simulated_pbxs
from lab.traffic import calls_between
from lab.truth import Ledger
from tollhouse.embedded.airflow import process_environment
from tollhouse.embedded.environment import Installation
from tollhouse.embedded.processes import BackgroundProcess, require_free_port
from tollhouse.settings import SettingsError

MITEL_PORT = "TOLLHOUSE_LAB_MITEL_PORT"
MARIADB_PORT = "TOLLHOUSE_LAB_MARIADB_PORT"
MITEL, ASTERISK, CUCM = "paris_hq", "lyon_support", "lille_plant"


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
        """The database server that Asterisk writes to."""
        return LabMariadb(
            var=self.var,
            port=self.installation.port(MARIADB_PORT),
            password=self.installation.settings.environment["TOLLHOUSE_LAB_MARIADB_PASSWORD"],
        )

    @property
    def feed(self) -> Path:
        """What the Mitel hands out."""
        return self.var / "lab" / MITEL / "feed.txt"

    @property
    def drop_folder(self) -> Path:
        """Where the CUCM pushes its files."""
        return self.var / "drop" / CUCM

    def write_connections(self) -> None:
        """Enter the lab's PBXs into the connections file; other entries stay as they are."""
        path = self.installation.settings.connections_file
        entries: dict[str, Any] = {}
        if path.exists():
            entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        entries |= {
            f"pbx_{MITEL}": {
                "conn_type": "generic",
                "host": "127.0.0.1",
                "port": self.installation.port(MITEL_PORT),
            },
            f"pbx_{ASTERISK}": {
                "conn_type": "mysql",
                "host": "127.0.0.1",
                "port": self.mariadb.port,
                "login": READER,
                "password": self.mariadb.password,
                "schema": DATABASE,
                "extra": {"client": "mysql-connector-python"},
            },
            f"pbx_{CUCM}": {"conn_type": "fs", "extra": {"path": str(self.drop_folder)}},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(yaml.safe_dump(entries, sort_keys=True), encoding="utf-8")
        draft.replace(path)

    def start(self) -> None:
        """Start the servers that do not run and make the folder.

        Raises:
            ProcessError: a port is taken, or MariaDB is not installed or does not come up.
        """
        self.drop_folder.mkdir(parents=True, exist_ok=True)
        self.mariadb.start()
        server = BackgroundProcess("lab-mitel", self.var)
        if server.is_running():
            return
        server.stop()
        port = self.installation.port(MITEL_PORT)
        require_free_port(port, MITEL_PORT, "the lab's Mitel 3300")
        server.start(
            [sys.executable, "-m", "lab.mitel_3300", f"--port={port}", f"--feed={self.feed}"],
            process_environment(self.installation),
            folder=self.installation.settings.project,
        )

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
        mitel_3300.write_feed(self.feed, ledgers[MITEL].tickets)
        connection = self.mariadb.connect()
        try:
            asterisk.insert_rows(connection, ledgers[ASTERISK].tickets)
        finally:
            connection.close()
        position_file = self.var / "lab" / CUCM / "dropped"
        cisco_cucm.drop_files(self.drop_folder, ledgers[CUCM].tickets, position_file)

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
