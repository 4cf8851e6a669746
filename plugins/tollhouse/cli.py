"""The ``tollhouse`` command: wiring only.

Each command lives in a module of ``tollhouse.commands`` that is imported when it is called, so that
``tollhouse --help`` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
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
invoice_app = typer.Typer(help="The invoices of a month.", no_args_is_help=True)
layout_app = typer.Typer(
    help="Layouts of tickets that are declared in include/layouts/.", no_args_is_help=True
)
app.add_typer(pbx_app, name="pbx")
app.add_typer(collector_app, name="collector")
app.add_typer(directory_app, name="directory")
app.add_typer(invoice_app, name="invoice")
app.add_typer(layout_app, name="layout")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Month = Annotated[
    str | None, typer.Option("--month", help="As 2026-10; by default the month before this one.")
]


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


@app.command()
def deploy() -> None:
    """Bring the dbt project into the warehouse: seeds, views, tables, documentation."""
    command("deploy")()


@app.command()
def parse(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Tickets as the PBX gave them.")
    ],
    *,
    model: Annotated[str, typer.Option(help="The model of PBX, such as mitel_3300.")],
    timezone: Annotated[str, typer.Option(help="Of the PBX, such as Europe/Paris.")] = "UTC",
    country: Annotated[str, typer.Option(help="Of the PBX, such as FR.")] = "FR",
    received_at: Annotated[
        str | None, typer.Option(help="When the tickets came, ISO 8601; by default now.")
    ] = None,
    trunk: Annotated[
        list[str] | None, typer.Option(help="A trunk of the PBX; may be repeated.")
    ] = None,
    settings: Annotated[str, typer.Option(help="The settings of the PBX, a JSON object.")] = "{}",
) -> None:
    """Print what the pipeline makes of tickets, one JSON object a line; nothing is kept."""
    command("parse")(
        files,
        model=model,
        timezone=timezone,
        country=country,
        received_at=received_at,
        trunks=trunk,
        settings_json=settings,
    )


@app.command()
def docs() -> None:
    """Generate the dbt docs site and docs/pbx.md."""
    command("docs")()


@app.command()
def build() -> None:
    """Build the warehouse from what has landed."""
    command("build")()


@app.command()
def rate(
    number: Annotated[str, typer.Argument(help="The number as it would be dialled.")],
    *,
    seconds: Annotated[
        int, typer.Option(min=0, max=31_622_400, help="Conversation time, at most 366 days.")
    ],
    at: Annotated[
        str, typer.Option(help="Instant of the answer, such as 2026-10-31T09:30; by default now.")
    ] = "",
    pbx: Annotated[str | None, typer.Option(help="Where it is dialled.")] = None,
    service: Annotated[str | None, typer.Option(help="Who pays.")] = None,
    tariff: Annotated[str | None, typer.Option(help="Which tariff holds.")] = None,
    extension: Annotated[str | None, typer.Option(help="From which extension.")] = None,
    account_code: Annotated[str | None, typer.Option(help="With which account code.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a call would cost and why; exit code 1 when it has no price."""
    code = command("rate")(
        number,
        seconds=seconds,
        at=at or datetime.now(UTC).isoformat(timespec="seconds"),
        pbx_id=pbx,
        service_id=service,
        tariff_id=tariff,
        extension=extension,
        account_code=account_code,
        as_json=as_json,
    )
    raise typer.Exit(code)


@app.command()
def reconcile(
    *,
    as_json: AsJson = False,
) -> None:
    """Compare raw, marts and invoices; exit code 1 when something differs."""
    raise typer.Exit(command("reconcile")(as_json=as_json))


@app.command()
def replay(
    *,
    pbx: Annotated[str, typer.Option(help="An id of include/pbx.yml.")],
    since: Annotated[
        str, typer.Option(help="When the tickets were received: 2026-11-01, or 2026-11-01T09:30.")
    ],
    until: Annotated[
        str | None, typer.Option(help="The same; a date means until the end of that day.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the difference without being asked.")
    ] = False,
    examples: Annotated[int, typer.Option(min=0, help="So many tickets are shown.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Read tickets again after a layout or a model changed; show what differs, then keep it.

    Exit code 1 when a difference was not kept. Issued invoices never change.
    """
    code = command("replay")(
        pbx, since=since, until=until, keep=keep, example_count=examples, as_json=as_json
    )
    raise typer.Exit(code)


@pbx_app.command("check")
def pbx_check(
    pbx_id: Annotated[str, typer.Argument(help="An id of include/pbx.yml.")],
    *,
    dial: Annotated[
        bool,
        typer.Option(
            "--dial",
            help="Connect to a PBX of the collector when none runs: it may lose tickets.",
        ),
    ] = False,
) -> None:
    """Reach one PBX over its transport and say at which step it fails, and what to do."""
    raise typer.Exit(command("pbx_check")(pbx_id, dial=dial))


@layout_app.command("list")
def layout_list(*, as_json: AsJson = False) -> None:
    """Show every layout, its state, and which PBXs it reads; exit code 1 when one is broken."""
    raise typer.Exit(command("layout_list")(as_json=as_json))


@layout_app.command("check")
def layout_check(
    layout: Annotated[
        str, typer.Argument(help="An id of include/layouts/, or the path of a YAML file.")
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Tickets as the PBX gave them."),
    ] = None,
    *,
    timezone: Annotated[
        str | None, typer.Option(help="Of the PBX, such as Europe/Paris; by default UTC.")
    ] = None,
    country: Annotated[str, typer.Option(help="Of the PBX, such as FR.")] = "FR",
    received_at: Annotated[
        str | None, typer.Option(help="When the tickets came, ISO 8601; by default now.")
    ] = None,
    settings: Annotated[str, typer.Option(help="The settings of the PBX, a JSON object.")] = "{}",
    show: Annotated[int, typer.Option(min=0, help="So many tickets of each file.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say what a layout makes of files: parsed, rejected and why, ignored; nothing is kept.

    Exit code 1 when a ticket is rejected, 2 when the layout itself does not hold.
    """
    code = command("layout_check")(
        layout,
        files or [],
        timezone=timezone,
        country=country,
        received_at=received_at,
        settings_json=settings,
        shown_tickets=show,
        as_json=as_json,
    )
    raise typer.Exit(code)


@layout_app.command("draft")
def layout_draft(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Tickets of one feed, as they come.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option(help="As include/layouts/NAME.yml; by default it is printed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    timezone: Annotated[
        str | None, typer.Option(help="Of the PBX, such as Europe/Paris; by default UTC.")
    ] = None,
    country: Annotated[str, typer.Option(help="Of the PBX, such as FR.")] = "FR",
) -> None:
    """Write a first layout for files of an unknown feed, and say what in it is doubtful."""
    command("layout_draft")(files, output=output, force=force, timezone=timezone, country=country)


@invoice_app.command("list")
def invoice_list(*, month: Month = None) -> None:
    """Show invoices and drafts, and what the gates say."""
    raise typer.Exit(command("invoice", "list_month")(month))


@invoice_app.command("draft")
def invoice_draft(*, month: Month = None) -> None:
    """Render the drafts, under a watermark and without numbers."""
    raise typer.Exit(command("invoice", "draft")(month))


@invoice_app.command("issue")
def invoice_issue(
    *,
    month: Month = None,
    override: Annotated[
        list[str] | None, typer.Option(help="GATE:SUBJECT to let through; may be repeated.")
    ] = None,
    named_by: Annotated[str, typer.Option(help="Who lets it through.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Issue the drafts that pass the gates, and render them."""
    code = command("invoice", "issue")(
        month, overrides=override or (), named_by=named_by, reason=reason
    )
    raise typer.Exit(code)


@invoice_app.command("render")
def invoice_render(*, month: Month = None) -> None:
    """Render the issued invoices whose documents are not in the archive."""
    raise typer.Exit(command("invoice", "render")(month))


@collector_app.command("run")
def collector_run() -> None:
    """Collect until SIGTERM."""
    command("collector")()


@collector_app.command("status")
def collector_status(
    *,
    as_json: AsJson = False,
) -> None:
    """Ask the running collector how each PBX is; exit code 1 when one is in alarm."""
    raise typer.Exit(command("collector", "status")(as_json=as_json))


@collector_app.command("tail")
def collector_tail(
    pbx_id: Annotated[str, typer.Argument(help="An id of include/pbx.yml.")],
    *,
    last: Annotated[
        int, typer.Option("-n", "--last", min=0, help="So many tickets that came before.")
    ] = 10,
) -> None:
    """Show the tickets of a PBX as they arrive, raw and parsed, until Ctrl-C."""
    command("collector_tail")(pbx_id, last=last)


@directory_app.command("check")
def directory_check() -> None:
    """Check the files without a database."""
    command("directory", "check")()


@directory_app.command("load")
def directory_load() -> None:
    """Check the files and load them, all or nothing."""
    command("directory", "load")()


def main() -> None:
    """Run the command line; an error that Tollhouse explains is one line, not a traceback."""
    try:
        app()
    except Exception as error:
        # Every explained error is a class of this package; anything else is a fault to be seen.
        if not type(error).__module__.startswith(("tollhouse.", "lab.")):
            raise
        sys.stderr.write(f"tollhouse: {error}\n")
        sys.exit(1)
