"""The layouts of an installation: which hold, which are broken, and what that does to its PBXs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.installed import MemoryWatermark
from tests.layouts.declared import A5000, BROKEN, CARRIER, declare, use_layouts
from tollhouse.collector.stream_settings import StreamSettingsError, stream_settings
from tollhouse.extraction import RunContext, extract
from tollhouse.installed_pbxs import BrokenLayoutError, Pbx, PbxFileError, load_pbxs
from tollhouse.layouts.dbt_project import write_project
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.registry import BrokenLayout, find_model, known_models, layouts
from tollhouse.operator_guides import extract_guide
from tollhouse.parsing import ParsingError, known_model
from tollhouse.pbx import models
from tollhouse.pbx_check import check_pbx
from tollhouse.settings import load_settings

Folder = Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The folder of layouts of this installation: one that holds and one that does not."""
    monkeypatch.setenv("TOLLHOUSE_VAR", str(tmp_path / "var"))
    return use_layouts(monkeypatch, tmp_path / "layouts", north_carrier=CARRIER, south=BROKEN)


def entry(model: str, **keys: object) -> Pbx:
    return Pbx.model_validate(
        {"id": "site", "model": model, "time_zone": "Europe/Paris", "country": "FR", **keys}
    )


def faults(layout: object) -> str:
    assert isinstance(layout, BrokenLayout)
    return layout.explanation


def test_a_layout_that_does_not_hold_is_broken_and_leaves_the_others_alone(folder: Folder) -> None:
    found = layouts()

    assert list(found) == ["north_carrier", "south"]
    assert isinstance(found["north_carrier"], Layout)
    said = faults(found["south"])
    assert f"{folder / 'south.yml'} does not hold" in said
    assert "line 12, columns.talk_seconds.format" in said
    assert "fortnights" in said


def test_each_layout_is_a_model_like_any_other(folder: Folder) -> None:
    assert known_models().keys() - models().keys() == {"north_carrier"}
    assert find_model("north_carrier") == known_model("north_carrier")

    pbx = entry("north_carrier")

    assert pbx.known_model.title == "A carrier of the tests"
    assert pbx.transport == "dropped_files"
    assert pbx.broken_layout is None
    with pytest.raises(ValueError, match="'sql_table' is not one of dropped_files"):
        entry("north_carrier", transport="sql_table")


def test_a_file_that_was_edited_is_read_again(folder: Folder) -> None:
    path = folder / "south.yml"
    before = layouts()["south"]
    assert layouts()["south"] is before

    path.write_text(CARRIER, encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert isinstance(layouts()["south"], Layout)

    path.unlink()
    assert list(layouts()) == ["north_carrier"]


@pytest.mark.parametrize(
    ("layout_id", "text", "said"),
    [
        ("mitel_3300", CARRIER, "the model mitel_3300 has SQL of its own"),
        (
            "own_mitel",
            A5000.replace("aastra_a5000", "mitel_3300"),
            "line 2, model: is no model that is read by",
        ),
        ("no_such", A5000.replace("aastra_a5000", "no_such_pbx"), "no model that is read by"),
        ("md_evolution", A5000, "the model md_evolution is there"),
        ("North-Carrier", CARRIER, "small letters, digits and _"),
        (
            "a5000_v9", A5000.replace("columns:", "collection: {dropped_files: }\ncolumns:"),
            "line 8, collection: has no effect here: the model aastra_a5000 says by what",
        ),
        (
            "a5000_v9", A5000.replace("  fields:", "  encoding: cp850\n  header: true\n  fields:"),
            "line 7, tickets.encoding: has no effect here: the model aastra_a5000 decodes",
        ),
        (
            "a5000_v9", A5000.replace("  fields:", "  header: true\n  fields:"),
            "line 7, tickets.header: has no effect here: the model aastra_a5000 says what stands",
        ),
    ],
)  # fmt: skip
def test_a_layout_takes_no_name_and_no_model_that_is_not_its_to_take(
    tmp_path: Path, layout_id: str, text: str, said: str
) -> None:
    found = layouts(declare(tmp_path / "layouts", **{layout_id: text}))
    assert said in faults(found[layout_id])


def test_a_model_without_sql_is_read_by_the_layout_that_its_entry_names(
    folder: Folder,
) -> None:
    declare(folder, a5000_v9=A5000)
    named = entry("aastra_a5000", settings={"layout": "a5000_v9"})

    assert named.known_model == models()["aastra_a5000"]
    for layout_id in ("north_carrier", "No such", ""):
        with pytest.raises(ValueError, match=f"settings.layout is '{layout_id}'.*a5000_v9"):
            entry("aastra_a5000", settings={"layout": layout_id})
    with pytest.raises(ValueError, match="no layout is chosen for the model mitel_3300"):
        entry("mitel_3300", settings={"layout": "a5000_v9"})
    with pytest.raises(ValueError, match="write `model: aastra_a5000`"):
        entry("a5000_v9")


def test_an_entry_whose_layout_went_away_stops_alone(folder: Folder) -> None:
    """Once a layout was deployed, its file may go: the entries beside its own must not suffer."""
    write_project(load_settings(), {"old_carrier": {}})

    for pbx in (entry("old_carrier"), entry("aastra_a5000", settings={"layout": "old_a5000"})):
        with pytest.raises(BrokenLayoutError, match="there is no such file"):
            pbx.require_layout()


def test_a_broken_layout_leaves_every_other_entry_alone(folder: Folder) -> None:
    path = folder.parent / "pbx.yml"
    path.write_text(
        """
pbxs:
  - {id: lyon, model: north_carrier, time_zone: Europe/Paris, country: FR}
  - {id: nice, model: south, time_zone: Europe/Paris, country: FR}
  - {id: paris, model: mitel_3300, time_zone: Europe/Paris, country: FR}
""",
        encoding="utf-8",
    )

    pbxs = {pbx.id: pbx for pbx in load_pbxs(path)}

    assert [pbx.id for pbx in pbxs.values() if pbx.broken_layout] == ["nice"]
    # By what its tickets come stands in the file even so.
    assert pbxs["nice"].transport == "dropped_files"
    assert "fortnights" in extract_guide(pbxs["nice"])
    with pytest.raises(BrokenLayoutError, match=r"nice: nothing is read(.|\n)*line 12"):
        extract(pbxs["nice"], run=RunContext(), watermark=MemoryWatermark())
    with pytest.raises(ParsingError, match="line 12"):
        known_model("south")


def test_an_entry_whose_model_is_neither_built_in_nor_declared_is_refused(folder: Folder) -> None:
    path = folder.parent / "pbx.yml"
    path.write_text(
        "pbxs: [{id: lyon, model: no_such, time_zone: Europe/Paris, country: FR}]", encoding="utf-8"
    )
    with pytest.raises(PbxFileError, match=r"known are .*north_carrier"):
        load_pbxs(path)


def test_the_check_of_a_pbx_says_what_is_wrong_with_its_layout(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.parent / "pbx.yml"
    path.write_text(
        "pbxs: [{id: nice, model: south, time_zone: Europe/Paris, country: FR}]", encoding="utf-8"
    )
    monkeypatch.setenv("TOLLHOUSE_PBX_FILE", str(path))
    load_settings.cache_clear()

    report = check_pbx("nice", load_settings())

    (step,) = report.steps
    assert (step.name, step.outcome) == ("layout", "failed")
    assert "columns.talk_seconds.format" in step.found


def test_what_speaks_over_tcp_is_collected_although_its_layout_is_broken(folder: Folder) -> None:
    declare(folder, aastra_a5000="not: a layout", tcp=BROKEN.replace("dropped_files", "x"))

    built_in = entry("aastra_a5000")
    assert built_in.broken_layout is not None
    assert stream_settings(built_in).default_port == 3200

    declared = entry("tcp", transport="spooled_stream")
    with pytest.raises(StreamSettingsError, match=r"its layout does not hold(.|\n)*fortnights"):
        stream_settings(declared)
