"""``tollhouse layout draft``: where the layout goes, and what is said of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tollhouse.commands import layout_draft
from tollhouse.layouts.drafting.content import DraftError
from tollhouse.layouts.reading import read_layout
from tollhouse.parsing import ParsingError
from tollhouse.settings import Settings, load_settings

CALLS = "".join(
    f"2026-03-{13 + number} 10:00:00;00:0{number}:30;0199001234;026191000{number}\n"
    for number in range(9)
)
DAMAGED = "2026-03-31 25:00:00;00:01:30;0199001234;0261910009\n"
NO_CALLS = "day;colour;loud\n" + "2026-03-13;blue;yes\n" * 3


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "north_carrier 2026-03.csv"
    path.write_text(NO_CALLS)
    return path


def test_the_layout_is_printed_and_all_else_goes_to_standard_error(
    feed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    layout_draft.run([feed])

    said = capsys.readouterr()
    written = tmp_path / "printed.yml"
    written.write_text(said.out)
    assert read_layout(written).confirmed is False
    assert "No ticket can be read yet" in said.err
    assert f"layout draft '{feed}' --output include/layouts/north_carrier.yml" in said.err


def test_a_layout_that_is_there_is_never_overwritten_unless_it_is_said(
    feed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "north_carrier.yml"

    layout_draft.run([feed], output=output, timezone="Europe/Paris")

    said = capsys.readouterr()
    assert said.out == ""
    assert read_layout(output).layout_id == "north_carrier"
    assert f"layout check {output} '{feed}' --timezone Europe/Paris" in said.err
    output.write_text("mine")
    with pytest.raises(DraftError, match="--force overwrites it"):
        layout_draft.run([feed], output=output)
    assert output.read_text() == "mine"
    layout_draft.run([feed], output=output, force=True)
    assert read_layout(output).layout_id == "north_carrier"


def test_what_cannot_be_used_is_said_before_anything_is_written(feed: Path, tmp_path: Path) -> None:
    for name in ("North Carrier.yml", "carrier.txt", "1carrier.yml"):
        with pytest.raises(DraftError, match="is no name of a layout"):
            layout_draft.run([feed], output=tmp_path / name)
    with pytest.raises(DraftError, match="There is no folder"):
        layout_draft.run([feed], output=tmp_path / "nowhere" / "carrier.yml")
    with pytest.raises(ParsingError, match="is no time zone"):
        layout_draft.run([feed], timezone="Paris")
    with pytest.raises(ParsingError, match="is no country"):
        layout_draft.run([feed], country="XX")
    assert list(tmp_path.glob("*.yml")) == []


@pytest.mark.postgres
def test_the_first_tickets_are_shown_as_the_pipeline_would_read_them(
    warehouse: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in warehouse.environment.items():
        if name.startswith("TOLLHOUSE_"):
            monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    calls = tmp_path / "calls.csv"
    calls.write_text(CALLS + DAMAGED)
    archive = tmp_path / "calls.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(calls)

    layout_draft.run([archive], timezone="Europe/Paris")

    said = capsys.readouterr().err
    assert "2026-03-14 10:00:00" in said
    assert "0:01:30" in said
    assert "Of the first 10 tickets: 9 parsed, 1 rejected, 0 ignored." in said
    assert '1 no_such_time, field time_1, such as "2026-03-31 25:00:00"' in said
    assert "Doubtful:" in said
    assert "which of the two numbers called" in " ".join(said.split())
