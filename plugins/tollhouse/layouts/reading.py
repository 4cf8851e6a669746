"""A layout's file: YAML read with the line of each key, so that every fault can be found."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.faults import location_of
from tollhouse.layouts.fault_words import words_of

LARGEST_FILE_BYTES = 256 * 1024
DEEPEST_KEYS = 30
#: A file of the largest size has fewer, unless its aliases repeat each other.
MOST_VALUES = 100_000
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class LayoutFault:
    """What is wrong with a layout, and where.

    Attributes:
        line: in the file, from 1.
        key: path of the key, such as ``columns.talk_seconds.format``; empty for the whole.
        problem: what is wrong, and what is allowed.
        value: what was found, cut; None where nothing was.
    """

    line: int
    key: str
    problem: str
    value: str | None = None

    def __str__(self) -> str:
        """One line for people."""
        found = f" (found {self.value})" if self.value is not None else ""
        return f"line {self.line}, {self.key or 'the layout'}: {self.problem}{found}"


class LayoutError(Exception):
    """A layout does not hold; the message lists every fault with its line and key."""

    def __init__(self, path: Path, faults: list[LayoutFault]) -> None:
        """Make the error of a file."""
        super().__init__(f"{path} does not hold:\n  " + "\n  ".join(map(str, faults)))
        self.path = path
        self.faults = faults


def read_layout(path: Path) -> Layout:
    """Read and check a layout.

    Raises:
        LayoutError: the file is missing, is no YAML, or does not hold; every fault is listed.
    """
    document, lines = _read_yaml(path)
    if not isinstance(document, dict):
        raise LayoutError(path, [LayoutFault(1, "", "expected keys and values")])
    if "layout_id" in document:
        fault = LayoutFault(lines[("layout_id",)], "layout_id", "is the name of the file")
        raise LayoutError(path, [fault])
    try:
        return Layout.model_validate({**document, "layout_id": path.stem})
    except ValidationError as error:
        faults = sorted(_faults(error, lines), key=lambda fault: fault.line)
        raise LayoutError(path, faults) from error


def line_of_key(path: Path, *place: str) -> int:
    """Return the line of a key of a layout that was read; 1 where the file does not have it."""
    return _read_yaml(path)[1].get(place, 1)


def file_bytes(path: Path) -> bytes:
    """Return what a file holds, and of a larger one a byte more than a layout may have.

    Raises:
        OSError: it cannot be read, or is no file: a pipe would be waited for, a device has no end.
    """
    with open(path, "rb", opener=_opened_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no file")
        return file.read(LARGEST_FILE_BYTES + 1)


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _faults(
    error: ValidationError, lines: dict[tuple[str | int, ...], int]
) -> Iterator[LayoutFault]:
    for fault in error.errors(include_url=False):
        place, line = _place(location_of(fault), lines)
        if fault["type"] == "missing":
            place = (*place, fault["loc"][-1])
        # A whole mapping says nothing more than its key.
        shown = None if isinstance(fault["input"], dict | list | tuple) else repr(fault["input"])
        if fault["type"] == "union_tag_invalid":
            shown = repr(fault["ctx"]["tag"])
        if shown is not None and len(shown) > LONGEST_SHOWN:
            shown = shown[:LONGEST_SHOWN] + "…"
        if fault["type"] in ("missing", "extra_forbidden"):
            shown = None
        yield LayoutFault(line, _name_of(place), words_of(fault), shown)


def _name_of(place: tuple[str | int, ...]) -> str:
    """Return a key by its path; a key may have any character, and is shown to people."""
    name = ".".join(map(str, place))
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in name)


def _place(
    location: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
) -> tuple[tuple[str | int, ...], int]:
    """Return the key a fault is at, without what pydantic adds to it, and the nearest line."""
    place: list[str | int] = []
    line = 1
    for step in location:
        if (*place, step) in lines:
            place.append(step)
            line = lines[tuple(place)]
    return tuple(place), line


def _read_yaml(path: Path) -> tuple[Any, dict[tuple[str | int, ...], int]]:
    try:
        data = file_bytes(path)
    except OSError as error:
        fault = LayoutFault(1, "", f"cannot be read: {error.strerror}")
        raise LayoutError(path, [fault]) from error
    if len(data) > LARGEST_FILE_BYTES:
        raise LayoutError(path, [LayoutFault(1, "", f"is larger than {LARGEST_FILE_BYTES} bytes")])
    lines: dict[tuple[str | int, ...], int] = {}
    try:
        # Every scalar stays text: `no` in a lookup is the code NO, and 0044 is no octal number.
        node = yaml.compose(data.decode("utf-8-sig"), Loader=yaml.BaseLoader)
        return _value(path, node, (), lines), lines
    except UnicodeDecodeError as error:
        fault = LayoutFault(data.count(b"\n", 0, error.start) + 1, "", "is not UTF-8")
        raise LayoutError(path, [fault]) from error
    except RecursionError as error:
        raise LayoutError(path, [LayoutFault(1, "", "its keys lie too deep")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        fault = LayoutFault(mark.line + 1 if mark else 1, "", f"is not YAML: {problem}")
        raise LayoutError(path, [fault]) from error


def _value(
    path: Path,
    node: yaml.Node | None,
    place: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
) -> Any:
    if node is None:
        return None
    if place in lines and not isinstance(place[-1], int):
        # Also what an alias repeats: its place has been read already.
        fault = LayoutFault(node.start_mark.line + 1, _name_of(place), "is there twice")
        raise LayoutError(path, [fault])
    if len(place) > DEEPEST_KEYS:
        raise LayoutError(
            path, [LayoutFault(node.start_mark.line + 1, "", "its keys lie too deep")]
        )
    if len(lines) > MOST_VALUES:
        fault = LayoutFault(
            node.start_mark.line + 1, "", f"has more than {MOST_VALUES} values: aliases repeat them"
        )
        raise LayoutError(path, [fault])
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                fault = LayoutFault(key_node.start_mark.line + 1, "", "a key is a text")
                raise LayoutError(path, [fault])
            key: str = key_node.value
            mapping[key] = _value(path, value_node, (*place, key), lines)
            lines[(*place, key)] = key_node.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_value(path, item, (*place, index), lines) for index, item in enumerate(node.value)]
    return node.value
