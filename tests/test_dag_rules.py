"""Rules over every DAG, held over the real DagBag: no database, no scheduler."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tollhouse.installed_pbxs import load_pbxs
from tollhouse.settings import PROJECT

KINDS = {"extract", "directory", "build", "invoice", "housekeeping"}
ANSWERS = ("What", "Type", "Safe to re-run", "fails")


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(PROJECT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_there_is_one_extract_dag_per_installed_pbx(dags: dict[str, Any]) -> None:
    installed = {pbx.dag_id for pbx in load_pbxs(PROJECT / "include" / "pbx.yml")}
    assert {dag_id for dag_id in dags if dag_id.startswith("extract__")} == installed


def test_the_dags_of_the_main_job_are_there(dags: dict[str, Any]) -> None:
    assert {"load_directory", "build_warehouse", "invoice_monthly", "prune_spool"} <= set(dags)


def test_every_dag_bears_exactly_one_kind(dags: dict[str, Any]) -> None:
    kinds = {dag_id: set(dag.tags) & KINDS for dag_id, dag in dags.items()}
    assert {dag_id for dag_id, found in kinds.items() if len(found) != 1} == set()


def test_every_dag_tells_an_operator_what_to_do(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        text = dag.doc_md or ""
        missing = [answer for answer in ANSWERS if answer.lower() not in text.lower()]
        assert not missing, f"{dag_id}: doc_md says nothing of {missing}"
        assert re.search(r"\b(now|interval)\b", text, re.IGNORECASE), f"{dag_id}: now or interval?"


def test_every_dag_runs_alone_and_never_catches_up(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert dag.max_active_runs == 1, dag_id
        assert dag.catchup is False, dag_id
        assert dag.start_date is not None, dag_id


def test_every_task_retries_and_reports_its_failure(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        for task in dag.tasks:
            assert task.retries >= 1, f"{dag_id}.{task.task_id} never retries"
            assert task.on_failure_callback, f"{dag_id}.{task.task_id} fails in silence"


def test_task_ids_are_verbs_in_snake_case(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        for task in dag.tasks:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)+", task.task_id), f"{dag_id}.{task.task_id}"


def test_the_invoices_wait_for_somebody_to_start_them(dags: dict[str, Any]) -> None:
    assert dags["invoice_monthly"].is_paused_upon_creation is True


def test_dag_files_stay_short() -> None:
    lines = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in (PROJECT / "dags").glob("*.py")
    }
    assert lines
    assert {name: count for name, count in lines.items() if count > 80} == {}
