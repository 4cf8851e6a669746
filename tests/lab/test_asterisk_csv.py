"""The simulated Asterisk with Master.csv: a file that grows and is rotated."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lab.asterisk_csv import COLUMNS, grow_file, tickets_of
from lab.file_drops import DropPlace
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="agen_office",
    first_extension=6200,
    last_extension=6229,
    public_base="0536496200",
    calls_per_working_day=150,
)
OUTGOING = Call(
    pbx_id="agen_office",
    day=date(2026, 10, 6),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="6201",
    destination="national_fixed",
    outside_number="0536490123",
)


def line_of(call: Call) -> str:
    (ticket,) = tickets_of(call, SITE, 1)
    return ticket.ticket


def test_texts_are_in_quotes_and_numbers_are_bare() -> None:
    line = line_of(OUTGOING)
    assert line.startswith('"","6201","0536490123","from-internal",""""" <6201>","PJSIP/6201-')
    assert '"2026-10-06 11:30:00","2026-10-06 11:30:07","2026-10-06 11:31:47",107,100,' in line
    assert line.endswith(",4")


def test_a_line_has_all_columns_that_can_be_switched_on() -> None:
    row = dict(zip(COLUMNS, next(csv.reader([line_of(OUTGOING)])), strict=True))
    assert len(row) == 21
    assert row["uniqueid"] == row["linkedid"]


def test_a_call_that_nobody_took_has_no_time_of_answer() -> None:
    line = line_of(replace(OUTGOING, outcome="no_answer", talk_seconds=0))
    assert '"2026-10-06 11:30:00",,"2026-10-06 11:30:07",7,0,"NO ANSWER"' in line


def test_the_file_grows_and_is_put_aside_each_sunday_without_losing_a_line(tmp_path: Path) -> None:
    days = [OUTGOING.started_at + timedelta(days=days) for days in (0, 4, 5, 12)]
    tickets = [
        ticket
        for number, day in enumerate(days)
        for ticket in tickets_of(replace(OUTGOING, started_at=day), SITE, number)
    ]
    place = DropPlace(tmp_path / "cdr-csv", tmp_path / "dropped")
    lines = [f"{ticket.ticket}\n" for ticket in tickets]

    def written() -> dict[str, str]:
        return {path.name: path.read_text() for path in place.folder.iterdir()}

    grow_file(place, tickets[:1])
    assert written() == {"Master.csv": lines[0]}
    grow_file(place, tickets[:2])
    assert written() == {"Master.csv": lines[0] + lines[1]}
    for _ in range(2):
        grow_file(place, tickets)
        assert written() == {
            "Master.csv-20261011": lines[0] + lines[1],
            "Master.csv-20261018": lines[2],
            "Master.csv": lines[3],
        }


@pytest.mark.postgres
def test_staging_reads_a_day_of_lines_as_the_lab_means_them(warehouse: Settings) -> None:
    calls = calls_of_day(SITE, 7, date(2026, 10, 6))
    truth = [t for number, call in enumerate(calls) for t in tickets_of(call, SITE, number)]
    parsed, expected = parsed_beside_truth(
        warehouse, "asterisk_csv", truth, trunks=("PJSIP/carrier",)
    )
    assert parsed == expected
    assert {row["state"] for row in parsed} == {"ticket", "ignored"}
