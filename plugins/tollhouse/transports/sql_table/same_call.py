"""Whether two rows under one id are the same call, though a query or an edit changed values.

Asterisk names each channel by its ``uniqueid``, and a row by its ``sequence`` beside it. Without
them the start of the call tells. A row whose start alone differs is the same one by another clock.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from tollhouse.landing import says_the_same

UNIQUE_ID = "uniqueid"
SEQUENCE = "sequence"


def is_same_call(
    kept: str, body: str, *, joined_columns: Collection[str], time_columns: Collection[str]
) -> bool:
    """Whether a row that was read again is the call that raw has under its id.

    Args:
        kept: the body in raw.
        body: the one that was read.
        joined_columns: columns that tell nothing of the call.
        time_columns: columns that may hold its start.
    """
    if says_the_same(kept, body, joined_columns):
        return True
    old, new = _columns(kept), _columns(body)
    if old is None or new is None:
        return False
    filled = {name for name in old.keys() & new.keys() if old[name] and new[name]}
    if UNIQUE_ID in filled:
        return all(old[name] == new[name] for name in filled & {UNIQUE_ID, SEQUENCE})
    times = filled.intersection(time_columns)
    if times and all(old[name] == new[name] for name in times):
        return True
    others = (old.keys() & new.keys()).difference(joined_columns, time_columns)
    return bool(times) and all(old[name] == new[name] for name in others)


def differing_columns(kept: str, body: str, joined_columns: Collection[str]) -> set[str]:
    """Return the columns, in small letters, in which two bodies differ."""
    old, new = _columns(kept) or {}, _columns(body) or {}
    common = (old.keys() & new.keys()).difference(joined_columns)
    return {name for name in common if old[name] != new[name]}


def _columns(body: str) -> dict[str, str] | None:
    """Return the values as text, by the small letters of their names: a query may respell both."""
    try:
        row: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    return {name.lower(): "" if value is None else str(value) for name, value in row.items()}
