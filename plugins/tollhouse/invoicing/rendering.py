"""From what an invoice says to the bytes of its PDFs: the invoice, and its annex, apart (I10).

The same invoice gives the same bytes: nothing here asks the clock. The files are PDF/A-3b, ready
for the attachment of an electronic invoice.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tollhouse.invoicing.arithmetic import round_half_up
from tollhouse.invoicing.drafts import Line
from tollhouse.invoicing.printing import PrintedInvoice, exact_decimals
from tollhouse.invoicing.templates import TemplateFaultError, TemplateFetcher, TemplateFolders
from tollhouse.invoicing.wording import Wording, display_number, load_wording

INVOICE = "invoice"
ANNEX = "annex"

COLOUR_PATTERN = re.compile(r"#[0-9a-fA-F]{6}")
DEFAULT_COLOUR = "#1f4e5f"


class RenderError(Exception):
    """A document cannot be made; the message names the invoice and the template's line."""


@dataclass(frozen=True)
class Document:
    """One rendered document of an invoice."""

    kind: str
    content: bytes


def render_documents(invoice: PrintedInvoice, templates: Path) -> list[Document]:
    """Render the documents of an invoice: the invoice, and the annex when the service wants one.

    Raises:
        RenderError: naming the invoice and what is wrong, with the template's line.
    """
    kinds = [INVOICE, ANNEX] if invoice.service["wants_annex"] and invoice.calls else [INVOICE]
    folders = TemplateFolders(templates.resolve(), invoice.issuer["issuer_id"])
    try:
        wording = load_wording(folders.folders, invoice.language)
        values = _shared_values(invoice, wording, folders)
        values |= {"sections": _sections(invoice, wording), "vat_rows": invoice.totals.vat_rows}
        if ANNEX in kinds:
            values |= _annex_values(invoice)
        return [
            Document(kind, _to_pdf(folders.render(f"{kind}.html", values), folders))
            for kind in kinds
        ]
    except Exception as error:
        # A user's template can fail in any way that Jinja or WeasyPrint can; others go on.
        raise RenderError(f"Invoice {invoice.name}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """Say why: a fault of a template that WeasyPrint wrapped is more telling than the wrapper."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TemplateFaultError):
            return str(cause)
        cause = cause.__cause__
    return f"{type(error).__name__}: {error}"


def _shared_values(
    invoice: PrintedInvoice, wording: Wording, folders: TemplateFolders
) -> dict[str, Any]:
    logo = invoice.issuer["logo_file"]
    if logo and folders.find(logo) is None:
        raise TemplateFaultError(
            f"logo_file {logo!r} of {invoice.issuer['issuer_id']} does not exist"
        )
    colour = invoice.issuer["primary_colour"] or ""
    return {
        "invoice": invoice,
        "issuer": invoice.issuer,
        "customer": invoice.customer,
        "service": invoice.service,
        "words": wording.strings,
        "write": wording,
        "logo": logo,
        "colour": colour if COLOUR_PATTERN.fullmatch(colour) else DEFAULT_COLOUR,
        "language": wording.language,
    }


def _sections(invoice: PrintedInvoice, wording: Wording) -> list[dict[str, Any]]:
    """Lines by section and period, late items after the month's own calls."""

    def key(line: Line) -> tuple[str, date]:
        return line.section, line.period_month

    classes = wording.strings.get("destination_classes") or {}
    return [
        {
            "name": section,
            "period_month": period_month,
            "lines": [
                {
                    "label": classes.get(line.destination_class, line.description),
                    "call_count": line.call_count,
                    "talk_seconds": line.talk_seconds,
                    "billed_seconds": line.billed_seconds,
                    "average_price": _average_price_per_minute(line),
                    "vat_rate_percent": line.vat_rate_percent,
                    "net_amount": line.net_amount,
                }
                for line in lines
            ],
        }
        for (section, period_month), lines in groupby(invoice.lines, key)
    ]


def _average_price_per_minute(line: Line) -> Decimal | None:
    if not line.billed_seconds:
        return None
    return round_half_up(line.exact_amount * 60 / line.billed_seconds, 4)


def _annex_values(invoice: PrintedInvoice) -> dict[str, Any]:
    zone = ZoneInfo(invoice.issuer["billing_time_zone"])
    decimals = exact_decimals([call["exact_amount"] for call in invoice.calls])
    ordered = sorted(
        invoice.calls,
        key=lambda call: (call["extension"] or "", call["rated_at"], call["ticket_id"]),
    )
    groups = []
    for extension, calls in groupby(ordered, lambda call: call["extension"] or ""):
        rows = list(_annex_rows(calls, zone, show_in_full=invoice.service["shows_full_numbers"]))
        groups.append(
            {
                "extension": extension,
                "calls": rows,
                "call_count": len(rows),
                "billed_seconds": sum(row["billed_seconds"] for row in rows),
                "exact_amount": sum((row["exact_amount"] for row in rows), Decimal(0)),
            }
        )
    return {"groups": groups, "decimals": decimals}


def _annex_rows(
    calls: Iterable[dict[str, Any]], zone: ZoneInfo, *, show_in_full: bool
) -> Iterator[dict[str, Any]]:
    for call in calls:
        yield {
            "at": call["rated_at"].astimezone(zone),
            "called_number": display_number(call["called_number"], show_in_full=show_in_full),
            "destination_name": call["destination_name"],
            "talk_seconds": call["talk_seconds"],
            "billed_seconds": call["billed_seconds"],
            "exact_amount": call["exact_amount"],
            "is_late": call["section"] == "previous_periods",
        }


def _to_pdf(html: str, folders: TemplateFolders) -> bytes:
    # Slow to import, wanted by rendering only.
    from weasyprint import HTML
    from weasyprint.urls import FatalURLFetchingError

    with _garbage_collector_off():
        try:
            content = HTML(
                string=html,
                base_url=f"{folders.root.as_uri()}/",
                url_fetcher=TemplateFetcher(folders),
                media_type="print",
            ).write_pdf(pdf_variant="pdf/a-3b")
        except FatalURLFetchingError as error:
            # WeasyPrint derives it from BaseException, so that it passes its own handlers.
            raise TemplateFaultError(str(error.__cause__ or error)) from error
    return bytes(content)


@contextmanager
def _garbage_collector_off() -> Iterator[None]:
    """Rendering makes millions of objects that live to its end: collecting doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect()
