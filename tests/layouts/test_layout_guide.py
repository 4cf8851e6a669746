"""docs/layouts.md: the reference names every key that a layout may have, and no other."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from tollhouse.layouts import time_formats
from tollhouse.layouts.declaration import collection, columns, conditions, layout, readings, tickets
from tollhouse.layouts.reasons import IGNORED, REJECTED
from tollhouse.settings import PROJECT

GUIDE = (PROJECT / "docs" / "layouts.md").read_text(encoding="utf-8")

COMMON = readings.Source
#: Headings of the guide, and the mappings whose keys stand below each.
SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "### The file": (layout.Layout,),
    "### `tickets`": (
        tickets.DelimitedTickets,
        tickets.FixedTickets,
        tickets.CharacterColumns,
        tickets.PatternTickets,
        tickets.XmlTickets,
        tickets.JsonTickets,
    ),
    "### `columns`": (columns.Columns, COMMON),
    "#### Texts": (readings.TextReading, readings.TextCase),
    "#### Instants": (readings.TimeReading,),
    "#### Durations": (readings.DurationReading,),
    "#### Numbers": (readings.NumberReading,),
    "#### Flags": (readings.FlagReading,),
    "### Conditions": (conditions.Condition,),
    "### `collection`": (
        collection.DroppedFilesCollection,
        collection.RemoteFilesCollection,
        collection.StreamCollection,
        collection.TableCollection,
        collection.ApiCollection,
    ),
}
#: The name of a file is no key of it.
NO_KEYS = {"layout_id"}


def keys_of(declared: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in declared.model_fields.items()} - NO_KEYS


def section(heading: str) -> str:
    """Return what stands below a heading, up to the next one."""
    (found,) = re.findall(
        rf"^{re.escape(heading)}\n(.*?)(?=^#|\Z)", GUIDE, re.MULTILINE | re.DOTALL
    )
    return str(found)


def keys_in_tables(text: str) -> set[str]:
    """Return the names in the first column of the tables of keys."""
    keys: set[str] = set()
    for table in re.findall(r"^\| key \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            keys |= set(re.findall(r"`([^`]+)`", row.split("|")[1]))
    return keys


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_reference_names_every_key_and_no_other(heading: str) -> None:
    known = set().union(*(keys_of(declared) for declared in SECTIONS[heading]))
    if COMMON not in SECTIONS[heading]:
        # What every reading has is said once.
        known -= keys_of(COMMON) if readings.Source in SECTIONS[heading][0].__mro__ else set()
    assert keys_in_tables(section(heading)) == known


def test_the_reference_names_every_transport_and_every_kind() -> None:
    transports = collection.Collection.model_fields
    assert set(re.findall(r"\*\*`(\w+)`\*\*", section("### `collection`"))) == set(transports)
    kinds = {
        str(declared.model_fields["kind"].annotation.__args__[0])  # type: ignore[union-attr]
        for declared in SECTIONS["### `tickets`"]
        if "kind" in declared.model_fields
    }
    assert set(re.findall(r"\*\*`(\w+)`\*\*", section("### `tickets`"))) == kinds


def test_the_reference_explains_every_letter_of_time_formats() -> None:
    explained = re.findall(r"`([A-Za-z]+)`", section("#### Instants"))
    assert set(time_formats.PARTS) <= set(explained)
    for word in time_formats.WORDS:
        assert f"`{word}`" in section("#### Instants")


def test_the_reference_explains_every_reason() -> None:
    for name, reason in REJECTED.items():
        assert f"| `{name}` | {reason.meaning} | {reason.remedy} |" in GUIDE


def test_every_reason_that_a_compiled_layout_can_give_is_explained() -> None:
    package = PROJECT / "plugins" / "tollhouse" / "layouts"
    texts = [path.read_text(encoding="utf-8") for path in (package / "compiling").glob("*.py")]
    texts.append((package / "views.py").read_text(encoding="utf-8"))
    given = {reason for text in texts for reason in re.findall(r'"((?:[a-z]+_)*[a-z]+)"', text)}
    explained = set(REJECTED) | set(IGNORED)
    # Nothing is explained that cannot be, and what looks like a reason is one.
    assert explained <= given
    like_reasons = re.compile(
        r"(missing|unknown|no_such|not|layout|too|open)_[a-z_]+|[a-z_]+_too_long"
    )
    assert {reason for reason in given if like_reasons.fullmatch(reason)} <= explained
