"""Whatever the bytes, a layout reads each ticket once, in one state, and never raises."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.layouts.compiled import FIELDS, GOOD, layout_with, line_of, read
from tests.test_staging_hostile import JUNK, mutated
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.columns import Columns

pytestmark = pytest.mark.postgres

MUTANTS = 1_500

#: What may stand in a field; each stands in each.
VALUES = (
    "", " ", "-", "0", "-1", "1.5", ",", ".", "..", "1e308", "9" * 16, "9" * 17, "9" * 21, "NaN",
    "infinity", "0" * 131_072, "1" * 90_000 + ".5", "0.00000005", "999999999999.9999999",
    "2026-02-30 10:00:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00", "0000-00-00 00:00:00",
    "2026-03-29 02:30:00", "2026-10-25 02:30:00", "29/02 10:00:00", "24:00:00", "99:99:99",
    "99999999999:59:59", "999999999999:59", "99999999999", "99999999999999", "99999999999.9999",
    "9999999999999999'59", "0'60", "\\x00", "\\x00" * 5_000, "\u202e", "\ufeff", "\u2028",
    "😀" * 900,
    "é" * 100_000,
    "'", '"', '""', '"""', "\\", "\\'", "%", "_", "{}", "[", "(", "٣",
     "\x1e", "\x1f",
    "2026-03-02T10:00:00+15:59", "2026-03-02T10:00:00+16:00", "9999-12-31T23:59:59-15:59",
    "0001-01-01T00:00:00+15:59", "4713-01-01 00:00:00 BC", "epoch", "now", "today", "J1",
)  # fmt: skip

#: Readings of every kind, so that each value goes through each.
READINGS: tuple[dict[str, Any], ...] = (
    {},
    {
        "started_at": {"from": "start", "format": "dd/MM HH:mm:ss"},
        "talk_seconds": {"from": "talk", "format": "hh:mm:ss", "decimal": ","},
        "ring_seconds": {"from": "ring", "format": "m'ss"},
        "pbx_charge_amount": {"from": "extra", "decimal": ",", "thousands": " "},
        "pbx_charge_currency": "more",
    },
    {
        "started_at": {"from": "start", "format": "iso8601", "zone": "America/New_York"},
        "answered_at": {"from": "extra", "format": "d/M/yy h:m:s a"},
        "ended_at": {"from": "more", "format": "yyyy-MM-dd HH:mm:ss.SSS"},
        "talk_seconds": {"from": "talk", "format": "minutes", "minus": "ring"},
        "ring_seconds": {"from": "ring", "format": "milliseconds"},
        "pulses": {"from": "extra", "divide_by": 1_000_000},
    },
    {
        "started_at": {"from": "start", "format": "epoch_milliseconds"},
        "ended_at": {"from": "more", "format": "epoch_seconds"},
        "talk_seconds": {"between": ["started_at", "ended_at"]},
        "leg_number": "extra",
        "pbx_charge_amount": {"from": "extra", "thousands": ",", "divide_by": 100},
        "pbx_charge_currency": {"value": "EUR"},
        "is_private": {"when": {"field": "extra", "above": -1}},
        "account_code": {
            "from": "extra", "extract": "(.+)", "after": "1", "before": "9", "remove": "0",
            "strip_prefix": ["-", "é"],
        },
    },
)  # fmt: skip


def states(
    connection: psycopg.Connection, layout: Layout, bodies: list[str], header: str | None = None
) -> set[str]:
    """Return the states of tickets; reading them fails unless each comes out exactly once."""
    parsed = read(connection, layout, [body.replace("\0", "") for body in bodies], header=header)
    for ticket in parsed:
        assert (ticket.columns["state_reason"] is None) == (ticket.state == "ticket")
        assert ticket.fields is not None
    return {ticket.state for ticket in parsed}


def layouts() -> Iterator[tuple[Layout, str | None, str]]:
    """Yield layouts of every kind that has lines, a header and a good ticket."""
    quoted = {"kind": "delimited", "separator": ";", "fields": FIELDS}
    yield layout_with(tickets=quoted), None, ";".join(GOOD.values())
    headed = {"kind": "delimited", "separator": ",", "header": True}
    yield layout_with(tickets=headed), ",".join(FIELDS), ",".join(GOOD.values())
    fixed = {
        "kind": "fixed",
        "fields": {
            name: {"start": 1 + 20 * place, "width": 20} for place, name in enumerate(FIELDS)
        },
    }
    yield layout_with(tickets=fixed), None, "".join(value.ljust(20) for value in GOOD.values())
    groups = "[|]".join(f"(?P<{name}>[^|]*)" for name in FIELDS)
    pattern = {"kind": "pattern", "pattern": f"{groups}|(?:x*y?)*"}
    yield layout_with(tickets=pattern), None, line_of()


def test_junk_of_every_kind_is_rejected_or_ignored(connection: psycopg.Connection) -> None:
    for layout, header, _ in layouts():
        assert states(connection, layout, JUNK, header) <= {"rejected", "ignored"}


def test_damaged_tickets_are_read_or_rejected(connection: psycopg.Connection) -> None:
    draw = random.Random(20261122)
    for layout, header, body in layouts():
        bodies = [body, *(mutated(body, draw) for _ in range(MUTANTS))]

        assert states(connection, layout, bodies, header) >= {"ticket", "rejected"}


def test_any_value_in_any_field_is_read_or_rejected(connection: psycopg.Connection) -> None:
    texts = ("_name", "_code", "_number")
    every_text = {name: "extra" for name in Columns.model_fields if name.endswith(texts)}
    for readings in READINGS:
        columns = every_text | {"called_number": "to", "leg_number": None} | readings
        bodies = [line_of(**{field: value}) for field in FIELDS for value in VALUES]

        assert "rejected" in states(connection, layout_with(columns), bodies)


@pytest.mark.parametrize("header", ["", ",", '"', '"a', "id,id,id", "\\x00", "," * 99, "NULL,null"])
def test_tickets_below_a_broken_header_are_rejected(
    connection: psycopg.Connection, header: str
) -> None:
    layout = layout_with(tickets={"kind": "delimited", "header": True})

    assert states(connection, layout, [",".join(GOOD.values()), "1"], header) == {"rejected"}
