"""``tollhouse build``: one build of the warehouse, as the DAG does it."""

from __future__ import annotations

from rich.console import Console

from tollhouse.building import build
from tollhouse.settings import load_settings


def run() -> None:
    """Build what has landed and say how much it was.

    Raises:
        BuildError: a model or a test fails.
    """
    result = build(load_settings())
    if not result.did_something:
        Console().print("Nothing has landed since the last build.")
        return
    Console().print(
        f"Build {result.build_id}: {result.batch_count} batches, {result.ticket_count} tickets, "
        f"{result.duration_seconds:.1f} s."
    )
