"""What is wrong with the directory files, said so that whoever keeps them can put it right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

#: So many faults that differ in their line alone are told each.
MOST_ALIKE = 3


@dataclass(frozen=True)
class Fault:
    """One fault: where it is, what was found there, why that does not hold and what to do."""

    file: str
    line: int | None
    column: str
    value: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f", line {self.line}"
        if self.column:
            place += f", column {self.column}"
        found = f"{self.value!r}: " if self.value else ""
        return f"{place}: {found}{self.reason}; {self.remedy}."


class DirectoryError(Exception):
    """The directory may not be loaded; ``faults`` lists every fault, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) > 1 else ''}"
        super().__init__(
            f"The directory cannot be loaded, {count}:\n"
            + "\n".join(f"  {line}" for line in _told(self.faults))
        )


def _told(faults: Sequence[Fault]) -> Iterator[str]:
    """Yield a line per fault; of those that differ in their line alone only the first ones.

    An entry that was taken out of pbx.yml leaves a row per extension behind.
    """
    alike: dict[Fault, list[Fault]] = {}
    for fault in faults:
        alike.setdefault(replace(fault, line=None), []).append(fault)
    for same in alike.values():
        yield from map(str, same[:MOST_ALIKE])
        if len(same) > MOST_ALIKE:
            yield f"... and so in {len(same) - MOST_ALIKE} more lines of {same[0].file}."
