"""docs/layouts.md: its tutorial works as it is written, from an unknown file to rated calls."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.installed import MemoryWatermark
from tollhouse.cli import app
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import load_pbxs
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.conditions import Condition
from tollhouse.layouts.reading import read_layout
from tollhouse.settings import PROJECT, Settings, load_settings
from tollhouse.warehouse import connect

pytestmark = pytest.mark.postgres

GUIDE = (PROJECT / "docs" / "layouts.md").read_text(encoding="utf-8")
LAYOUT = "include/layouts/exemple_telecom.yml"
PBX_ID = "exemple_telecom"


def blocks(language: str, heading: str) -> list[str]:
    """Return the code of a language that stands below a heading of the guide."""
    (text,) = re.findall(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", GUIDE, re.MULTILINE | re.DOTALL
    )
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Done:
    """A command that was typed, what it said on either output, and its exit code."""

    command: str
    said: str
    exit_code: int


@dataclass(frozen=True)
class Reader:
    """Somebody who types what the guide says, in a folder that looks like Tollhouse's."""

    folder: Path
    settings: Settings

    def types(self, heading: str) -> list[Done]:
        """Type the commands that stand below a heading."""
        commands = "".join(blocks("sh", heading)).splitlines()
        assert commands
        return [self.run(command) for command in commands]

    def run(self, command: str) -> Done:
        program, *arguments = shlex.split(command)
        if program != "tollhouse":
            done = subprocess.run([program, *arguments], cwd=self.folder, check=False)
            return Done(command, "", done.returncode)
        # In this process: a program of its own takes a second to start.
        result = CliRunner().invoke(app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(command, result.output, result.exit_code)

    def appends(self, path: str, text: str) -> None:
        with (self.folder / path).open("a", encoding="utf-8") as file:
            file.write(text)

    def asks(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the marts a query of the guide, as an analyst."""
        with connect("analyst_full", settings=self.settings) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def reader(warehouse: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader of the guide, whose installation is the demo's."""
    include = tmp_path / "include"
    shutil.copytree(PROJECT / "include", include, ignore=shutil.ignore_patterns("docker"))
    for name in ("docs", "tests"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    var = tmp_path / "var"
    var.mkdir()
    places = {"TOLLHOUSE_INCLUDE": str(include), "TOLLHOUSE_VAR": str(var)}
    # What is done in this process, in place of Airflow, happens in the same installation.
    for name, value in (warehouse.environment | places).items():
        if name.startswith("TOLLHOUSE_"):
            monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    environment = warehouse.environment | places
    return Reader(tmp_path, replace(warehouse, include=include, var=var, environment=environment))


def test_an_unknown_file_of_a_carrier_becomes_rated_calls_as_the_guide_says(
    reader: Reader,
) -> None:
    layout = reader.folder / LAYOUT

    (drafted,) = reader.types("1. Draft")
    assert drafted.exit_code == 0, drafted.said
    assert_said("1. Draft", drafted.said)
    first_draft = read_layout(layout)

    (looked_at,) = blocks("yaml", "2. Look")
    layout.write_text(first_draft_with_a_total(looked_at), encoding="utf-8")
    (refused,) = reader.types("3. Check")
    assert refused.exit_code == 1, refused.said
    assert_said("3. Check", refused.said)
    layout.write_text(looked_at, encoding="utf-8")
    assert what_is_read(read_layout(layout)) == what_is_read(mended(first_draft))
    (checked,) = reader.types("3. Check")
    assert checked.exit_code == 0, checked.said

    (entry,) = blocks("yaml", "4. Say where it comes from")
    numbers, codes = blocks("csv", "4. Say where it comes from")
    reader.appends("include/pbx.yml", entry)
    reader.appends("include/directory/number_ranges.csv", numbers)
    reader.appends("include/directory/account_codes.csv", codes)
    for done in reader.types("4. Say where it comes from"):
        assert done.exit_code == 0, done.said
    assert "5 of the last 5 can be read" in done.said

    pull(reader.settings)
    built = reader.run("tollhouse build")
    assert built.exit_code == 0, built.said

    (query,) = blocks("sql", "5. Collect, build, rate")
    calls = {row[0]: row[1:] for row in reader.asks(query)}
    assert len(calls) == 11
    # By the number of the caller, and by the customer's code.
    assert calls["EX-100231"][:4] == ("atelier_paris", "number_range", "France fixe", "rated")
    assert calls["EX-100233"][:4] == ("cabinet_paris", "account_code", "France fixe", "rated")
    assert {name: row[3] for name, row in calls.items() if row[3] != "rated"} == {
        "EX-100234": "not_answered",
        "EX-100236": "not_answered",
        "EX-100238": "not_answered",
        "EX-100239": "free",
    }
    assert all(
        sale > 0 and cost > 0 for *_, state, sale, cost, _ in calls.values() if state == "rated"
    )
    assert sum(row[-1] for row in calls.values()) == Decimal("1.4769")
    for query in blocks("sql", "Is the carrier's bill right"):
        assert reader.asks(query)

    for done in reader.types("The same for other kinds"):
        assert done.exit_code == 0, done.said


def mended(draft: Layout) -> Layout:
    """Return a draft after what the guide tells to do with it."""
    tickets = draft.tickets.model_copy(
        update={"ignore": (Condition.model_validate({"field": "Call ID", "is": "TOTAL"}),)}
    )
    outcome = draft.columns.outcome
    assert outcome is not None
    columns = draft.columns.model_copy(
        update={"outcome": outcome.model_copy(update={"otherwise": None})}
    )
    return draft.model_copy(update={"tickets": tickets, "columns": columns, "confirmed": True})


def what_is_read(layout: Layout) -> dict[str, Any]:
    """Return a layout without what people call it."""
    return layout.model_dump(exclude={"title", "collection"})


def first_draft_with_a_total(text: str) -> str:
    """Return a layout that does not know yet that the last line is a total."""
    return re.sub(r"  ignore:\n.*\n", "", text)


def pull(settings: Settings) -> None:
    """Do what the DAG of the entry does."""
    (pbx,) = (pbx for pbx in load_pbxs(settings.pbx_file) if pbx.id == PBX_ID)
    run = RunContext(pbx.dag_id, "manual__1", "manual")
    landed = extract(pbx, run=run, watermark=MemoryWatermark(), settings=settings)
    assert landed.rows_inserted == 12


def assert_said(heading: str, output: str) -> None:
    """See that what the guide shows of an output, up to where it cuts, is in it."""
    said = " ".join(output.split())
    for block in blocks("text", heading):
        for line in block.splitlines():
            assert " ".join(line.partition("…")[0].split()) in said
