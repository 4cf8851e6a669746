"""Items of a JSON answer, each exactly as it was sent: numbers are not rounded, nothing re-written.

Items are found by brackets and commas, so one that is damaged, nested without end or no object at
all is handed on like any other: staging says what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

#: A string, one that never ends, or what gives a document its shape.
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\],:]', re.DOTALL)
STRING_OR_BLANKS = re.compile(r'("(?:[^"\\]|\\.)*+")|[ \t\r\n]+', re.DOTALL)
BYTE_ORDER_MARK = "\ufeff"
#: More digits than any number in a ticket has; Python refuses to read some thousands of them.
LONGEST_NUMBER = 40


class CutShortError(ValueError):
    """A document of JSON ends in the middle."""


class NoListError(ValueError):
    """A document is no JSON object with the list that was asked for."""


def items_of(text: str, *list_names: str) -> list[str]:
    """Return the elements of the first list of such a name, each as it was sent, without blanks.

    Raises:
        CutShortError: the document ends before its last bracket.
        NoListError: it is no object, or has no such list.
    """
    if text.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] != "{":
        raise NoListError(text[:1])
    wanted = {f'"{name}"' for name in list_names}
    items: list[str] = []
    list_depth: int | None = None
    is_over = False
    item_start = 0
    for mark, depth, key, start, end in _marks(text):
        if list_depth is None:
            if mark == "[" and key in wanted:
                list_depth, item_start = depth, end
        elif depth == list_depth and mark in (",", "}", "]") and not is_over:
            items.append(compact(text[item_start:start]))
            item_start, is_over = end, mark != ","
    if list_depth is None:
        raise NoListError(", ".join(list_names))
    return [item for item in items if item]


def items_at(text: str, path: tuple[str | int, ...]) -> list[str]:
    """Return the elements of the list at a path, each as it was sent, without blanks.

    Args:
        text: a document of JSON.
        path: names, and places in lists from 0; of the document itself where there are none.

    Raises:
        CutShortError: the document ends before its last bracket.
        NoListError: there is no list at the path.
    """
    if text.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] not in ("{", "["):
        raise NoListError(text[:1])
    items: list[str] = []
    list_depth: int | None = None
    is_over = False
    item_start = 0
    #: By which step each open bracket was reached, and how many commas stand in it so far.
    steps: list[str | int] = []
    commas: list[int] = []
    for mark, depth, key, start, end in _marks(text):
        if mark in ("{", "["):
            is_near = list_depth is None and depth <= len(path) + 1
            if depth > 1:
                # A damaged name is no step of a path.
                steps.append(str(loaded(key)) if key and is_near else (key or commas[-1]))
            commas.append(0)
            if is_near and mark == "[" and tuple(steps) == path:
                list_depth, item_start = depth, end
            continue
        if depth == list_depth and mark in (",", "]") and not is_over:
            items.append(compact(text[item_start:start]))
            item_start, is_over = end, mark == "]"
        if mark == ",":
            commas[-1] += 1
        elif mark in ("}", "]"):
            del steps[-1:]
            del commas[-1:]
    if list_depth is None:
        raise NoListError(path)
    return [item for item in items if item]


def _marks(text: str) -> Iterator[tuple[str, int, str, int, int]]:
    """Yield what gives a document its shape: mark, depth, the key it is the value of, and where.

    A bracket has the depth of what is in it.
    """
    depth = 0
    key = before = ""
    for token in TOKEN.finditer(text):
        mark = token.group()
        if mark == '"':
            break
        if mark in ("{", "["):
            depth += 1
        elif mark == ":":
            key = before
        yield mark, depth, key if before == ":" else "", token.start(), token.end()
        if mark in ("}", "]"):
            depth -= 1
            if depth == 0:
                return
        before = mark
    raise CutShortError(text[-1:])


def compact(text: str) -> str:
    """Return JSON without the blanks between its parts; strings stay as they are."""
    return STRING_OR_BLANKS.sub(lambda match: match[1] or "", text)


def loaded(text: str | bytes) -> Any:
    """Return a JSON value, or None where it is none: hostile ones must not stop a pull."""
    try:
        return json.loads(text, parse_int=_whole_number)
    except (ValueError, RecursionError):
        return None


def stable_ordinal(body: str) -> int:
    """Return an ordinal for an item that has no id: the same item always gets the same one.

    It is negative, where no id is.
    """
    digest = hashlib.blake2b(body.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "big") >> 1)


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits
