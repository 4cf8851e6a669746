"""HiPath 3000 writes columns, OpenScape Business elements or columns: of a call the same ticket."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tollhouse.parsing import AssumedPbx, known_model, parse_file
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

pytestmark = pytest.mark.postgres

#: Trunk, extension, ring, conversation, number, pulses, information code.
CALLS = (
    ("1", "201", "00:15", "00:03:12", "0261910042", "", "1"),
    ("1", "201", "", "00:03:12", "0261910042", "", "1"),
    ("1", "201", "00:15", "", "0261910042", "", "1"),
    ("2", "202", "", "00:01:05", "0199001234", "12", "2"),
    ("2", "202", "00:07", "00:01:05", "0199001234", "", "2"),
    ("2", "202", "", "00:00:00", "0199001234", "", "2"),
    ("2", "203", "", "00:00:16", "0261910042", "", "35"),
    ("2", "203", "59:59", "23:59:59", "0261910042", "", "36"),
)
#: What names the line and no call.
PROVENANCE = {"ticket_id", "model", "ordinal"}


def test_the_two_formats_of_the_family_say_the_same_of_a_call(warehouse: Settings) -> None:
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        columns = tickets(connection, "siemens_hipath", [in_columns(*call) for call in CALLS])
        elements = tickets(connection, "unify_openscape", [in_elements(*call) for call in CALLS])
        files = tickets(
            connection,
            "unify_openscape",
            [in_columns(*call) for call in CALLS],
            transport="dropped_files",
        )
        (over_tcp,) = tickets(connection, "unify_openscape", [in_columns(*CALLS[0])])

    assert columns == elements == files
    assert over_tcp["state_reason"] == "line_of_siemens_hipath"
    assert {ticket["state"] for ticket in columns} == {"ticket"}
    # The clock is that of the end: an answer is known by the conversation, also without a ring.
    assert [clock(ticket["answered_at"]) for ticket in columns] == [
        "11:56:48", "11:56:48", None, "11:58:55", "11:58:55", None, "11:59:44", "12:00:01",
    ]  # fmt: skip


def in_columns(
    trunk: str, extension: str, ring: str, conversation: str, number: str, pulses: str, code: str
) -> str:
    return (
        f"02.03.2613:00:00{trunk:>3}{extension:>6}{ring:<5}{conversation:<8}{number:<25}"
        f"{pulses:>11}{code:>2}"
    )


def in_elements(*fields: str) -> str:
    return "|".join(("02.03.26", "13:00:00", *fields, "", "", "", "", ""))


def tickets(
    connection: psycopg.Connection,
    model_id: str,
    lines: list[str],
    *,
    transport: str = "spooled_stream",
) -> list[dict[str, Any]]:
    assumed = AssumedPbx(
        model=known_model(model_id),
        time_zone="Europe/Paris",
        country="FR",
        received_at=datetime(2026, 3, 3, 8, tzinfo=UTC),
        transport=transport,
    )
    capture = io.BytesIO("".join(f"{line}\r\n" for line in lines).encode())
    return [
        {name: value for name, value in ticket.columns.items() if name not in PROVENANCE}
        for ticket in parse_file(connection, assumed, capture)
    ]


def clock(instant: str | None) -> str | None:
    """Return the time of day of an instant in UTC."""
    return instant and datetime.fromisoformat(instant).astimezone(UTC).strftime("%H:%M:%S")
