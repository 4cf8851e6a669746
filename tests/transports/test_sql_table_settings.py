"""The settings of an entry that is read from a table: what is no such value is named."""

from __future__ import annotations

import pytest

from tests.installed import pbx_of
from tollhouse.transports import SourceError
from tollhouse.transports.sql_table.entry_settings import table_settings


def test_what_an_entry_does_not_say_comes_from_its_model() -> None:
    settings = table_settings(pbx_of("fonisk", page_rows=500, table="calls.cdr", query=None))
    assert (settings.table, settings.key, settings.page_rows) == ("calls.cdr", "id_cdr", 500)
    assert "left join subsidiary" in (settings.query or "")
    assert table_settings(pbx_of("asterisk_mysql")).query is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_rows", "many"),
        ("page_rows", 0),
        ("page_rows", True),
        ("page_rows", 1.5),
        ("page_rows", 10**12),
        ("overlap_ids", -1),
        ("overlap_ids", None),
        ("query", 5),
        ("query", " "),
        ("query", ["select * from cdr"]),
        ("table", ""),
        ("key", None),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named_with_what_it_must_be(
    name: str, value: object
) -> None:
    with pytest.raises(SourceError, match=rf"paris_hq: settings.{name} .* must be a") as refused:
        table_settings(pbx_of("fonisk", **{name: value}))
    assert f"is {value!r}; it" in str(refused.value)
