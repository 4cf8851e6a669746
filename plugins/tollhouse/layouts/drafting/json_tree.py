"""Samples of JSON: an object a line, or a document with a list of tickets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tollhouse.json_items import TOKEN
from tollhouse.layouts.declaration.conditions import MOST_FIELDS
from tollhouse.layouts.declaration.json_paths import json_path
from tollhouse.layouts.drafting.content import Sample
from tollhouse.layouts.drafting.naming import unique_names
from tollhouse.layouts.drafting.shape import SampledField, Shape
from tollhouse.layouts.drafting.text import counted, shown

MOST_TICKETS = 400
#: Of a list within a ticket so many elements become fields.
MOST_ELEMENTS = 3
DEEPEST = 12
PLAIN_STEP = re.compile(r"[^\s.\"\[\]\x00-\x1f]{1,200}")
QUOTED_STEP = re.compile(r"[^\"\x00-\x1f]{1,200}")


def json_shape(sample: Sample) -> Shape | None:
    """Return how a sample is JSON, or None if it is not."""
    text = sample.files[0].text.lstrip()
    if text[:1] not in ("{", "["):
        return None
    objects = [value for value in map(_loaded, sample.lines) if isinstance(value, dict)]
    if len(objects) > 1 or (objects and not _lists(objects[0])):
        if len(objects) < 0.5 * len(sample.lines):
            return None
        reason = f"{len(objects)} of {counted(len(sample.lines), 'line')} are a JSON object each"
        return _shape(objects[:MOST_TICKETS], None, reason)
    document = _loaded(text)
    if document is None:
        document = _loaded(_closed(text))
    lists = sorted(_lists(document), key=lambda found: -len(found[1]))
    if not lists:
        return None
    path, tickets = lists[0]
    where = f"in its list {shown(path)}" if path else "which is a list"
    reason = f"one JSON document, {where}: {counted(len(tickets), 'object')} in the sample"
    return _shape(tickets[:MOST_TICKETS], path, reason)


def _shape(tickets: Sequence[Mapping[str, Any]], path: str | None, reason: str) -> Shape:
    rows = [dict(_leaves(ticket)) for ticket in tickets]
    paths = list(dict.fromkeys(leaf for row in rows for leaf in row))[:MOST_FIELDS]
    names = unique_names(leaf.replace('"', "") for leaf in paths)
    fields = tuple(
        SampledField(name, tuple(row.get(leaf, "") for row in rows), _title(leaf), leaf)
        for name, leaf in zip(names, paths, strict=True)
    )
    settings: tuple[tuple[str, object, str], ...] = ()
    if path is not None:
        comment = "where the tickets are in a document" if path else "the document is the list"
        settings = (("list", path, comment),)
    doubts = []
    if len({leaf for row in rows for leaf in row}) > MOST_FIELDS:
        doubts.append(f"a ticket has more than {MOST_FIELDS} values; the first ones are read")
    return Shape("json", reason, settings, fields, doubts=tuple(doubts))


def _title(path: str) -> str:
    """Return the name that a path leads to, with the one above it: ``caller number``."""
    names = [str(step) for step in json_path(path) if isinstance(step, str)]
    return " ".join(names[-2:])


def _loaded(text: str) -> Any:
    """Return a value of JSON, numbers as they are written; None where it is none."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _lists(value: Any, path: str = "", depth: int = 0) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the lists of objects in a document and the paths to them."""
    if isinstance(value, list):
        objects = [item for item in value if isinstance(item, dict)]
        return [(path, objects)] if objects else []
    if not isinstance(value, dict) or depth > DEEPEST:
        return []
    found = []
    for key, inner in value.items():
        step = _step(key)
        if step is not None:
            found += _lists(inner, f"{path}.{step}" if path else step, depth + 1)
    return found


def _leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the paths of what is no object and no list, with their texts."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            step = _step(key)
            if step is not None:
                yield from _leaves(inner, f"{path}.{step}" if path else step, depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value[:MOST_ELEMENTS]):
            yield from _leaves(inner, f"{path}[{place}]", depth + 1)
    elif path:
        yield path, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    # A surrogate that stands alone is a text of JSON and of nothing else.
    return str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", " ").strip()


def _step(key: str) -> str | None:
    """Return a name as a path writes it; None where no path can."""
    if any("\ud800" <= sign <= "\udfff" for sign in key) or not key.isprintable():
        return None
    if PLAIN_STEP.fullmatch(key):
        return key
    return f'"{key}"' if QUOTED_STEP.fullmatch(key) else None


def _closed(text: str) -> str:
    """Return a document that was cut: up to the last value that is whole, its brackets closed."""
    closing: list[str] = []
    whole, brackets = 0, ""
    for token in TOKEN.finditer(text):
        mark = token.group()
        if mark in ("{", "["):
            closing.append("}" if mark == "{" else "]")
        elif mark in ("}", "]"):
            if not closing or closing.pop() != mark:
                break
            whole, brackets = token.end(), "".join(reversed(closing))
        elif mark == '"':
            break
    return text[:whole] + brackets
