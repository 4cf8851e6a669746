"""A PBX whose tickets are in a table that the test writes."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from tests.installed import bodies, pbx_of
from tests.mariadb_server import STOCK_COLUMNS, MariaDb
from tests.transports.pulling import Puller
from tollhouse.settings import Settings
from tollhouse.transports.sql_table.session import Session


class Asterisk(Puller):
    """An Asterisk whose cdr table the test writes."""

    def __init__(
        self,
        settings: Settings,
        server: MariaDb,
        columns: str = STOCK_COLUMNS,
        model: str = "asterisk_mysql",
    ) -> None:
        self.database = server.make_database(columns)
        self.server = server
        self.model = model
        self.minutes = count()
        super().__init__(settings, pbx_of(model), server.connection(self.database))

    def set(self, **settings: Any) -> None:
        """Give the entry these settings."""
        self.pbx = pbx_of(self.model, **settings)

    def run(self, *statements: str) -> None:
        """Run statements as the administrator of the PBX."""
        self.server.run(*statements, database=self.database)

    def call(self, *sources: str) -> None:
        """Write a row per caller, a minute later each."""
        for source in sources:
            self.run(f"insert into cdr (src, start) values ('{source}', {self.later()})")

    def later(self) -> str:
        """Return the time of one more call, as SQL."""
        return f"timestamp '2026-02-04 13:34:00' + interval {next(self.minutes)} minute"

    def session(self) -> Session:
        """Log in as a pull does."""
        assert self.connection is not None
        return Session(self.pbx, self.connection, 3306)

    def sources(self) -> list[str]:
        """Return the callers in raw, in order."""
        return [json.loads(body)["src"] for body in bodies(self.settings)]
