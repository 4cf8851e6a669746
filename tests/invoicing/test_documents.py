"""The documents of a month: what they say, what they hide, and that they never change."""

from __future__ import annotations

import shutil
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.invoicing.ledger import (
    ISSUE_DATE,
    MONTH,
    billing,
    change_directory,
    found_operator,
    leg,
    rate_leg,
    rate_legs,
)
from tollhouse.invoicing.archive import ArchiveError, archive_root, safe_name
from tollhouse.invoicing.issuing import issue_month
from tollhouse.invoicing.monthly import (
    InvoicesNotRenderedError,
    issued_chunks,
    make_drafts,
    render_chunk,
    report_month,
)
from tollhouse.settings import PROJECT, Settings

pytestmark = pytest.mark.postgres


def issue_and_render(settings: Settings) -> list[Path]:
    with billing(settings) as connection:
        issue_month(connection, MONTH, issued_by="test", issue_date=ISSUE_DATE)
    return render(settings, issued_chunks(settings, "2026-09"))


def render(settings: Settings, chunks: list[dict[str, object]]) -> list[Path]:
    return [
        archive_root(settings) / name for chunk in chunks for name in render_chunk(settings, chunk)
    ]


def text_of(path: Path) -> str:
    """The text of a PDF with blanks of every kind made one."""
    pages = PdfReader(BytesIO(path.read_bytes())).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def use_templates(settings: Settings, tmp_path: Path) -> Path:
    """Give the installation a copy of the templates, as a user does who wants to edit them."""
    copy = tmp_path / "templates"
    shutil.copytree(PROJECT / "include" / "templates", copy)
    settings.environment["TOLLHOUSE_TEMPLATES"] = str(copy)
    return copy


def test_an_invoice_says_what_the_law_asks_and_its_totals(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1234.565000", talk_seconds=3725)
    rate_leg(warehouse, 2, "0.105", destination_class="international", called_e164="+4930000000")

    invoice, annex = issue_and_render(warehouse)

    assert invoice.name == "2026-09_support_ET2026-000001_facture.pdf"
    assert annex.name == "2026-09_support_ET2026-000001_detail-appels.pdf"
    text = text_of(invoice)
    for said in (
        "ET2026-000001", "2 novembre 2026", "2 décembre 2026", "septembre 2026",
        "Exemple Télécom", "Atelier Exemple SARL", "SIREN 000000018", "SIREN 000000026",
        "N° TVA FR00000000018", "Prestations de services",
        "Option pour le paiement de la taxe d'après les débits", "12,15 %", "40,00 €",
        "Pas d'escompte", "1:02:05", "1 234,57 €", "0,11 €",
        "1 234,68 €", "246,94 €", "1 481,62 €", "1 / 1",
    ):  # fmt: skip
        assert said in text, said
    assert "+4930" not in text


def test_the_annex_hides_the_last_four_digits_unless_the_service_wants_them(
    warehouse: Settings,
) -> None:
    found_operator(
        warehouse, {"service_id": "hidden"}, {"service_id": "full", "shows_full_numbers": True}
    )
    rate_leg(warehouse, 1, "0.123456", service_id="hidden", called_e164="+33639981234")
    rate_leg(warehouse, 2, "0.123456", service_id="full", called_e164="+33639981234")
    texts = {path.name.split("_")[1]: text_of(path) for path in issue_and_render(warehouse)[1::2]}
    assert "06 39 98 XX XX" in texts["hidden"]
    assert "12 34" not in texts["hidden"]
    assert "06 39 98 12 34" in texts["full"]
    assert "0,123456 €" in texts["full"]


def test_rendering_again_changes_no_byte_and_no_row(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_legs(warehouse, [leg(number, "0.01") for number in range(1, 200)])
    files = issue_and_render(warehouse)
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    with billing(warehouse) as connection:
        rows = connection.execute("select * from billing.documents order by kind").fetchall()

    assert issue_and_render(warehouse) == files
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before
    files[0].unlink()
    issue_and_render(warehouse)

    assert [path.read_bytes() for path in files] == [content for content, _ in before]
    with billing(warehouse) as connection:
        assert (
            rows == connection.execute("select * from billing.documents order by kind").fetchall()
        )


def test_a_lost_file_is_not_replaced_by_another_document(
    warehouse: Settings, tmp_path: Path
) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    invoice = issue_and_render(warehouse)[0]
    invoice.unlink()
    templates = use_templates(warehouse, tmp_path)
    with (templates / "invoice.css").open("a") as css:
        css.write("h1 { font-size: 30pt }")
    with pytest.raises(InvoicesNotRenderedError, match="templates have changed since"):
        issue_and_render(warehouse)
    assert not invoice.exists()


def test_drafts_have_no_number_and_are_cleared_by_the_issue(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    files = render(warehouse, make_drafts(warehouse, "2026-09"))
    assert [path.parent.name for path in files] == ["drafts", "drafts"]
    text = text_of(files[0]).lower()
    assert "brouillon" in text
    assert "et2026" not in text
    with billing(warehouse) as connection:
        assert connection.execute("select * from billing.number_series").fetchall() == []

    issue_and_render(warehouse)
    assert [path for path in files if path.exists()] == []


def test_a_broken_template_names_its_line_and_stops_no_other_issuer(
    warehouse: Settings, tmp_path: Path
) -> None:
    found_operator(warehouse, {"service_id": "a"}, {"service_id": "b"})
    rate_leg(warehouse, 1, "1", service_id="a")
    rate_leg(warehouse, 2, "1", service_id="b")
    templates = use_templates(warehouse, tmp_path)
    invoice = (templates / "invoice.html").read_text().splitlines()
    invoice.insert(6, "{% if service.service_id == 'a' %}{{ customer.no_such_column }}{% endif %}")
    own = templates / "exemple_telecom"
    own.mkdir()
    (own / "invoice.html").write_text("\n".join(invoice))

    with pytest.raises(InvoicesNotRenderedError) as failed:
        issue_and_render(warehouse)

    assert "1 of 2 invoices" in str(failed.value)
    assert "ET2026-000001 (a, 2026-09)" in str(failed.value)
    assert "exemple_telecom/invoice.html, line 7" in str(failed.value)
    rows = report_month(warehouse, "2026-09").issued
    assert [len(row.file_names) for row in rows] == [0, 2]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("{% if %}", "invoice.html, line 7"),
        ("{% include 'nowhere.html' %}", "invoice.html, line 7"),
        ("{{ 1 / 0 }}", "invoice.html, line 7"),
        ('<img src="file:///etc/hostname">', "templates load files of their own folder only"),
        ('<img src="https://example.com/x.png">', "templates load files of their own folder only"),
        ('<img src="../../pyproject.toml">', "templates load files of their own folder only"),
        ('<img src="logos/absent.png">', "logos/absent.png does not exist"),
        ("{{ ''.__class__.__mro__ }}", "invoice.html, line 7"),
    ],
)
def test_a_template_that_fails_or_reaches_out_is_refused(
    warehouse: Settings, tmp_path: Path, fault: str, said: str
) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    path = use_templates(warehouse, tmp_path) / "invoice.html"
    lines = path.read_text().splitlines()
    lines.insert(6, fault)
    path.write_text("\n".join(lines))
    with pytest.raises(InvoicesNotRenderedError) as failed:
        issue_and_render(warehouse)
    assert said in str(failed.value)


def test_hostile_names_are_printed_and_do_nothing(warehouse: Settings) -> None:
    found_operator(warehouse)
    hostile = "<script>alert(1)</script> {{ 7 * 7 }} & مرحبا 😀 漢字 \u202e evil"
    change_directory(warehouse, "customers", legal_name=hostile, address_line_1="x" * 200)
    rate_legs(warehouse, [{**leg(1, "1"), "extension": "<b>41</b>", "called_e164": None,
                           "called_number": "<img src=x>'\"1234"}])  # fmt: skip
    invoice, annex = issue_and_render(warehouse)
    text = text_of(invoice)
    assert "<script>alert(1)</script> {{ 7 * 7 }} &" in text
    assert text.replace(" ", "").count("x") >= 200
    assert "<b>41</b>" in text_of(annex)
    assert "<img src=x>'\"XXXX" in text_of(annex)


def test_reverse_charge_is_said_with_its_article_and_without_vat(warehouse: Settings) -> None:
    found_operator(warehouse, {"vat_regime": "reverse_charge_283_2_octies", "language": "en"})
    rate_leg(warehouse, 1, "10")
    text = text_of(issue_and_render(warehouse)[0])
    assert "Autoliquidation" in text
    assert "283-2 octies" in text
    assert "FR00000000026" in text
    assert "€10.00" in text
    assert "débits" not in text


def test_a_zero_rate_with_a_reason_states_the_reason_alone(warehouse: Settings) -> None:
    reason = "TVA non applicable en Guyane, art. 294-1 du CGI"
    found_operator(
        warehouse,
        {"vat_regime": "zero", "vat_rate_percent": 0, "vat_exemption_reason": reason},
        {"service_id": "other", "vat_regime": "zero", "vat_rate_percent": 0},
    )
    rate_leg(warehouse, 1, "10")
    rate_leg(warehouse, 2, "10", service_id="other")
    texts = [text_of(path) for path in issue_and_render(warehouse)]
    assert any(reason in text for text in texts)
    assert not any(reason in text and "taux zéro" in text for text in texts)
    assert any("taux zéro" in text and reason not in text for text in texts)


def test_long_documents_repeat_their_titles(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_legs(warehouse, [leg(number, "0.01") for number in range(1, 301)])
    annex = issue_and_render(warehouse)[1]
    pages = PdfReader(BytesIO(annex.read_bytes())).pages
    assert len(pages) > 3
    assert all("Numéro appelé" in page.extract_text() for page in pages[:-1])


def test_file_names_are_safe_and_follow_the_pattern(warehouse: Settings) -> None:
    warehouse.environment["TOLLHOUSE_INVOICE_FILE_PATTERN"] = "{customer}-{document}-{number}"
    found_operator(warehouse, {"service_id": "../é vil"})
    rate_leg(warehouse, 1, "1", service_id="../é vil")
    assert [path.name for path in issue_and_render(warehouse)] == [
        "atelier-facture-ET2026-000001.pdf",
        "atelier-detail-appels-ET2026-000001.pdf",
    ]
    assert safe_name("../../é vil/\x00*") == "e-vil"
    assert safe_name("漢字").startswith("unnamed-")
    assert len(safe_name("x" * 500)) == 150


@pytest.mark.parametrize("pattern", ["{nothing}_{document}_{number}", "{month}_{document}", "{"])
def test_a_pattern_that_cannot_tell_documents_apart_is_refused(
    warehouse: Settings, pattern: str
) -> None:
    warehouse.environment["TOLLHOUSE_INVOICE_FILE_PATTERN"] = pattern
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    with pytest.raises((ArchiveError, InvoicesNotRenderedError), match="FILE_PATTERN"):
        issue_and_render(warehouse)


def test_two_invoices_never_share_a_file(warehouse: Settings) -> None:
    warehouse.environment["TOLLHOUSE_INVOICE_FILE_PATTERN"] = "{service}_{document}"
    found_operator(warehouse, {"service_id": "caf-e"}, {"service_id": "caf:e"})
    rate_leg(warehouse, 1, "1", service_id="caf-e")
    rate_leg(warehouse, 2, "2", service_id="caf:e")
    with pytest.raises(InvoicesNotRenderedError, match="belongs to ET2026-000001 already"):
        issue_and_render(warehouse)


def test_a_whole_month_adds_up_on_paper(warehouse: Settings) -> None:
    """Two lines whose exact sums end in half a cent: rounded up, once, then VAT on their sum."""
    found_operator(warehouse)
    rate_leg(warehouse, 1, "0.025")
    rate_leg(warehouse, 2, "1.115", destination_class="national_mobile")
    issue_and_render(warehouse)
    (row,) = report_month(warehouse, "2026-09").issued
    assert (row.net_amount, row.total_amount) == (Decimal("1.15"), Decimal("1.38"))
