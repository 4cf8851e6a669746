"""A re-import of the directory never rewrites a closed period (rule R18)."""

from __future__ import annotations

import psycopg
import pytest

from tests.directory.directory_files import DirectoryFiles
from tollhouse.directory.faults import DirectoryError, Fault
from tollhouse.directory.loading import load_directory
from tollhouse.settings import Settings

pytestmark = pytest.mark.postgres

ISSUED = """
insert into billing.invoices (
    issuer_id, customer_id, service_id, billing_month, invoice_number, series, year,
    sequence_number, issue_date, due_date, currency, language, vat_regime, vat_rate_percent,
    net_amount, vat_amount, total_amount, call_count, talk_seconds, billed_seconds,
    issuer_snapshot, customer_snapshot, service_snapshot, issued_by
) values (
    'exemple', 'atelier', 'sales', '2026-10-01', 'OE-2026-1', 'OE', 2026,
    1, '2026-11-02', '2026-12-02', 'EUR', 'fr', 'standard', 20,
    0, 0, 0, 0, 0, 0,
    '{}', '{}', '{}', 'tests'
)
"""


@pytest.fixture
def installation(files: DirectoryFiles, warehouse: Settings) -> Settings:
    """October 2026 of the service ``sales`` is closed, that of ``legal`` is open."""
    settings = files.settings(warehouse)
    load_directory(settings)
    with psycopg.connect(settings.owner_url, autocommit=True) as owner:
        owner.execute(ISSUED)
    return settings


def refused(installation: Settings) -> list[Fault]:
    with pytest.raises(DirectoryError) as caught:
        load_directory(installation)
    return list(caught.value.faults)


def places(faults: list[Fault]) -> list[tuple[str, int | None, str]]:
    return [(fault.file, fault.line, fault.value) for fault in faults]


def test_a_changed_owner_in_a_closed_month_is_refused_and_named(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("extensions.csv", "4201,sales", "4201,legal")
    (fault,) = refused(installation)
    assert (fault.file, fault.line, fault.value) == ("extensions.csv", None, "paris_hq 4201 sales")
    assert fault.reason == (
        "no longer holds in 2026-10, whose invoice of the service sales is issued (rule R18)"
    )
    assert fault.remedy == (
        "keep the row as it was before 2026-11-01, and begin what is new on that day"
    )


def test_what_the_remedy_says_is_accepted(files: DirectoryFiles, installation: Settings) -> None:
    files.replace(
        "extensions.csv",
        "paris_hq,4201,sales,Alix Exemple,A,2026-01-01,\n",
        "paris_hq,4201,sales,Alix Exemple,A,2026-01-01,2026-11-01\n"
        "paris_hq,4201,legal,Alix Exemple,A,2026-11-01,\n",
    )
    assert load_directory(installation).changed_by_table["extensions"] == 3


def test_a_row_that_newly_reaches_into_a_closed_month_is_refused(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.append("extensions.csv", "paris_hq,4202,sales,,,2026-10-31,")
    (fault,) = refused(installation)
    assert (fault.line, fault.value) == (6, "paris_hq 4202 sales")
    assert fault.remedy == "let it begin on 2026-11-01 or later"


def test_an_open_month_of_another_service_may_still_be_put_right(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.append("extensions.csv", "paris_hq,4202,legal,,,2026-10-01,")
    assert load_directory(installation).changed_by_table["extensions"] == 1


def test_a_name_may_be_corrected_and_a_period_cut_in_two_at_any_time(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace(
        "extensions.csv",
        "paris_hq,4201,sales,Alix Exemple,A,2026-01-01,\n",
        "paris_hq,4201,sales,Alix Modèle,B,2026-01-01,2026-10-15\n"
        "paris_hq,4201,sales,Alix Modèle,C,2026-10-15,\n",
    )
    files.replace("services.csv", "Téléphonie ventes", "Téléphonie du magasin")
    assert load_directory(installation).load_id == 2


def test_a_price_of_a_closed_month_is_refused_with_its_line(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("rates.csv", "60,60,0.019000", "60,60,0.020000")
    files.replace("rates.csv", "business,2026-01,e164,336,fr_mobile,0,30,6,0.075,,\n", "")
    files.append("rates.csv", "business,2026-10,e164,337,fr_mobile,0,1,1,0.07,,")
    faults = refused(installation)
    assert places(faults) == [
        ("rates.csv", 3, "business 2026-10 e164 331"),
        ("rates.csv", 7, "business 2026-10 e164 337"),
        ("rates.csv", None, "business 2026-01 e164 336"),
    ]
    assert "add one that begins on 2026-11-01" in faults[0].remedy


def test_a_new_version_after_the_closed_month_is_accepted(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace(
        "tariff_versions.csv",
        "business,2026-10,2026-10-16,\n",
        "business,2026-10,2026-10-16,2026-11-01\nbusiness,2026-11,2026-11-01,\n",
    )
    files.append("rates.csv", "business,2026-11,e164,331,fr_fixed,0.08,60,60,0.0205,,")
    assert load_directory(installation).changed_by_table["rates"] == 1


def test_the_cost_side_may_change_after_the_invoice(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("rates.csv", "0.004523", "0.004999")
    assert load_directory(installation).changed_by_table["rates"] == 1


def test_a_moved_version_of_a_closed_month_is_refused(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("tariff_versions.csv", "2026-01-01,2026-10-16", "2026-01-01,2026-10-20")
    files.replace("tariff_versions.csv", "2026-10,2026-10-16,", "2026-10,2026-10-20,")
    assert places(refused(installation)) == [
        ("tariff_versions.csv", 2, "business 2026-01"),
        ("tariff_versions.csv", 3, "business 2026-10"),
    ]


def test_another_tariff_for_a_closed_month_is_refused(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("tariff_assignments.csv", "sales,business,2026-01-01", "sales,cost,2026-01-01")
    files.replace("tariff_assignments.csv", "legal,business,2026-01-01", "legal,cost,2026-10-05")
    faults = refused(installation)
    assert {fault.file for fault in faults} == {"tariff_assignments.csv"}
    assert {(fault.line, fault.value) for fault in faults} == {
        (2, "sales cost"),
        (None, "sales business"),
    }


def test_rounding_currency_and_billing_time_zone_of_closed_months_stay(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("tariffs.csv", "business,Entreprises,EUR", "business,Entreprises,CHF")
    header, row = files.path("issuers.csv").read_text(encoding="utf-8").splitlines()
    files.path("issuers.csv").write_text(
        f"{header},billing_time_zone\n{row},America/Cayenne\n", encoding="utf-8"
    )
    assert {(fault.file, fault.line, fault.value) for fault in refused(installation)} == {
        ("tariffs.csv", 2, "business"),
        ("issuers.csv", 2, "America/Cayenne"),
    }


def test_a_service_with_invoices_keeps_its_row(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("services.csv", "sales,exemple,atelier,Téléphonie ventes,true\n", "")
    for name in ("extensions.csv", "number_ranges.csv", "trunks.csv", "tariff_assignments.csv"):
        path = files.path(name)
        kept = [
            line for line in path.read_text(encoding="utf-8").splitlines() if "sales" not in line
        ]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    assert ("services.csv", None, "sales") in places(refused(installation))
