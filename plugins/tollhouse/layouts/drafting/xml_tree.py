"""Samples of XML: the element that is repeated is the ticket, its leaves are the fields.

The parser knows no document type, so that nothing is expanded or fetched; what was read before a
damage is enough for a draft.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from tollhouse.elements import MAXIMUM_DEPTH, DamagedError
from tollhouse.layouts.declaration.conditions import LONGEST_TEXT, MOST_FIELDS
from tollhouse.layouts.drafting.content import Sample
from tollhouse.layouts.drafting.naming import unique_names
from tollhouse.layouts.drafting.shape import IgnoreRule, SampledField, Shape
from tollhouse.layouts.drafting.text import counted
from tollhouse.layouts.drafting.words import roles_of

MOST_ELEMENTS = 20_000
MOST_TICKETS = 400
#: An element without so many values that all tickets have is none.
MOST_CONDITIONS = 3
NAME = re.compile(r"[^\W\d][\w.-]{0,119}")
DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


@dataclass
class _Element:
    """An element as far as it was read."""

    name: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_whole: bool = False

    def leaves(self, path: str = "") -> dict[str, str]:
        """Return the texts of attributes and of elements without elements, by their paths."""
        found: dict[str, str] = {}
        for name, value in self.attributes.items():
            found.setdefault(f"{path}@{name}", value.strip())
        for child in self.children:
            if child.children or child.attributes:
                for leaf, value in child.leaves(f"{path}{child.name}/").items():
                    found.setdefault(leaf, value)
            if not child.children:
                found.setdefault(path + child.name, "".join(child.texts).strip())
        return found


class _EnoughError(Exception):
    """So many elements are enough for a draft."""


def xml_shape(sample: Sample) -> Shape | None:
    """Return how a sample is XML, or None if it is not."""
    text = sample.files[0].text.lstrip()
    if not re.match(r"<[?!A-Za-z_]", text):
        return None
    root, damage = _read(text)
    if root is None:
        return None
    by_path: dict[str, list[_Element]] = {}
    _collect(root, "", by_path)
    chosen = _ticket_path(by_path)
    if chosen is None:
        return None
    tickets = [element for element in by_path[chosen] if element.is_whole][:MOST_TICKETS]
    name = tickets[0].name
    rows = [ticket.leaves() for ticket in tickets]
    usable = {leaf: None for row in rows for leaf in row if _is_path(leaf)}
    paths = list(usable)[:MOST_FIELDS]
    if not paths:
        return None
    names = unique_names(leaf.replace("@", "") for leaf in paths)
    fields = tuple(
        SampledField(
            field_name,
            tuple(row.get(leaf, "") for row in rows),
            " ".join(re.split(r"[/@]+", leaf)[-2:]).strip(),
            leaf,
        )
        for field_name, leaf in zip(names, paths, strict=True)
    )
    others = Counter(path.rpartition("/")[2] for path in by_path)
    beside = [path for path in by_path if not path.startswith(chosen) and path not in chosen]
    doubts = [f"the sample is damaged: {damage}"] if damage and sample.files[0].is_whole else []
    if others[name] > 1:
        doubts.append(f"elements {name} stand at several places of the file; all are tickets")
    return Shape(
        "xml",
        f"the element {name} is there {counted(len(tickets), 'time')}",
        (("element", name, "each one is a ticket"),),
        fields,
        ignore=_ignored(fields, beside),
        doubts=tuple(doubts),
    )


def _read(text: str) -> tuple[_Element | None, str | None]:
    """Read elements up to the end of a text, a damage, or when there are enough."""
    parser = expat.ParserCreate("UTF-8")
    stack: list[_Element] = []
    roots: list[_Element] = []
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS:
            raise _EnoughError
        if len(stack) >= MAXIMUM_DEPTH:
            raise DamagedError(f"more than {MAXIMUM_DEPTH} elements within each other")
        plain = {_local(key): value for key, value in attributes.items() if key[:5] != "xmlns"}
        element = _Element(_local(name), plain)
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop().is_whole = True

    def characters(data: str) -> None:
        stack[-1].texts.append(data.replace("\0", " "))

    def refuse(*_: Any) -> None:
        raise DamagedError("a document type, which is never read")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, refuse
    damage = None
    try:
        parser.Parse(DECLARATION.sub("", text).encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        damage = f"line {error.lineno}, {expat.ErrorString(error.code)}"
    except DamagedError as error:
        damage = str(error)
    except _EnoughError:
        pass
    return (roots[0] if roots else None), damage


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _collect(element: _Element, path: str, by_path: dict[str, list[_Element]]) -> None:
    for child in element.children:
        place = f"{path}/{child.name}"
        by_path.setdefault(place, []).append(child)
        _collect(child, place, by_path)


def _ticket_path(by_path: dict[str, list[_Element]]) -> str | None:
    """Return the path of the elements that are tickets: many, with leaves that are parts of one."""
    scores: dict[str, float] = {}
    for path, elements in by_path.items():
        whole = [element for element in elements if element.is_whole]
        if not whole or not NAME.fullmatch(whole[0].name):
            continue
        leaves = whole[0].leaves()
        known = sum(bool(roles_of(leaf)) for leaf in leaves)
        if len(leaves) >= 2:
            # A list around tickets has the leaves of its first one: it is there less often.
            scores[path] = len(whole) * (1 + known) + len(leaves) / 100 - path.count("/") / 10
    return max(scores, key=scores.__getitem__) if scores else None


def _ignored(fields: tuple[SampledField, ...], beside: list[str]) -> tuple[IgnoreRule, ...]:
    """Return a rule for elements beside the tickets: none of what all tickets have is in them."""
    always = [field.name for field in fields if all(field.values)][:MOST_CONDITIONS]
    if not beside or len(always) < MOST_CONDITIONS:
        return ()
    condition = {"all": [{"field": name, "empty": True} for name in always]}
    named = ", ".join(dict.fromkeys(path.split("/")[1] for path in beside[:20]))
    return (IgnoreRule(condition, f"what stands beside the tickets: {named}"),)


def _is_path(leaf: str) -> bool:
    steps = leaf.split("/")
    last = steps[-1].rpartition("@")[2]
    return len(leaf) <= LONGEST_TEXT and all(NAME.fullmatch(step) for step in [*steps[:-1], last])
