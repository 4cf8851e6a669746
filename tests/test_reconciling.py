"""Reconciling finds what does not add up: each side is bent in turn, and its check says so."""

from __future__ import annotations

import psycopg
import pytest

from tests.mitel_tickets import OutgoingLeg, land
from tollhouse.building import build
from tollhouse.directory.loading import load_directory
from tollhouse.reconciling import reconcile
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

pytestmark = pytest.mark.postgres

#: What is bent, one after the other, and the check that must find it.
BENT = {
    "update marts.fct_calls set talk_seconds = talk_seconds + 1": (
        "legs = calls, with their seconds"
    ),
    "update intermediate.int_tickets__staged set talk_seconds = talk_seconds + 1": (
        "tickets = legs, with their seconds"
    ),
    "update marts.fct_call_legs set rating_state = 'rated', sale_amount = null": (
        "every leg is in one rating state"
    ),
    "delete from intermediate.int_tickets__staged": "raw = the four states, per pbx and batch",
}


def test_what_does_not_add_up_is_found_and_named(warehouse: Settings) -> None:
    load_directory(warehouse)
    with connect(LOADER, settings=warehouse) as loader:
        land(loader, [OutgoingLeg(f"10/12 09:0{minute}", 60 + minute) for minute in range(3)])
    build(warehouse)
    with connect(LOADER, settings=warehouse) as loader:
        waiting_batch = land(loader, [OutgoingLeg("10/12 10:00", 30)])

    result = reconcile(warehouse)

    assert result.holds
    assert [row["raw_count"] for row in result.states] == [3]
    assert sum(row["leg_count"] for row in result.rating) == 3
    # What waits for its build is no difference.
    assert [row["batch_id"] for row in result.waiting] == [waiting_batch]

    expected = set()
    for statement, check_name in BENT.items():
        with psycopg.connect(warehouse.owner_url) as owner:
            owner.execute("grant tollhouse_dbt to current_user")
            owner.execute(statement)
        expected.add(check_name)
        broken = {check.name for check in reconcile(warehouse).checks if not check.holds}
        assert broken == expected
