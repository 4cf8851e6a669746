"""Which rows under one id are the same call, and which are another."""

from __future__ import annotations

import json

import pytest

from tollhouse.transports.sql_table.same_call import differing_columns, is_same_call

ROW = {
    "id": 7,
    "start": "2026-02-04 13:34:00",
    "src": "201",
    "dst": "0199001234",
    "uniqueid": "1770208440.17",
    "sequence": 17,
    "user_number": "201",
}
BARE = {name: value for name, value in ROW.items() if name not in {"uniqueid", "sequence"}}


def is_same(kept: object, body: object) -> bool:
    return is_same_call(
        json.dumps(kept),
        json.dumps(body),
        joined_columns=["user_number"],
        time_columns=["calldate", "start"],
    )


@pytest.mark.parametrize(
    ("kept", "change"),
    [
        (ROW, {"src": "+33201", "start": "2026-02-04 14:34:00", "user_number": None}),
        (ROW, {"src": 201, "sequence": "17"}),
        (ROW, {"uniqueid": None, "dst": "0199009999"}),
        (BARE, {"src": "+33201", "dst": "0033199001234"}),
        (BARE, {"start": "2026-02-04 12:34:00", "user_number": "901"}),
        ({"id": 7, "src": "201"}, {"did": "100"}),
    ],
)
def test_a_call_stays_the_same_whatever_a_query_makes_of_its_values(
    kept: dict[str, object], change: dict[str, object]
) -> None:
    assert is_same(kept, kept | change)
    assert is_same({name.upper(): value for name, value in kept.items()}, kept | change)


@pytest.mark.parametrize(
    ("kept", "change"),
    [
        (ROW, {"uniqueid": "1770208440.18"}),
        (ROW, {"sequence": 18}),
        (BARE, {"start": "2026-02-04 13:35:00", "dst": "0199009999"}),
        ({"id": 7, "src": "201"}, {"src": "202"}),
    ],
)
def test_a_row_that_is_called_otherwise_is_another_call(
    kept: dict[str, object], change: dict[str, object]
) -> None:
    assert not is_same(kept, kept | change)


def test_what_is_no_row_is_the_same_only_when_it_is_equal() -> None:
    assert is_same(["201"], ["201"])
    assert not is_same(["201"], ["202"])
    assert not is_same_call("{cut", "{cut too", joined_columns=(), time_columns=())


def test_the_columns_that_differ_are_named() -> None:
    other = {**ROW, "SRC": "202", "user_number": "901", "did": "100"}
    del other["src"]
    assert differing_columns(json.dumps(ROW), json.dumps(other), ["user_number"]) == {"src"}
