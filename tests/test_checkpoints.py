"""The two borders: what holds passes, what does not is named; the source tree is left alone."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import psycopg
import pytest

from tests.invoicing.ledger import found_operator, leg, rate_leg, rate_legs
from tollhouse.checkpoints import (
    CheckpointFailedError,
    check_billing,
    check_raw_batches,
    results_home,
)
from tollhouse.settings import PROJECT, Settings
from tollhouse.ui.data_checks import latest_checks

pytestmark = pytest.mark.postgres


def land_batch(
    settings: Settings, bodies: list[str], *, received_at: datetime | None = None
) -> int:
    """Write a batch of Mitel tickets as landing would."""
    with psycopg.connect(settings.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into directory.pbxs (pbx_id, model, transport, time_zone, country) "
            "values ('paris_hq', 'mitel_3300', 'spooled_stream', 'Europe/Paris', 'FR')"
        )
        row = owner.execute(
            "insert into raw.deliveries (pbx_id, model, unit) "
            "values ('paris_hq', 'mitel_3300', 's1') "
            "returning delivery_id"
        ).fetchone()
        batch = owner.execute(
            "insert into raw.batches (pbx_id, model, rows_read, rows_inserted) "
            "values ('paris_hq', 'mitel_3300', %s, %s) returning batch_id",
            [len(bodies), len(bodies)],
        ).fetchone()
        assert row is not None
        assert batch is not None
        for ordinal, body in enumerate(bodies):
            owner.execute(
                "insert into raw.tickets "
                "(model, delivery_id, ordinal, batch_id, received_at, body) "
                "values ('mitel_3300', %s, %s, %s, %s, %s)",
                [row[0], ordinal, batch[0], received_at or datetime.now(UTC), body],
            )
    return int(batch[0])


def source_tree_changes() -> str:
    return subprocess.run(
        ["git", "status", "--short", "--ignored", "expectations"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_a_whole_batch_passes_and_its_data_docs_are_kept_below_var(warehouse: Settings) -> None:
    before = source_tree_changes()
    check_raw_batches(warehouse, [land_batch(warehouse, ["a ticket", "another"])])
    assert (results_home(warehouse) / "data_docs" / "index.html").is_file()
    assert source_tree_changes() == before


def test_a_lost_ticket_an_empty_one_and_one_of_the_future_are_named(warehouse: Settings) -> None:
    batch_id = land_batch(
        warehouse, ["a ticket", "  "], received_at=datetime(2090, 1, 1, tzinfo=UTC)
    )
    with psycopg.connect(warehouse.owner_url, autocommit=True) as owner:
        owner.execute("update raw.batches set rows_read = 3, rows_inserted = 3")
    with pytest.raises(CheckpointFailedError) as failed:
        check_raw_batches(warehouse, [batch_id])
    assert [failure.split(":")[0] for failure in failed.value.failures] == [
        "raw_batches.rows_missing",
        "raw_tickets.body_characters",
        "raw_tickets.seconds_ahead",
    ]
    assert "such as 1" in failed.value.failures[0]


def test_an_asterisk_whose_clock_is_that_of_another_zone_is_named_and_stops_nothing(
    warehouse: Settings,
) -> None:
    batch_id = land_asterisk_rows(warehouse, calldates=["2026-07-01 08:00:00"] * 3)

    check_raw_batches(warehouse, [batch_id])

    seen = [failure.seen for check in latest_checks(warehouse) for failure in check.failures]
    assert seen == ["lyon_support: its clock is -2.00 h off the call ids; set time_zone to UTC"]


def land_asterisk_rows(settings: Settings, calldates: list[str]) -> int:
    """Write rows of calls that began at 08:00 UTC, by a clock that may be another's."""
    with psycopg.connect(settings.owner_url, autocommit=True) as owner:
        row = owner.execute(
            "with pbx as (insert into directory.pbxs (pbx_id, model, transport, time_zone, "
            "country) values ('lyon_support', 'asterisk_mysql', 'sql_table', 'Europe/Paris', "
            "'FR')), delivery as (insert into raw.deliveries (pbx_id, model, unit) values "
            "('lyon_support', 'asterisk_mysql', 'cdr') returning delivery_id), "
            "batch as (insert into raw.batches (pbx_id, model, rows_read, rows_inserted) values "
            "('lyon_support', 'asterisk_mysql', %(count)s, %(count)s) returning batch_id), "
            "tickets as (insert into raw.tickets (model, delivery_id, ordinal, batch_id, "
            "received_at, body) select 'asterisk_mysql', delivery_id, calls.id, batch_id, now(), "
            "json_build_object('calldate', calls.calldate, 'uniqueid', '1782892800.1', "
            "'linkedid', '1782892800.1') from delivery, batch, "
            "unnest(%(calldates)s::text[]) with ordinality as calls (calldate, id)) "
            "select batch_id from batch",
            {"count": len(calldates), "calldates": calldates},
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_pull_that_read_nothing_has_nothing_to_check(warehouse: Settings) -> None:
    check_raw_batches(warehouse, [land_batch(warehouse, [])])
    assert not results_home(warehouse).exists()


def test_a_month_in_order_passes(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "0.125")
    rate_leg(warehouse, 2, None)
    check_billing(warehouse, "2026-09")


def test_a_month_of_an_empty_warehouse_passes(warehouse: Settings) -> None:
    check_billing(warehouse, "2026-09")


def test_internal_calls_of_an_asterisk_to_numbers_of_the_outside_are_named_and_stop_nothing(
    warehouse: Settings,
) -> None:
    found_operator(warehouse)
    to_an_unlisted_trunk = {"model": "asterisk_mysql", "direction": "internal",
                            "rating_state": "internal"}  # fmt: skip
    rate_legs(
        warehouse,
        [
            {**leg(1, "0"), **to_an_unlisted_trunk, "called_number": "0199001234"},
            {**leg(2, "0"), **to_an_unlisted_trunk, "called_number": "4102"},
        ],
    )

    check_billing(warehouse, "2026-09")

    seen = [failure.seen for check in latest_checks(warehouse) for failure in check.failures]
    assert seen == [
        "paris_hq: 1 answered calls (60 s) to numbers of the outside are internal, and free; "
        "is a trunk missing in the entry?"
    ]


def test_a_charge_without_tariff_and_an_unknown_vat_rate_are_named(warehouse: Settings) -> None:
    found_operator(warehouse, {"vat_rate_percent": "19.25"})
    rate_legs(warehouse, [{**leg(1, "0.125"), "tariff_version_id": None}])
    with pytest.raises(CheckpointFailedError) as failed:
        check_billing(warehouse, "2026-09")
    assert [failure.split(":")[0] for failure in failed.value.failures] == [
        "billing_legs.tariff_version_id",
        "billing_lines.vat_rate_percent",
    ]
    assert "No charge without a tariff version." in failed.value.failures[0]
    assert "19.25" in failed.value.failures[1]
