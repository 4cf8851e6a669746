"""Loading into a real warehouse: all or nothing, safe to repeat, ids kept."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.directory.directory_files import DirectoryFiles
from tollhouse.directory.faults import DirectoryError
from tollhouse.directory.loading import load_directory
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

pytestmark = pytest.mark.postgres


@pytest.fixture
def installation(files: DirectoryFiles, warehouse: Settings) -> Settings:
    return files.settings(warehouse)


@pytest.fixture
def reader(installation: Settings) -> Iterator[psycopg.Connection]:
    """A role that only reads the directory, as builds do."""
    with connect(DBT, settings=installation, autocommit=True) as connection:
        yield connection


def rows(reader: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return reader.execute(query).fetchall()


RATES = """
select
    tariff_versions.tariff_id, tariff_versions.version, rates.namespace, rates.prefix, rates.rate_id
from directory.rates as rates
inner join directory.tariff_versions as tariff_versions using (tariff_version_id)
order by 1, 2, 3, 4
"""


def test_the_tables_become_what_the_files_say(
    installation: Settings, reader: psycopg.Connection
) -> None:
    result = load_directory(installation, dag_run_id="manual__1")

    assert result.rows_by_table["rates"] == result.changed_by_table["rates"] == 6
    assert rows(
        reader,
        "select service_id, holder_name, valid_from::text, valid_to::text "
        "from directory.extensions where extension = '4200' order by valid_from",
    ) == [
        ("sales", "Camille Exemple", "2026-01-01", "2026-10-12"),
        ("legal", "Camille Exemple", "2026-10-12", "infinity"),
    ]
    assert rows(
        reader,
        "select connection_fee, price_per_minute, minimum_charge, maximum_charge, "
        "next_increment_seconds from directory.rates "
        "where prefix = '336' and maximum_charge is not null",
    ) == [(Decimal(0), Decimal("0.078500"), Decimal("0.010000"), Decimal(3), 1)]
    assert rows(reader, "select account_code from directory.account_codes") == [("0042",)]
    assert rows(reader, "select recovery_fee_amount, currency from directory.issuers") == [
        (Decimal("40.00"), "EUR")
    ]
    assert rows(
        reader,
        "select pbx_id, outside_line_prefix, carrier_id, extension_digits::text, valid_from::text "
        "from directory.current_pbxs order by pbx_id",
    ) == [
        ("lyon_support", "", None, "[2,7)", "-infinity"),
        ("paris_hq", "0", "carrier_demo", "[2,7)", "-infinity"),
    ]
    assert rows(
        reader,
        "select dag_run_id, rows_by_table ->> 'rates', length(files ->> 'rates.csv'), "
        "length(files ->> 'pbx.yml') from directory.loads",
    ) == [("manual__1", "6", 64, 64)]


def test_the_same_files_again_change_nothing(
    installation: Settings, reader: psycopg.Connection
) -> None:
    first = load_directory(installation)
    before = rows(reader, RATES)
    second = load_directory(installation)
    assert first.load_id is not None
    assert second.load_id is None
    assert rows(reader, RATES) == before
    assert rows(reader, "select count(*) from directory.loads") == [(1,)]


def test_hostile_text_arrives_as_it_is_written(
    files: DirectoryFiles, installation: Settings, reader: psycopg.Connection
) -> None:
    text = '=HYPERLINK("x") \'); drop table directory.rates; -- \\N \\. <b>'
    files.append("trunks.csv", f'paris_hq,"{text.replace(chr(34), chr(34) * 2)}",sales,2026-01-01')
    load_directory(installation)
    assert rows(reader, "select trunk from directory.trunks where trunk <> 'FAX'") == [(text,)]


def test_a_single_bad_row_loads_nothing_of_any_file(
    files: DirectoryFiles, installation: Settings, reader: psycopg.Connection
) -> None:
    load_directory(installation)
    files.append("extensions.csv", "paris_hq,4300,sales,,,2026-11-01,")
    files.append("rates.csv", "cost,2026-01,e164,34,fr_fixed,0,1,1,cheap,,")
    with pytest.raises(
        DirectoryError, match=r"rates\.csv, line 8, column price_per_minute: 'cheap'"
    ):
        load_directory(installation)
    assert rows(reader, "select count(*) from directory.extensions") == [(4,)]
    assert rows(reader, "select count(*) from directory.loads") == [(1,)]


def test_a_load_that_breaks_half_way_leaves_the_tables_as_they_were(
    files: DirectoryFiles, installation: Settings, reader: psycopg.Connection
) -> None:
    load_directory(installation)
    before = rows(reader, RATES)
    with psycopg.connect(installation.owner_url, autocommit=True) as owner:
        # The last statement of a load fails: everything written before must go with it.
        owner.execute("alter table directory.loads add check (load_id = 1)")
    files.replace("rates.csv", "60,60,0.019000", "60,60,0.020000")
    files.append("destinations.csv", "new,Nouvelle,international")
    with pytest.raises(psycopg.errors.CheckViolation):
        load_directory(installation)
    assert rows(reader, RATES) == before
    assert rows(reader, "select * from directory.destinations where destination_id = 'new'") == []
    assert rows(reader, "select * from directory.rates where price_per_minute = 0.02") == []


def test_rates_that_did_not_change_keep_their_ids(
    files: DirectoryFiles, installation: Settings, reader: psycopg.Connection
) -> None:
    load_directory(installation)
    before = rows(reader, RATES)
    files.replace("rates.csv", "cost,2026-01,e164,33,fr_fixed,0,1,1,0.004523,,\n", "")
    files.append("rates.csv", "cost,2026-01,e164,331,fr_fixed,0,1,1,0.004,,")
    files.replace("rates.csv", "60,60,0.019000", "60,60,0.020000")
    files.replace(
        "tariff_versions.csv", "business,2026-10,2026-10-16,", "business,2026-10,2026-10-20,"
    )
    files.replace("tariff_versions.csv", "2026-01-01,2026-10-16", "2026-01-01,2026-10-20")
    result = load_directory(installation)
    after = rows(reader, RATES)
    assert [row for row in after if row[0] == "business"] == [
        row for row in before if row[0] == "business"
    ]
    # One gone, one new, one with another price; two versions with another period.
    assert (result.changed_by_table["rates"], result.changed_by_table["tariff_versions"]) == (3, 2)


def test_versions_may_exchange_their_periods(
    files: DirectoryFiles, installation: Settings, reader: psycopg.Connection
) -> None:
    load_directory(installation)
    files.replace("tariff_versions.csv", "business,2026-01,", "business,moved,")
    files.replace("tariff_versions.csv", "business,2026-10,", "business,2026-01,")
    files.replace("tariff_versions.csv", "business,moved,", "business,2026-10,")
    load_directory(installation)
    assert rows(
        reader,
        "select version, valid_from::text, valid_to::text from directory.tariff_versions "
        "where tariff_id = 'business' order by valid_from",
    ) == [("2026-10", "2026-01-01", "2026-10-16"), ("2026-01", "2026-10-16", "infinity")]


def test_what_is_taken_out_of_the_files_goes(
    files: DirectoryFiles, installation: Settings, reader: psycopg.Connection
) -> None:
    load_directory(installation)
    for name, line in (
        ("services.csv", "legal,exemple,cabinet,Téléphonie cabinet,true\n"),
        (
            "customers.csv",
            "cabinet,exemple,Cabinet Fictif SELARL,,3 place Imaginaire,75000,Paris,FR\n",
        ),
        ("extensions.csv", "paris_hq,4200,legal,Camille Exemple,A,2026-10-12,\n"),
        ("extensions.csv", "lyon_support,6000,legal,,,2026-01-01,\n"),
        ("number_ranges.csv", "paris_hq,+33199001100,+33199001199,legal,2026-01-01,\n"),
        ("account_codes.csv", "paris_hq,0042,legal,2026-01-01\n"),
        ("tariff_assignments.csv", "sale,service,legal,business,2026-01-01,\n"),
        ("tariff_versions.csv", "business,2026-10,2026-10-16,\n"),
        ("rates.csv", "business,2026-10,e164,331,fr_fixed,0.080000,60,60,0.019000,,\n"),
        ("rates.csv", "business,2026-10,e164,336,fr_mobile,0,1,1,0.0785,0.01,3\n"),
        ("rates.csv", "business,2026-10,short_FR,3200,fr_short,0.1,60,60,0.166667,,\n"),
        ("destinations.csv", "fr_short,Numéros courts,special\n"),
    ):
        files.replace(name, line, "")
    result = load_directory(installation)
    for table, count in result.rows_by_table.items():
        assert rows(reader, f"select count(*) from directory.{table}") == [(count,)], table
    assert rows(reader, "select service_id from directory.services order by 1") == [
        ("sales",),
        ("unassigned",),
    ]


def test_two_loads_at_once_make_one(installation: Settings, reader: psycopg.Connection) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: load_directory(installation), range(4)))
    assert sum(result.load_id is not None for result in results) == 1
    assert rows(reader, "select count(*) from directory.loads") == [(1,)]


def test_a_load_waits_for_the_build_under_way(installation: Settings) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from concurrent.futures import TimeoutError as StillRunningError

    from tollhouse.warehouse import BUILD_LOCKS, LOADER, lock_number

    keys = [BUILD_LOCKS, lock_number("warehouse")]
    with (
        ThreadPoolExecutor(1) as pool,
        connect(LOADER, settings=installation, autocommit=True) as build,
    ):
        build.execute("select pg_advisory_lock(%s, %s)", keys)
        load = pool.submit(load_directory, installation)
        with pytest.raises(StillRunningError):
            load.result(timeout=1)
        build.execute("select pg_advisory_unlock(%s, %s)", keys)
        assert load.result(timeout=30).load_id == 1
