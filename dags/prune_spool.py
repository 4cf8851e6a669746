"""The DAG that deletes what was spooled or fetched, once it is landed and old."""

from __future__ import annotations

from airflow.sdk import dag, task

from tollhouse.dag_defaults import START_DATE, Kind, default_args

DOC = """
**What**: deletes segments of the collector's spool, and copies of files that were fetched from a
PBX (`var/fetched/`), which are landed in raw and older than `spool_keep_days` of their PBX in
`include/pbx.yml` (45 days unless the entry says otherwise). Raw keeps every ticket; what goes is
the copy that a backfill would read again.

**Type**: "now" DAG. It looks at the files as they are, once a day; there is no backfill.

**Safe to re-run**: yes. The newest segment of a PBX and whatever is not landed are never deleted,
whatever their age; the spool's own note and the ledger of raw must agree that a segment is landed.
A backfill of an interval that is pruned fails and says so; of one that is pruned in part it lands
the rest and warns.

**When it fails**: the log of the task names the PBX and the file; the other PBXs are pruned.
Nothing is lost by a failure but room on the disk. Watch the free space in
`tollhouse collector status`.
"""


@dag(
    description="Delete what was spooled or fetched, once it is landed and old",
    schedule="45 3 * * *",
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    tags=[Kind.HOUSEKEEPING.value],
    doc_md=DOC,
    default_args=default_args(),
)
def prune_spool() -> None:
    @task
    def prune_segments() -> dict[str, int]:
        from tollhouse.settings import load_settings
        from tollhouse.spool_pruning import prune_spools

        pruned = prune_spools(load_settings())
        return {pbx_id: found.segment_count for pbx_id, found in pruned.items()}

    @task
    def prune_copies() -> dict[str, int]:
        from tollhouse.fetched_pruning import prune_fetched
        from tollhouse.settings import load_settings

        pruned = prune_fetched(load_settings())
        return {pbx_id: found.file_count for pbx_id, found in pruned.items()}

    prune_segments()
    prune_copies()


prune_spool()
