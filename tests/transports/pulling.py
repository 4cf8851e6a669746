"""Pulls as the extract DAG's task makes them, for the tests of the transports."""

from __future__ import annotations

from datetime import datetime

from tests.installed import MemoryWatermark
from tollhouse.connections import PbxConnection
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import LandedBatch
from tollhouse.settings import Settings
from tollhouse.transports import Interval


class Puller:
    """One PBX of an installation, its IDLAST, and how it is reached."""

    def __init__(
        self, settings: Settings, pbx: Pbx, connection: PbxConnection | None = None
    ) -> None:
        self.settings = settings
        self.pbx = pbx
        self.connection = connection
        self.watermark = MemoryWatermark()

    def pull(self, start: datetime | None = None, end: datetime | None = None) -> LandedBatch:
        """Pull what is new, or an interval."""
        interval = Interval(start, end) if start and end else None
        return extract(
            self.pbx,
            run=RunContext("extract__paris_hq", "manual__1", "manual", interval),
            watermark=self.watermark,
            settings=self.settings,
            connection_finder=self._connection,
        )

    def _connection(self) -> PbxConnection:
        assert self.connection is not None
        return self.connection
