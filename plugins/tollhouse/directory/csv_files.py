"""Reading one CSV file of the directory: bytes to rows of text with their line numbers.

Files come from spreadsheets of every making: UTF-8 with or without a byte order mark, comma or
semicolon, any line end. Cells are text and stay text: a formula is a string like another, a number
keeps its leading zeros.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollhouse.directory.faults import Fault

if TYPE_CHECKING:
    from _csv import Reader

#: What no cell may hold: control characters, and the marks that turn the direction of a line of
#: text.
FORBIDDEN_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class CsvRow:
    """One row as it stands in the file; empty cells are left out."""

    line: int
    cells: dict[str, str]


def read_csv(
    file: str, data: bytes, *, columns: Collection[str], required: Collection[str]
) -> tuple[list[CsvRow], list[Fault]]:
    """Return the rows of a file and what is wrong with its form.

    Args:
        file: its name, for the faults.
        data: its content.
        columns: the columns that it may have.
        required: those that it must have.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return [], [
            Fault(
                file,
                line,
                "",
                f"byte 0x{data[error.start]:02X}",
                "is not UTF-8",
                "save the file as CSV in UTF-8",
            )
        ]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        faults = _header_faults(file, header, columns, required)
        if faults:
            return [], faults
        return _read_rows(file, reader, header)
    except csv.Error as error:
        return [], [
            Fault(
                file,
                reader.line_num,
                "",
                "",
                f"is not CSV ({error})",
                "check the quotes around this line",
            )
        ]


def _separator(text: str) -> str:
    """The column line has no quotes and no text: what parts its names parts the file."""
    first_line = text.split("\n", 1)[0]
    return ";" if first_line.count(";") > first_line.count(",") else ","


def _header_faults(
    file: str, header: list[str], columns: Collection[str], required: Collection[str]
) -> list[Fault]:
    if not any(header):
        return [
            Fault(
                file, 1, "", "", "has no line of column names", f"begin it with {','.join(columns)}"
            )
        ]
    known = ", ".join(columns)
    faults = [
        Fault(file, 1, name, "", "unknown column", f"remove or rename it; known are {known}")
        for name in header
        if name not in columns
    ]
    faults += [
        Fault(file, 1, name, "", "the column is there twice", "keep one of them")
        for name in dict.fromkeys(header)
        if header.count(name) > 1
    ]
    faults += [
        Fault(file, 1, name, "", "the column is missing", "add it")
        for name in required
        if name not in header
    ]
    return faults


def _read_rows(file: str, reader: Reader, header: list[str]) -> tuple[list[CsvRow], list[Fault]]:
    rows: list[CsvRow] = []
    faults: list[Fault] = []
    line = reader.line_num + 1
    for cells in reader:
        if any(cells):
            if len(cells) == len(header):
                faults += _character_faults(file, line, header, cells)
                stripped = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
                rows.append(CsvRow(line, {name: cell for name, cell in stripped.items() if cell}))
            else:
                faults.append(
                    Fault(
                        file,
                        line,
                        "",
                        "",
                        f"has {len(cells)} cells, the column line has {len(header)}",
                        "give each column one cell; quote one that holds the separator",
                    )
                )
        line = reader.line_num + 1
    return rows, faults


def _character_faults(file: str, line: int, header: list[str], cells: list[str]) -> list[Fault]:
    return [
        Fault(
            file,
            line,
            name,
            cell,
            "holds a control character",
            "remove line breaks and invisible ones",
        )
        for name, cell in zip(header, cells, strict=True)
        if FORBIDDEN_CHARACTERS.search(cell)
    ]
