"""The rows of the files in temporary tables: the database compares and writes them in sets."""

from __future__ import annotations

import json

import psycopg
from psycopg import sql

from tollhouse.directory.checking import Line
from tollhouse.directory.files import FILES, DirectoryFile
from tollhouse.directory.reading import Directory
from tollhouse.directory.rows import DatedRow
from tollhouse.installed_pbxs import Pbx

#: Columns of directory.pbxs that an entry of pbx.yml fills, in the order of ``_pbx_values``.
PBX_COLUMNS = (
    "pbx_id",
    "model",
    "transport",
    "time_zone",
    "country",
    "outside_line_prefix",
    "outside_line_policy",
    "trunks",
    "number_ranges",
    "extension_digits",
    "carrier_id",
    "default_service_id",
    "transfer_payer",
    "answer_threshold_seconds",
    "settings",
)

#: rates.csv names a version by tariff and version, the table by a generated number.
RATES_SHAPE = """
create temporary table staged_rates on commit drop as
select
    0 as line_number,
    tariff_versions.tariff_id,
    tariff_versions.version,
    rates.*
from directory.rates as rates
inner join directory.tariff_versions as tariff_versions
    on rates.tariff_version_id = tariff_versions.tariff_version_id
with no data
"""


def stage(connection: psycopg.Connection, directory: Directory) -> None:
    """Copy every row into ``staged_<table>``; the tables go when the transaction ends."""
    for file in FILES:
        _make_table(connection, file)
        _copy_lines(connection, file, directory.lines[file.name])
    _stage_pbxs(connection, directory.pbxs)


def _make_table(connection: psycopg.Connection, file: DirectoryFile) -> None:
    if file.name == "rates":
        connection.execute(RATES_SHAPE)
        return
    connection.execute(
        sql.SQL(
            "create temporary table {} on commit drop as "
            "select 0 as line_number, shape.* from {} as shape with no data"
        ).format(sql.Identifier(f"staged_{file.name}"), sql.Identifier("directory", file.name))
    )


def _copy_lines(connection: psycopg.Connection, file: DirectoryFile, lines: list[Line]) -> None:
    statement = sql.SQL("copy {} (line_number, {}) from stdin").format(
        sql.Identifier(f"staged_{file.name}"), sql.SQL(", ").join(map(sql.Identifier, file.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for line in lines:
            copy.write_row((line.number, *_values(file, line)))
    connection.execute(
        sql.SQL("analyze {}").format(sql.Identifier(f"staged_{file.name}")),
    )


def _values(file: DirectoryFile, line: Line) -> list[object]:
    values = [getattr(line.row, name) for name in file.columns]
    if isinstance(line.row, DatedRow) and line.row.valid_to is None:
        values[file.columns.index("valid_to")] = "infinity"
    return values


def _stage_pbxs(connection: psycopg.Connection, pbxs: list[Pbx]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, PBX_COLUMNS))
    connection.execute(
        sql.SQL(
            "create temporary table staged_pbxs on commit drop as "
            "select {} from directory.pbxs with no data"
        ).format(columns)
    )
    statement = sql.SQL("copy staged_pbxs ({}) from stdin").format(columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for pbx in pbxs:
            copy.write_row(_pbx_values(pbx))


def _pbx_values(pbx: Pbx) -> tuple[object, ...]:
    shortest, longest = pbx.extension_digits
    return (
        pbx.id,
        pbx.model,
        pbx.transport,
        pbx.time_zone,
        pbx.country,
        pbx.outside_line_prefix,
        pbx.outside_line_policy,
        list(pbx.trunks),
        list(pbx.number_ranges),
        f"[{shortest},{longest}]",
        pbx.carrier or None,
        pbx.default_service or None,
        pbx.transfer_payer,
        pbx.answer_threshold_seconds,
        json.dumps(pbx.settings),
    )
