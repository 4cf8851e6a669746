"""Lets ``.venv/bin/airflow`` and ``.venv/bin/dbt`` work on this installation with nothing exported.

``scripts/environment.sh`` puts a .pth file into .venv that imports this module at the start of
every interpreter, so it is tiny and uses the standard library alone. It acts for the two programs
only: any other process (a test, a notebook, the ``tollhouse`` command) keeps its environment as it
was given. What the environment says already wins over ``var/tollhouse.env``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: What each program needs of var/tollhouse.env, by the beginning of the names.
NEEDED_NAMES = {"airflow": ("AIRFLOW", "TOLLHOUSE_"), "dbt": ("TOLLHOUSE_DBT_", "DBT_")}


def fill_environment() -> None:
    """Set what the started program needs and the environment does not say."""
    programs = {Path(argument).name for argument in sys.orig_argv[1:2]}
    needed = next((names for program, names in NEEDED_NAMES.items() if program in programs), None)
    if needed is None:
        return
    var = Path(os.environ.get("TOLLHOUSE_VAR") or Path(__file__).resolve().parents[3] / "var")
    try:
        text = (var / "tollhouse.env").read_text(encoding="utf-8")
    except OSError:
        # Not set up yet, or not ours to read: the program says itself what it lacks.
        return
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and name.startswith(needed):
            os.environ.setdefault(name.strip(), value.strip())


fill_environment()
