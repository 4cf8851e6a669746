"""The rules as dbt unit tests, and the data tests of the project."""

from __future__ import annotations

import pytest

from tests.mitel_tickets import OutgoingLeg, land
from tollhouse.building import build, run_dbt
from tollhouse.directory.loading import load_directory
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

pytestmark = pytest.mark.postgres


def test_every_dbt_unit_test_passes(warehouse: Settings) -> None:
    run_dbt(warehouse, "test", "--select", "test_type:unit")


def test_every_dbt_data_test_passes_on_a_built_warehouse(warehouse: Settings) -> None:
    load_directory(warehouse)
    with connect(LOADER, settings=warehouse) as connection:
        land(connection, [OutgoingLeg("10/12 09:00", 60), OutgoingLeg("10/12 09:02", 0)])
    build(warehouse)
    run_dbt(warehouse, "test", "--exclude", "test_type:unit")
