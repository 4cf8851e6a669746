"""``tollhouse directory``, as a person types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.directory.directory_files import DirectoryFiles
from tollhouse.settings import Settings


def tollhouse(
    files: DirectoryFiles, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("tollhouse")), "directory", *arguments],
        env={
            "PATH": "/usr/bin:/bin",
            "TOLLHOUSE_VAR": str(files.include.parent / "var"),
            **(environment or {}),
            "TOLLHOUSE_INCLUDE": str(files.include),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_check_needs_no_database_and_counts_the_rows(files: DirectoryFiles) -> None:
    done = tollhouse(files, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "rates" in done.stdout


def test_check_lists_every_fault_and_fails(files: DirectoryFiles) -> None:
    files.replace("rates.csv", "60,60,0.019000", '60,60,"0,019"')
    files.replace("extensions.csv", "4201,sales", "4201,marketing")
    done = tollhouse(files, "check")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "tollhouse: The directory cannot be loaded, 2 faults:",
        "  rates.csv, line 4, column price_per_minute: '0,019': is not an amount of 0 or more; "
        "write at most 12 digits, a point and at most 6 decimals, as 0.012345.",
        "  extensions.csv, line 4, column service_id: 'marketing': is not in services.csv; "
        "add it there or correct it here.",
    ]


@pytest.mark.postgres
def test_load_says_what_changed_and_the_second_time_that_nothing_did(
    files: DirectoryFiles, warehouse: Settings
) -> None:
    first = tollhouse(files, "load", environment=warehouse.environment)
    second = tollhouse(files, "load", environment=warehouse.environment)
    assert (first.returncode, first.stderr) == (0, "")
    assert "Load 1 is done." in first.stdout
    assert second.stdout == "These files are loaded already: nothing to do.\n"
