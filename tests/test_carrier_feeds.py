"""Carrier feeds: a call without an extension finds its payer by number range and account code."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tollhouse.directory.loading import load_directory
from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import DBT, connect

pytestmark = pytest.mark.postgres

PBX = """
  - id: carrier_nord
    model: asterisk_csv
    transport: dropped_files
    time_zone: Europe/Paris
    country: FR
    outside_line_policy: never
    carrier: carrier_demo
    settings:
      folder: drop/carrier_nord
"""
ROWS = {
    "number_ranges.csv": "carrier_nord,+33199004000,+33199004099,atelier_paris,2026-01-01,\n",
    "account_codes.csv": "carrier_nord,CUST-0042,cabinet_paris,2026-01-01,\n",
}

#: Calls of a feed: caller, called, account code; and who pays by which rule for what number.
CALLS = {
    # The caller as carriers write it.
    ("0199004012", "0536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("199004012", "0536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("33199004012", "0536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("0033199004012", "0536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("+33199004012", "0536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("+33 1 99 00 40 12", "0536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("sip:+33199004012@x.example", "112", None): ("atelier_paris", "number_range", "112"),
    # What was called, as carriers write it.
    ("0199004012", "0033536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("0199004012", "33536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("0199004012", "+33536491234", None): ("atelier_paris", "number_range", "+33536491234"),
    ("0199004012", "0032255123456", None): ("atelier_paris", "number_range", "+32255123456"),
    ("0199004012", "+32255123456", None): ("atelier_paris", "number_range", "+32255123456"),
    # An account code comes before the number, and where there is no number (R18).
    ("0199004012", "0536491234", "CUST-0042"): ("cabinet_paris", "account_code", "+33536491234"),
    ("anonymous", "0536491234", "CUST-0042"): ("cabinet_paris", "account_code", "+33536491234"),
    ("0199009999", "0536491234", "CUST-9"): ("unassigned", "unassigned", "+33536491234"),
}


def test_calls_of_a_carrier_find_their_payer_and_both_prices(
    warehouse: Settings, tmp_path: Path
) -> None:
    load_directory(with_carrier(warehouse, tmp_path))
    with connect(DBT, settings=warehouse) as connection:
        put(connection, list(CALLS))
        found = connection.execute(
            "select service_id, attribution_rule, coalesce(called_e164, called_number), "
            "rating_state in ('rated', 'free'), sale_amount > 0, cost_amount > 0 "
            "from intermediate.int_legs__hypothetical_rated order by ticket_id"
        ).fetchall()
        connection.rollback()

    assert [row[:3] for row in found] == list(CALLS.values())
    priced = [row[3:] for row, call in zip(found, CALLS, strict=True) if call[1] != "112"]
    assert set(priced) == {(True, True, True)}


def with_carrier(warehouse: Settings, folder: Path) -> Settings:
    """Return the settings of an installation whose directory knows a carrier."""
    include = folder / "include"
    shutil.copytree(PROJECT / "include" / "directory", include / "directory")
    (include / "pbx.yml").write_text((PROJECT / "include" / "pbx.yml").read_text() + PBX)
    for name, row in ROWS.items():
        with (include / "directory" / name).open("a") as file:
            file.write(row)
    return dataclasses.replace(warehouse, include=include)


def put(connection: psycopg.Connection, calls: list[tuple[str, str, str | None]]) -> None:
    """Put calls where `tollhouse rate` asks what a call costs."""
    at = datetime(2026, 10, 20, 9, tzinfo=UTC)
    with connection.cursor().copy(
        "copy intermediate.int_legs__hypothetical (ticket_id, call_id, state, pbx_id, model, "
        "batch_id, direction, outcome, is_phantom, caller_number, called_number, account_code, "
        "started_at, answered_at, ended_at, ring_seconds, talk_seconds) from stdin"
    ) as rows:
        for number, (caller, called, account_code) in enumerate(calls):
            rows.write_row(
                (
                    number, number, "ticket", "carrier_nord", "carrier_nord", 0, "outgoing",
                    "answered", False, caller, called, account_code, at, at, at, 0, 60,
                )
            )  # fmt: skip
