"""The DAG invoice_monthly under Airflow's own runner: drafts, then issue, then the same again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.invoicing.ledger import NEXT_MONTH, found_operator, issued_numbers, rate_leg
from tollhouse.settings import PROJECT, Settings

pytestmark = pytest.mark.stack

RUN_DAG = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
dag = DagBag(dag_folder=sys.argv[1]).dags["invoice_monthly"]
run = dag.test(run_conf=json.loads(sys.argv[2]))
print("STATE", run.state)
"""


def run_dag(airflow: dict[str, str], conf: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN_DAG, str(PROJECT / "dags" / "invoice_monthly.py"), conf],
        cwd=PROJECT, env=airflow, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.fixture
def airflow(warehouse: Settings, tmp_path: Path) -> dict[str, str]:
    environment = {
        **warehouse.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "PYTHONPATH": str(PROJECT / "plugins"),
        "TOLLHOUSE_PROJECT": str(PROJECT),
    }
    subprocess.run(
        ["airflow", "db", "migrate"], env=environment, capture_output=True, check=True, cwd=tmp_path
    )
    return environment


def test_a_month_is_drafted_then_issued_then_left_alone(
    warehouse: Settings, airflow: dict[str, str]
) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "12.5")
    invoices = warehouse.var / "invoices" / "exemple_telecom" / "2026-09"

    output = run_dag(airflow, '{"month": "2026-09"}')
    assert "STATE success" in output, output[-3000:]
    assert len(list((invoices / "drafts").glob("*.pdf"))) == 2
    assert issued_numbers(warehouse) == []

    for _ in range(2):
        output = run_dag(airflow, '{"month": "2026-09", "act": "issue"}')
        assert "STATE success" in output, output[-3000:]
        assert len(issued_numbers(warehouse)) == 1
        assert len(list(invoices.rglob("*.pdf"))) == 2

    rate_leg(warehouse, 2, None, month=NEXT_MONTH)
    output = run_dag(airflow, '{"month": "2026-10", "act": "issue"}')
    assert "STATE failed" in output
    assert "support: calls_rated" in output
