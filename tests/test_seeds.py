"""The numbering plans in the warehouse: text with its zeros, complete, each row with its source."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import yaml

from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import DBT, connect

SEEDS = PROJECT / "dbt_project" / "seeds"
NAMES = sorted(path.stem for path in SEEDS.glob("*.csv"))


def described() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((SEEDS / "_seeds.yml").read_text(encoding="utf-8"))
    return {seed["name"]: seed for seed in document["seeds"]}


@pytest.fixture
def reader(warehouse: Settings) -> Iterator[psycopg.Connection]:
    with connect(DBT, settings=warehouse) as connection:
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_every_column_of_a_seed_is_described_and_typed(name: str) -> None:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        header = next(csv.reader(stream))
    seed = described()[name]
    assert [column["name"] for column in seed["columns"]] == header
    assert list(seed["config"]["column_types"]) == header
    assert all(column["description"].strip() for column in seed["columns"])


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_seed_names_its_source(name: str) -> None:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        assert [row for row in csv.DictReader(stream) if not row["source"]] == []


@pytest.mark.postgres
def test_numbers_keep_their_leading_zeros_and_namibia_is_a_country(
    reader: psycopg.Connection,
) -> None:
    prefixes = reader.execute(
        "select national_prefix from reference.ref_fr_overseas_prefixes "
        "where e164_prefix in ('262262', '508')"
    ).fetchall()
    assert sorted(prefixes) == [("0262",), ("0508",)]
    assert reader.execute(
        "select iso2 from reference.ref_country_calling_codes where calling_code = '264'"
    ).fetchall() == [("NA",)]
    assert reader.execute(
        "select count(*) from reference.ref_country_calling_codes where national_prefix = ''"
    ).fetchall() == [(0,)]


@pytest.mark.postgres
def test_a_short_number_has_the_category_of_its_block(reader: psycopg.Connection) -> None:
    expected = {
        "emergency": ["15", "112"],
        "helpline": ["116000", "116999"],
        "free": ["3000", "3007", "3009", "3169", "3180", "3199"],
        "special": ["1014", "3008", "3170", "3179", "3200", "3999", "118218"],
        None: ["16", "151", "1600", "4200"],
    }
    found = dict(
        reader.execute("select short_number, category from reference.ref_fr_short_numbers")
    )
    assert {
        category: [number for number in numbers if found.get(number) == category]
        for category, numbers in expected.items()
    } == expected


@pytest.mark.postgres
def test_only_0800_to_0805_are_free_value_added_numbers(reader: psycopg.Connection) -> None:
    assert reader.execute(
        "select national_prefix from reference.ref_fr_value_added_ranges where is_free order by 1"
    ).fetchall() == [("0800",), ("0801",), ("0802",), ("0803",), ("0804",), ("0805",)]
    assert reader.execute(
        "select max(maximum_price_per_minute)::text, max(currency) "
        "from reference.ref_fr_value_added_ranges"
    ).fetchone() == ("0.800000", "EUR")


@pytest.mark.postgres
def test_the_longest_prefix_tells_country_and_kind_of_line(reader: psycopg.Connection) -> None:
    longest = """
    select region, line_type
    from reference.ref_e164_prefixes
    where starts_with(%s, e164_prefix)
    order by length(e164_prefix) desc
    limit 1
    """
    expected = {
        "33199001000": ("FR", "FIXED"),
        "33639980000": ("FR", "MOBILE"),
        "262639000000": ("YT", "MOBILE"),
        "12125550100": ("US", "FIXED_OR_MOBILE"),
        "12423221234": ("BS", "FIXED"),
        "442079460000": ("GB", "FIXED"),
        "881600000000": ("001", "MOBILE"),
    }
    found = {number: reader.execute(longest, [number]).fetchone() for number in expected}
    assert found == expected
