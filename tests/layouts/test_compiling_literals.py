"""Texts of a layout reach SQL as constants, and nothing that they say changes what it does."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from tests.layouts.compiled import layout_with, read
from tollhouse.layouts.compiling import compile_fields, compile_tickets
from tollhouse.layouts.compiling.literal import (
    array_literal,
    expression_literal,
    literal,
    number,
)
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.rendering import plain_sql

#: What a person might try, and what only looks like it.
HOSTILE = (
    "'", "''", "\\", "\\'", '"', "'; drop schema raw cascade; --", "{{ 1/0 }}", "{% raw %}",
    "{# ", "#}", "--", "*/ x /*", "$$", "$tag$", "\n", "\r\n", "\\u0027", "\\U00000027",
    "E'\\''", "U&'\\0027'", "%s", "%(x)s", "{}", "\x1f", "\x7f", "\u202e", "\u2028", "😀", "é",
    "' || pg_sleep(9) || '", "}}", "{{", "%}", "::regclass", "null",
)  # fmt: skip

TOKENS = re.compile(r"[eE]?'(?:[^'\\]|\\.|'')*'|--[^\n]*|\w+|\s+|.", re.DOTALL)


def structure(query: str) -> list[str]:
    """Return the tokens of a query, a mark in place of each constant."""
    tokens = (token for token in TOKENS.findall(query) if not token.isspace())
    return ["'" if token.lstrip("eE").startswith("'") else token for token in tokens]


def layout_saying(text: str) -> Layout:
    """Return a layout that says a text wherever one can be said."""
    field = f"f{text}f"
    same = [f"{text}{number}" for number in range(3)]
    condition = {
        "any": [
            {"field": field, "is": [text, "b"]}, {"field": field, "starts_with": [text, "b"]},
            {"matches": re.escape(text)}, {"none": [{"field": field, "is_not": text}]},
        ]
    }  # fmt: skip
    columns: dict[str, Any] = {
        "source_call_id": {"from": [field, "id"], "join": text, "empty_when": same},
        "started_at": {
            "from": "start", "empty_when": text,
            "format": f"yyyy-MM-dd'{text.replace(chr(39), chr(39) * 2)}x'HH:mm:ss",
        },
        "account_code": {
            "cases": [{"when": condition, "value": text}, {"when": condition, "from": field}],
            "from": field, "extract": f"({re.escape(text)})", "after": text, "before": text,
            "strip_prefix": same, "remove": text, "lookup": {text: text, "b": f"{text}b"},
            "otherwise": text,
        },
        "authorization_code": {
            "from": field,
            "lookup": {f"{text}{number}": f"{number}{text}" for number in range(20)},
            "otherwise": "b",
        },
        "group_name": {"value": f"x{text}"},
        "is_private": {"from": field, "true_when": [text, "b"]},
    }  # fmt: skip
    tickets = {
        "kind": "delimited", "separator": "tab", "quote": "none", "ignore": [{"starts_with": text}],
        "fields": ["id", "start", "ring", "talk", "kind", "from", "to", field],
    }  # fmt: skip
    return layout_with(columns, tickets, title=f"t{text}", guide=text)


def test_a_plain_text_stands_as_it_is_and_any_other_sign_as_its_number() -> None:
    assert literal("Date of call, 01/02-03: a.b_c") == "'Date of call, 01/02-03: a.b_c'"
    assert literal("it's") == "E'it\\u0027s'"
    assert literal("a\\b\n{%😀") == "E'a\\u005cb\\u000a\\u007b\\u0025\\U0001f600'"
    assert literal("") == "''"
    assert array_literal(["a", "'"]) == "array['a', E'\\u0027']::text[]"
    assert array_literal([]) == "array[]::text[]"


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_text_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no character"):
        literal(text)


def test_numbers_are_written_without_exponents() -> None:
    assert [number(value) for value in (1.5, -2.0, 1e-7, 1e22)] == [
        "1.5", "-2.0", "0.0000001", "10000000000000000000000",
    ]  # fmt: skip


def test_expressions_stand_as_they_are_unless_jinja_or_sql_could_see_them() -> None:
    assert expression_literal("^[0-9]{2}(a|b)\\u002f$") == "'^[0-9]{2}(a|b)\\u002f$'"
    for expression in ("a{{b", "a}}b", "a{%b", "a%}b", "a{#b", "it's", "a;b"):
        assert structure(expression_literal(expression)) == ["'"]
        assert not re.search(r"\{[{%#]|[}%#]\}|;|.'.+'", expression_literal(expression)[1:])


def test_no_text_of_a_layout_changes_the_structure_of_its_queries() -> None:
    for text in HOSTILE:
        # As long, because how many signs are cut off is a number in the query; and with its digits,
        # because those of a format need another way to read it.
        harmless = "".join(sign if sign.isdigit() else "a" for sign in text)
        for compiled in (compile_tickets, compile_fields):
            hostile_query = compiled(layout_saying(text))
            harmless_query = compiled(layout_saying(harmless))

            assert structure(hostile_query) == structure(harmless_query), text
            assert structure(plain_sql(hostile_query)) == structure(plain_sql(harmless_query)), text
            assert jinja_of(hostile_query) == jinja_of(harmless_query), text


def jinja_of(query: str) -> list[str]:
    return re.findall(r"\{[{%#].*?[}%#]\}", query, re.DOTALL)


@pytest.mark.postgres
def test_hostile_texts_mean_themselves(connection: psycopg.Connection) -> None:
    for text in HOSTILE:
        start = f"2026-03-02{text}x10:00:00"
        body = "\t".join(["42", start, "5", "30", "O", "301", "0199001234", f"{text}7"])
        ticket = read(connection, layout_saying(text), [body])[0]

        assert ticket.state == "ticket", (text, ticket.columns)
        assert ticket.columns["started_at"] == "2026-03-02T09:00:00+00:00"
        assert ticket.columns["source_call_id"] == f"{text}7{text}42"
        assert ticket.columns["group_name"] == f"x{text}".strip(" ")
        assert ticket.columns["authorization_code"] == f"7{text}".strip(" ")
        assert ticket.columns["is_private"] is False
        assert ticket.fields is not None
        assert ticket.fields[f"f{text}f"] == f"{text}7"
