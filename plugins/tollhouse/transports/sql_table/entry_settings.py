"""The `settings` of an entry whose tickets are in a table, checked."""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import TableDefaults
from tollhouse.transports import SourceError

MOST_PAGE_ROWS = 1_000_000
MOST_OVERLAP_IDS = 1_000_000


@dataclass(frozen=True)
class TableSettings:
    """What is read of a PBX: by its entry, or else by its model.

    Attributes:
        query: None where the table is read as it stands.
    """

    table: str
    key: str
    query: str | None
    page_rows: int
    overlap_ids: int


def table_defaults(pbx: Pbx) -> TableDefaults:
    """Return how PBXs of this model keep their tickets in a table."""
    defaults = pbx.known_model.table
    if defaults is None:
        raise SourceError(f"{pbx.id}: model {pbx.model} is not read from a table.")
    return defaults


def table_settings(pbx: Pbx) -> TableSettings:
    """Return the settings of a PBX.

    Raises:
        SourceError: one of them does not hold; the message names it.
    """
    defaults = table_defaults(pbx)
    return TableSettings(
        table=_text(pbx, "table", defaults.table),
        key=_text(pbx, "key", defaults.key),
        query=defaults.query
        if pbx.settings.get("query") is None
        else _text(pbx, "query", "").strip(),
        page_rows=_whole_number(pbx, "page_rows", defaults.page_rows, 1, MOST_PAGE_ROWS),
        overlap_ids=_whole_number(pbx, "overlap_ids", defaults.overlap_ids, 0, MOST_OVERLAP_IDS),
    )


def _text(pbx: Pbx, name: str, default: str) -> str:
    value = pbx.settings.get(name, default)
    if not isinstance(value, str) or not value.strip():
        raise _refused(pbx, name, "a text")
    return value


def _whole_number(pbx: Pbx, name: str, default: int, lowest: int, highest: int) -> int:
    value = pbx.settings.get(name, default)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not lowest <= value <= highest:
        raise _refused(pbx, name, f"a whole number from {lowest} to {highest}")
    return int(value)


def _refused(pbx: Pbx, name: str, wanted: str) -> SourceError:
    found = repr(pbx.settings[name]) if name in pbx.settings else "missing"
    return SourceError(
        f"{pbx.id}: settings.{name} of the entry in include/pbx.yml is {found}; it must be "
        f"{wanted}."
    )
