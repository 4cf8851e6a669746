"""Watching the number that a PBX counts up in its tickets: a gap means lost tickets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tollhouse.collector.lines import Piece
from tollhouse.pbx import SerialNumbers

#: A PBX keeps some hundred tickets for a collector that is away (Ascotel manual: 300 or 1,000). A
#: step back by more than this part of all numbers is a counter that began anew, not a loss.
_PLAUSIBLE_PART = 10


class SerialWatch:
    """Follows the serial numbers of one PBX across its connections."""

    def __init__(self, serial: SerialNumbers) -> None:
        self._pattern = re.compile(serial.pattern)
        self._modulus = serial.modulus
        self._last: int | None = None
        self.lost_count = 0

    def remember(self, lines: Iterable[bytes]) -> None:
        """Go on after lines that were spooled earlier; gaps in them were reported then."""
        for line in lines:
            number = self._number(line)
            if number is not None:
                self._last = number

    def watch(self, pieces: Iterable[Piece]) -> list[str]:
        """Take pieces as they are spooled; return what is to be told, in words."""
        told = []
        for line, _ in pieces:
            number = self._number(line)
            if number is None:
                continue
            last, self._last = self._last, number
            if last is not None and number != (last + 1) % self._modulus:
                told.append(self._tell(last, number))
        return told

    def _number(self, line: bytes) -> int | None:
        match = self._pattern.search(line)
        if match is None or not match[1].isdigit():
            return None
        number = int(match[1])
        return number if number < self._modulus else None

    def _tell(self, last: int, number: int) -> str:
        lost = (number - last - 1) % self._modulus
        plausible = self._modulus // _PLAUSIBLE_PART
        is_a_little_back = (last - number) % self._modulus <= plausible
        # The next number after the highest is 0: a little forward or back may lead over it.
        if lost <= plausible or (number > last and not is_a_little_back):
            self.lost_count += lost
            return f"{lost} tickets lost: number {number} follows {last}"
        if is_a_little_back and number > 1:
            return f"numbers sent again: {number} follows {last}"
        return f"the PBX counts anew: number {number} follows {last}; what was lost is not known"
