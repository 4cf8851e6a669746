"""``tollhouse directory check|load``: the files of include/directory/ and pbx.yml."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tollhouse.directory.loading import directory_folder, load_directory
from tollhouse.directory.reading import read_directory
from tollhouse.settings import load_settings


def check() -> None:
    """Check the files without a database and say how many rows each holds."""
    settings = load_settings()
    directory = read_directory(directory_folder(settings), settings.pbx_file)
    console = Console()
    console.print(_rows_table(directory.count_rows()))
    console.print("The files hold. Closed months are compared when they are loaded.")


def load() -> None:
    """Check the files and load them, all or nothing."""
    result = load_directory()
    console = Console()
    if result.load_id is None:
        console.print("These files are loaded already: nothing to do.")
        return
    console.print(_rows_table(result.rows_by_table, result.changed_by_table))
    console.print(f"Load {result.load_id} is done.")


def _rows_table(
    rows_by_table: dict[str, int], changed_by_table: dict[str, int] | None = None
) -> Table:
    table = Table("table")
    table.add_column("rows", justify="right")
    if changed_by_table is None:
        for name, count in rows_by_table.items():
            table.add_row(name, str(count))
        return table
    table.add_column("changed", justify="right")
    for name, count in rows_by_table.items():
        table.add_row(name, str(count), str(changed_by_table.get(name, 0)))
    return table
