"""Every staging view has the contract's columns, and lets the filter on batches through to raw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tollhouse.layouts.registry import known_models
from tollhouse.parsing import staging_view
from tollhouse.pbx import models
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

pytestmark = pytest.mark.postgres

COLUMNS = """
select column_name, format_type(atttypid, atttypmod)
from information_schema.columns
inner join pg_attribute
    on attrelid = format('%%I.%%I', table_schema, table_name)::regclass
    and attname = column_name
where table_schema = %s and table_name = %s
order by ordinal_position
"""


@pytest.fixture
def connection(warehouse: Settings) -> Iterator[psycopg.Connection]:
    with connect(DBT, settings=warehouse, autocommit=True) as opened:
        yield opened


def test_every_staging_view_has_the_columns_of_the_contract_in_their_order(
    connection: psycopg.Connection,
) -> None:
    contract = connection.execute(COLUMNS, ["intermediate", "int_tickets__staged"]).fetchall()

    assert len(contract) == 41
    for model_id in known_models():
        view = connection.execute(COLUMNS, ["staging", f"stg_{model_id}__tickets"]).fetchall()
        assert view == contract, model_id


def test_the_filter_on_batches_reaches_the_scan_of_raw(connection: psycopg.Connection) -> None:
    for model_id, model in known_models().items():
        plan = explain(
            connection,
            f"select * from {staging_view(model).as_string()} "
            "where batch_id = any(array(select batch_id from raw.batches_to_build))",
        )

        scans = [node for node in nodes(plan) if reads_raw_tickets(node)]
        assert len(scans) == 1, model_id
        conditions = " ".join(
            str(scans[0].get(name, "")) for name in ("Filter", "Index Cond", "Recheck Cond")
        )
        assert "batch_id = ANY" in conditions, model_id


def test_no_step_of_a_staging_view_is_stored_or_needs_neighbours(
    connection: psycopg.Connection,
) -> None:
    for model_id, model in known_models().items():
        plan = explain(connection, f"select * from {staging_view(model).as_string()}")

        steps = nodes(plan) if model_id in models() else steps_of_tickets(plan)
        kinds = {node["Node Type"] for node in steps}
        assert not kinds & {"CTE Scan", "WindowAgg", "Sort", "Materialize"}, model_id


def steps_of_tickets(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes through which tickets pass.

    A layout may take one ticket apart in a query of its own (XML), and it looks up the names of
    columns once a delivery: what those keep grows with neither tickets nor batches.
    """
    if plan["Node Type"] != "Materialize" or any(map(reads_raw_tickets, nodes(plan))):
        yield plan
        for child in plan.get("Plans", []):
            if child["Parent Relationship"] != "SubPlan":
                yield from steps_of_tickets(child)


def reads_raw_tickets(node: dict[str, Any]) -> bool:
    """Return whether a node scans a partition of raw.tickets."""
    return str(node.get("Relation Name")).startswith("tickets_")


def explain(connection: psycopg.Connection, query: str) -> dict[str, Any]:
    row = connection.execute(f"explain (format json) {query}".encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)
