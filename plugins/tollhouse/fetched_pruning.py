"""Deleting copies of files that were fetched from PBXs, once they are landed and old.

They serve backfills alone. A copy goes when raw has the file as it is here and it was written
longer ago than the entry says; what a cut left behind goes after the same time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from tollhouse import warehouse
from tollhouse.installed_pbxs import Pbx, load_pbxs
from tollhouse.landing import KnownDeliveries, LandingBusyError, landing_lock
from tollhouse.settings import Settings
from tollhouse.spool_pruning import PruningError
from tollhouse.transports.remote_files.copies import Copies

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrunedCopies:
    """What was deleted of the copies of one PBX."""

    file_count: int = 0
    size_bytes: int = 0


def prune_fetched(settings: Settings, *, now: datetime | None = None) -> dict[str, PrunedCopies]:
    """Prune the copies of every PBX whose files are fetched.

    Returns:
        What was deleted, by pbx id.

    Raises:
        PruningError: some could not be pruned; the others are.
    """
    now = now or datetime.now(UTC)
    pruned: dict[str, PrunedCopies] = {}
    faults: list[str] = []
    with warehouse.connect(warehouse.LOADER, settings=settings, autocommit=True) as connection:
        for pbx in load_pbxs(settings.pbx_file):
            if pbx.transport != "remote_files":
                continue
            keep_from = now - timedelta(days=pbx.spool_keep_days)
            try:
                # A backfill may be reading just what is to be deleted.
                with landing_lock(connection, pbx.id):
                    pruned[pbx.id] = _prune(connection, pbx, Copies(settings, pbx.id), keep_from)
            except (OSError, LandingBusyError) as error:
                faults.append(f"{pbx.id}: {error}")
    if faults:
        raise PruningError("\n".join(faults))
    return pruned


def _prune(
    connection: psycopg.Connection, pbx: Pbx, copies: Copies, keep_from: datetime
) -> PrunedCopies:
    old = [file for file in copies.all() if file.modified_at < keep_from]
    known = KnownDeliveries(connection, pbx.id, pbx.model).states([file.name for file in old])
    file_count, size_bytes = 0, 0
    for file in old:
        state = known.get(file.name)
        if state is None or (state.size_bytes, state.modified_at) != (
            file.size_bytes,
            file.modified_at,
        ):
            continue
        copies.copy_of(file).path.unlink()
        file_count += 1
        size_bytes += file.size_bytes
    copies.drop_partials(keep_from)
    if file_count:
        logger.info("%s: %d copies pruned, %d bytes", pbx.id, file_count, size_bytes)
    return PrunedCopies(file_count, size_bytes)
