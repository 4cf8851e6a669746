"""The ``tollhouse`` command: wiring only.

Each command lives in a module of ``tollhouse.commands`` that is imported when it is called, so that
``tollhouse --help`` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="tollhouse",
    help="Call accounting and telecom billing: PBX tickets to invoices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
pbx_app = typer.Typer(help="The installed PBXs.", no_args_is_help=True)
collector_app = typer.Typer(help="The service that listens to PBXs.", no_args_is_help=True)
directory_app = typer.Typer(
    help="Services, extensions and tariffs of include/directory/.", no_args_is_help=True
)
app.add_typer(pbx_app, name="pbx")
app.add_typer(collector_app, name="collector")
app.add_typer(directory_app, name="directory")


def command(module: str, function: str = "run") -> Callable[..., Any]:
    """Return a command's function, importing its module now."""
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"tollhouse.commands.{module}"), function
    )
    return found


@app.command()
def up() -> None:
    """Start PostgreSQL, Airflow and the collector on this machine."""
    command("up")()


@app.command()
def down(
    *,
    erase_database: Annotated[
        bool, typer.Option("--erase-database", help="Remove the embedded databases too.")
    ] = False,
) -> None:
    """Stop exactly what `up` and `demo` started."""
    command("down")(erase_database=erase_database)


@app.command()
def demo() -> None:
    """Show everything at work on simulated PBXs, from tickets to invoices."""
    command("demo")()


@app.command()
def migrate() -> None:
    """Apply the numbered SQL files that the database has not seen."""
    command("migrate")()


def main() -> None:
    """Run the command line; an error that Tollhouse explains is one line, not a traceback."""
    try:
        app()
    except Exception as error:
        # Every explained error is a class of this package; anything else is a fault to be seen.
        if not type(error).__module__.startswith("tollhouse."):
            raise
        sys.stderr.write(f"tollhouse: {error}\n")
        sys.exit(1)
