"""The demo's directory holds, loads, and prices every number that the lab calls."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from lab.sites import SITES
from lab.traffic import NUMBER_BEGINNINGS
from tollhouse.directory.loading import directory_folder, load_directory
from tollhouse.directory.reading import Directory, read_directory
from tollhouse.directory.rows import Extension, Rate, Service
from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import DBT, connect

SALE_VERSIONS = {
    ("sale_business", "2026-01"),
    ("sale_business", "2026-10"),
    ("sale_operator", "2026-01"),
    ("sale_operator", "2026-10"),
}


@pytest.fixture(scope="module")
def demo() -> Directory:
    include = PROJECT / "include"
    return read_directory(include / "directory", include / "pbx.yml")


def destination_classes(demo: Directory, namespace: str, number: str) -> dict[tuple[str, str], str]:
    """The class of a number in each version, by the longest prefix (whole for short numbers)."""
    classes = {
        line.values(("destination_id",)): line.values(("destination_class",))
        for line in demo.lines["destinations"]
    }
    found: dict[tuple[str, str], Rate] = {}
    for line in demo.lines["rates"]:
        rate = cast(Rate, line.row)
        matches = number == rate.prefix if namespace != "e164" else number.startswith(rate.prefix)
        version = (rate.tariff_id, rate.version)
        if rate.namespace == namespace and matches:
            longest = found.get(version)
            if longest is None or len(longest.prefix) < len(rate.prefix):
                found[version] = rate
    return {version: str(classes[(rate.destination_id,)][0]) for version, rate in found.items()}


def as_matched(dialled: str) -> tuple[str, str]:
    if dialled.startswith("00"):
        return "e164", dialled[2:]
    if dialled.startswith("0"):
        return "e164", "33" + dialled[1:]
    return "short_FR", dialled


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [
        (kind, beginning)
        for kind, beginnings in NUMBER_BEGINNINGS.items()
        for beginning, _ in beginnings
    ],
)
def test_every_number_that_the_lab_calls_has_its_class_in_every_version(
    demo: Directory, kind: str, beginning: str
) -> None:
    found = destination_classes(demo, *as_matched(beginning))
    assert set(found) >= SALE_VERSIONS | {("cost_carrier_demo", "2026-01")}
    assert set(found.values()) == {kind}


#: Carriers name lines and accounts: they know no extensions.
CARRIERS = ("carrier_modele", "trunk_exemple")


def test_every_extension_of_the_demo_has_an_owner_on_every_day(demo: Directory) -> None:
    owned = {
        (row.pbx_id, row.extension)
        for row in (cast(Extension, line.row) for line in demo.lines["extensions"])
    }
    assert owned == {
        (pbx.site.pbx_id, str(extension))
        for pbx in SITES
        if pbx.site.pbx_id not in CARRIERS
        for extension in range(pbx.site.first_extension, pbx.site.last_extension + 1)
    }


def test_the_demo_shows_every_kind_of_vat_and_services_without_invoice(demo: Directory) -> None:
    services = [cast(Service, line.row) for line in demo.lines["services"]]
    assert {service.vat_regime for service in services} >= {
        "standard",
        "zero",
        "reverse_charge_283_2_octies",
    }
    without_invoice = [row.service_id for row in services if not row.is_billable]
    assert without_invoice == ["unassigned", "agences"]


def test_the_demo_shows_every_usual_pair_of_increments(demo: Directory) -> None:
    pairs = {
        line.values(("first_increment_seconds", "next_increment_seconds"))
        for line in demo.lines["rates"]
    }
    assert {(1, 1), (30, 6), (60, 60)} <= pairs


def test_the_demo_files_are_those_that_the_script_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts import make_demo_directory

    monkeypatch.setattr(make_demo_directory, "DIRECTORY", tmp_path)
    make_demo_directory.main()
    for path in sorted((PROJECT / "include" / "directory").glob("*.csv")):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.postgres
def test_the_demo_directory_loads(warehouse: Settings) -> None:
    assert directory_folder(warehouse) == PROJECT / "include" / "directory"
    result = load_directory(warehouse)
    with connect(DBT, settings=warehouse) as reader:
        for table, count in result.rows_by_table.items():
            assert reader.execute(f"select count(*) from directory.{table}").fetchone() == (count,)
    assert load_directory(warehouse).load_id is None
