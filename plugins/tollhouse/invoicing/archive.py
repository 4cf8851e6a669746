"""The archive of documents, ``var/invoices/<issuer>/<YYYY-MM>/``, with the sha256 of each file.

A document is written once. Rendering again compares; it never replaces the archived file of an
issued invoice by other bytes, because what the customer received is the accounting document.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Formatter

import psycopg

from tollhouse.invoicing.months import month_text
from tollhouse.invoicing.printing import PrintedInvoice
from tollhouse.invoicing.rendering import Document
from tollhouse.settings import Settings

PATTERN_VARIABLE = "TOLLHOUSE_INVOICE_FILE_PATTERN"
DEFAULT_PATTERN = "{month}_{service}_{number}_{document}"
PATTERN_FIELDS = {"issuer", "customer", "service", "number", "month", "document"}

#: What the documents are called in file names, by language of the invoice.
DOCUMENT_NAMES = {
    "fr": {"invoice": "facture", "annex": "detail-appels"},
    "en": {"invoice": "invoice", "annex": "call-list"},
}
DRAFT_NUMBERS = {"fr": "brouillon", "en": "draft"}

#: File systems allow 255 bytes; mail programs and archives want some room.
LONGEST_NAME = 150

#: An invoice has an annex when its service wants one and it lists a call (I10).
EXPECTED_DOCUMENTS = """
select expected.kind, documents.file_name, documents.sha256
from billing.invoices as invoices
cross join (values ('invoice'), ('annex')) as expected (kind)
left join billing.documents as documents
    on invoices.invoice_id = documents.invoice_id
    and expected.kind = documents.kind
where
    invoices.invoice_id = %s
    and (
        expected.kind = 'invoice'
        or (
            (invoices.service_snapshot ->> 'wants_annex')::boolean
            and exists (
                select 1
                from billing.invoice_calls as calls
                where calls.invoice_id = invoices.invoice_id
            )
        )
    )
order by expected.kind desc
"""


class ArchiveError(Exception):
    """A document cannot be archived; the message names the file and what to do."""


@dataclass(frozen=True)
class ArchivedFile:
    """A document on disk, its name relative to the archive's root."""

    kind: str
    file_name: str
    sha256: str


def archive_root(settings: Settings) -> Path:
    """Return the folder below which the documents of all issuers are kept."""
    return settings.var / "invoices"


def file_name(invoice: PrintedInvoice, kind: str, settings: Settings) -> str:
    """Return where a document goes, relative to the archive's root, safe for file systems (I12).

    Raises:
        ArchiveError: the configured pattern names an unknown field, or cannot tell documents apart.
    """
    pattern = settings.environment.get(PATTERN_VARIABLE) or DEFAULT_PATTERN
    fields = _pattern_fields(pattern)
    if fields - PATTERN_FIELDS:
        raise ArchiveError(
            f"{PATTERN_VARIABLE} is {pattern!r}: unknown are "
            f"{', '.join(sorted(fields - PATTERN_FIELDS))}; "
            f"known are {', '.join(sorted(PATTERN_FIELDS))}."
        )
    if "document" not in fields or not fields & {"number", "service"}:
        raise ArchiveError(
            f"{PATTERN_VARIABLE} is {pattern!r}: without {{document}} and one of {{number}} or "
            "{service} two documents would share a name."
        )
    language = invoice.language if invoice.language in DOCUMENT_NAMES else "en"
    issuer_id = str(invoice.issuer["issuer_id"])
    month = month_text(invoice.billing_month)
    name = pattern.format(
        issuer=issuer_id,
        customer=invoice.customer["customer_id"],
        service=invoice.service["service_id"],
        number=invoice.invoice_number or DRAFT_NUMBERS[language],
        month=month,
        document=DOCUMENT_NAMES[language][kind],
    )
    folder = f"{safe_name(issuer_id)}/{month}"
    return (
        f"{folder}/drafts/{safe_name(name)}.pdf"
        if invoice.is_draft
        else f"{folder}/{safe_name(name)}.pdf"
    )


def safe_name(text: str) -> str:
    """Reduce a text to ASCII letters, digits and . _ -, a name that every file system takes."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_text).strip(".-_")[:LONGEST_NAME].rstrip(".-_")
    return name or "unnamed-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def archive_documents(
    connection: psycopg.Connection,
    invoice: PrintedInvoice,
    documents: list[Document],
    settings: Settings,
) -> list[ArchivedFile]:
    """Keep the documents of an invoice, or lay down a draft's; the same bytes change nothing.

    Raises:
        ArchiveError: an archived document would change, or its name belongs to another invoice.
    """
    root = archive_root(settings)
    files = []
    for document in documents:
        archived = ArchivedFile(
            kind=document.kind,
            file_name=file_name(invoice, document.kind, settings),
            sha256=hashlib.sha256(document.content).hexdigest(),
        )
        if invoice.invoice_id is not None:
            archived = _keep(connection, invoice, archived, document.content, root)
        else:
            _write(root / archived.file_name, document.content)
        files.append(archived)
    return files


def find_archived(
    connection: psycopg.Connection, invoice_id: int, settings: Settings
) -> list[ArchivedFile] | None:
    """Return the documents of an invoice if all it should have are there, unchanged; else None."""
    rows = connection.execute(EXPECTED_DOCUMENTS, [invoice_id]).fetchall()
    root = archive_root(settings)
    files = [ArchivedFile(*row) for row in rows if row[1] is not None]
    if not rows or len(files) < len(rows):
        return None
    return (
        files if all(_sha256_of(root / file.file_name) == file.sha256 for file in files) else None
    )


def remove_drafts(settings: Settings, issuer_id: str, month: date) -> None:
    """Remove the drafts laid down for an issuer's month: each run starts with a clean folder."""
    folder = archive_root(settings) / safe_name(issuer_id) / month_text(month) / "drafts"
    for path in folder.glob("*.pdf"):
        path.unlink(missing_ok=True)


def _keep(
    connection: psycopg.Connection,
    invoice: PrintedInvoice,
    file: ArchivedFile,
    content: bytes,
    root: Path,
) -> ArchivedFile:
    with connection.transaction():
        # Two renders of one file take turns; the immutable invoice cannot be locked for update.
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [file.file_name]
        )
        row = connection.execute(
            "select file_name, sha256 from billing.documents where invoice_id = %s and kind = %s",
            [invoice.invoice_id, file.kind],
        ).fetchone()
        if row is not None:
            file = _same_as_recorded(invoice, file, *row)
            if _sha256_of(root / file.file_name) != file.sha256:
                _write(root / file.file_name, content)
            return file
        owner = connection.execute(
            "select invoices.invoice_number from billing.documents as documents "
            "inner join billing.invoices as invoices using (invoice_id) "
            "where documents.file_name = %s",
            [file.file_name],
        ).fetchone()
        if owner is not None:
            raise ArchiveError(
                f"Invoice {invoice.name}: the file {file.file_name} belongs to {owner[0]} already; "
                f"put {{number}} into {PATTERN_VARIABLE}."
            )
        _write(root / file.file_name, content)
        connection.execute(
            "insert into billing.documents (invoice_id, kind, file_name, sha256, size_bytes) "
            "values (%s, %s, %s, %s, %s)",
            [invoice.invoice_id, file.kind, file.file_name, file.sha256, len(content)],
        )
    return file


def _same_as_recorded(
    invoice: PrintedInvoice, file: ArchivedFile, recorded_name: str, recorded_sha256: str
) -> ArchivedFile:
    if file.sha256 != recorded_sha256:
        raise ArchiveError(
            f"Invoice {invoice.name}: {recorded_name} is lost or changed, and the templates "
            "have changed since it was issued, so rendering gives another document. Restore the "
            "file from a backup, or the templates as they were."
        )
    return ArchivedFile(file.kind, recorded_name, recorded_sha256)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, to disk, then moved into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with beside.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


def _sha256_of(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _pattern_fields(pattern: str) -> set[str]:
    try:
        return {field for _, field, _, _ in Formatter().parse(pattern) if field is not None}
    except ValueError as error:
        raise ArchiveError(f"{PATTERN_VARIABLE} is {pattern!r}: {error}.") from error
