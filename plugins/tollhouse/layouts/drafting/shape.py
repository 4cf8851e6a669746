"""What a sample looks like: how its bytes become tickets, and its fields with their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SampledField:
    """A field of the tickets of a sample.

    Attributes:
        name: as the layout has it.
        values: of each ticket, trimmed; empty where it has none.
        title: what the sample itself calls the field; None where it does not.
        place: where it stands: start and width, or a path.
    """

    name: str
    values: tuple[str, ...]
    title: str | None = None
    place: tuple[int, int] | str | None = None


@dataclass(frozen=True)
class IgnoreRule:
    """A rule of what is kept and means nothing, and why it is proposed."""

    condition: Mapping[str, object]
    reason: str


@dataclass(frozen=True)
class Shape:
    """How a sample becomes tickets and fields.

    Attributes:
        kind: as a layout has it.
        reason: what speaks for it.
        settings: keys of the section ``tickets`` and their values, each with a comment.
        fields: in the order of the ticket.
        names_by_file: whether each file names its fields itself.
        ignore: what is kept and means nothing.
        notes: lines of comment above the fields: a ruler, what cannot be seen.
        doubts: what a person should look at.
    """

    kind: str
    reason: str
    settings: tuple[tuple[str, object, str], ...]
    fields: tuple[SampledField, ...]
    names_by_file: bool = False
    ignore: tuple[IgnoreRule, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def ticket_count(self) -> int:
        """How many tickets were looked at."""
        return len(self.fields[0].values) if self.fields else 0
