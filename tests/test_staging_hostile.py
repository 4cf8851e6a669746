"""Staging never raises: whatever the bytes, each raw ticket comes out once, in one state."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tollhouse.framing import Ticket, decode, frame_file
from tollhouse.layouts.registry import known_models
from tollhouse.parsing import AssumedPbx, ParsedTicket, known_model, parse_tickets
from tollhouse.pbx import models
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

pytestmark = pytest.mark.postgres

SAMPLES = Path(__file__).parent / "samples"
RECEIVED_AT = datetime(2026, 11, 1, 8, tzinfo=UTC)
MUTANTS_PER_MODEL = 3_000

JUNK = [
    "",
    " ",
    "\\x00\\x01\\xff",
    "\x01\x02\x1f\x7f\u0080\ufeff\u2028",
    "99999999999999999999",
    "-1",
    "NaN",
    "infinity",
    "' or 1=1; --",
    "{{ ref('x') }}",
    "%s %(x)s $1",
    "\\",
    '"',
    '""""""',
    "," * 500,
    '"' * 501,
    "/" * 300,
    "é" * 131,
    "😀" * 100,
    "@" * 20,
    "@20260230@",
    "@infinity@ 03/02 14:00  00:00:30 4216",
    "[" * 60_000,
    '{"a":' * 15_000,
]

DAYS = ["02/30", "02/29", "00/00", "13/01", "99/99", "12/31", "٠٣/٠٢"]
TIMES = ["24:00", "23:59", "99:99", "12:60", "-1:00"]
DURATIONS = ["99:99:99", "00:60:00", "00:00:60", "00:00:00", "9999:59:59"]

VALUES: list[Any] = [
    None, "", " ", 0, -1, 1.5, -0.5, 1e308, 10**20, -(10**20), True, [], {}, [1], {"a": {"b": [1]}},
    "0000-00-00 00:00:00", "2026-02-30 10:00:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00",
    "2026-10-25 02:30:00", "2026-03-29 02:30:00", "now", "infinity", "-infinity", "epoch",
    "99999999999.1", "9999999999.9", "Asterisk-01-9999999999.9", "2147483647", "2147483648",
    "Local/a@b;1", "Local/", "-", "/", "//", "SIP/", "\x00", "\ud800", "\\u0000", "\u202e",
    "x" * 5000,
]  # fmt: skip

CUCM_VALUES = [
    "", "0", "-1", "1", "2", "4294967296", "2147483647", "99999999999999999999", "1.5", "abc", '""',
    '"a,b"', '"a""b"', '"""', '"', "b00123456001", '"S0/SU0/DS1-1@gw"', "192.0.2.7", "INTEGER",
]  # fmt: skip

WAZO_VALUES: list[Any] = [
    "2026-03-02T10:00:00+01:00", "2026-03-02T10:00:00", "2026-03-02T24:00:00Z",
    "2026-03-02T10:00:60Z", "2026-02-30T10:00:00Z", "2026-03-02T10:00:00+15:59",
    "2026-03-02T10:00:00+16:00", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+15:00",
    "9999-12-31T23:59:59Z", "true", "1" * 400, "-" + "9" * 20, "0." + "1" * 20_000, 1e-300,
    {"type": ["group"]}, {"type": "group", "group_label": {"a": 1}},
]  # fmt: skip


def test_junk_of_every_kind_leaves_every_staging_view_standing(warehouse: Settings) -> None:
    for model_id in known_models():
        parsed = parse(warehouse, model_id, JUNK, header=cucm_sample()[0])

        assert {ticket.state for ticket in parsed} <= {"rejected", "ignored"}


def test_mitel_lines_with_impossible_heads_are_read_or_rejected(warehouse: Settings) -> None:
    bodies = [
        f" {day} {time}  {duration} 4216      00199001234               A T003"
        for day in DAYS
        for time in TIMES
        for duration in DURATIONS
    ]

    parsed = parse(warehouse, "mitel_3300", bodies)

    assert {ticket.state for ticket in parsed} == {"ticket", "rejected", "ignored"}


def test_asterisk_rows_with_any_value_in_any_column_are_read_or_rejected(
    warehouse: Settings,
) -> None:
    row = {
        "calldate": "2026-03-02 10:00:00", "start": None, "src": "301", "dst": "0199001234",
        "dcontext": "default", "clid": "", "channel": "SIP/301-00000001",
        "dstchannel": "PJSIP/carrier-00000003", "lastapp": "Dial", "lastdata": "", "duration": 20,
        "billsec": 15, "disposition": "ANSWERED", "amaflags": 3, "uniqueid": "1772442000.1",
        "linkedid": "1772442000.1", "sequence": 7, "did": "", "cnum": "", "cnam": "",
        "dst_cnam": "", "outbound_cnum": "", "accountcode": "", "peeraccount": "",
    }  # fmt: skip
    bodies = [
        json.dumps(row | {column: value})[:size]
        for column in row
        for value in VALUES
        for size in (None, 200)
    ]

    parsed = parse(warehouse, "asterisk_mysql", bodies)

    assert {ticket.state for ticket in parsed} >= {"ticket", "rejected"}


def test_wazo_call_logs_with_any_value_in_any_field_are_read_or_rejected(
    warehouse: Settings,
) -> None:
    _, sample = next(sample_tickets("wazo"))
    item = json.loads(sample.body)
    bodies = [
        json.dumps(item | {name: value}) for name in item for value in [*VALUES, *WAZO_VALUES]
    ]

    parsed = parse(warehouse, "wazo", bodies)

    assert {ticket.state for ticket in parsed} == {"ticket", "rejected"}


def test_cucm_lines_with_any_value_in_any_column_are_read_or_rejected(warehouse: Settings) -> None:
    header, body = cucm_sample()
    columns = body.split(",")
    bodies = [
        ",".join([*columns[:place], value, *columns[place + 1 :]])
        for place in range(len(columns))
        for value in CUCM_VALUES
    ]

    parsed = parse(warehouse, "cisco_cucm", bodies, header=header)

    assert {ticket.state for ticket in parsed} >= {"ticket", "rejected", "ignored"}


@pytest.mark.parametrize("header", [None, "", ",", '"', "a,a,a", "cdrRecordType", "," * 128])
def test_cucm_lines_below_a_broken_header_are_rejected(
    warehouse: Settings, header: str | None
) -> None:
    parsed = parse(warehouse, "cisco_cucm", [cucm_sample()[1], "1", ""], header=header)

    assert {ticket.state for ticket in parsed} == {"rejected"}


def test_mutated_samples_never_raise(warehouse: Settings) -> None:
    draw = random.Random(20261122)
    for model_id in models():
        originals = [(header, ticket.body) for header, ticket in sample_tickets(model_id)]
        mutants: dict[str | None, list[str]] = {}
        for _ in range(MUTANTS_PER_MODEL):
            header, body = draw.choice(originals)
            mutants.setdefault(header, []).append(mutated(body, draw))

        for header, bodies in mutants.items():
            assert len(parse(warehouse, model_id, bodies, header=header)) == len(bodies)


def mutated(body: str, draw: random.Random) -> str:
    """Damage a ticket as lines and disks do: cut, doubled, shifted, overwritten."""
    for _ in range(draw.randint(1, 4)):
        place = draw.randint(0, len(body))
        match draw.randrange(6):
            case 0:
                body = body[:place]
            case 1:
                body = body[:place] + body[max(0, place - draw.randint(0, 30)) :]
            case 2:
                body = body[:place] + draw.choice(JUNK[:22])[:40] + body[place:]
            case 3:
                body = body[:place] + body[place + draw.randint(1, 5) :]
            case 4:
                noise = decode(draw.randbytes(draw.randint(1, 4)), "latin-1")
                body = body[:place] + noise + body[place + 1 :]
            case _:
                body = body[:place] + str(draw.randint(-(10**12), 10**21)) + body[place + 2 :]
    return body


def sample_tickets(model_id: str) -> Iterator[tuple[str | None, Ticket]]:
    for path in sorted((SAMPLES / model_id).iterdir()):
        if path.suffix not in (".md", ".yml") and path.name != "expected.csv":
            with path.open("rb") as stream:
                framed = frame_file(stream, known_model(model_id))
                yield from ((framed.header, ticket) for ticket in framed.tickets)


def cucm_sample() -> tuple[str, str]:
    """A header and a line below it, without quotes."""
    with (SAMPLES / "cisco_cucm" / "constructed_bare_no_types.txt").open("rb") as stream:
        framed = frame_file(stream, known_model("cisco_cucm"))
        assert framed.header is not None
        return framed.header, next(framed.tickets).body


def parse(
    warehouse: Settings, model_id: str, bodies: list[str], *, header: str | None = None
) -> list[ParsedTicket]:
    """Parse bodies; ``parse_tickets`` itself fails unless each comes out exactly once."""
    assumed = AssumedPbx(
        model=known_model(model_id),
        time_zone="Europe/Paris",
        country="FR",
        received_at=RECEIVED_AT,
        trunks=("PJSIP/carrier",),
        settings={"meter_pulses": "true", "clock_hours": 12, "amaflags_direction": True},
    )
    tickets = [Ticket(number, body.replace("\0", "")) for number, body in enumerate(bodies)]
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        parsed = parse_tickets(connection, assumed, tickets, header=header)
    assert all(ticket.state in ("ticket", "rejected", "ignored") for ticket in parsed)
    assert all(
        (ticket.columns["state_reason"] is None) == (ticket.state == "ticket") for ticket in parsed
    )
    return parsed
