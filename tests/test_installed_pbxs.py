"""include/pbx.yml is checked entry by entry; a fault names its entry, key and value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollhouse.installed_pbxs import PbxFileError, load_pbxs

GOOD = """
pbxs:
  - {id: second, model: cisco_cucm, time_zone: Europe/Paris, country: FR}
  - {id: first, model: mitel_3300, time_zone: Europe/Paris, country: FR}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "pbx.yml"
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str) -> str:
    with pytest.raises(PbxFileError) as caught:
        load_pbxs(written(folder, text))
    return str(caught.value)


def test_the_shortest_entry_gets_the_defaults_of_its_model(tmp_path: Path) -> None:
    first, second = load_pbxs(written(tmp_path, GOOD))
    assert (first.id, first.transport, first.connection) == ("first", "spooled_stream", "pbx_first")
    assert (second.id, second.transport) == ("second", "dropped_files")
    assert first.dag_id == "extract__first"
    assert first.idlast_variable == "idlast__first"


def test_every_fault_of_the_file_is_named_at_once(tmp_path: Path) -> None:
    text = fault(
        tmp_path,
        """
pbxs:
  - {id: Paris, model: mitel_3300, time_zone: Europe/Paris, country: FR}
  - {id: lyon, model: no_such_pbx, time_zone: Mars/Olympus, country: FR}
  - {id: lille, model: cisco_cucm, time_zone: Europe/Paris, country: FR, colour: blue}
  - {id: nice, model: [cisco_cucm], time_zone: Europe/Paris, country: FR}
""",
    )
    assert "entry 1 (Paris), id" in text
    assert "entry 2 (lyon), model" in text
    assert "known are" in text
    assert "entry 2 (lyon), time_zone" in text
    assert "'Mars/Olympus'" in text
    assert "entry 3 (lille), colour" in text
    assert "entry 4 (nice), model" in text


def test_a_transport_that_the_model_cannot_use_is_refused(tmp_path: Path) -> None:
    text = fault(
        tmp_path,
        """
pbxs:
  - {id: lyon, model: mitel_3300, time_zone: Europe/Paris, country: FR, transport: sql_table}
""",
    )
    assert "'sql_table' is not one of spooled_stream" in text


def test_an_id_may_stand_only_once(tmp_path: Path) -> None:
    assert "the same id stands above" in fault(tmp_path, GOOD.replace("second", "first"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pbxs: {}", "expected a list"),
        ("[", "is not YAML"),
        ("pbxs: [3]", "entry 1 (not a mapping)"),
        ("", "expected a list"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_plain_words(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in fault(tmp_path, text)


def test_a_list_from_which_all_entries_were_taken_is_empty(tmp_path: Path) -> None:
    assert load_pbxs(written(tmp_path, "pbxs:\n")) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PbxFileError, match="does not exist"):
        load_pbxs(tmp_path / "pbx.yml")


def test_number_ranges_are_written_in_e164(tmp_path: Path) -> None:
    text = fault(tmp_path, GOOD.replace("country: FR}", 'country: FR, number_ranges: ["0199"]}'))
    assert "number_ranges" in text
