"""The scheduler imports beforehand what each of its tasks would import again.

Tasks are forked from the scheduler's workers, and these from the scheduler. Each pull ends in a
check of raw, which takes Great Expectations half a second to do and several times as long to
import.
"""

from __future__ import annotations

import importlib
import os
import sys

from airflow.listeners import hookimpl


@hookimpl  # type: ignore[untyped-decorator] # Airflow is not followed by mypy
def on_starting() -> None:
    """Called by Airflow before a component runs: before the scheduler forks its first worker."""
    if sys.argv[1:2] == ["scheduler"]:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
        importlib.import_module("great_expectations")
