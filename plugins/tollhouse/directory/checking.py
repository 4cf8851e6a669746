"""Rules that need several rows: duplicates, overlaps, references, complete tariffs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from tollhouse.directory import rows
from tollhouse.directory.faults import Fault
from tollhouse.directory.files import FILES, DirectoryFile


@dataclass(frozen=True)
class Line:
    """A row that holds by itself, and its line in the file."""

    number: int
    row: rows.Row

    def values(self, columns: tuple[str, ...]) -> tuple[str | None, ...]:
        """Return the texts of some columns."""
        return tuple(getattr(self.row, name) for name in columns)


KnownKeys = Mapping[str, set[tuple[str | None, ...]]]
Lines = list[Line]


def find_faults(
    lines: Mapping[str, Lines],
    keys: KnownKeys,
    pbx_ids: set[str] | None,
    carriers: set[str] | None,
) -> Iterator[Fault]:
    """Yield what does not hold between the rows.

    Args:
        lines: the rows of each file that could be read.
        keys: the keys of each file that could be read.
        pbx_ids: the installed PBXs, or nothing when pbx.yml could not be read.
        carriers: the carriers that they name, likewise.
    """
    for file in FILES:
        if file.name not in lines:
            continue
        if file.is_dated:
            yield from _overlap_faults(file, lines[file.name])
        if not file.is_dated or file.name == "tariff_versions":
            yield from _duplicate_faults(file, lines[file.name])
        for target, columns in file.references:
            if target in keys:
                yield from _reference_faults(file, lines[file.name], target, columns, keys[target])
        if pbx_ids is not None and "pbx_id" in file.key:
            yield from _pbx_faults(file, lines[file.name], pbx_ids)
    yield from _range_overlap_faults(lines.get("number_ranges", []))
    yield from _version_without_rates_faults(lines, keys)
    yield from _vat_faults(lines)
    yield from _owner_faults(lines.get("tariff_assignments", []), keys, pbx_ids, carriers)


def _duplicate_faults(file: DirectoryFile, lines: Lines) -> Iterator[Fault]:
    first_lines: dict[tuple[str | None, ...], int] = {}
    for line in lines:
        key = line.values(file.key)
        if key in first_lines:
            yield Fault(
                file.file_name,
                line.number,
                file.key[-1],
                " ".join(map(str, key)),
                f"is already on line {first_lines[key]}",
                "keep one of the two rows",
            )
        first_lines.setdefault(key, line.number)


def _overlap_faults(file: DirectoryFile, lines: Lines) -> Iterator[Fault]:
    # The versions of one tariff follow each other; every other dated row is named by its whole key.
    key = ("tariff_id",) if file.name == "tariff_versions" else file.key
    latest: dict[tuple[str | None, ...], tuple[datetime.date, int]] = {}
    for line in sorted(lines, key=lambda line: (_dated(line).valid_from, line.number)):
        name, row = line.values(key), _dated(line)
        end, number = latest.get(name, (datetime.date.min, 0))
        if row.valid_from < end:
            yield Fault(
                file.file_name,
                line.number,
                "valid_from",
                row.valid_from.isoformat(),
                f"the period of {' '.join(map(str, name))} overlaps that of line {number}",
                "end one period on the day the other begins",
            )
        latest[name] = max((end, number), (row.end, line.number))


def _dated(line: Line) -> rows.DatedRow:
    return cast(rows.DatedRow, line.row)


def _range_overlap_faults(lines: Lines) -> Iterator[Fault]:
    """Compare each range with those that begin before its end: ranges are few and seldom nested."""
    open_ranges: list[tuple[Line, rows.NumberRange]] = []
    ordered = sorted(
        ((line, cast(rows.NumberRange, line.row)) for line in lines),
        key=lambda pair: (
            pair[1].pbx_id,
            len(pair[1].first_number),
            pair[1].first_number,
            pair[0].number,
        ),
    )
    for line, row in ordered:
        open_ranges = [
            (other_line, other)
            for other_line, other in open_ranges
            if other.pbx_id == row.pbx_id
            and len(other.last_number) == len(row.first_number)
            and other.last_number >= row.first_number
        ]
        for other_line, other in open_ranges:
            is_same_range = (other.first_number, other.last_number) == (
                row.first_number,
                row.last_number,
            )
            # The same range twice is named once, as an overlap of periods.
            if not is_same_range and other.valid_from < row.end and row.valid_from < other.end:
                yield Fault(
                    "number_ranges.csv",
                    max(line.number, other_line.number),
                    "first_number",
                    row.first_number,
                    f"the numbers to {row.last_number} overlap those of line "
                    f"{min(line.number, other_line.number)} "
                    f"({other.first_number} to {other.last_number})",
                    "part the ranges or their periods",
                )
        open_ranges.append((line, row))


def _reference_faults(
    file: DirectoryFile,
    lines: Lines,
    target: str,
    columns: tuple[str, ...],
    known: set[tuple[str | None, ...]],
) -> Iterator[Fault]:
    for line in lines:
        value = line.values(columns)
        if value not in known:
            yield Fault(
                file.file_name,
                line.number,
                columns[-1],
                " ".join(map(str, value)),
                f"is not in {target}.csv",
                "add it there or correct it here",
            )


def _pbx_faults(file: DirectoryFile, lines: Lines, pbx_ids: set[str]) -> Iterator[Fault]:
    """Only a row that still holds needs an installed PBX: one that was taken out keeps its past."""
    for line in lines:
        (pbx_id,) = line.values(("pbx_id",))
        if pbx_id not in pbx_ids and _dated(line).valid_to is None:
            yield Fault(
                file.file_name,
                line.number,
                "pbx_id",
                str(pbx_id),
                "is not an entry of pbx.yml",
                "correct it, or end the row (valid_to) if the PBX was taken out",
            )


def _version_without_rates_faults(lines: Mapping[str, Lines], keys: KnownKeys) -> Iterator[Fault]:
    if "rates" not in keys:
        return
    priced = {(tariff, version) for tariff, version, *_ in keys["rates"]}
    for line in lines.get("tariff_versions", []):
        version = line.values(("tariff_id", "version"))
        if version not in priced:
            yield Fault(
                "tariff_versions.csv",
                line.number,
                "version",
                " ".join(map(str, version)),
                "has no row in rates.csv: each of its calls would be unrated",
                "add its rates or remove it",
            )


def _vat_faults(lines: Mapping[str, Lines]) -> Iterator[Fault]:
    customers = {
        cast(rows.Customer, line.row).customer_id: cast(rows.Customer, line.row)
        for line in lines.get("customers", [])
    }
    for line in lines.get("services", []):
        service = cast(rows.Service, line.row)
        customer = customers.get(service.customer_id)
        if customer is None:
            continue
        if (
            service.vat_regime in ("reverse_charge_283_2_octies", "intra_eu_b2b")
            and not customer.vat_number
        ):
            yield Fault(
                "services.csv",
                line.number,
                "vat_regime",
                service.vat_regime,
                f"needs the VAT number of the customer {customer.customer_id}",
                "fill in vat_number in customers.csv",
            )
        if service.issuer_id != customer.issuer_id:
            yield Fault(
                "services.csv",
                line.number,
                "issuer_id",
                service.issuer_id,
                f"the customer {customer.customer_id} belongs to the issuer {customer.issuer_id}",
                "correct one of the two",
            )


def _owner_faults(
    lines: Lines, keys: KnownKeys, pbx_ids: set[str] | None, carriers: set[str] | None
) -> Iterator[Fault]:
    services = {str(key[0]) for key in keys["services"]} if "services" in keys else None
    known = {"service": services, "pbx": pbx_ids, "carrier": carriers}
    places = {
        "service": "in services.csv",
        "pbx": "an entry of pbx.yml",
        "carrier": "a carrier in pbx.yml",
    }
    for line in lines:
        row = cast(rows.TariffAssignment, line.row)
        owners = known[row.owner_kind]
        is_over = row.valid_to is not None and row.owner_kind != "service"
        if owners is not None and row.owner_id not in owners and not is_over:
            yield Fault(
                "tariff_assignments.csv",
                line.number,
                "owner_id",
                row.owner_id,
                f"is not {places[row.owner_kind]}",
                "add it there or correct it here",
            )
