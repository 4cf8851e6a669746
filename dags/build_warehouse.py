"""Builds the warehouse when tickets have landed.

**What**: takes every batch that landed and is not built yet, runs the dbt models over them and
closes the batches. What is built is read from `raw.batches`; the asset event only wakes this DAG,
so events that coalesce lose nothing, and a run without news is one query.

**Type**: now. It has no interval and reads no logical date.

**Safe to re-run?** Yes. Batches are closed after the last model: a run that was killed or failed is
done again, whole, by the next one, and leaves the same rows. Only one build runs at a time.

**When it fails**: the last lines of `build_models` name each failing model or test. A model fails
on a fault of the project or a full disk: repair it and clear the task. A data test fails on data
that contradict themselves: the query of the test, in `var/dbt/target`, lists the rows. Until then
the batches wait, nothing is lost, and the marts are as far as the build came. `tollhouse reconcile`
says whether raw and marts agree.
"""

from __future__ import annotations

from airflow.sdk import DAG, get_current_context, task

from tollhouse.dag_defaults import RAW_TICKETS, START_DATE, WAREHOUSE, Kind, default_args

with DAG(
    dag_id="build_warehouse",
    description="Build the marts from the tickets that have landed",
    schedule=[RAW_TICKETS],
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags={Kind.BUILD.value},
    doc_md=__doc__,
):

    @task.short_circuit
    def build_models() -> bool:
        """Build what waits; with nothing new, the rest of the run is skipped."""
        from tollhouse.building import build
        from tollhouse.settings import load_settings

        return build(
            load_settings(), dag_run_id=get_current_context()["dag_run"].run_id
        ).did_something

    @task(outlets=[WAREHOUSE])
    def announce_warehouse() -> None:
        """Tell whoever waits for the warehouse that it has news."""

    build_models() >> announce_warehouse()
