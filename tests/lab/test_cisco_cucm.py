"""The simulated CUCM: files as a cluster pushes them."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from lab.cisco_cucm import columns_of_cdr, drop_files, tickets_of
from lab.file_drops import DropPlace
from lab.sites import SITES
from lab.traffic import Call

SITE = SITES[2].site
NAME = re.compile(r"^(cdr|cmr)_(.+)_(\d+)_(\d{12})_(\d+)$")
INCOMING = Call(
    pbx_id="lille_plant",
    day=date(2026, 10, 6),
    number=0,
    direction="incoming",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="3150",
    outside_number="0536490123",
)
OUTGOING = replace(INCOMING, direction="outgoing", destination="national_fixed")


def records(line: str) -> dict[str, str]:
    names = [name for name, _ in columns_of_cdr()]
    return dict(zip(names, next(csv.reader([line])), strict=True))


def test_a_record_has_a_value_for_each_of_129_columns() -> None:
    assert len(columns_of_cdr()) == 129
    assert len(records(tickets_of(OUTGOING, SITE, 1)[0].ticket)) == 129


def test_an_outgoing_call_leaves_by_the_gateway_with_its_prefix_dialled() -> None:
    record = records(tickets_of(OUTGOING, SITE, 1)[0].ticket)
    assert record["callingPartyNumber"] == "3150"
    assert record["finalCalledPartyNumber"] == "00536490123"
    assert record["outpulsedCalledPartyNumber"] == "0536490123"
    assert record["destSpan"] != "0"
    assert record["origSpan"] == "0"


def test_an_incoming_call_has_no_calling_partition() -> None:
    record = records(tickets_of(INCOMING, SITE, 1)[0].ticket)
    assert record["callingPartyNumberPartition"] == ""
    assert record["origSpan"] != "0"
    assert record["finalCalledPartyNumber"] == "3150"


def test_times_are_utc_epochs_and_agree_with_the_duration() -> None:
    record = records(tickets_of(INCOMING, SITE, 1)[0].ticket)
    assert int(record["dateTimeOrigination"]) == int(INCOMING.started_at.timestamp())
    assert int(record["dateTimeConnect"]) - int(record["dateTimeOrigination"]) == 7
    assert int(record["dateTimeDisconnect"]) - int(record["dateTimeConnect"]) == 100


def test_a_call_that_nobody_took_was_never_connected() -> None:
    missed = replace(INCOMING, outcome="no_answer", talk_seconds=0)
    (ticket,) = tickets_of(missed, SITE, 1)
    assert records(ticket.ticket)["dateTimeConnect"] == "0"


def test_a_transfer_makes_three_records_that_add_up_to_the_talk() -> None:
    transferred = replace(INCOMING, transferred_to="3160", transferred_after_seconds=30)
    legs = [t for t in tickets_of(transferred, SITE, 1) if t.state == "ticket"]
    before, consultation, after = (records(leg.ticket) for leg in legs)
    assert before["globalCallID_callId"] == after["globalCallID_callId"]
    assert consultation["globalCallID_callId"] != after["globalCallID_callId"]
    assert consultation["destLegIdentifier"] == after["destLegIdentifier"]
    assert after["lastRedirectDn"] == "3150"
    assert sum(leg.talk_seconds for leg in legs) == 100


def test_files_are_named_and_headed_as_a_cluster_does_it(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    drop_files(DropPlace(folder, tmp_path / "dropped"), tickets_of(INCOMING, SITE, 1))
    names = [path.name for path in folder.iterdir()]
    assert [match[1] for match in map(NAME.match, sorted(names)) if match] == ["cdr", "cmr"]
    cdr = next(name for name in names if name.startswith("cdr"))
    header, types, *lines = (folder / cdr).read_text().splitlines()
    assert header.startswith('"cdrRecordType","globalCallID_callManagerId"')
    assert types.startswith("INTEGER,INTEGER")
    assert len(lines) == 1
    assert NAME.match(cdr)[4] == "202610061000"  # type: ignore[index]


def test_what_was_dropped_is_not_dropped_again(tmp_path: Path) -> None:
    tickets = [ticket for number in range(3) for ticket in tickets_of(INCOMING, SITE, number)]
    place = DropPlace(tmp_path / "drop", tmp_path / "dropped")
    drop_files(place, tickets[:2])
    first = sorted(place.folder.iterdir())
    for path in first:
        path.rename(tmp_path / path.name)
    drop_files(place, tickets[:2])
    assert list(place.folder.iterdir()) == []
    drop_files(place, tickets)
    second = sorted(place.folder.iterdir())
    assert not {path.name for path in first} & {path.name for path in second}
    taken = [tmp_path / path.name for path in first]
    lines = [line for path in taken + second for line in path.read_text().splitlines()[2:]]
    assert sorted(lines) == sorted(ticket.ticket for ticket in tickets)
