"""What one row may say: each fault names file, line, column, value, reason and what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from tests.directory.directory_files import DirectoryFiles
from tollhouse.directory.rows import Rate, Trunk


def test_a_fault_reads_as_a_sentence(files: DirectoryFiles) -> None:
    files.replace("rates.csv", "60,60,0.019000", "60,60,-0.019")
    assert str(files.only_fault()) == (
        "rates.csv, line 4, column price_per_minute: '-0.019': is not an amount of 0 or more; "
        "write at most 12 digits, a point and at most 6 decimals, as 0.012345."
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "column"),
    [
        ("rates.csv", "60,60,0.019000", '60,60,"0,019"', 4, "price_per_minute"),
        ("rates.csv", "60,60,0.019000", "60,60,1e-2", 4, "price_per_minute"),
        ("rates.csv", "60,60,0.019000", "60,60,NaN", 4, "price_per_minute"),
        ("rates.csv", "60,60,0.019000", "60,60,0.0190001", 4, "price_per_minute"),
        ("rates.csv", "60,60,0.019000", "60,60,", 4, "price_per_minute"),
        ("rates.csv", "60,60,0.019000", "60,0,0.019", 4, "next_increment_seconds"),
        ("rates.csv", "60,60,0.019000", "1.5,60,0.019", 4, "first_increment_seconds"),
        ("rates.csv", "0.0785,0.01,3", "0.0785,3.01,3", 5, "minimum_charge"),
        ("rates.csv", "2026-10,e164,336", "2026-10,e164,+336", 5, "prefix"),
        ("rates.csv", "2026-10,e164,336", "2026-10,e164,06", 5, "prefix"),
        ("rates.csv", "short_FR,3200", "short,3200", 6, "namespace"),
        ("extensions.csv", "A,2026-10-12,\n", "A,12/10/2026,\n", 3, "valid_from"),
        ("extensions.csv", "A,2026-10-12,\n", "A,2026-02-30,\n", 3, "valid_from"),
        ("extensions.csv", "A,2026-10-12,\n", "A,1760227200,\n", 3, "valid_from"),
        ("extensions.csv", "A,2026-10-12,\n", "A,2026-10-12,2026-10-12\n", 3, "valid_to"),
        ("extensions.csv", "paris_hq,4201", "paris_hq,", 4, "extension"),
        ("extensions.csv", "paris_hq,4201", "paris_hq,42 01", 4, "extension"),
        ("number_ranges.csv", "+33199001199", "33199001199", 3, "last_number"),
        ("number_ranges.csv", "+33199001199", "+331990011990", 3, "last_number"),
        ("number_ranges.csv", "+33199001199", "+33199001099", 3, "last_number"),
        ("destinations.csv", "national_mobile", "mobile", 3, "destination_class"),
        ("tariffs.csv", "Entreprises,EUR", "Entreprises,EUX", 2, "currency"),
        ("tariffs.csv", "Achat,EUR,FR,Europe/Paris", "Achat,EUR,FR,Paris", 3, "time_zone"),
        ("tariffs.csv", "Achat,EUR,FR", "Achat,EUR,France", 3, "country"),
        ("services.csv", "ventes,true", "ventes,yes", 3, "is_billable"),
        ("trunks.csv", "FAX,sales", "FAX,Sales Dept", 2, "service_id"),
        ("issuers.csv", "SAS,000000018", "SAS,000000019", 2, "siren"),
        ("issuers.csv", "00000001800010", "00000001800011", 2, "siret"),
        ("issuers.csv", "00000001800010", "00000101600012", 2, "siret"),
        ("issuers.csv", "FR66000000018", "FR67000000018", 2, "vat_number"),
        ("issuers.csv", "FR66000000018", "FR53000001016", 2, "vat_number"),
        ("issuers.csv", "00000097", "00000098", 2, "iban"),
        ("issuers.csv", "FR7600000000000000000000097", "FR76000000000000000000097", 2, "iban"),
        ("issuers.csv", "12.15,OE", "12.15,FACTURES 2026", 2, "invoice_series"),
        ("issuers.csv", "12.15,OE", "-1,OE", 2, "late_payment_rate_percent"),
        ("tariff_assignments.csv", "cost,carrier", "sale,carrier", 4, "owner_kind"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named(
    files: DirectoryFiles, name: str, old: str, new: str, line: int, column: str
) -> None:
    files.replace(name, old, new)
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.column) == (name, line, column)
    assert fault.reason
    assert fault.remedy


@pytest.mark.parametrize(
    ("columns", "values", "column"),
    [
        ("vat_regime,vat_rate_percent", "standard,0", "vat_rate_percent"),
        ("vat_regime,vat_rate_percent", "reverse_charge_283_2_octies,20", "vat_rate_percent"),
        ("vat_regime,vat_rate_percent", "zero,0", "vat_exemption_reason"),
        ("vat_regime,vat_rate_percent", "margin,0", "vat_regime"),
    ],
)
def test_a_vat_regime_that_no_invoice_could_carry_is_refused(
    files: DirectoryFiles, columns: str, values: str, column: str
) -> None:
    files.path("services.csv").write_text(
        f"service_id,issuer_id,customer_id,service_name,{columns}\n"
        f"unassigned,exemple,atelier,Non attribué,standard,20\n"
        f"sales,exemple,atelier,Ventes,{values}\n"
        f"legal,exemple,cabinet,Cabinet,standard,20\n"
    )
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.column) == ("services.csv", 3, column)


def test_every_fault_of_every_file_is_listed_at_once(files: DirectoryFiles) -> None:
    files.replace("rates.csv", "60,60,0.019000", "x,y,z")
    files.replace("issuers.csv", "SAS,000000018", "SAS,18")
    files.replace("pbx.yml", "model: mitel_3300", "model: mitel_9999")
    found = {(fault.file, fault.line, fault.column) for fault in files.faults()}
    assert {
        ("rates.csv", 4, "first_increment_seconds"),
        ("rates.csv", 4, "next_increment_seconds"),
        ("rates.csv", 4, "price_per_minute"),
        ("issuers.csv", 2, "siren"),
    } <= found
    assert "pbx.yml" in {file for file, _, _ in found}


def test_prices_are_exact_and_numbers_stay_text(files: DirectoryFiles) -> None:
    files.append("trunks.csv", "paris_hq,=cmd|' /C calc'!A0,sales,2026-01-01")
    directory = files.read()
    rate = cast(Rate, directory.lines["rates"][5].row)
    assert rate.price_per_minute == Decimal("0.004523")
    assert directory.lines["account_codes"][0].values(("account_code",)) == ("0042",)
    assert cast(Trunk, directory.lines["trunks"][1].row).trunk == "=cmd|' /C calc'!A0"
