"""One DAG per installed PBX: pull its new tickets into raw, verbatim."""

from __future__ import annotations

from airflow.sdk import (
    DAG,
    CronDataIntervalTimetable,
    Param,
    get_current_context,
    get_parsing_context,
    task,
)

from tollhouse.dag_defaults import RAW_TICKETS, START_DATE, Kind, default_args, raise_alarm
from tollhouse.installed_pbxs import Pbx, load_pbxs
from tollhouse.operator_guides import extract_guide
from tollhouse.settings import load_settings

PARAMETERS = {
    "from": "Read again from this instant, without touching IDLAST; empty for what is new",
    "to": "... up to this instant, excluded; now if empty",
}


def make_dag(pbx: Pbx) -> DAG:
    with DAG(
        dag_id=pbx.dag_id,
        description=f"Pull the tickets of {pbx.id} ({pbx.known_model.title}) into raw",
        schedule=CronDataIntervalTimetable(pbx.schedule, timezone=pbx.time_zone),
        start_date=START_DATE,
        catchup=False,
        max_active_runs=1,
        default_args=default_args(),
        tags={Kind.EXTRACT.value, pbx.model},
        doc_md=extract_guide(pbx),
        params={
            name: Param(None, type=["null", "string"], format="date-time", description=text)
            for name, text in PARAMETERS.items()
        },
    ) as dag:

        @task.short_circuit
        def pull_tickets() -> list[int]:
            """Land what is new; with nothing new, the rest of the run is skipped."""
            from tollhouse.connections import find_airflow_connection
            from tollhouse.extraction import batches_of_run, extract, run_context
            from tollhouse.watermark import VariableWatermark

            context = get_current_context()
            dag_run = context["dag_run"]
            landed = extract(
                pbx,
                run=run_context(pbx, dag_run, context["params"]),
                watermark=VariableWatermark(pbx),
                connection_finder=lambda: find_airflow_connection(pbx.connection),
            )
            for warning in landed.warnings:
                raise_alarm(f"{pbx.id}: pull of {dag_run.run_id}", warning)
            return batches_of_run(load_settings(), pbx.dag_id, dag_run.run_id)

        @task(outlets=[RAW_TICKETS])
        def check_raw(batch_ids: list[int]) -> None:
            """Hold the new batches against the expectations of raw; only then wake the build."""
            from tollhouse.checkpoints import check_raw_batches

            check_raw_batches(load_settings(), batch_ids)

        check_raw(pull_tickets())
    return dag


wanted = get_parsing_context().dag_id
for installed in load_pbxs(load_settings().pbx_file):
    if wanted in (None, installed.dag_id):
        globals()[installed.dag_id] = make_dag(installed)
