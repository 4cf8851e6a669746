"""``tollhouse migrate``: the numbered SQL files that this database has not seen."""

from __future__ import annotations

from rich.console import Console

from tollhouse.migrations import migrate
from tollhouse.settings import load_settings


def run() -> None:
    """Apply new migrations and say which."""
    applied = migrate(load_settings())
    console = Console()
    for name in applied:
        console.print(f"applied {name}")
    if not applied:
        console.print("The database is up to date.")
