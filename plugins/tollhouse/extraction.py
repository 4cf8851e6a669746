"""One pull of one PBX: read IDLAST, fetch after it, land, commit, and only then move IDLAST.

The extract DAG's task and the tests run this same function; it needs no Airflow. A run over an
interval (a backfill, or a range that an operator asked for) reads that stretch of time and neither
reads nor moves IDLAST.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from tollhouse import warehouse
from tollhouse.connections import PbxConnection, find_connection
from tollhouse.installed_pbxs import Pbx
from tollhouse.landing import BatchStart, KnownDeliveries, LandedBatch, land, landing_lock
from tollhouse.settings import Settings, load_settings
from tollhouse.transports import FetchRequest, Interval, Progress, find_transport
from tollhouse.watermark import LedgerEntry, Watermark, starting_point

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """Which run pulls, for the ledger, and which interval it is limited to, if any."""

    dag_id: str | None = None
    run_id: str | None = None
    run_type: str = "command"
    interval: Interval | None = None


def extract(
    pbx: Pbx,
    *,
    run: RunContext,
    watermark: Watermark,
    settings: Settings | None = None,
    connection_finder: Callable[[], PbxConnection] | None = None,
) -> LandedBatch:
    """Pull what is new of one PBX, or one interval of it, into raw.

    Args:
        pbx: the PBX.
        run: who asks.
        watermark: where its IDLAST is kept.
        settings: of this installation; by default those of the process.
        connection_finder: finds the PBX's address and login, for the transports that dial; by
            default in the environment and the connections file.

    Returns:
        What was landed, and warnings that an operator should read.

    Raises:
        BrokenLayoutError: its layout does not hold.
        IdlastError: IDLAST is unreadable or ahead of raw: an operator decides.
        SourceError: the PBX cannot be read.
        LandingBusyError: another run of this PBX does not end.
        WarehouseError: the warehouse does not answer.
    """
    pbx.require_layout()
    settings = settings or load_settings()
    transport = find_transport(pbx.transport)
    with (
        warehouse.connect(warehouse.LOADER, settings=settings, autocommit=True) as connection,
        landing_lock(connection, pbx.id),
    ):
        before = watermark.get() if run.interval is None else None
        start = (
            starting_point(pbx, before, _last_pull(connection, pbx.id), transport.position)
            if run.interval is None
            else None
        )
        progress = Progress(idlast=start)
        request = FetchRequest(
            pbx=pbx,
            settings=settings,
            find_connection=connection_finder
            or (lambda: find_connection(pbx.connection, settings)),
            known=KnownDeliveries(connection, pbx.id, pbx.model),
            idlast=start,
            interval=run.interval,
        )
        landed = land(
            connection,
            BatchStart(
                pbx_id=pbx.id,
                model_id=pbx.model,
                dag_id=run.dag_id,
                run_id=run.run_id,
                run_type=run.run_type,
                idlast_before=before,
                interval_start=run.interval.start if run.interval else None,
                interval_end=run.interval.end if run.interval else None,
            ),
            transport.fetch(request, progress),
            idlast_after=lambda: progress.idlast if run.interval is None else None,
        )
        if landed.idlast_after is not None and landed.idlast_after != before:
            watermark.set(landed.idlast_after)
    _put_away(pbx, progress)
    return _report(pbx, landed, progress)


def run_context(pbx: Pbx, dag_run: Any, params: Mapping[str, str | None]) -> RunContext:
    """Return what a run of the extract DAG asks for.

    A backfill reads its own data interval; a run with the parameters ``from`` and ``to`` (ISO 8601,
    in the zone of the PBX where they name none) that one; any other what is new.

    Raises:
        ValueError: the parameters are no interval.
    """
    interval = None
    if dag_run.run_type == "backfill":
        interval = Interval(dag_run.data_interval_start, dag_run.data_interval_end)
    elif params.get("from") or params.get("to"):
        start = _instant(pbx, "from", params.get("from"))
        end = _instant(pbx, "to", params["to"]) if params.get("to") else datetime.now(UTC)
        if start >= end:
            raise ValueError(f"{pbx.id}: the interval from {start} to {end} is empty.")
        interval = Interval(start, end)
    # Airflow's run type is an enumeration of strings, which str() would print by its name.
    run_type = getattr(dag_run.run_type, "value", dag_run.run_type)
    return RunContext(pbx.dag_id, dag_run.run_id, run_type, interval)


def _instant(pbx: Pbx, name: str, text: str | None) -> datetime:
    try:
        instant = datetime.fromisoformat(text or "")
    except ValueError as error:
        raise ValueError(
            f"{pbx.id}: parameter {name!r} is {text!r}; write it as 2026-10-01T00:00."
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(pbx.time_zone))


def batches_of_run(settings: Settings, dag_id: str, run_id: str) -> list[int]:
    """Return the batches with new tickets that a run landed, those of its failed attempts too."""
    with warehouse.connect(warehouse.LOADER, settings=settings) as connection:
        rows = connection.execute(
            "select batch_id from raw.batches "
            "where dag_id = %s and run_id = %s and rows_inserted > 0 order by batch_id",
            [dag_id, run_id],
        )
        return [int(row[0]) for row in rows]


def _last_pull(connection: psycopg.Connection, pbx_id: str) -> LedgerEntry | None:
    row = connection.execute(
        "select batch_id, idlast_before, idlast_after from raw.batches "
        "where pbx_id = %s and idlast_after is not null order by batch_id desc limit 1",
        [pbx_id],
    ).fetchone()
    return LedgerEntry(*row) if row else None


def _put_away(pbx: Pbx, progress: Progress) -> None:
    """Do what waits for the commit; a failure loses no ticket, so it is a warning."""
    for step in progress.after_commit:
        try:
            step()
        except OSError as error:
            progress.warnings.append(f"{pbx.id}: landed, but not put away: {error}")


def _report(pbx: Pbx, landed: LandedBatch, progress: Progress) -> LandedBatch:
    warnings = list(progress.warnings)
    if landed.rows_conflicting:
        warnings.append(
            f"{pbx.id}: {landed.rows_conflicting} tickets came again under the same key with other "
            f"content (batch {landed.batch_id}). The first version stays; the later one is in "
            "raw.conflicts: compare the two and ask whoever runs the PBX why it changed."
        )
    for warning in warnings:
        logger.warning("%s", warning)
    logger.info(
        "%s: %d read, %d new, %d already there, %d conflicting; IDLAST %s -> %s",
        pbx.id,
        landed.rows_read,
        landed.rows_inserted,
        landed.rows_already_there,
        landed.rows_conflicting,
        landed.idlast_before,
        landed.idlast_after,
    )
    return replace(landed, warnings=tuple(warnings))
