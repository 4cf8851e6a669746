"""Renew who holds which French number, in the seeds kept by hand.

The regulator's open data (package ``fr-phonenumbers``, MIT; data under the Licence Ouverte) says
which short numbers and which blocks of value-added numbers are assigned. This script rewrites those
columns of ref_fr_short_numbers and ref_fr_value_added_ranges and leaves every other fact as it is:

    uv run --no-project --with fr-phonenumbers==0.1.1 scripts/refresh_french_assignments.py
"""

from __future__ import annotations

import csv
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

SEEDS = Path(__file__).resolve().parents[1] / "dbt_project" / "seeds"
OPEN_DATA = "ARCEP MAJNUM"


def read_package(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of the package."""
    with (files("fr_phonenumbers") / "data" / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def read_seed(name: str) -> list[dict[str, str]]:
    """Return the rows of a seed."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_seed(name: str, rows: list[dict[str, str]]) -> None:
    """Write a seed with the columns that it has."""
    with (SEEDS / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def with_source(row: dict[str, str], source: str | None) -> str:
    """Return the sources of a row with that of the open data renewed, or taken out."""
    others = [text for text in row["source"].split("; ") if not text.startswith(OPEN_DATA)]
    return "; ".join([*others, source] if source else others)


def refresh_short_numbers(blocks: list[dict[str, str]]) -> set[str]:
    """Renew holders; return the short numbers of the open data that the seed does not know."""
    source = (
        f"{OPEN_DATA} + identifiants_CE open data (Licence Ouverte) "
        f"via PyPI fr-phonenumbers {version('fr-phonenumbers')}"
    )
    names = {row["code"].strip(): row["operateur"].strip() for row in read_package("operators.csv")}
    holders = {
        row["num_debut"]: names.get(row["operateur"].strip(), row["operateur"].strip())
        for row in blocks
        if row["num_debut"] == row["num_fin"]
    }
    rows = read_seed("ref_fr_short_numbers")
    for row in rows:
        holder = holders.pop(row["short_number"], "")
        # Emergency and helpline services work whoever carries them.
        is_known_by_itself = "domain knowledge" in row["source"]
        row["holder"] = holder
        row["is_assigned"] = "true" if holder or is_known_by_itself else "false"
        row["source"] = with_source(row, source if holder else None)
    write_seed("ref_fr_short_numbers", rows)
    return set(holders)


def refresh_value_added_ranges(blocks: list[dict[str, str]]) -> None:
    """Renew the number of assigned blocks."""
    source = f"{OPEN_DATA} assignment counts via fr-phonenumbers {version('fr-phonenumbers')}"
    rows = read_seed("ref_fr_value_added_ranges")
    for row in rows:
        beginning = row["national_prefix"].removeprefix("0")
        count = sum(
            block["num_debut"].startswith(beginning) and len(block["num_debut"]) == 9
            for block in blocks
        )
        row["assigned_blocks"] = str(count)
        row["source"] = with_source(row, source)
    write_seed("ref_fr_value_added_ranges", rows)


def main() -> None:
    """Renew both seeds; name what they do not know."""
    blocks = read_package("num_ranges.csv")
    unknown = refresh_short_numbers(blocks)
    refresh_value_added_ranges(blocks)
    if unknown:
        sys.exit(f"Not in ref_fr_short_numbers, add them by hand: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    main()
