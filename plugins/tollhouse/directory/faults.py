"""What is wrong with the directory files, said so that whoever keeps them can put it right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
            + "\n".join(f"  {fault}" for fault in self.faults)
        )
