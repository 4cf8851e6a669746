"""The views of layouts, as files of the dbt project: what is in them, and when they are written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.layouts.declared import A5000, BROKEN, CARRIER, declare
from tollhouse.layouts.dbt_project import (
    generated_models,
    is_written,
    link_project,
    project_folder,
    write_project,
)
from tollhouse.layouts.grouping import compiled, layouts_by_model
from tollhouse.layouts.registry import layouts
from tollhouse.layouts.views import LayoutsOfModel, files_of_model
from tollhouse.settings import PROJECT, Settings

CONTRACT = PROJECT / "dbt_project" / "models" / "intermediate" / "_int_tickets__staged.yml"

HOSTILE = """{{ ref('x') }} {% do x %} {# '; drop table raw.tickets; -- " \\\\ $$ */ é"""


@pytest.fixture
def installation(tmp_path: Path) -> Settings:
    return Settings(project=PROJECT, var=tmp_path / "var", include=tmp_path, environment={})


def groups(folder: Path, *, refused: tuple[str, ...] = ()) -> dict[str, LayoutsOfModel]:
    found = layouts(folder)
    return layouts_by_model(found, compiled(found), refused=refused, missing=["once_there"])


def test_each_model_gets_the_layouts_that_read_it(tmp_path: Path) -> None:
    folder = declare(
        tmp_path / "layouts",
        north=CARRIER,
        south=BROKEN,
        west=CARRIER.replace("confirmed: true", "confirmed: false"),
        refused_one=CARRIER,
        a5000_v9=A5000,
        # Which model it reads is not known: any entry may name it.
        no_yaml="{",
    )

    by_model = groups(folder, refused=("refused_one",))

    assert {
        model: (sorted(group.tickets), sorted(group.fields), sorted(group.broken))
        for model, group in by_model.items()
        if model not in ("alcatel_oxe_ahl", "alcatel_oxo")
    } == {
        "aastra_a5000": (["a5000_v9"], ["a5000_v9"], ["no_yaml"]),
        "md_evolution": ([], [], ["no_yaml"]),
        "no_yaml": ([], [], ["no_yaml"]),
        "north": (["north"], ["north"], []),
        "once_there": ([], [], []),
        "refused_one": ([], [], ["refused_one"]),
        "south": ([], [], ["south"]),
        "west": ([], ["west"], []),
    }
    assert by_model["once_there"].is_missing


def test_no_word_of_a_layout_becomes_sql_jinja_or_yaml(tmp_path: Path) -> None:
    layout = yaml.safe_load(CARRIER)
    layout["title"] = layout["guide"] = HOSTILE
    layout["tickets"]["fields"][-1] = HOSTILE
    layout["columns"]["account_code"] = {"from": HOSTILE, "lookup": {HOSTILE: HOSTILE}}
    folder = declare(tmp_path / "layouts", hostile=yaml.safe_dump(layout))

    group = groups(folder)["hostile"]
    written = files_of_model(group, CONTRACT)

    assert group.tickets, layouts(folder)["hostile"]
    for name, text in written.items():
        for piece in ("ref('x')", "{% do", "{# '", "; drop", "$$", "*/", "é"):
            assert piece not in text, name
    properties = yaml.safe_load(written["_hostile.yml"])
    assert [view["name"] for view in properties["models"]] == [
        "stg_hostile__tickets",
        "stg_hostile__fields",
    ]


def test_a_file_is_written_only_when_it_has_changed(installation: Settings) -> None:
    assert not is_written(installation)
    write_project(installation, {"north": {"a.sql": "1", "b.sql": "1"}, "south": {"a.sql": "1"}})
    folder = project_folder(installation) / "layouts" / "staging"
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "north").iterdir()}

    write_project(installation, {"north": {"a.sql": "1", "b.sql": "2"}})

    after = {path.name: path.stat().st_mtime_ns for path in (folder / "north").iterdir()}
    assert after["a.sql"] == before["a.sql"]
    assert (folder / "north" / "b.sql").read_text() == "2"
    assert generated_models(installation) == ["north"]
    assert is_written(installation)


def test_the_project_follows_a_checkout_that_was_moved(
    installation: Settings, tmp_path: Path
) -> None:
    moved = replace(installation, project=tmp_path / "moved")
    shutil.copytree(PROJECT / "dbt_project" / "seeds", moved.project / "dbt_project" / "seeds")
    write_project(installation, {})
    link_project(moved)

    seeds = project_folder(moved) / "seeds"
    assert seeds.resolve() == (moved.project / "dbt_project" / "seeds").resolve()
