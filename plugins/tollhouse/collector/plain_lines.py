"""The short way from records to tickets: a group of them in which each is one whole line.

Nearly every group is. What is asked of each line is asked of all of them at once, in a few steps
that do not grow with their number; whatever is not plain goes the long way, a record at a time.
"""

from __future__ import annotations

from tollhouse.bundles import Bundle
from tollhouse.collector.segment import TERMINATED
from tollhouse.collector.spool import SpoolRecord
from tollhouse.framing import decode
from tollhouse.pbx import Model
from tollhouse.quoted_lines import OpenValues


class PlainLines:
    """Makes a bundle of a group of plain lines."""

    def __init__(self, model: Model) -> None:
        self._width = model.framing.wrap_columns
        self._maximum_bytes = model.framing.maximum_bytes
        self._encoding = model.encoding
        quoting = model.framing.quoting
        self._open_values = OpenValues(quoting) if quoting else None

    def bundle(self, records: list[SpoolRecord]) -> Bundle | None:
        """Return the tickets, or None unless every record is one line that cannot go on.

        Nothing may be held that the first of them could continue.
        """
        _, offsets, _, instants, _, _, data, flags = zip(*records, strict=True)
        if set(flags) != {TERMINATED}:
            return None
        lines = [line.rstrip(b"\r\n") for line in data]
        lengths = set(map(len, lines))
        if self._width in lengths or max(lengths) > self._maximum_bytes:
            return None
        joined = b"\n".join(lines)
        is_blank_among_them = not all(map(bytes.strip, lines))
        if is_blank_among_them or b"\r" in joined or joined.count(b"\n") != len(lines) - 1:
            return None
        if self._open_values is not None and self._open_values.may_open(joined):
            return None
        # No line end is part of a character in any encoding that a PBX writes lines in.
        bodies = decode(joined, self._encoding).split("\n")
        return Bundle(offsets, bodies, instants) if len(bodies) == len(lines) else None
