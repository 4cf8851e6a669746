"""The feeds that are read by layouts alone: a carrier's CSV, fixed columns, XML and JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lab import carrier_csv, exemple_cloud_pbx, exemple_hotel_pms, exemple_trunk_xml
from lab.file_drops import DropPlace
from lab.sites import SITES
from lab.traffic import Call, Site, calls_of_day
from lab.truth import TicketTruth
from tollhouse.parsing import AssumedPbx, known_model, parse_file
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

SITE = Site(
    pbx_id="feed_exemple",
    first_extension=300,
    last_extension=359,
    public_base="0536493300",
    calls_per_working_day=60,
)
OUTGOING = Call(
    pbx_id="feed_exemple",
    day=date(2026, 10, 6),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=65,
    extension="311",
    destination="national_fixed",
    outside_number="0199005012",
)
MISSED = replace(OUTGOING, direction="incoming", outcome="no_answer", talk_seconds=0)
INTERNAL = replace(OUTGOING, direction="internal", outside_number="", other_extension="305")


def place_of(tmp_path: Path) -> DropPlace:
    return DropPlace(tmp_path / "drop", tmp_path / "dropped")


def test_the_carrier_writes_answered_calls_by_the_line_that_made_them(tmp_path: Path) -> None:
    assert carrier_csv.tickets_of(INTERNAL, SITE, 1) == []
    assert carrier_csv.tickets_of(MISSED, SITE, 1) == []
    tickets = carrier_csv.tickets_of(OUTGOING, SITE, 18)
    assert [ticket.state for ticket in tickets] == ["ticket", "ignored"]
    place = place_of(tmp_path)
    carrier_csv.drop_files(place, tickets)
    carrier_csv.drop_files(place, tickets)
    (file,) = place.folder.iterdir()
    assert file.name == "releve_20261006_000001.csv"
    lines = file.read_bytes().decode("windows-1252").splitlines()
    assert lines[0] == "Opérateur Modèle;relevé détaillé;06/10/2026"
    call, message = csv.DictReader(lines[1:], delimiter=";")
    assert (call["Référence"], call["Ligne"], call["Numéro appelé"]) == (
        "M2610-00018", "0536493311", "+33199005012",
    )  # fmt: skip
    assert (call["Date"], call["Heure"], call["Durée"]) == ("06/10/2026", "11:30:07", "00:01:05")
    assert (call["Montant HT"], message["Type"]) == ("0,0054", "SMS")


def test_the_hotel_prints_the_end_of_each_call_in_columns_without_separators() -> None:
    head, ticket = exemple_hotel_pms.tickets_of(OUTGOING, SITE, 0)
    assert (head.state, head.ticket[:15]) == ("ignored", "DATE    HEURE  ")
    assert ticket.ticket == (
        "06102026113112 0311 D 0199005012           1'05    7     2 OK Hôtel Modèle 311"
    )
    assert exemple_hotel_pms.encode("ô") == b"\x93\r\n"
    total, _, _ = exemple_hotel_pms.tickets_of(OUTGOING, SITE, 40)
    assert total.ticket == "TOTAL        40 APPELS"


def test_a_long_call_to_a_long_number_leaves_no_column_of_the_hotel() -> None:
    call = replace(OUTGOING, talk_seconds=10_800, ring_seconds=60, outside_number="0" * 17)
    (ticket,) = exemple_hotel_pms.tickets_of(call, SITE, 1)
    assert [ticket.ticket[40], ticket.ticket[41:47], ticket.ticket[58:61]] == [" ", "180'00", " OK"]


def test_the_trunk_operator_names_the_customer_and_cuts_minutes(tmp_path: Path) -> None:
    assert exemple_trunk_xml.tickets_of(INTERNAL, SITE, 1) == []
    tickets = [
        *exemple_trunk_xml.tickets_of(OUTGOING, SITE, 1),
        *exemple_trunk_xml.tickets_of(replace(MISSED, extension="355"), SITE, 2),
    ]
    assert [ticket.account_code for ticket in tickets] == ["CL-4471", "CL-4472"]
    place = place_of(tmp_path)
    exemple_trunk_xml.drop_files(place, tickets)
    (file,) = place.folder.iterdir()
    names = {"x": "urn:exemple:releve:2", "f": "urn:exemple:facturation"}
    out, missed = ElementTree.fromstring(file.read_bytes()).findall("x:Appels/x:Appel", names)
    duration = out.find("x:Duree", names)
    assert duration is not None
    assert (duration.text, duration.get("sonnerie")) == ("1,08", "0,11")
    assert out.findtext("x:Debut", namespaces=names) == "2026-10-06 09:30:00"
    assert (out.findtext("f:Cout", namespaces=names), missed.get("sens")) == ("0,0081", "E")


def test_the_cloud_tells_milliseconds_that_are_whole_seconds_when_rounded_up(
    tmp_path: Path,
) -> None:
    (ticket,) = exemple_cloud_pbx.tickets_of(OUTGOING, SITE, 3)
    (hidden,) = exemple_cloud_pbx.tickets_of(replace(MISSED, outside_number=""), SITE, 4)
    place = place_of(tmp_path)
    exemple_cloud_pbx.drop_files(place, [ticket, hidden])
    (file,) = place.folder.iterdir()
    call, missed = json.loads(file.read_text(encoding="utf-8"))["data"]["calls"]
    assert call["time"] == {"start": 1_791_279_000_000, "ring_ms": 6_589, "talk_ms": 64_589}
    assert (call["charge"], "charge" in missed) == ({"cents": 1.35, "currency": "EUR"}, False)
    assert (missed["outside"], missed["result"]) == ({}, {"code": 19})


MODELS = {
    "carrier_modele": "carrier_csv",
    "biarritz_palace": "exemple_hotel_pms",
    "trunk_exemple": "exemple_trunk_xml",
    "annecy_cloud": "exemple_cloud_pbx",
}


@pytest.mark.postgres
@pytest.mark.parametrize("pbx_id", MODELS)
def test_a_layout_reads_of_its_feed_what_happened(
    pbx_id: str, warehouse: Settings, tmp_path: Path
) -> None:
    pbx = next(pbx for pbx in SITES if pbx.site.pbx_id == pbx_id)
    calls = [
        call
        for day in (date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 5))
        for call in calls_of_day(pbx.site, seed=1, day=day)
    ]
    truth = [
        ticket
        for number, call in enumerate(sorted(calls, key=lambda call: call.ended_at))
        for ticket in pbx.tickets_of(call, pbx.site, number)
    ]
    files = exemple_cloud_pbx.FILES if pbx.api else pbx.files
    if files:
        place = place_of(tmp_path)
        files.deliver(place, truth)
        feeds = [path.read_bytes() for path in sorted(place.folder.iterdir())]
    else:
        assert pbx.stream
        feeds = [b"".join(pbx.stream.encode(ticket.ticket) for ticket in truth)]
    received_at = datetime(2026, 10, 6, tzinfo=UTC)
    assumed = AssumedPbx(known_model(MODELS[pbx_id]), "Europe/Paris", "FR", received_at)
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        found = [
            meaning_of(ticket.columns)
            for feed in feeds
            for ticket in parse_file(connection, assumed, BytesIO(feed))
        ]
    assert len({meaning[1] for meaning in found}) > len(found) / 2
    assert found == [told(ticket) for ticket in truth]


def meaning_of(columns: dict[str, Any]) -> tuple[Any, ...]:
    if columns["state"] != "ticket":
        return (columns["state"], None)
    return (
        columns["state"],
        datetime.fromisoformat(columns["started_at"]),
        columns["direction"],
        columns["outcome"],
        columns["ring_seconds"],
        columns["talk_seconds"],
        columns["extension"] or "",
        columns["account_code"] or "",
    )


def told(ticket: TicketTruth) -> tuple[Any, ...]:
    return meaning_of(vars(ticket))
