"""Deleting what the collector spooled, once it is landed and old: disks are not endless.

Only whole segments go, the oldest first, and only those of which spool and raw agree that they are
landed. The newest stays whatever its age: numbers and identity of the spool go on from it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from tollhouse import warehouse
from tollhouse.collector.segment import segment_numbers, segment_path
from tollhouse.collector.spool import (
    SpoolError,
    is_closed,
    read_landed,
    read_spool,
    spool_identity,
    write_pruned,
)
from tollhouse.installed_pbxs import Pbx, load_pbxs
from tollhouse.landing import KnownDeliveries, LandingBusyError, landing_lock
from tollhouse.settings import Settings
from tollhouse.transports import spooled_stream

LAST_IDLAST = """
select idlast_after
from raw.batches
where pbx_id = %s and idlast_after is not null
order by batch_id desc
limit 1
"""

logger = logging.getLogger(__name__)


class PruningError(Exception):
    """The spools of some PBXs could not be pruned; the message says which and why."""


@dataclass(frozen=True)
class Pruned:
    """What was deleted of one spool."""

    segment_count: int = 0
    size_bytes: int = 0


def prune_spools(settings: Settings, *, now: datetime | None = None) -> dict[str, Pruned]:
    """Prune the spool of every PBX of the collector.

    Returns:
        What was deleted, by pbx id.

    Raises:
        PruningError: some could not be pruned; the others are.
    """
    now = now or datetime.now(UTC)
    pruned: dict[str, Pruned] = {}
    faults: list[str] = []
    with warehouse.connect(warehouse.LOADER, settings=settings, autocommit=True) as connection:
        for pbx in load_pbxs(settings.pbx_file):
            if pbx.transport != "spooled_stream":
                continue
            try:
                # A backfill may be reading just what is to be deleted.
                with landing_lock(connection, pbx.id):
                    pruned[pbx.id] = _prune(connection, pbx, settings.spool / pbx.id, now)
            except (OSError, SpoolError, LandingBusyError) as error:
                faults.append(f"{pbx.id}: {error}")
    if faults:
        raise PruningError("\n".join(faults))
    return pruned


def _prune(connection: psycopg.Connection, pbx: Pbx, folder: Path, now: datetime) -> Pruned:
    landed = _landed(connection, pbx, folder)
    if landed is None:
        return Pruned()
    keep_from = now - timedelta(days=pbx.spool_keep_days)
    segment_count, size_bytes = 0, 0
    for number in segment_numbers(folder)[:-1]:
        path = segment_path(folder, number)
        written = path.stat()
        until = datetime.fromtimestamp(written.st_mtime, UTC)
        if until >= keep_from or not is_closed(path) or not _is_landed(folder, number, landed):
            break
        # Noted first: whoever misses the segment finds out why.
        write_pruned(folder, segment=number, until=until)
        path.unlink()
        path.with_suffix(".torn").unlink(missing_ok=True)
        segment_count += 1
        size_bytes += written.st_size
    if segment_count:
        logger.info("%s: %d segments pruned, %d bytes", pbx.id, segment_count, size_bytes)
    return Pruned(segment_count, size_bytes)


def _landed(connection: psycopg.Connection, pbx: Pbx, folder: Path) -> tuple[int, int] | None:
    """Return up to where the spool is landed, by its own note and by raw's ledger alike.

    The warehouse may have been restored from a backup: then the note is ahead, and what lies
    between is needed again.
    """
    noted = read_landed(folder)
    newest = KnownDeliveries(connection, pbx.id, pbx.model).newest()
    row = connection.execute(LAST_IDLAST, [pbx.id]).fetchone()
    if noted is None or newest is None or row is None:
        return None
    if newest.source_identity != str(spool_identity(folder)):
        return None
    segment, offset = spooled_stream.position(row[0])
    return min(noted, (segment, offset))


def _is_landed(folder: Path, number: int, landed: tuple[int, int]) -> bool:
    segment, offset = landed
    if number != segment:
        return number < segment
    behind = next(read_spool(folder, segment=number, offset=offset), None)
    return behind is None or behind.segment > number
