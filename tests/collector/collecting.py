"""Streams of a collector, run in a thread of the test: real sockets, real files, short times."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.collector.speaking_pbx import wait_until
from tollhouse.collector.pace import Pace
from tollhouse.collector.spool import SpoolRecord, read_spool
from tollhouse.collector.spool_writer import Rotation
from tollhouse.collector.status import StreamStatus
from tollhouse.collector.stream import PbxStream
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import PROJECT, Settings

PACE = Pace(
    connect_seconds=5,
    first_retry_seconds=0.02,
    longest_retry_seconds=0.05,
    group_seconds=0.02,
    space_check_seconds=0.05,
    reserve_bytes=2**20,
    pause_seconds=0.1,
    farewell_seconds=0.05,
    idle_seconds=0.2,
)


class Collecting:
    """What the streams have done so far."""

    def __init__(self, streams: dict[str, PbxStream]) -> None:
        self._streams = streams

    def status(self, pbx_id: str = "site") -> StreamStatus:
        return self._streams[pbx_id].status

    def records(self, pbx_id: str = "site") -> list[SpoolRecord]:
        return list(read_spool(self._streams[pbx_id].folder, segment=0, offset=0))

    def spooled(self, pbx_id: str = "site") -> bytes:
        return b"".join(record.data for record in self.records(pbx_id))

    def port(self, pbx_id: str = "site") -> int:
        """The port that the stream listens on, once it does."""
        wait_until(lambda: self.status(pbx_id).listening_at)
        return int(self.status(pbx_id).listening_at.rpartition(":")[2])


def pbx_of(model: str = "mitel_3300", pbx_id: str = "site", **settings: Any) -> Pbx:
    return Pbx.model_validate(
        {
            "id": pbx_id,
            "model": model,
            "time_zone": "Europe/Paris",
            "country": "FR",
            "settings": settings,
        }
    )


@contextmanager
def collecting(
    folder: Path, *pbxs: tuple[Pbx, dict[str, Any]], pace: Pace = PACE
) -> Iterator[Collecting]:
    """Collect from PBXs, each with its connection, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    connections = {pbx.connection: connection for pbx, connection in pbxs}
    (folder / "connections.yaml").write_text(json.dumps(connections))
    settings = Settings(project=PROJECT, var=folder, include=PROJECT / "include", environment={})
    streams = {pbx.id: PbxStream(pbx, settings, pace, Rotation()) for pbx, _ in pbxs}
    ready: threading.Event = threading.Event()
    stop: list[Any] = []

    async def collect() -> None:
        tasks = [asyncio.create_task(stream.run()) for stream in streams.values()]
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(stopping.set))
        ready.set()
        await stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=[collect()], daemon=True)
    thread.start()
    ready.wait()
    try:
        yield Collecting(streams)
    finally:
        stop[0]()
        thread.join(20)
        assert not thread.is_alive(), "the streams did not end"
