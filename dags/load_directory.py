"""The DAG that loads the directory: PBXs, services, extensions, numbers and tariffs."""

from __future__ import annotations

from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, dag, get_current_context, task

from tollhouse.dag_defaults import START_DATE, Kind, default_args

DOC = """
**What**: checks every row of `include/directory/*.csv` and `include/pbx.yml` and loads them into
the schema `directory`: who owns which extension, number and trunk, and what calls cost. All or
nothing, in one transaction.

**Type**: "now" DAG. It loads the files as they are; a re-run is a new manual run, there is no
backfill. It runs once a day; start it by hand when the files have changed.

**Safe to re-run**: yes. Files that were loaded last and have not changed are not loaded again, rows
that have not changed are not touched, and a month whose invoice is issued is never rewritten (R18).

**When it fails**: the log of `load_files` lists every fault with file, line, column, value, reason
and what to do; nothing was loaded, and the directory of before still holds. Correct the files
(`tollhouse directory check` tries them without a database) and start a new run. A fault in the
files is not retried; a database that does not answer is. A load waits while a build is under way.
More in docs/directory.md.
"""

FAULTS_ARE_NOT_RETRIED = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="tollhouse.directory.faults.DirectoryError",
            action=RetryAction.FAIL,
            reason="The files stay as they are until somebody corrects them.",
        )
    ]
)


@dag(
    description="Check and load services, extensions, numbers, tariffs and PBXs",
    schedule="30 5 * * *",
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    tags=[Kind.DIRECTORY.value],
    doc_md=DOC,
    default_args=default_args(),
)
def load_directory() -> None:
    @task(retry_policy=FAULTS_ARE_NOT_RETRIED)
    def load_files() -> dict[str, Any]:
        from tollhouse.directory import loading

        result = loading.load_directory(dag_run_id=get_current_context()["run_id"])
        return {"load_id": result.load_id, "changed": result.changed_by_table}

    load_files()


load_directory()
