"""The simulated Fonisk and ITNeo, whose rows name users by id, and TelNowEdge with its names."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from lab import asterisk, telnowedge
from lab.fonisk import (
    FONISK,
    GONE,
    ITNEO,
    SUBSIDIARIES,
    fonisk_people_of,
    fonisk_tickets_of,
    itneo_tickets_of,
)
from lab.traffic import Call, Site
from lab.truth import TicketTruth

SITE = Site(
    pbx_id="lens_clinic",
    first_extension=4400,
    last_extension=4479,
    public_base="0353019400",
    calls_per_working_day=30,
)
OUTGOING = Call(
    pbx_id="lens_clinic",
    day=date(2026, 10, 6),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="4400",
    destination="national_fixed",
    outside_number="0536490123",
)
INCOMING = replace(OUTGOING, direction="incoming", destination="")
USERS = {row["id_user"]: row for row in fonisk_people_of(SITE)["user"]}


def row_of(ticket: TicketTruth) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(ticket.ticket)
    return fields


def rows_of_all_extensions() -> list[dict[str, Any]]:
    calls = [
        replace(OUTGOING, extension=str(extension))
        for extension in range(SITE.first_extension, SITE.last_extension + 1)
    ]
    return [row_of(ticket) for call in calls for ticket in fonisk_tickets_of(call, SITE, 1)]


def test_the_truth_is_that_of_the_asterisk_inside() -> None:
    for call in (OUTGOING, INCOMING, replace(OUTGOING, outcome="failed", talk_seconds=0)):
        inside = asterisk.tickets_of(call, SITE, 10)
        written = fonisk_tickets_of(call, SITE, 10)
        assert [replace(ticket, ticket="") for ticket in written] == [
            replace(ticket, ticket="") for ticket in inside
        ]


def test_the_row_of_a_user_tells_the_extension_only_by_the_user() -> None:
    (ticket,) = fonisk_tickets_of(OUTGOING, SITE, 1)
    row = row_of(ticket)
    assert str(row["channel"]).startswith("PJSIP/desk4400-")
    assert USERS[row["id_user"]]["number"] == ticket.extension


def test_each_member_of_a_ring_group_is_a_user_of_its_own() -> None:
    legs = [ticket for ticket in fonisk_tickets_of(INCOMING, SITE, 10) if ticket.state == "ticket"]
    numbers = [USERS[row_of(leg)["id_user"]]["number"] for leg in legs]
    assert numbers == ["4400", "4401", "4402"]


def test_the_trunk_keeps_its_name() -> None:
    (ticket,) = fonisk_tickets_of(INCOMING, SITE, 1)
    assert str(row_of(ticket)["channel"]).startswith("PJSIP/carrier-")


def test_some_telephones_have_no_user_and_some_a_user_who_is_gone() -> None:
    rows = rows_of_all_extensions()
    kinds = Counter(
        "none" if row["id_user"] is None else "gone" if row["id_user"] not in USERS else "user"
        for row in rows
    )
    assert kinds == {"user": 72, "none": 4, "gone": 4}
    assert all(
        str(row["channel"]).startswith(f"PJSIP/{row['src']}-")
        for row in rows
        if row["id_user"] not in USERS
    )


def test_some_users_have_no_group_or_no_subsidiary_and_some_one_that_is_gone() -> None:
    rows = [row for row in rows_of_all_extensions() if row["id_user"] in USERS]
    for column in ("id_user_group", "id_subsidiary"):
        ids = [row[column] for row in rows]
        assert None in ids
        assert any(number is not None and number > GONE for number in ids)
    assert set(range(1, len(SUBSIDIARIES) + 1)) < {row["id_subsidiary"] for row in rows}


def test_every_column_that_a_row_fills_is_one_of_its_table() -> None:
    for tables, tickets_of in ((FONISK, fonisk_tickets_of), (ITNEO, itneo_tickets_of)):
        (ticket,) = tickets_of(OUTGOING, SITE, 1)
        assert row_of(ticket).keys() == set(tables.columns)
        for column in tables.columns:
            assert f"{column} " in tables.definitions["cdr"]


def test_an_itneo_knows_no_subsidiaries() -> None:
    assert set(ITNEO.people_of(SITE)) == set(ITNEO.readable) - {"cdr"} == {"user", "user_group"}
    assert "subsidiary" not in ITNEO.definitions["cdr"]


def test_a_telnowedge_names_the_party_inside() -> None:
    (outgoing,) = telnowedge.tickets_of(OUTGOING, SITE, 1)
    (incoming,) = telnowedge.tickets_of(INCOMING, SITE, 1)
    assert (row_of(outgoing)["cnam"], row_of(incoming)["dst_cnam"]) == ("Anne Exemple",) * 2
    assert {"cnam", "dst_cnam"} < set(telnowedge.TABLES.columns)
