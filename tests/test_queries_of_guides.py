"""Queries that the set-up guides tell people to paste: they are those that the pull understands."""

from __future__ import annotations

import re
from textwrap import dedent, indent

import pytest

from tollhouse.pbx import models
from tollhouse.transports.sql_table.query_text import fault_of, tables_of

JOINING = sorted(
    model_id for model_id, model in models().items() if model.table and model.table.joined_columns
)
WITH_QUERY = sorted(
    model_id for model_id, model in models().items() if model.table and model.table.query
)


def pasted_query(model_id: str) -> str:
    """Return the query of the entry that a guide shows."""
    (query,) = re.findall(
        r"^ {6}query: \|\n((?: {8}.*\n)+)", models()[model_id].guide, re.MULTILINE
    )
    return dedent(query)


@pytest.mark.parametrize("model_id", JOINING)
def test_the_query_of_an_entry_can_be_pasted_and_keeps_every_row(model_id: str) -> None:
    query = pasted_query(model_id)
    assert fault_of(query) is None
    assert tables_of(query)[0] == "table"
    assert re.findall(r"\bjoin\b", query) == re.findall(r"(?<=left )\bjoin\b", query)


@pytest.mark.parametrize("model_id", JOINING)
def test_what_a_query_joins_is_known_to_come_from_other_tables(model_id: str) -> None:
    table = models()[model_id].table
    assert table is not None
    for query in (table.query or "", pasted_query(model_id)):
        named = re.findall(r"^ +\w\.\w+ as (\w+)", query, re.MULTILINE)
        assert set(named) <= set(table.joined_columns)


@pytest.mark.parametrize("model_id", WITH_QUERY)
def test_a_guide_shows_the_query_of_its_model(model_id: str) -> None:
    table = models()[model_id].table
    assert table is not None
    assert table.query is not None
    assert indent(table.query, "    ") in models()[model_id].guide
