"""``tollhouse layout check`` and ``layout list``: what they say, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.layouts.declared import A5000, BROKEN, CARRIER, use_layouts
from tollhouse.commands import layout_check, layout_list, parse
from tollhouse.parsing import ParsingError
from tollhouse.settings import Settings, load_settings
from tollhouse.warehouse import LOADER, connect

GOOD = "R1;2026-10-01 10:00:00;60;0199005012;0199001234;a note\n"
DAMAGED = "R2;2026-10-01 10:00:00;sixty;0199005012;0199001234;\n"

LEFT_BEHIND = """
select
    (select count(*) from raw.tickets),
    (select count(*) from raw.deliveries),
    (select count(*) from directory.pbxs)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the installation's layouts."""
    return use_layouts(
        monkeypatch,
        tmp_path / "layouts",
        carrier=CARRIER,
        broken=BROKEN,
        template=A5000.replace("confirmed: true\n", ""),
    )


@pytest.fixture
def database(folder: Path, warehouse: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The warehouse of this process: nothing of its layouts is deployed in it."""
    for name, value in warehouse.environment.items():
        if name.startswith("TOLLHOUSE_"):
            monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    return warehouse


def calls(folder: Path, text: str) -> Path:
    path = folder.parent / "calls.csv"
    path.write_text(text)
    return path


def test_a_layout_that_does_not_hold_names_line_key_and_what_is_allowed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert layout_check.run("broken", []) == 2
    said = capsys.readouterr().out
    line = BROKEN.splitlines().index("  talk_seconds: {from: seconds, format: fortnights}") + 1
    assert f"broken.yml does not hold: 1 fault.\n  line {line}, columns.talk_seconds.format" in said
    assert "'milliseconds'" in said
    assert "found: 'fortnights'" in said

    assert layout_check.run(str(folder / "broken.yml"), [], as_json=True) == 2
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert (fault["line"], fault["key"]) == (line, "columns.talk_seconds.format")


def test_a_layout_can_be_checked_without_a_file_and_without_a_database(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert layout_check.run("carrier", []) == 0
    assert "6 columns mapped, confirmed" in capsys.readouterr().out


def test_what_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(ParsingError, match=r"'carriers' is no layout of .*; there are broken"):
        layout_check.run("carriers", [])
    with pytest.raises(ParsingError, match=r"none\.csv is no file"):
        layout_check.run("carrier", [Path("none.csv")])
    assert layout_check.run(str(folder / "nowhere.yml"), []) == 2


def test_every_layout_is_listed_with_its_state_and_the_pbxs_that_it_reads(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = "{{id: {0}, model: {1}, time_zone: UTC, country: FR, settings: {2}}}"
    (folder.parent / "pbx.yml").write_text(
        "pbxs:\n"
        f"  - {entry.format('some_carrier', 'carrier', '{folder: in}')}\n"
        f"  - {entry.format('a_pbx', 'aastra_a5000', '{layout: template}')}\n"
    )
    monkeypatch.setenv("TOLLHOUSE_PBX_FILE", str(folder.parent / "pbx.yml"))
    load_settings.cache_clear()

    assert layout_list.run(as_json=True) == 1
    listed = {row.pop("layout_id"): row for row in json.loads(capsys.readouterr().out)}
    assert listed["carrier"]["state"] == "confirmed"
    assert listed["carrier"]["pbxs"] == ["some_carrier"]
    assert (listed["template"]["state"], listed["template"]["model"]) == (
        "not confirmed",
        "aastra_a5000",
    )
    assert listed["template"]["pbxs"] == ["a_pbx"]
    assert listed["broken"]["state"] == "broken"
    assert "columns.talk_seconds.format" in listed["broken"]["fault"]

    (folder / "broken.yml").rename(folder / "broken.yaml")
    assert layout_list.run() == 0
    said = capsys.readouterr()
    assert "template" in said.out
    assert "not confirmed" in said.out
    assert said.err == "broken.yaml is passed over: the file of a layout ends in .yml.\n"


@pytest.mark.postgres
def test_files_are_read_by_a_layout_that_is_deployed_nowhere_and_nothing_is_kept(
    database: Settings, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert layout_check.run("carrier", [calls(folder, GOOD * 3)]) == 0
    assert "note    'a note'" in capsys.readouterr().out

    hostile = (
        'R3;2026-10-01 10:00:00;5;"[red]\x1b[2J";{{ 1/0 }} %s \'; drop table raw.tickets;--;\n'
    )
    assert layout_check.run("carrier", [calls(folder, GOOD + DAMAGED + hostile)]) == 1
    said = capsys.readouterr().out
    assert "1 x no_such_duration in field seconds" in said
    assert "line 2: 'sixty'" in said
    assert "\x1b" not in said

    # A template is tried out though it is not confirmed, by the model whose tickets it reads.
    assert layout_check.run("template", [calls(folder, GOOD)], as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["confirmed"] is False
    assert found["totals"]["tickets"] == 1

    # And one that maps nothing yet shows the fields.
    bare = CARRIER.partition("columns:")[0].replace("confirmed: true", "confirmed: false")
    (folder / "bare.yml").write_text(bare)
    assert layout_check.run("bare", [calls(folder, GOOD)], as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["rejected"][0]["reason"] == "not_mapped"
    assert found["unmapped_fields"]["note"] == ["a note"]
    assert left_behind(database) == (0, 0, 0)


@pytest.mark.postgres
def test_parse_reads_a_declared_model_as_its_file_is_now(
    database: Settings, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parse.run([calls(folder, GOOD)], model="carrier")
    assert json.loads(capsys.readouterr().out)["source_call_id"] == "R1"
    (folder / "carrier.yml").write_text(CARRIER.replace("confirmed: true", "confirmed: false"))
    parse.run([calls(folder, GOOD)], model="carrier")
    assert json.loads(capsys.readouterr().out)["state_reason"] == "layout_not_confirmed"


def left_behind(settings: Settings) -> tuple[Any, ...] | None:
    with connect(LOADER, settings=settings) as connection:
        return connection.execute(LEFT_BEHIND).fetchone()
