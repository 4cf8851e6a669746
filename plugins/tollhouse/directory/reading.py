"""Reading the whole directory: every file, every row, every fault; needs no database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tollhouse.directory.checking import Line, Lines, find_faults
from tollhouse.directory.csv_files import CsvRow, read_csv
from tollhouse.directory.faults import DirectoryError, Fault
from tollhouse.directory.files import FILES, DirectoryFile
from tollhouse.installed_pbxs import Pbx, PbxFileError, load_pbxs


@dataclass(frozen=True)
class Directory:
    """The directory as its files say: rows that hold, one by one and together.

    Attributes:
        lines: the rows of each file, by its name without suffix.
        pbxs: the entries of pbx.yml.
        digests: sha256 of each file, by file name.
    """

    lines: dict[str, Lines]
    pbxs: list[Pbx]
    digests: dict[str, str]

    def count_rows(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        return {"pbxs": len(self.pbxs), **{name: len(lines) for name, lines in self.lines.items()}}


@dataclass
class _Reading:
    """What is known while the files are read."""

    lines: dict[str, Lines] = field(default_factory=dict)
    #: The keys of every row, those that do not hold included: a faulty row is no reason to call
    #: references to it dangling.
    keys: dict[str, set[tuple[str | None, ...]]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_directory(folder: Path, pbx_file: Path) -> Directory:
    """Read and check ``folder`` and ``pbx_file``.

    Raises:
        DirectoryError: something does not hold; every fault is listed.
    """
    reading = _Reading()
    pbxs = _read_pbxs(pbx_file, reading)
    for file in FILES:
        _read_file(folder, file, reading)
    pbx_ids = None if pbxs is None else {pbx.id for pbx in pbxs}
    carriers = None if pbxs is None else {pbx.carrier for pbx in pbxs}
    faults = [*reading.faults, *find_faults(reading.lines, reading.keys, pbx_ids, carriers)]
    faults += _default_service_faults(pbx_file, pbxs or [], reading)
    if faults:
        raise DirectoryError(faults)
    return Directory(reading.lines, pbxs or [], reading.digests)


def _read_pbxs(path: Path, reading: _Reading) -> list[Pbx] | None:
    try:
        pbxs = load_pbxs(path)
    except PbxFileError as error:
        first, *others = str(error).splitlines()
        reading.faults += [
            Fault(
                path.name, None, "", "", text.strip(), "correct the entry (docs/configuration.md)"
            )
            for text in others or [first]
        ]
        return None
    reading.digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return pbxs


def _default_service_faults(path: Path, pbxs: list[Pbx], reading: _Reading) -> list[Fault]:
    services = reading.keys.get("services")
    return [
        Fault(
            path.name,
            None,
            f"default_service of {pbx.id}",
            pbx.default_service,
            "is not in services.csv",
            "add the service or correct the name",
        )
        for pbx in pbxs
        if services is not None and pbx.default_service and (pbx.default_service,) not in services
    ]


def _read_file(folder: Path, file: DirectoryFile, reading: _Reading) -> None:
    try:
        data = (folder / file.file_name).read_bytes()
    except FileNotFoundError:
        reading.faults.append(
            Fault(
                file.file_name,
                None,
                "",
                "",
                f"is missing in {folder}",
                "an empty table is a file with its line of column names only",
            )
        )
        return
    reading.digests[file.file_name] = hashlib.sha256(data).hexdigest()
    csv_rows, faults = read_csv(
        file.file_name, data, columns=file.columns, required=file.required_columns
    )
    reading.faults += faults
    if faults and not csv_rows:
        return
    lines: Lines = []
    for csv_row in csv_rows:
        try:
            lines.append(Line(csv_row.line, file.row.model_validate(csv_row.cells)))
        except ValidationError as error:
            reading.faults += _row_faults(file, csv_row, error)
    reading.lines[file.name] = lines
    reading.keys[file.name] = {tuple(row.cells.get(name) for name in file.key) for row in csv_rows}


def _row_faults(file: DirectoryFile, csv_row: CsvRow, error: ValidationError) -> list[Fault]:
    faults = []
    for found in error.errors(include_url=False):
        context: dict[str, Any] = found.get("ctx", {})
        column = str(found["loc"][0]) if found["loc"] else context.get("column", "")
        value = csv_row.cells.get(column, "")
        if found["type"] == "row_fault":
            reason, remedy = context["reason"], context["remedy"]
        elif found["type"] == "missing":
            reason, remedy = "is empty", "fill it in"
        elif found["type"] == "literal_error":
            reason, remedy = "is none of the possible values", f"write {context['expected']}"
        else:
            reason, remedy = found["msg"], "correct the cell"
        faults.append(Fault(file.file_name, csv_row.line, column, value, reason, remedy))
    return faults
