"""The simulated 3CX: records in files of their own, and in one log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lab.file_drops import DropPlace
from lab.threecx import LOG_NAME, drop_files, grow_log, tickets_of
from lab.traffic import Call, Site, calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.settings import Settings

SITE = Site(
    pbx_id="rennes_lab",
    first_extension=120,
    last_extension=149,
    public_base="0261917120",
    calls_per_working_day=150,
    account_codes=("7001",),
)
OUTGOING = Call(
    pbx_id="rennes_lab",
    day=date(2026, 10, 6),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="121",
    destination="national_fixed",
    outside_number="0536490123",
)
INCOMING = replace(OUTGOING, direction="incoming", destination="")


def fields_of(call: Call, number: int = 1) -> list[str]:
    (ticket,) = tickets_of(call, SITE, number)
    return ticket.ticket.split(",")


def test_a_record_has_27_fields_with_their_times_in_utc() -> None:
    fields = fields_of(OUTGOING)
    assert len(fields) == 27
    assert fields[2:6] == [
        "00:01:40", "2026/10/06 09:30:00", "2026/10/06 09:30:07", "2026/10/06 09:31:47",
    ]  # fmt: skip


def test_the_call_id_holds_the_instant_of_the_start_lowest_byte_first() -> None:
    milliseconds = int.from_bytes(bytes.fromhex(fields_of(OUTGOING)[1].split("_")[0]), "little")
    assert milliseconds // 1000 == int(OUTGOING.started_at.timestamp())


def test_a_name_with_a_comma_stands_without_quotes() -> None:
    fields = fields_of(replace(OUTGOING, extension="125"))
    assert len(fields) == 28
    assert fields[23:25] == ["Exemple", " Anne 5"]


def test_a_transferred_call_is_one_record_that_ends_with_the_other_extension() -> None:
    transferred = replace(INCOMING, transferred_to="123", transferred_after_seconds=30)
    (ticket,) = tickets_of(transferred, SITE, 1)
    fields = ticket.ticket.split(",")
    assert (fields[10], fields[12], fields[14]) == ("121", "ReplacedDst", "123")
    assert (ticket.extension, ticket.talk_seconds) == ("123", 100)


def test_each_call_has_a_file_of_its_own_named_by_its_start_and_number(tmp_path: Path) -> None:
    tickets = [ticket for number in (1, 2) for ticket in tickets_of(OUTGOING, SITE, number)]
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    drop_files(place, tickets[:1])
    assert [path.name for path in place.folder.iterdir()] == ["cdr-261006093000.288801.log"]
    (place.folder / "cdr-261006093000.288801.log").unlink()
    drop_files(place, tickets)
    drop_files(place, tickets)
    (second,) = place.folder.iterdir()
    assert second.name == "cdr-261006093000.288802.log"
    assert second.read_bytes() == tickets[1].ticket.encode() + b"\r\n"


def test_the_one_log_grows(tmp_path: Path) -> None:
    tickets = [ticket for number in (1, 2) for ticket in tickets_of(OUTGOING, SITE, number)]
    place = DropPlace(tmp_path, tmp_path / "dropped")
    grow_log(place, tickets[:1])
    grow_log(place, tickets)
    log = (tmp_path / LOG_NAME).read_bytes()
    assert log == b"".join(ticket.ticket.encode() + b"\r\n" for ticket in tickets)


@pytest.mark.postgres
def test_staging_reads_a_day_of_records_as_the_lab_means_them(warehouse: Settings) -> None:
    calls = calls_of_day(SITE, 7, date(2026, 10, 6))
    truth = [t for number, call in enumerate(calls) for t in tickets_of(call, SITE, number)]
    parsed, expected = parsed_beside_truth(warehouse, "threecx", truth)
    assert parsed == expected
    assert {row["outcome"] for row in parsed} >= {"answered", "answered_by_machine", "no_answer"}
