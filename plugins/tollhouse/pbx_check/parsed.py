"""The last step: can the tickets be read? By the pipeline's own SQL, and nothing is left behind."""

from __future__ import annotations

from datetime import UTC, datetime

from tollhouse.installed_pbxs import Pbx
from tollhouse.layouts.registry import layout_read_by
from tollhouse.layouts.trial import selects_of_model
from tollhouse.parsing import AssumedPbx, ParsedTicket, ParsingError, parse_tickets
from tollhouse.pbx_check.report import Report, Step
from tollhouse.settings import Settings, SettingsError
from tollhouse.warehouse import LOADER, WarehouseError, connect


def check_parsed(report: Report, pbx: Pbx, settings: Settings) -> None:
    """Parse the last tickets and say how many become tickets of the contract."""
    assumed = AssumedPbx(
        model=pbx.known_model,
        time_zone=pbx.time_zone,
        country=pbx.country,
        received_at=datetime.now(UTC),
        trunks=pbx.trunks,
        settings=pbx.settings,
        transport=pbx.transport,
    )
    try:
        with connect(LOADER, settings=settings, autocommit=True) as connection:
            report.parsed = parse_tickets(
                connection,
                assumed,
                list(report.last.tickets),
                header=report.last.header,
                selects=selects_of_model(pbx.model, pbx.settings),
            )
    except (WarehouseError, SettingsError, ParsingError) as error:
        report.warn("parsed", f"not tried: {error}", "Parsing is SQL of the warehouse.")
        return
    report.add(_summary(report.parsed, layout_read_by(pbx.model, pbx.settings)))


def _summary(parsed: list[ParsedTicket], layout_id: str | None) -> Step:
    rejected = [ticket for ticket in parsed if ticket.state == "rejected"]
    found = f"{len(parsed) - len(rejected)} of the last {len(parsed)} can be read"
    if not rejected:
        return Step("parsed", "ok", found)
    reasons = sorted({str(ticket.columns["state_reason"]) for ticket in rejected})
    if layout_id is not None and reasons == ["layout_not_confirmed"]:
        return Step(
            "parsed",
            "warning",
            f"{found}; rejected: layout_not_confirmed",
            "Every ticket is kept and waits. Fill the layout in, hold it against a file with "
            f"`tollhouse layout check {layout_id} FILE`, write `confirmed: true`, then `tollhouse "
            "replay` reads what was kept.",
        )
    if layout_id is None:
        look_at = "the options in the set-up guide (docs/pbx.md) and with the entry's settings."
    else:
        look_at = (
            f"the layout: `tollhouse layout check {layout_id} FILE` says what is wrong with each "
            "ticket of a file, and what to do."
        )
    return Step(
        "parsed",
        "failed" if len(rejected) == len(parsed) else "warning",
        f"{found}; rejected: {', '.join(reasons)}",
        f"Compare the tickets below with {look_at}",
    )
