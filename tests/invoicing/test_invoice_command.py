"""The command ``tollhouse invoice``, run as an operator runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.invoicing.ledger import found_operator, issued_numbers, rate_leg
from tollhouse.settings import PROJECT, Settings

pytestmark = pytest.mark.postgres


def tollhouse(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tollhouse.cli import main; main()", "invoice", *arguments],
        cwd=PROJECT,
        env={
            **settings.environment,
            "PYTHONPATH": str(PROJECT / "plugins"),
            "TOLLHOUSE_PROJECT": str(PROJECT),
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_operator_lists_drafts_issues_and_renders_a_month(warehouse: Settings) -> None:
    found_operator(warehouse, {"service_id": "good"}, {"service_id": "doubtful"})
    rate_leg(warehouse, 1, "12.5", service_id="good")
    rate_leg(warehouse, 2, None, service_id="doubtful")

    listed = tollhouse(warehouse, "list", "--month", "2026-09")
    assert listed.returncode == 1
    assert "15.00 EUR" in listed.stdout
    assert "doubtful: 1 unrated (no_rate)" in listed.stdout

    drafted = tollhouse(warehouse, "draft", "--month", "2026-09")
    assert drafted.returncode == 0
    assert drafted.stdout.count("/drafts/") == 2

    issued = tollhouse(
        warehouse, "issue", "--month", "2026-09", "--override", "calls_rated:doubtful",
        "--named-by", "Camille Exemple", "--reason", "the tariff was asked for",
    )  # fmt: skip
    assert issued.returncode == 0, issued.stderr
    assert "nothing to bill" in issued.stdout
    assert len(issued_numbers(warehouse)) == 1

    again = tollhouse(warehouse, "render", "--month", "2026-09")
    assert (again.returncode, again.stdout.count(".pdf")) == (0, 2)


def test_a_mistake_is_answered_in_one_line(warehouse: Settings) -> None:
    for arguments, said in (
        (("list", "--month", "2026-13"), "is no billing month"),
        (("issue", "--month", "2026-09", "--override", "nonsense"), "is no override"),
        (("issue", "--month", "2026-09", "--override", "sources_heard:x"), "needs named_by"),
    ):
        done = tollhouse(warehouse, *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
