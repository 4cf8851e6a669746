"""How the lab's PBXs drop files: whole, growing, dated, and wrong where that is asked for."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lab import (
    aastra_a5000,
    alcatel_oxe,
    alcatel_oxe_files,
    alcatel_oxo,
    captures,
    shoretel,
    threecx,
)
from lab.file_drops import DropPlace, Mishaps, writing_time
from lab.traffic import Site, calls_of_day
from lab.truth import TicketTruth
from tests.transports.pulling import Puller
from tollhouse.decompression import unpacked
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

SITE = Site(
    pbx_id="paris_hq",
    first_extension=120,
    last_extension=149,
    public_base="0199001120",
    calls_per_working_day=12,
)
CLOSED_AT = datetime(2026, 10, 6, 9, 30, tzinfo=UTC)
BODIES = """
select tickets.body
from raw.tickets as tickets
inner join raw.deliveries as deliveries on tickets.delivery_id = deliveries.delivery_id
where deliveries.pbx_id = 'paris_hq'
"""


def records_of_a_day() -> list[TicketTruth]:
    calls = calls_of_day(SITE, 7, date(2026, 10, 6))
    return [t for number, call in enumerate(calls) for t in threecx.tickets_of(call, SITE, number)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_whole_file_bears_the_time_of_the_pbx_and_never_one_to_come(tmp_path: Path) -> None:
    place = DropPlace(tmp_path, tmp_path / "dropped")
    place.put("then", b"ticket", CLOSED_AT)
    place.put("soon", b"ticket", datetime.now(UTC) + timedelta(hours=2))
    assert (tmp_path / "then").stat().st_mtime == CLOSED_AT.timestamp()
    assert (tmp_path / "soon").stat().st_mtime <= datetime.now(UTC).timestamp()


def test_a_file_grows_from_whatever_is_there_of_it(tmp_path: Path) -> None:
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    for content in (b"one\n", b"one\ntwo\n", b"one\ntwo\n"):
        place.grow("log", content, CLOSED_AT)
    assert contents(place.folder) == {"log": b"one\ntwo\n"}


def test_uploads_go_wrong_as_asked(tmp_path: Path) -> None:
    mishaps = Mishaps(halve_every=2, cut_every=3, repeat_every=5)
    place = DropPlace(tmp_path, tmp_path / "dropped", mishaps=mishaps)
    for number in range(1, 6):
        place.put(f"{number}.log", b"0123456789", CLOSED_AT)
    whole, half = b"0123456789", b"01234"
    assert contents(tmp_path) == {
        "1.log": whole, "2.log": half, "3.log": half, "4.log": half, "5-again.log": whole,
        "5.log": whole,
    }  # fmt: skip
    place.bring_rests()
    assert [name for name, content in contents(tmp_path).items() if content == half] == ["3.log"]


def test_a_day_log_holds_the_calls_that_ended_on_its_day(tmp_path: Path) -> None:
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    tickets = [
        ticket
        for day in (date(2026, 10, 6), date(2026, 10, 7))
        for number, call in enumerate(calls_of_day(SITE, 7, day))
        for ticket in shoretel.tickets_of(call, SITE, number)
    ]
    for count in (3, len(tickets)):
        shoretel.FILES.deliver(place, tickets[:count])
    logs = contents(place.folder)
    assert list(logs) == ["CDR-100626.log", "CDR-100726.log"]
    assert b"".join(logs.values()) == b"".join(shoretel.encode(t.ticket) for t in tickets)
    assert b" 10/07/2026 " not in logs["CDR-100626.log"]


def test_the_driver_of_an_oxo_writes_a_file_a_ticket(tmp_path: Path) -> None:
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    calls = list(calls_of_day(SITE, 7, date(2026, 10, 6)))
    tickets = [
        t for number, call in enumerate(calls) for t in alcatel_oxo.tickets_of(call, SITE, number)
    ]
    for count in (2, len(tickets)):
        alcatel_oxo.FILES.deliver(place, tickets[:count])
    files = contents(place.folder)
    assert len(files) == len(calls)
    assert all(name.startswith("TicketCollector20261006") for name in files)
    assert all(content.count(b"<Invented>") == 1 for content in files.values())


def test_an_oxe_closes_a_compressed_file_a_day_that_begins_with_its_columns(tmp_path: Path) -> None:
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    tickets = [
        ticket
        for day in (date(2026, 10, 6), date(2026, 10, 7))
        for number, call in enumerate(calls_of_day(SITE, 7, day))
        for ticket in alcatel_oxe.tickets_of(call, SITE, number)
    ]
    for count in (3, len(tickets)):
        alcatel_oxe_files.close_files(place, tickets[:count])
    files = [unpacked_lines(path) for path in sorted(place.folder.iterdir())]
    assert [len(lines) > 1 for lines in files] == [True, True, True]
    assert {lines[0] for lines in files} == {alcatel_oxe_files.header()}
    assert [line for lines in files for line in lines[1:]] == [t.ticket for t in tickets]
    place.forget(alcatel_oxe_files.KEPT, datetime.now(UTC) + timedelta(days=32))
    assert list(place.folder.iterdir()) == []


def unpacked_lines(path: Path) -> list[str]:
    with path.open("rb") as packed, unpacked(packed, path.name) as (member,):
        return member.open().read().decode("latin-1").splitlines()


def test_an_a5000_closes_a_compressed_file_an_hour(tmp_path: Path) -> None:
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    calls = list(calls_of_day(SITE, 7, date(2026, 10, 6)))
    tickets = [
        t for number, call in enumerate(calls) for t in captures.tickets_of(call, SITE, number)
    ]
    tickets.sort(key=writing_time)
    aastra_a5000.close_files(place, tickets)
    files = sorted(place.folder.iterdir())
    assert len(files) == len({writing_time(ticket).hour for ticket in tickets})
    lines = b"".join(gzip.decompress(path.read_bytes()) for path in files).splitlines()
    assert [line.decode() for line in lines] == [ticket.ticket for ticket in tickets]


@pytest.mark.postgres
def test_of_half_and_repeated_files_each_ticket_lands_whole_and_once(
    warehouse: Settings, tmp_path: Path
) -> None:
    tickets = records_of_a_day()
    mishaps = Mishaps(halve_every=3, repeat_every=2)
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped", mishaps=mishaps)
    threecx.drop_files(place, tickets)
    pbx = Pbx(
        id="paris_hq",
        model="threecx",
        transport="dropped_files",
        time_zone="Europe/Paris",
        country="FR",
        settings={"folder": str(place.folder), "stable_seconds": 0},
    )
    puller = Puller(warehouse, pbx)
    puller.pull()
    place.bring_rests()
    puller.pull()
    with connect(DBT, settings=warehouse) as reader:
        bodies = [body for (body,) in reader.execute(BODIES)]
    assert sorted(bodies) == sorted(ticket.ticket for ticket in tickets)
