"""What rows may not say together."""

from __future__ import annotations

from tests.directory.directory_files import DirectoryFiles


def test_the_same_prefix_twice_in_one_version_is_a_fault_that_names_both_lines(
    files: DirectoryFiles,
) -> None:
    files.append("rates.csv", "business,2026-10,e164,336,fr_fixed,0,1,1,0.05,,")
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.column) == ("rates.csv", 8, "prefix")
    assert fault.reason == "is already on line 5"


def test_the_same_digits_in_another_namespace_or_version_are_another_rate(
    files: DirectoryFiles,
) -> None:
    files.append("rates.csv", "business,2026-10,e164,3200,fr_fixed,0,1,1,0.05,,")
    files.append("rates.csv", "business,2026-01,short_FR,3200,fr_short,0,1,1,0.05,,")
    assert files.read().count_rows()["rates"] == 8


def test_two_owners_of_an_extension_on_one_day_are_a_fault_that_names_both_lines(
    files: DirectoryFiles,
) -> None:
    files.replace("extensions.csv", "2026-01-01,2026-10-12", "2026-01-01,2026-10-13")
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.column) == ("extensions.csv", 3, "valid_from")
    assert fault.reason == "the period of paris_hq 4200 overlaps that of line 2"


def test_a_period_inside_a_longer_one_is_found_however_the_file_is_sorted(
    files: DirectoryFiles,
) -> None:
    files.append("extensions.csv", "paris_hq,4201,legal,,,2026-03-01,2026-04-01")
    files.append("extensions.csv", "paris_hq,4201,legal,,,2026-05-01,2026-06-01")
    assert [(fault.line, fault.reason[-6:]) for fault in files.faults()] == [
        (6, "line 4"),
        (7, "line 4"),
    ]


def test_the_same_extension_of_two_pbxs_has_two_owners(files: DirectoryFiles) -> None:
    files.append("extensions.csv", "lyon_support,4200,legal,,,2026-01-01,")
    assert files.read().count_rows()["extensions"] == 5


def test_two_versions_of_a_tariff_may_not_overlap(files: DirectoryFiles) -> None:
    files.replace("tariff_versions.csv", "2026-01-01,2026-10-16", "2026-01-01,")
    fault = files.only_fault()
    assert (fault.file, fault.line) == ("tariff_versions.csv", 3)
    assert "line 2" in fault.reason


def test_a_version_named_twice_is_a_fault_even_in_other_years(files: DirectoryFiles) -> None:
    files.append("tariff_versions.csv", "business,2026-01,2020-01-01,2021-01-01")
    fault = files.only_fault()
    assert (fault.line, fault.reason) == (5, "is already on line 2")


def test_number_ranges_that_overlap_are_named_with_both_lines(files: DirectoryFiles) -> None:
    files.append("number_ranges.csv", "paris_hq,+33199001050,+33199001149,legal,2026-01-01,")
    assert {str(fault).split("overlap ")[1].split(" (")[0] for fault in files.faults()} == {
        "those of line 2",
        "those of line 3",
    }
    assert {fault.line for fault in files.faults()} == {4}


def test_number_ranges_may_overlap_at_different_times_or_on_different_pbxs(
    files: DirectoryFiles,
) -> None:
    files.append(
        "number_ranges.csv", "paris_hq,+33199001050,+33199001149,legal,2025-01-01,2026-01-01"
    )
    files.append("number_ranges.csv", "lyon_support,+33199001000,+33199001099,legal,2026-01-01,")
    assert files.read().count_rows()["number_ranges"] == 4


def test_the_same_range_twice_is_named_once(files: DirectoryFiles) -> None:
    files.append("number_ranges.csv", "paris_hq,+33199001000,+33199001099,legal,2026-01-01,")
    assert files.only_fault().line == 4


def test_references_that_lead_nowhere_are_named(files: DirectoryFiles) -> None:
    files.replace("extensions.csv", "4201,sales", "4201,marketing")
    files.append("rates.csv", "business,2027-01,e164,337,fr_mobile,0,1,1,0.05,,")
    files.append("rates.csv", "business,2026-10,e164,337,moon,0,1,1,0.05,,")
    files.replace("tariff_assignments.csv", "legal,business", "legal,wholesale")
    assert {(fault.file, fault.line, fault.column, fault.value) for fault in files.faults()} == {
        ("extensions.csv", 4, "service_id", "marketing"),
        ("rates.csv", 8, "version", "business 2027-01"),
        ("rates.csv", 9, "destination_id", "moon"),
        ("tariff_assignments.csv", 3, "tariff_id", "wholesale"),
    }


def test_a_bad_row_does_not_make_what_refers_to_it_bad(files: DirectoryFiles) -> None:
    files.replace("services.csv", "ventes,true", "ventes,perhaps")
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.column) == ("services.csv", 3, "is_billable")


def test_owners_of_tariffs_must_exist(files: DirectoryFiles) -> None:
    files.append(
        "tariff_assignments.csv",
        "sale,service,marketing,business,2026-01-01,",
        "cost,pbx,marseille,cost,2026-01-01,",
        "cost,carrier,other_carrier,cost,2026-01-01,",
    )
    assert [(fault.line, fault.value) for fault in files.faults()] == [
        (5, "marketing"),
        (6, "marseille"),
        (7, "other_carrier"),
    ]


def test_a_pbx_must_be_installed_unless_its_rows_have_ended(files: DirectoryFiles) -> None:
    files.append("extensions.csv", "marseille,100,legal,,,2026-01-01,2026-06-01")
    files.append("extensions.csv", "marseille,101,legal,,,2026-01-01,")
    fault = files.only_fault()
    assert (fault.line, fault.column, fault.value) == (7, "pbx_id", "marseille")


def test_the_default_service_of_a_pbx_must_exist(files: DirectoryFiles) -> None:
    files.replace("pbx.yml", "default_service: unassigned", "default_service: nobody")
    fault = files.only_fault()
    assert (fault.file, fault.value) == ("pbx.yml", "nobody")


def test_a_version_without_rates_is_a_fault(files: DirectoryFiles) -> None:
    files.append("tariff_versions.csv", "cost,2025-01,2025-01-01,2026-01-01")
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.value) == ("tariff_versions.csv", 5, "cost 2025-01")


def test_reverse_charge_needs_the_customers_vat_number(files: DirectoryFiles) -> None:
    files.path("services.csv").write_text(
        "service_id,issuer_id,customer_id,service_name,vat_regime,vat_rate_percent\n"
        "unassigned,exemple,atelier,Non attribué,standard,20\n"
        "sales,exemple,atelier,Ventes,reverse_charge_283_2_octies,0\n"
        "legal,exemple,cabinet,Cabinet,reverse_charge_283_2_octies,0\n"
    )
    fault = files.only_fault()
    assert (fault.line, fault.column) == (4, "vat_regime")
    assert "cabinet" in fault.reason


def test_a_service_and_its_customer_have_one_issuer(files: DirectoryFiles) -> None:
    files.append(
        "issuers.csv",
        "autre,Autre Exemple SA,SA,000001016,00000101600013,RCS Lyon,FR53000001016,2 rue Fictive,"
        "69000,Lyon,FR,FR7600000000000000000000097,12.15,AE",
    )
    files.replace("customers.csv", "cabinet,exemple", "cabinet,autre")
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.column) == ("services.csv", 4, "issuer_id")
