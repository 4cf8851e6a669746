"""``tollhouse pbx check``: go the whole way to one PBX and say at which step it stops.

Each step names itself, says what it found and, when that is not good, what to do; the first step
that fails ends the way where the next ones need it. Nothing is landed and nothing is moved.
"""

from __future__ import annotations

from collections.abc import Callable

from tollhouse.connections import ConnectionFormatError, ConnectionMissingError
from tollhouse.installed_pbxs import Pbx, PbxFileError, load_pbxs
from tollhouse.pbx_check.parsed import check_parsed
from tollhouse.pbx_check.report import Landed, LastTickets, Report, Step, StepFailedError
from tollhouse.settings import Settings, SettingsError
from tollhouse.warehouse import LOADER, WarehouseError, connect

__all__ = ["LastTickets", "Report", "Step", "check_pbx", "find_pbx"]


def check_pbx(
    pbx_id: str,
    settings: Settings,
    *,
    dial: bool = False,
    show: Callable[[Step], None] = lambda step: None,
) -> Report:
    """Check one installed PBX.

    Args:
        pbx_id: its id in include/pbx.yml.
        settings: of this installation.
        dial: connect to a PBX of the collector when none runs; what it hands over then is lost.
        show: called with each step as soon as it is known.

    Returns:
        The steps, and the last tickets as far as the way led to them.
    """
    report = Report(pbx_id, show)
    try:
        pbx = find_pbx(pbx_id, settings)
        if pbx.broken_layout is not None:
            raise StepFailedError(
                "layout",
                pbx.broken_layout.explanation,
                "Correct the file; until then nothing of this PBX is read.",
            )
        report.ok("entry", f"{pbx.known_model.title}, read by {pbx.transport}")
        _go(report, pbx, settings, dial=dial)
        check_parsed(report, pbx, settings)
    except StepFailedError as failure:
        report.add(failure.step)
    except ConnectionMissingError as error:
        report.add(
            Step(
                "connection",
                "failed",
                str(error),
                "Put it in the environment or in the connections file; docs/configuration.md shows "
                "both.",
            )
        )
    except ConnectionFormatError as error:
        report.add(
            Step(
                "connection",
                "failed",
                str(error),
                "Correct it there; docs/configuration.md shows both ways to write it.",
            )
        )
    return report


def find_pbx(pbx_id: str, settings: Settings) -> Pbx:
    """Return an entry of include/pbx.yml.

    Raises:
        StepFailedError: the file does not hold, or has no such entry.
    """
    try:
        pbxs = {pbx.id: pbx for pbx in load_pbxs(settings.pbx_file)}
    except PbxFileError as error:
        raise StepFailedError("entry", str(error), "Correct the file.") from error
    if pbx_id not in pbxs:
        raise StepFailedError(
            "entry",
            f"{settings.pbx_file} has no entry {pbx_id!r}",
            f"Known are: {', '.join(pbxs) or 'none'}.",
        )
    return pbxs[pbx_id]


def _go(report: Report, pbx: Pbx, settings: Settings, *, dial: bool) -> None:
    landed = _landed(report, pbx, settings)
    # Each transport's check is imported when it is needed: the MySQL client is slow to load.
    if pbx.transport == "sql_table":
        from tollhouse.pbx_check.table import check_table

        check_table(report, pbx, settings, landed)
    elif pbx.transport == "dropped_files":
        from tollhouse.pbx_check.folder import check_folder

        check_folder(report, pbx, settings, landed)
    elif pbx.transport == "remote_files":
        from tollhouse.pbx_check.remote import check_remote

        check_remote(report, pbx, settings, landed)
    elif pbx.transport == "http_api":
        from tollhouse.pbx_check.api import check_api

        check_api(report, pbx, settings, landed)
    else:
        from tollhouse.pbx_check.stream import check_stream

        check_stream(report, pbx, settings, landed, dial=dial)


def _landed(report: Report, pbx: Pbx, settings: Settings) -> Landed:
    """Return what raw has of the PBX; IDLAST by the ledger of pulls, Airflow is out of reach."""
    try:
        with connect(LOADER, settings=settings) as connection:
            row = connection.execute(
                "select idlast_after from raw.batches "
                "where pbx_id = %s and idlast_after is not null order by batch_id desc limit 1",
                [pbx.id],
            ).fetchone()
            units = connection.execute(
                "select unit, size_bytes from raw.deliveries where pbx_id = %s", [pbx.id]
            ).fetchall()
    except (WarehouseError, SettingsError) as error:
        report.warn("warehouse", str(error), "How far this PBX was read is not known without it.")
        return Landed()
    report.ok("warehouse", f"read up to IDLAST {row[0]}" if row else "no pull of this PBX yet")
    return Landed(idlast=str(row[0]) if row else None, units=dict(units))
