"""The collector process: every PBX that speaks over TCP, one task each, until SIGTERM.

It reads include/pbx.yml and the connections and needs neither Airflow nor the database: tickets
wait in the spool while those are down.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from concurrent.futures import ThreadPoolExecutor

from tollhouse.collector.health import health_port, serve_health
from tollhouse.collector.pace import Pace
from tollhouse.collector.spool_writer import Rotation
from tollhouse.collector.stream import PbxStream
from tollhouse.installed_pbxs import load_pbxs
from tollhouse.settings import Settings

#: As many open files as the system grants, up to this: connections and segments each take one.
OPEN_FILES = 65_536

#: More than any disk has.
MOST_RESERVE_MIB = 2**40

logger = logging.getLogger(__name__)


class CollectorError(Exception):
    """The collector cannot start; the message says why and what to do."""


def run_collector(
    settings: Settings, *, pace: Pace | None = None, rotation: Rotation | None = None
) -> None:
    """Collect until SIGTERM or SIGINT; what was read by then is on disk on return.

    Raises:
        CollectorError: the health port is taken: most likely another collector runs.
    """
    asyncio.run(_run(settings, pace or pace_of(settings), rotation or Rotation()))


def pace_of(settings: Settings) -> Pace:
    """Return the collector's times and sizes as the environment sets them."""
    reserve_mib = settings.whole_number(
        "TOLLHOUSE_SPOOL_RESERVE_MIB",
        Pace.reserve_bytes // 2**20,
        lowest=0,
        highest=MOST_RESERVE_MIB,
    )
    return Pace(reserve_bytes=reserve_mib * 2**20)


def _allow_open_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _run(settings: Settings, pace: Pace, rotation: Rotation) -> None:
    pbxs = [pbx for pbx in load_pbxs(settings.pbx_file) if pbx.transport == "spooled_stream"]
    streams = [PbxStream(pbx, settings, pace, rotation) for pbx in pbxs]
    port = health_port(settings)
    try:
        server = await serve_health(streams, port)
    except OSError as error:
        raise CollectorError(
            f"Port {port} is taken, most likely by a collector that runs already (a PBX has "
            "exactly one). Otherwise set TOLLHOUSE_COLLECTOR_PORT to a free port."
        ) from error
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A PBX whose disk or name server hangs keeps one thread; the others must not wait for it.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=4 + 2 * len(streams)))
    _allow_open_files()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    tasks = [asyncio.create_task(stream.run(), name=stream.pbx.id) for stream in streams]
    logger.info("collecting from %s", ", ".join(pbx.id for pbx in pbxs) or "no PBX")
    await stop.wait()
    logger.info("stopping")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.close()
    logger.info("stopped; all that was read is on disk")
