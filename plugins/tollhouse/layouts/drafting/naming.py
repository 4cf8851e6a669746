"""Names of fields: those that the sample has, made usable, or what the values look like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tollhouse.layouts.declaration.conditions import MOST_FIELDS
from tollhouse.layouts.drafting.guessing import Facts
from tollhouse.layouts.drafting.shape import SampledField

LONGEST_NAME = 120
#: Of a field that was cut off: names beyond are no use to people.
LONGEST_NEW_NAME = 60


def is_usable(names: Sequence[str]) -> bool:
    """Whether a header's names can stand in a layout as they are: none empty, none twice."""
    return (
        len(set(names)) == len(names) <= MOST_FIELDS
        and all(0 < len(name) <= LONGEST_NAME for name in names)
        and all(name == name.strip() and name.isprintable() for name in names)
    )


def unique_names(wanted: Iterable[str]) -> list[str]:
    """Return names for fields: printable, none empty, none twice."""
    names: list[str] = []
    taken: set[str] = set()
    for number, text in enumerate(wanted, start=1):
        clean = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
        base = clean[:LONGEST_NEW_NAME].strip() or f"field_{number}"
        name, count = base, 2
        while name in taken:
            name, count = f"{base}_{count}", count + 1
        taken.add(name)
        names.append(name)
    return names


def named_by_kind(
    columns: Sequence[tuple[str, ...]], places: Sequence[tuple[int, int]] | None = None
) -> tuple[SampledField, ...]:
    """Return fields for columns that nobody named: what they look like, and which one it is."""
    fields = []
    for number, values in enumerate(columns[:MOST_FIELDS], start=1):
        place = places[number - 1] if places else None
        unnamed = SampledField(f"field_{number}", values, None, place)
        kind = Facts(unnamed).kind
        fields.append(SampledField(f"{kind}_{number}", values, None, place))
    return tuple(fields)
