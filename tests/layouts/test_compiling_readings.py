"""Every reading of a layout, as PostgreSQL carries it out on single tickets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.layouts.compiled import layout_with, line_of, read

pytestmark = pytest.mark.postgres

#: What a ticket that is rejected shows instead of a value.
NO_TIME, NO_DURATION, NO_NUMBER, NO_CODE, MISSING = (
    "no_such_time", "no_such_duration", "unknown_value", "unknown_code", "missing",
)  # fmt: skip

# A text of the field `start`, and the instant that it is in Paris; or why it is none.
TIMES: list[tuple[str, dict[str, str | None]]] = [
    ("yyyy-MM-dd HH:mm:ss", {
        "2026-03-02 10:00:00": "2026-03-02T09:00:00+00:00",
        "2026-07-02 00:00:00": "2026-07-01T22:00:00+00:00",
        "2024-02-29 23:59:59": "2024-02-29T22:59:59+00:00",
        "2026-02-29 10:00:00": NO_TIME, "2026-02-30 10:00:00": NO_TIME,
        "2026-03-02 24:00:00": NO_TIME, "2026-03-02 10:00:60": NO_TIME,
        "2026-03-02 10:60:00": NO_TIME, "2026-13-01 10:00:00": NO_TIME,
        "2026-03-02T10:00:00": NO_TIME, "2026-3-2 10:00:00": NO_TIME,
        "0000-01-01 10:00:00": NO_TIME,
        "\uff12026-03-02 10:00:00": NO_TIME, "now": NO_TIME, "infinity": NO_TIME, "": MISSING,
        "2026-03-02 10:00:00 BC": NO_TIME, "J2451187": NO_TIME,
    }),
    ("dd/MM/yyyy HH:mm:ss", {
        "02/03/2026 10:00:00": "2026-03-02T09:00:00+00:00", "30/02/2026 10:00:00": NO_TIME,
        "03/13/2026 10:00:00": NO_TIME,
    }),
    ("MM/dd/yy hh:mm:ss a", {
        "03/02/26 12:00:00 AM": "2026-03-01T23:00:00+00:00",
        "03/02/26 12:30:00 pm": "2026-03-02T11:30:00+00:00",
        "03/02/99 01:00:00 p.m.": "1999-03-02T12:00:00+00:00",
        "03/02/26 13:00:00 PM": NO_TIME, "03/02/26 00:00:00 AM": NO_TIME,
    }),
    ("yyyyMMddHHmmss", {"20260302100000": "2026-03-02T09:00:00+00:00", "2026030210000": NO_TIME}),
    ("yyMMdd HHmm", {"260302 1000": "2026-03-02T09:00:00+00:00"}),
    ("HH:mm:ss dd.MM.yyyy", {"10:00:00 02.03.2026": "2026-03-02T09:00:00+00:00"}),
    ("HHmmss dd.MM.yyyy", {"100000 02.03.2026": "2026-03-02T09:00:00+00:00"}),
    ("d/M/yyyy H:m:s", {
        "2/3/2026 9:5:1": "2026-03-02T08:05:01+00:00",
        "02/03/2026 09:05:01": "2026-03-02T08:05:01+00:00",
        "002/3/2026 9:5:1": NO_TIME,
    }),
    ("dd MMM yyyy HH:mm", {
        "02 Mar 2026 10:00": "2026-03-02T09:00:00+00:00",
        "02 MAR 2026 10:00": "2026-03-02T09:00:00+00:00",
        "02 Mrz 2026 10:00": NO_TIME,
    }),
    ("yyyy-MM-dd'T'HH:mm:ss.SSS", {
        "2026-03-02T10:00:00.250": "2026-03-02T09:00:00.25+00:00", "2026-03-02T10:00:00.2": NO_TIME,
    }),
    ("yyyy-MM-dd HH:mm:ss.S", {"2026-03-02 10:00:00.5": "2026-03-02T09:00:00.5+00:00"}),
    ("yyyy-MM-dd HH:mm:ssZ", {
        "2026-03-02 10:00:00+0530": "2026-03-02T04:30:00+00:00",
        "2026-03-02 10:00:00-03:00": "2026-03-02T13:00:00+00:00",
        "2026-03-02 10:00:00Z": "2026-03-02T10:00:00+00:00",
        "2026-03-02 10:00:00+99": NO_TIME, "2026-03-02 10:00:00": NO_TIME,
    }),
    ("yyyy-MM-dd '5''; --{{ 1/0 }}' HH:mm", {
        "2026-03-02 5'; --{{ 1/0 }} 10:00": "2026-03-02T09:00:00+00:00",
    }),
    ("iso8601", {
        "2026-03-02T10:00:00Z": "2026-03-02T10:00:00+00:00",
        "2026-03-02T10:00:00": "2026-03-02T09:00:00+00:00",
        "2026-03-02 10:00": "2026-03-02T09:00:00+00:00",
        "2026-03-02T10:00:00.123456789+01:00": "2026-03-02T09:00:00.123457+00:00",
        "2026-03-02T10:00:00,5-0030": "2026-03-02T10:30:00.5+00:00",
        "2026-03-02": NO_TIME, "2026-03-02T25:00:00Z": NO_TIME, "2026-03-02T24:00:00Z": NO_TIME,
        "2026-03-02T10:00:60": NO_TIME, "2026-03-02T10:00:00+16:00": NO_TIME,
    }),
    ("epoch_seconds", {
        "1772442000": "2026-03-02T09:00:00+00:00", "1772442000.25": "2026-03-02T09:00:00.25+00:00",
        "0": "1970-01-01T00:00:00+00:00", "-1": NO_TIME, "1e9": NO_TIME, "1" * 12: NO_TIME,
        "." : NO_TIME, "1772442000." : "2026-03-02T09:00:00+00:00", "1" * 5_000: NO_TIME,
    }),
    ("epoch_milliseconds", {
        "1772442000250": "2026-03-02T09:00:00.25+00:00", "9" * 14: "5138-11-16T09:46:39.999+00:00",
        "9" * 15: NO_TIME,
    }),
]  # fmt: skip

# A text of the field `talk`, and the seconds that it is.
DURATIONS: list[tuple[dict[str, Any], dict[str, int | str]]] = [
    ({"format": "seconds"}, {
        "0": 0, "30": 30, "007": 7, "1.0": 1, "1.01": 2, "59.999": 60, ".5": 1, "5.": 5,
        "31622400": 31_622_400, "31622401": NO_DURATION, "-1": NO_DURATION, "1e3": NO_DURATION,
        "1,5": NO_DURATION, "9" * 20: NO_DURATION, "9" * 16: NO_DURATION, ".": NO_DURATION,
        "1.2.3": NO_DURATION, "NaN": NO_DURATION, "": MISSING, "1 000": NO_DURATION,
        "1." + "0" * 60: NO_DURATION,
    }),
    ({"format": "seconds", "decimal": ","}, {"1,5": 2, "12": 12, "1.5": NO_DURATION}),
    ({"format": "milliseconds"}, {
        "0": 0, "1": 1, "1000": 1, "1001": 2, "1000.5": 2, "9" * 16: NO_DURATION, "x": NO_DURATION,
    }),
    ({"format": "minutes"}, {"2": 120, "1.5": 90, "0.01": 1, "1.0166": 61, "9" * 16: NO_DURATION}),
    ({"format": "minutes", "decimal": ","}, {"1,5": 90, "1.5": NO_DURATION}),
    ({"format": "hh:mm:ss"}, {
        "00:00:30": 30, "0:01:05": 65, "100:00:00": 360_000, "01:05": 65, "1:05": 65,
        "00:00:01.2": 2, "00:00:01.0": 1, "00:60:00": NO_DURATION, "00:00:60": NO_DURATION,
        "75:30": NO_DURATION, "123:30": NO_DURATION, "00:1:05": NO_DURATION, ":01:05": NO_DURATION,
        "65": NO_DURATION, "9999999999:00:00": NO_DURATION, "00:00:30x": NO_DURATION,
        "-1:00:00": NO_DURATION, "::": NO_DURATION, "00:00:1.5": NO_DURATION,
    }),
    ({"format": "hh:mm:ss", "decimal": ","}, {"00:00:01,2": 2, "00:00:01.2": NO_DURATION}),
    ({"format": "mm:ss"}, {
        "1:05": 65, "75:30": 4530, "00:00:05": NO_DURATION, "1:60": NO_DURATION, "1:5": NO_DURATION,
        "0:59.5": 60,
    }),
    ({"format": "m'ss"}, {
        "1'05": 65, "1'05''": 65, "1'05\"": 65, "120'00": 7_200, "1'60": NO_DURATION,
        "1:05": 65, "'05": NO_DURATION, "00:01'05": 65, "2:00'05": 7_205, "0:60'00": NO_DURATION,
    }),
    ({"format": "seconds", "empty_when": ["-", "n/a"]}, {"-": MISSING, "n/a": MISSING, "5": 5}),
]  # fmt: skip

# A text of the field `extra`, and the number that it is; None where nothing stands there.
AMOUNTS: list[tuple[dict[str, Any], dict[str, str | None]]] = [
    ({}, {
        "1.25": "1.250000", "-0.5": "-0.500000", "+3": "3.000000", "": None, ".5": "0.500000",
        "0.0000005": "0.000001", "999999999999.999999": "999999999999.999999",
        "999999999999.9999995": NO_NUMBER, "1000000000000": NO_NUMBER, "1e5": NO_NUMBER,
        "NaN": NO_NUMBER, "Infinity": NO_NUMBER, "1,25": NO_NUMBER, "0x1F": NO_NUMBER,
        "1_000": NO_NUMBER, "1-": NO_NUMBER, "--1": NO_NUMBER, "-": NO_NUMBER,
        "9" * 90_000: NO_NUMBER,
    }),
    ({"decimal": ","}, {"1,25": "1.250000", "1.25": NO_NUMBER, "-0,5": "-0.500000",
        "1,2,3": NO_NUMBER}),
    ({"thousands": ","}, {
        "1,234.5": "1234.500000", "12,345,678": "12345678.000000", "1234.5": "1234.500000",
        "1,23": NO_NUMBER, "1,2345": NO_NUMBER, ",123": NO_NUMBER, "1234,567": NO_NUMBER,
    }),
    ({"decimal": ",", "thousands": "."}, {"1.234,5": "1234.500000", "1.5": NO_NUMBER}),
    ({"decimal": ",", "thousands": " "}, {
        "1 234,5": "1234.500000", "1\u00a0234,5": "1234.500000", "1\u202f234,5": "1234.500000",
    }),
    ({"thousands": "'"}, {"1'234.5": "1234.500000"}),
    ({"divide_by": 100}, {"1234": "12.340000", "123456789012345678.12": NO_NUMBER,
        "-5": "-0.050000"}),
    ({"divide_by": 1_000_000}, {"1": "0.000001", "123456789123456789": "123456789123.456789"}),
]  # fmt: skip

PULSES: list[tuple[dict[str, Any], dict[str, int | str | None]]] = [
    ({}, {"0": 0, "12": 12, "12.0": 12, "12.5": NO_NUMBER, "-1": NO_NUMBER, "": None,
          "2147483647": 2_147_483_647, "2147483648": NO_NUMBER, "x": NO_NUMBER}),
    ({"divide_by": 10}, {"120": 12, "125": NO_NUMBER}),
]  # fmt: skip

LOOKUP = {"A": "1", "B": "2"}
LONG_LOOKUP = {f"code {number}": f"text {number}" for number in range(40)} | {'"\\': "marks"}

# Texts of the fields, and what the column account_code makes of them.
TEXTS: list[tuple[dict[str, Any], list[tuple[dict[str, str], str | None]]]] = [
    ({"from": "extra"}, [({"extra": "  a b "}, "a b"), ({"extra": "   "}, None)]),
    ({"value": " constant "}, [({}, "constant")]),
    ({"from": ["extra", "more"]}, [
        ({"extra": "a", "more": "b"}, "a b"), ({"extra": "a"}, "a"), ({}, None),
    ]),
    ({"from": ["extra", "more"], "join": "'"}, [({"extra": "a", "more": "b"}, "a'b")]),
    ({"from": ["extra", "more"], "join": ""}, [({"extra": "a", "more": "b"}, "ab")]),
    ({"first_of": ["extra", "more"], "empty_when": ["-", "0"]}, [
        ({"extra": "a", "more": "b"}, "a"), ({"extra": "-", "more": "b"}, "b"),
        ({"extra": "0", "more": "-"}, None),
    ]),
    ({"from": "extra", "empty_when": "-"}, [({"extra": "-"}, None), ({"extra": "--"}, "--")]),
    ({"from": "extra", "extract": "ext=([0-9]+)"}, [
        ({"extra": "sip:ext=13;x"}, "13"), ({"extra": "x ext=12 y"}, "12"), ({"extra": "x"}, None),
    ]),
    ({"from": "extra", "after": ": "}, [
        ({"extra": "a: b: c"}, "b: c"), ({"extra": "a"}, "a"), ({"extra": "a:"}, "a:"),
    ]),
    ({"from": "extra", "before": "@"}, [({"extra": "a@b@c"}, "a"), ({"extra": "a"}, "a"),
                                       ({"extra": "@b"}, None)]),
    ({"from": "extra", "strip_prefix": ["sip:", "sips:", "si"]}, [
        ({"extra": "sip:a"}, "a"), ({"extra": "sips:a"}, "a"), ({"extra": "sia"}, "a"),
        ({"extra": "sip:sip:a"}, "sip:a"), ({"extra": "a"}, "a"), ({"extra": "sip:"}, None),
    ]),
    ({"from": "extra", "remove": " .-'\\"}, [({"extra": "01.99-00 1'2\\3"}, "019900123")]),
    ({"from": "extra", "extract": "<(.*)>", "after": "sip:", "before": "@", "strip_prefix": "+",
      "remove": " "}, [
        ({"extra": "Name <sip:+33 199@host>"}, "33199"), ({"extra": "no brackets"}, None),
    ]),
    ({"from": "extra", "lookup": LOOKUP}, [
        ({"extra": "A"}, "1"), ({}, None), ({"extra": "a"}, NO_CODE), ({"extra": "C"}, NO_CODE),
    ]),
    ({"from": "extra", "lookup": LOOKUP, "otherwise": "none"}, [
        ({"extra": "A"}, "1"), ({"extra": "C"}, "none"), ({}, "none"),
    ]),
    ({"from": "extra", "lookup": LOOKUP | {"": "nothing"}}, [
        ({"extra": "A"}, "1"), ({}, "nothing"), ({"extra": "C"}, NO_CODE),
    ]),
    ({"from": "extra", "lookup": LOOKUP | {"C": ""}}, [({"extra": "A"}, "1"), ({"extra": "C"},
        None)]),
    ({"from": "extra", "lookup": LONG_LOOKUP}, [
        ({"extra": "code 7"}, "text 7"), ({"extra": "code 77"}, NO_CODE), ({"extra": '"\\'},
            "marks"),
        ({}, None),
    ]),
    ({"from": "extra", "before": "-", "lookup": LONG_LOOKUP, "otherwise": "?"}, [
        ({"extra": "code 7-x"}, "text 7"), ({"extra": "-"}, "?"),
    ]),
    ({"cases": [{"when": {"field": "more", "is": "X"}, "value": "A"}], "from": "extra",
      "lookup": LOOKUP}, [
        ({"more": "X", "extra": "Z"}, "A"), ({"extra": "A"}, "1"), ({"extra": "Z"}, NO_CODE),
    ]),
    ({"cases": [{"when": {"field": "more", "is": "X"}, "from": "id"},
                {"when": {"field": "more", "is": "Y"}, "value": "case"}],
      "from": "extra", "strip_prefix": "4"}, [
        ({"more": "X"}, "2"), ({"more": "Y", "extra": "49"}, "case"), ({"extra": "49"}, "9"),
    ]),
    ({"cases": [{"when": {"field": "more", "is": "X"}, "from": "extra"}], "value": "none"}, [
        ({"more": "X", "extra": "a"}, "a"), ({"more": "X"}, None), ({}, "none"),
    ]),
    ({"cases": [{"when": {"field": "more", "is": "X"}, "value": "a"}], "otherwise": "b"}, [
        ({"more": "X"}, "a"), ({}, "b"),
    ]),
    ({"cases": [{"when": {"column": "direction", "is": "outgoing"}, "from": "to"},
                {"when": {"column": "outcome", "is": "no_answer"}, "value": "nobody"}],
      "from": "from", "strip_prefix": "01"}, [
        ({"to": "0199"}, "99"), ({"kind": "I", "talk": "0"}, "nobody"),
        ({"kind": "I", "from": "0155"}, "55"),
    ]),
]  # fmt: skip

# A condition, and texts of the fields for which it holds and does not.
CONDITIONS: list[tuple[dict[str, Any], list[dict[str, str]], list[dict[str, str]]]] = [
    ({"field": "extra", "is": ["A", "B"]}, [{"extra": "B"}], [{"extra": "C"}, {}]),
    ({"field": "extra", "is": ""}, [{}, {"extra": " "}], [{"extra": "C"}]),
    ({"field": "extra", "is": ["", "C"]}, [{}, {"extra": "C"}], [{"extra": "D"}]),
    ({"field": "extra", "is_not": "A"}, [{"extra": "B"}, {}], [{"extra": "A"}]),
    ({"field": "extra", "is_not": ["A", ""]}, [{"extra": "B"}], [{"extra": "A"}, {}]),
    ({"field": "extra", "empty": True}, [{}], [{"extra": "x"}]),
    ({"field": "extra", "empty": False}, [{"extra": "x"}], [{}]),
    ({"field": "extra", "starts_with": ["a%", "b_"]}, [{"extra": "a%x"}, {"extra": "b_"}],
     [{"extra": "ax"}, {"extra": "bx"}, {}]),
    ({"field": "extra", "matches": "^[0-9]{3}$"}, [{"extra": "123"}], [{"extra": "1234"}, {}]),
    ({"field": "extra", "matches": "^$"}, [{}], [{"extra": "1"}]),
    ({"field": "extra", "above": 1.5}, [{"extra": "1.6"}, {"extra": "1,6"}, {"extra": "9" * 30}],
     [{"extra": "1.5"}, {"extra": "x"}, {}, {"extra": "-2"}, {"extra": "9" * 50},
     {"extra": "1.2.3"}]),
    ({"field": "extra", "below": -1}, [{"extra": "-2"}], [{"extra": "0"}, {"extra": "NaN"}, {}]),
    ({"column": "direction", "is": "incoming"}, [{"kind": "I"}], [{"kind": "O"}]),
    ({"column": "outcome", "is_not": "answered"}, [{"talk": "0"}], [{"talk": "1"}]),
    ({"starts_with": "7"}, [{"id": "77"}], [{"id": "17"}]),
    ({"matches": "[|]301[|].*[|]$"}, [{}], [{"from": "302"}]),
    ({"all": [{"field": "extra", "is": "A"}, {"field": "more", "is": "B"}]},
     [{"extra": "A", "more": "B"}], [{"extra": "A"}, {"more": "B"}]),
    ({"any": [{"field": "extra", "is": "A"}, {"field": "more", "is": "B"}]},
     [{"extra": "A"}, {"more": "B"}], [{}]),
    ({"none": [{"field": "extra", "is": "A"}, {"field": "more", "is": "B"}]},
     [{}], [{"extra": "A"}, {"more": "B"}]),
    ({"any": [{"all": [{"field": "extra", "is": "A"}, {"none": [{"field": "more", "is": "B"}]}]},
              {"field": "more", "is": "Q"}]},
     [{"extra": "A"}, {"more": "Q"}], [{"extra": "A", "more": "B"}, {}]),
]  # fmt: skip


def results(
    connection: psycopg.Connection, columns: dict[str, Any], bodies: list[str], column: str
) -> list[Any]:
    """Return what a column is in each ticket, or why the ticket is none."""
    parsed = read(connection, layout_with(columns), bodies)
    return [
        ticket.columns[column] if ticket.state == "ticket" else ticket.columns["state_reason"]
        for ticket in parsed
    ]


def test_instants_of_every_format_are_read_or_rejected(connection: psycopg.Connection) -> None:
    for form, cases in TIMES:
        mapped = {"started_at": {"from": "start", "format": form}}
        bodies = [line_of(start=text) for text in cases]
        found = dict(zip(cases, results(connection, mapped, bodies, "started_at"), strict=True))

        assert found == cases, form


def test_durations_of_every_format_are_whole_seconds(connection: psycopg.Connection) -> None:
    for reading, cases in DURATIONS:
        mapped = {"talk_seconds": {"from": "talk"} | reading}
        bodies = [line_of(talk=text) for text in cases]
        found = dict(zip(cases, results(connection, mapped, bodies, "talk_seconds"), strict=True))

        assert found == cases, reading


def test_what_is_subtracted_is_rounded_up_once(connection: psycopg.Connection) -> None:
    cases = {
        ("10.0", "3.5"): 7, ("10.2", "3.9"): 7, ("10.4", "3.4"): 7, ("10", ""): 10,
        ("3", "5"): NO_DURATION, ("10", "x"): NO_DURATION, ("x", "1"): NO_DURATION,
    }  # fmt: skip
    mapped = {"ring_seconds": None, "talk_seconds": {"from": "talk", "minus": "ring"}}
    bodies = [line_of(talk=talk, ring=ring) for talk, ring in cases]

    assert results(connection, mapped, bodies, "talk_seconds") == list(cases.values())

    mapped["talk_seconds"] = {"from": "talk", "minus": "ring", "format": "hh:mm:ss"}
    body = line_of(talk="00:01:00.5", ring="00:00:10.7")

    assert results(connection, mapped, [body], "talk_seconds") == [50]


def test_amounts_are_exact_or_rejected(connection: psycopg.Connection) -> None:
    for reading, cases in AMOUNTS:
        mapped = {
            "pbx_charge_amount": {"from": "extra"} | reading,
            "pbx_charge_currency": {"value": "EUR"},
        }
        bodies = [line_of(extra=text) for text in cases]
        found = results(connection, mapped, bodies, "pbx_charge_amount")

        assert dict(zip(cases, found, strict=True)) == cases, reading


def test_whole_numbers_are_whole_or_rejected(connection: psycopg.Connection) -> None:
    for reading, cases in PULSES:
        for column in ("pulses", "leg_number"):
            bodies = [line_of(extra=text) for text in cases]
            found = results(connection, {column: {"from": "extra"} | reading}, bodies, column)

            assert dict(zip(cases, found, strict=True)) == cases, reading


def test_constants_are_the_same_in_every_ticket(connection: psycopg.Connection) -> None:
    mapped = {
        "pulses": {"value": 3}, "ring_seconds": {"value": 4}, "is_private": {"value": True},
        "is_estimated": {"value": True}, "pbx_charge_amount": {"value": 2},
        "pbx_charge_currency": {"value": "EUR"},
    }  # fmt: skip
    ticket = read(connection, layout_with(mapped), [line_of(extra="x")])[0].columns

    assert {name: ticket[name] for name in mapped} == {
        "pulses": 3, "ring_seconds": 4, "is_private": True, "is_estimated": True,
        "pbx_charge_amount": "2.000000", "pbx_charge_currency": "EUR",
    }  # fmt: skip


def test_texts_are_taken_apart_in_their_order(connection: psycopg.Connection) -> None:
    for reading, cases in TEXTS:
        bodies = [line_of(**values) for values, _ in cases]

        found = results(connection, {"account_code": reading}, bodies, "account_code")

        assert found == [result for _, result in cases], reading


def test_conditions_hold_or_do_not(connection: psycopg.Connection) -> None:
    for condition, holding, others in CONDITIONS:
        mapped = {
            "is_private": {"when": condition},
            "account_code": {"cases": [{"when": condition, "value": "held"}], "otherwise": "not"},
        }
        bodies = [line_of(**values) for values in [*holding, *others]]
        parsed = read(connection, layout_with(mapped), bodies)

        flags = [ticket.columns["is_private"] for ticket in parsed]
        assert flags == [True] * len(holding) + [False] * len(others), condition
        texts = [ticket.columns["account_code"] for ticket in parsed]
        assert texts == ["held"] * len(holding) + ["not"] * len(others), condition


def test_flags_are_true_for_the_texts_that_say_so(connection: psycopg.Connection) -> None:
    mapped = {"is_private": {"from": "extra", "true_when": ["P", "1"]}}
    bodies = [line_of(extra=text) for text in ("P", "1", "0", "")]

    assert results(connection, mapped, bodies, "is_private") == [True, True, False, False]


@pytest.mark.parametrize(
    ("received_at", "text", "instant"),
    [
        (datetime(2026, 11, 1, 8, tzinfo=UTC), "31/10 10:00:00", "2026-10-31T09:00:00+00:00"),
        (datetime(2026, 11, 1, 8, tzinfo=UTC), "02/11 08:59:59", "2026-11-02T07:59:59+00:00"),
        (datetime(2026, 11, 1, 8, tzinfo=UTC), "02/11 09:00:01", "2025-11-02T08:00:01+00:00"),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), "01/01 00:30:00", "2026-12-31T23:30:00+00:00"),
        (datetime(2026, 1, 1, 8, tzinfo=UTC), "31/12 23:59:59", "2025-12-31T22:59:59+00:00"),
        (datetime(2026, 3, 1, 8, tzinfo=UTC), "29/02 10:00:00", NO_TIME),
        (datetime(2025, 1, 1, 8, tzinfo=UTC), "29/02 10:00:00", "2024-02-29T09:00:00+00:00"),
        (datetime(2026, 3, 1, 8, tzinfo=UTC), "01/03 24:00:00", NO_TIME),
    ],
)
def test_a_time_without_year_takes_the_newest_that_fits(
    connection: psycopg.Connection, received_at: datetime, text: str, instant: str
) -> None:
    for form in ("dd/MM HH:mm:ss", "d/M H:m:s"):
        layout = layout_with({"started_at": {"from": "start", "format": form}})

        ticket = read(connection, layout, [line_of(start=text)], received_at=received_at)[0].columns

        assert (ticket["started_at"] or ticket["state_reason"]) == instant
        assert ticket["time_year_inferred"] in (True, None)


def test_a_clock_is_read_in_its_own_zone(connection: psycopg.Connection) -> None:
    for zone, instant in (
        ("pbx", "2026-03-02T10:00:00+00:00"),
        ("utc", "2026-03-02T10:00:00+00:00"),
        ("America/New_York", "2026-03-02T15:00:00+00:00"),
    ):
        reading = {"from": "start", "format": "yyyy-MM-dd HH:mm:ss", "zone": zone}
        layout = layout_with({"started_at": reading})
        ticket = read(connection, layout, [line_of()], time_zone="Africa/Abidjan")[0]

        assert ticket.columns["started_at"] == instant

    unknown = read(connection, layout_with(), [line_of()], time_zone="Mars/Olympus")[0].columns
    assert (unknown["state_reason"], unknown["state_field"]) == ("unknown_time_zone", "time_zone")


def test_date_and_time_may_stand_in_fields_of_their_own(connection: psycopg.Connection) -> None:
    mapped = {"started_at": {"from": ["extra", "more"], "join": " ", "format": "d/M/yyyy HH:mm"}}
    bodies = [line_of(extra="2/3/2026", more="10:00"), line_of(extra="2/3/2026")]
    parsed = read(connection, layout_with(mapped), bodies)

    assert parsed[0].columns["started_at"] == "2026-03-02T09:00:00+00:00"
    assert parsed[0].columns["time_is_minute"] is True
    assert parsed[1].columns["state_reason"] == "missing"
