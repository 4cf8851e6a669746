"""Every sample ticket becomes what a second reader of the format says it must become.

``tests/samples/<model>/expected.csv`` is written from the description of the format, by someone who
has not read the SQL; this test reads the folder of every model. tests/samples/README.md explains
the files.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse.parsing import AssumedPbx, known_model, parse_file
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

SAMPLES = Path(__file__).parent / "samples"
MODEL_IDS = sorted(path.parent.name for path in SAMPLES.glob("*/expected.csv"))

INSTANTS = ("started_at", "answered_at", "ended_at")


@pytest.mark.postgres
@pytest.mark.parametrize("model_id", MODEL_IDS)
def test_every_sample_ticket_becomes_what_the_format_says(
    model_id: str, warehouse: Settings
) -> None:
    expected = read_expected(model_id)
    columns = [name for name in next(iter(expected.values())) if name not in ("file", "record")]

    parsed = {
        key: {name: as_csv(name, row[name]) for name in columns}
        for key, row in parse_samples(model_id, warehouse)
    }

    differences = [
        f"{file}, record {record}: {name} is {parsed[file, record][name]!r}, expected {row[name]!r}"
        for (file, record), row in expected.items()
        if (file, record) in parsed
        for name in columns
        if parsed[file, record][name] != row[name]
    ]
    assert parsed.keys() == expected.keys()
    assert not differences, "\n".join(differences)


def read_expected(model_id: str) -> dict[tuple[str, int], dict[str, str]]:
    with (SAMPLES / model_id / "expected.csv").open(encoding="utf-8", newline="") as stream:
        return {(row["file"], int(row["record"])): row for row in csv.DictReader(stream)}


def parse_samples(
    model_id: str, warehouse: Settings
) -> list[tuple[tuple[str, int], dict[str, Any]]]:
    folder = SAMPLES / model_id
    context = yaml.safe_load((folder / "context.yml").read_text(encoding="utf-8"))
    parsed = []
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        for name, own in context["files"].items():
            keys = context["default"] | (own or {})
            assumed = AssumedPbx(
                model=known_model(model_id),
                time_zone=keys["timezone"],
                country=keys["country"],
                received_at=keys["received_at"].astimezone(UTC),
                trunks=tuple(keys.get("trunks", ())),
                settings=keys.get("settings", {}),
            )
            with (folder / name).open("rb") as stream:
                parsed += [
                    ((name, record), ticket.columns)
                    for record, ticket in enumerate(
                        parse_file(connection, assumed, stream), start=1
                    )
                ]
    return parsed


def as_csv(name: str, value: Any) -> str:
    """Write a value of the contract as expected.csv writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if name in INSTANTS:
        return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
