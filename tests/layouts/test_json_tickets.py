"""Layouts of JSON find fields by paths: numbers as they were written, nothing lost in silence."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.layouts.read_fields import Fields, read_fields

pytestmark = pytest.mark.postgres


def fields_of(
    connection: psycopg.Connection, paths: dict[str, str], bodies: list[str]
) -> list[Fields | str]:
    return read_fields(connection, {"kind": "json", "fields": paths}, bodies)


def test_a_value_is_its_text_and_a_number_as_it_was_written(
    connection: psycopg.Connection,
) -> None:
    texts = {
        "1.10": "1.10",
        "-0.000000001": "-0.000000001",
        "123456789012345678901234567890": "123456789012345678901234567890",
        "1e2": "100",
        '"1.10"': "1.10",
        "true": "true",
        "false": "false",
        "null": None,
        '""': None,
        '" \\n a b\\t"': "a b",
        '"\\u00e9\\ud83d\\ude00"': "é😀",
        '"{\\"d\\":9}"': '{"d":9}',
        '"\\\\u0000"': "\\u0000",
    }
    bodies = [f'{{"x": {{"y": [0, {value}]}}}}' for value in texts]
    assert fields_of(connection, {"it": "x.y[1]"}, bodies) == [
        {"it": text} for text in texts.values()
    ]


def test_a_path_goes_through_names_and_places_and_takes_neither_for_the_other(
    connection: psycopg.Connection,
) -> None:
    body = '{"legs":[{"n":1},{"n":2}],"0":{"0":3},"a.b":{"c d":4,"[0]":5},"é":6,"n":7}'
    paths = {
        "legs[0].n": "1",
        "legs[1].n": "2",
        "legs[2].n": None,
        "legs.0.n": None,
        "legs.n": None,
        '"0"."0"': "3",
        '"a.b"."c d"': "4",
        '"a.b"."[0]"': "5",
        '"a.b"[0]': None,
        "é": "6",
        "n.n": None,
        "n[0]": None,
        "legs[0].n[0]": None,
        "absent": None,
    }
    assert fields_of(connection, {path: path for path in paths}, [body]) == [paths]


def test_a_ticket_may_be_a_list(connection: psycopg.Connection) -> None:
    paths = {"id": "[0]", "number": "[1].n"}
    bodies = ["[5]", '[5,{"n":6},7]', "[]", '{"0":5}']
    assert fields_of(connection, paths, bodies) == [
        {"id": "5", "number": None},
        {"id": "5", "number": "6"},
        {"id": None, "number": None},
        "not_json:layout",
    ]


@pytest.mark.parametrize("value", ["{}", "[]", '{"amount": 5}', "[5]"])
def test_an_object_or_a_list_where_a_text_belongs_rejects_the_ticket(
    connection: psycopg.Connection, value: str
) -> None:
    paths = {"id": "id", "price": "price"}
    assert fields_of(connection, paths, [f'{{"id":1,"price":{value}}}']) == ["unknown_value:price"]


def test_what_is_no_object_of_json_is_a_fault_and_stops_nothing(
    connection: psycopg.Connection,
) -> None:
    bodies = [
        "",
        "null",
        "9",
        '"d"',
        "[]",
        "{",
        '{"d":9}}',
        '{"d":9}{"d":8}',
        '{"d":9,}',
        "{'d':9}",
        '{"d":NaN}',
        '{"d":09}',
        '{"d":1e999999}',
        '{"d":"\\u0000"}',
        '{"d":"\\ud800"}',
        '{"d":"\\udc00\\ud800"}',
        '{"d\\u0000":9}',
        '{"d":"\t"}',
        "[" * 60_000,
        '{"d":' * 13_000,
        '{"d":9,"x":' + "[" * 600 + "]" * 600 + "}",
        "\ufeff" + '{"d":9}',
        "\\xff" + '{"d":9}',
    ]
    assert fields_of(connection, {"it": "d"}, bodies) == ["not_json:layout"] * len(bodies)


@pytest.mark.parametrize(
    "name",
    [
        "'",
        "'; drop table x; --",
        "{{ x }}",
        "{% x %}",
        "%s",
        "\\",
        "\\u0041",
        "$1",
        "/*",
        "é😀",
        "*",
    ],
)
def test_any_name_is_found_and_is_nothing_but_a_name(
    connection: psycopg.Connection, name: str
) -> None:
    body = json.dumps({name: {name: 5}})
    assert fields_of(connection, {name: f'"{name}"."{name}"'}, [body]) == [{name: "5"}]


def test_random_paths_lead_where_python_finds_them(connection: psycopg.Connection) -> None:
    source = random.Random(20260304)
    steps: list[str | int] = ["a", "b", "c d", "0", 0, 1]
    chosen = [source.choices(steps, k=source.choice((1, 2, 2, 3))) for _ in range(60)]
    chosen = [["a", *path] if isinstance(path[0], int) else path for path in chosen]
    paths = {
        "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path)[1:]: path
        for path in chosen
    }
    bodies = [json.dumps({name: random_value(source, 3) for name in "abc"}) for _ in range(300)]
    read = fields_of(connection, {path: path for path in paths}, bodies)
    wrong = []
    for body, fields in zip(bodies, read, strict=True):
        value = json.loads(body, parse_float=Decimal)
        found = {path: value_at(value, steps) for path, steps in paths.items()}
        unknown = [path for path, value in found.items() if isinstance(value, dict | list)]
        expected = (
            f"unknown_value:{unknown[0]}"
            if unknown
            else {path: text_of(value) for path, value in found.items()}
        )
        if fields != expected:
            wrong.append((body, fields, expected))
    assert wrong == []
    assert len([fields for fields in read if isinstance(fields, dict)]) > 50


def random_value(source: random.Random, depth: int) -> Any:
    kind = source.randrange(4 if depth else 2)
    if kind < 2:
        scalars = [
            None,
            True,
            False,
            0,
            -5,
            1.5,
            12345678901234567890,
            "",
            " x ",
            "é",
            "\u0001",
            '"',
        ]
        return source.choice(scalars)
    if kind == 2:
        return [random_value(source, depth - 1) for _ in range(source.randrange(3))]
    return {
        name: random_value(source, depth - 1)
        for name in ("a", "b", "c d", "0")
        if source.random() < 0.6
    }


def value_at(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list):
            value = value[step] if step < len(value) else None
        else:
            return None
    return value


def text_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value).strip(" \t\n\r") or None
