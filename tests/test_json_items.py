"""Items of a JSON answer are found by its shape and handed on exactly as they were sent."""

from __future__ import annotations

import json

import pytest

from tollhouse.json_items import (
    CutShortError,
    NoListError,
    items_at,
    items_of,
    loaded,
    stable_ordinal,
)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('{"items": []}', []),
        (' {"total": 2, "items": [{"a": 1.50}, {"b": [1, {"items": [2]}]}], "x": []}',
         ['{"a":1.50}', '{"b":[1,{"items":[2]}]}']),
        ('{"other": [1, 2], "items": [3]}', ["3"]),
        ('{"say": "items", "items": [null, "a, b", [], true]}', ["null", '"a, b"', "[]", "true"]),
        ('{"\\"items": [1], "items": ["]} \\" [{", "\\\\"]}', ['"]} \\" [{"', '"\\\\"']),
        ('{"response": {"items": [1]}, "status": 0}', ["1"]),
        ('{"items": [{"a": 1,, "b"}, nonsense]}', ['{"a":1,,"b"}', "nonsense"]),
        ('{"items": [1], "items": [2]}', ["1"]),
        ('{"items": [1]} and more', ["1"]),
    ],
)  # fmt: skip
def test_items_are_found_whatever_stands_around_and_in_them(text: str, items: list[str]) -> None:
    assert items_of(text, "items") == items


def test_every_beginning_of_an_answer_is_known_to_be_no_whole_one() -> None:
    whole = '{"items": [{"name": "a \\"b\\" ] } ,", "n": [1, 2]}, {"é": null}], "total": 2}'
    assert len(items_of(whole, "items")) == 2
    for end in range(1, len(whole)):
        with pytest.raises(CutShortError):
            items_of(whole[:end], "items")


def test_a_mark_before_the_document_is_no_part_of_it() -> None:
    assert items_of('\ufeff {"items": [1]}', "items") == ["1"]


@pytest.mark.parametrize(
    "text", ["", "[]", "<html>", "null", '{"items": {}}', '{"a": 1}', "{}", '"items"']
)
def test_what_has_no_such_list_is_no_answer(text: str) -> None:
    with pytest.raises(NoListError):
        items_of(text, "items")


def test_an_answer_nested_without_end_costs_neither_the_stack_nor_an_error() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert items_of(f'{{"items": [{deep}, 1]}}', "items") == [deep, "1"]
    assert loaded(deep) is None


def test_numbers_that_python_refuses_are_read_around() -> None:
    assert loaded('{"id": 7, "x": ' + "9" * 5000 + "}")["id"] == 7


def test_an_item_without_an_id_has_the_same_place_each_time_and_no_other() -> None:
    texts = ["", "1", "2", json.dumps("é"), "\ud800"]
    ordinals = [stable_ordinal(text) for text in texts]
    assert ordinals == [stable_ordinal(text) for text in texts]
    assert len(set(ordinals)) == len(texts)
    assert all(-(1 << 63) <= ordinal < 0 for ordinal in ordinals)


@pytest.mark.parametrize(
    ("text", "path", "items"),
    [
        ("[1, 2]", (), ["1", "2"]),
        ('\ufeff [ {"a": [3]} ]', (), ['{"a":[3]}']),
        ("[]", (), []),
        (
            '{"data": {"calls": [{"id": 1.50}, "x, y"]}, "calls": [9]}',
            ("data", "calls"),
            ['{"id":1.50}', '"x, y"'],
        ),
        ('{"calls": [9], "data": [[7], {"calls": [8]}]}', ("data", 1, "calls"), ["8"]),
        ('{"data": [[7], [6, 5]]}', ("data", 1), ["6", "5"]),
        ('{"d\\u00e9": [1]}', ("dé",), ["1"]),
        ('{"list": [1], "list": [2]}', ("list",), ["1"]),
        ('{"bad \\x name": [1], "list": [2]}', ("list",), ["2"]),
        ('{"a": "[", "list": ["]", "{"]}', ("list",), ['"]"', '"{"']),
    ],
)
def test_a_list_is_found_at_its_path(
    text: str, path: tuple[str | int, ...], items: list[str]
) -> None:
    assert items_at(text, path) == items


@pytest.mark.parametrize(
    ("text", "path"),
    [("7", ()), ("{}", ()), ("[1]", ("list",)), ('{"list": {"a": []}}', ("list",))],
)
def test_a_document_without_a_list_at_the_path_is_told(
    text: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(NoListError):
        items_at(text, path)


@pytest.mark.parametrize("text", ["[1", '{"list": [1, "', '{"list": [1]', "[" * 5_000])
def test_a_document_that_breaks_off_is_told(text: str) -> None:
    with pytest.raises(CutShortError):
        items_at(text, ("list",))
