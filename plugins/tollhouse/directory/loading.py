"""Loading the directory: the tables become what the files say, all or nothing, in one transaction.

Rows that are as before are not touched, so a rate keeps the number that issued invoices name (rule
R21). Files that were loaded last and have not changed are not loaded again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tollhouse.directory.closed_months import find_changes_of_closed_months
from tollhouse.directory.faults import DirectoryError
from tollhouse.directory.files import FILES, DirectoryFile
from tollhouse.directory.pbx_history import date_pbxs
from tollhouse.directory.reading import Directory, read_directory
from tollhouse.directory.staging import stage
from tollhouse.settings import Settings, load_settings
from tollhouse.warehouse import BUILD_LOCKS, LOADER, WAREHOUSE, connect, lock_number

#: Tables that other rows refer to: their rows are updated in place, and removed only after what
#: refers to them.
PARENTS = ("issuers", "customers", "services", "destinations", "tariffs")

UPSERT = """
insert into directory.{table} as kept ({columns})
select {columns}
from (select {columns} from staged_{table} except select {columns} from directory.{table}) as news
on conflict ({key}) do update set ({columns}) = row({excluded})
"""

REMOVE = """
delete from directory.{table} as kept
where not exists (select from staged_{table} as staged where ({staged_key}) = ({kept_key}))
"""

#: For tables that nothing refers to: what differs goes and comes again.
REMOVE_DIFFERING = """
delete from directory.{table} as kept
using (select {columns} from directory.{table} except select {columns} from staged_{table}) as old
where ({old_key}) = ({kept_key})
"""

INSERT_MISSING = """
insert into directory.{table} ({columns})
select {columns} from staged_{table}
except
select {columns} from directory.{table}
"""

#: Periods are exchanged in two steps, because no two versions may overlap even for a moment:
#: changed ones first go to days of their own in a past without telephones.
PARK_VERSIONS = """
update directory.tariff_versions as kept
set
    valid_from = date '4700-01-01 BC' + kept.tariff_version_id,
    valid_to = date '4700-01-02 BC' + kept.tariff_version_id
from staged_tariff_versions as staged
where
    (staged.tariff_id, staged.version) = (kept.tariff_id, kept.version)
    and (staged.valid_from, staged.valid_to) is distinct from (kept.valid_from, kept.valid_to)
"""

NUMBER_RATES = """
update staged_rates
set tariff_version_id = tariff_versions.tariff_version_id
from directory.tariff_versions as tariff_versions
where
    staged_rates.tariff_id = tariff_versions.tariff_id
    and staged_rates.version = tariff_versions.version
"""


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Attributes:
        load_id: its row in directory.loads, or nothing when the files are those of the last load.
        rows_by_table: rows of each table now.
        changed_by_table: rows inserted, updated or removed, of the tables where there were any.
    """

    load_id: int | None
    rows_by_table: dict[str, int]
    changed_by_table: dict[str, int]


def load_directory(
    settings: Settings | None = None, *, dag_run_id: str | None = None
) -> LoadResult:
    """Check the files of this installation and load them.

    Raises:
        DirectoryError: a file does not hold or would change a closed month; nothing was loaded.
    """
    settings = settings or load_settings()
    directory = read_directory(directory_folder(settings), settings.pbx_file)
    with connect(LOADER, settings=settings) as connection:
        # A build reads the directory in many statements: it sees it before or after this load,
        # never between.
        connection.execute(
            "select pg_advisory_xact_lock(%s, %s)", [BUILD_LOCKS, lock_number(WAREHOUSE)]
        )
        if _is_loaded(connection, directory):
            return LoadResult(None, directory.count_rows(), {})
        stage(connection, directory)
        faults = find_changes_of_closed_months(connection)
        if faults:
            raise DirectoryError(faults)
        changed = _write(connection)
        return LoadResult(
            _note_load(connection, directory, dag_run_id), directory.count_rows(), changed
        )


def directory_folder(settings: Settings) -> Path:
    """Return the folder of the CSV files."""
    return settings.include / "directory"


def _is_loaded(connection: psycopg.Connection, directory: Directory) -> bool:
    latest = connection.execute(
        "select files from directory.loads order by load_id desc limit 1"
    ).fetchone()
    return latest is not None and latest[0] == directory.digests


def _note_load(connection: psycopg.Connection, directory: Directory, dag_run_id: str | None) -> int:
    row = connection.execute(
        "insert into directory.loads (dag_run_id, files, rows_by_table) values (%s, %s, %s) "
        "returning load_id",
        [dag_run_id, Jsonb(directory.digests), Jsonb(directory.count_rows())],
    ).fetchone()
    assert row is not None
    return int(row[0])


def _write(connection: psycopg.Connection) -> dict[str, int]:
    """Write what is staged, parents first, and remove what is gone, children first."""
    files = {file.name: file for file in FILES}
    changed = {name: _run(connection, UPSERT, files[name]) for name in PARENTS}
    changed["tariff_versions"] = _write_versions(connection, files["tariff_versions"])
    changed["rates"] = _write_rates(connection, files["rates"])
    for file in FILES:
        if file.name not in changed:
            key_at_a_day = (*file.key, "valid_from")
            removed = _run_columns(
                connection, REMOVE_DIFFERING, file.name, file.columns, key_at_a_day
            )
            changed[file.name] = removed + _run(connection, INSERT_MISSING, file)
    for name in reversed(PARENTS):
        changed[name] += _run(connection, REMOVE, files[name])
    changed["pbxs"] = date_pbxs(connection)
    for name, count in changed.items():
        if count:
            connection.execute(sql.SQL("analyze directory.{}").format(sql.Identifier(name)))
    return {name: count for name, count in changed.items() if count}


def _write_versions(connection: psycopg.Connection, file: DirectoryFile) -> int:
    removed = _run(connection, REMOVE, file)
    connection.execute(PARK_VERSIONS)
    return removed + _run(connection, UPSERT, file)


def _write_rates(connection: psycopg.Connection, file: DirectoryFile) -> int:
    connection.execute(NUMBER_RATES)
    columns = (
        "tariff_version_id",
        *(name for name in file.columns if name not in ("tariff_id", "version")),
    )
    key = ("tariff_version_id", "namespace", "prefix")
    removed = _run_columns(connection, REMOVE, file.name, columns, key)
    return removed + _run_columns(connection, UPSERT, file.name, columns, key)


def _run(connection: psycopg.Connection, statement: str, file: DirectoryFile) -> int:
    return _run_columns(connection, statement, file.name, file.columns, file.key)


def _run_columns(
    connection: psycopg.Connection,
    statement: str,
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
) -> int:
    def listed(names: tuple[str, ...], relation: str = "") -> sql.Composed:
        return sql.SQL(", ").join(
            sql.Identifier(relation, name) if relation else sql.Identifier(name) for name in names
        )

    parts: dict[str, Any] = {
        "table": sql.SQL(table),
        "columns": listed(columns),
        "excluded": listed(columns, "excluded"),
        "key": listed(key),
        "kept_key": listed(key, "kept"),
        "staged_key": listed(key, "staged"),
        "old_key": listed(key, "old"),
    }
    return connection.execute(sql.SQL(statement).format(**parts)).rowcount
