"""Logs that never rest: up to where one can be read, while more is written to it."""

from __future__ import annotations

import os
from collections import deque
from itertools import islice
from typing import BinaryIO, cast

from tollhouse.declared_lines import ends_a_line, read_lines, text_encoding
from tollhouse.framing import line_joiner
from tollhouse.pbx import Model
from tollhouse.utf_16_lines import UTF_16
from tollhouse.windows import Window

#: The last line end of a log is looked for in so much of it.
LONGEST_LINE_BYTES = 1 << 16
#: Enough of an end to see whether a line ends there.
TAIL_BYTES = 8


def end_of_last_ticket(stream: BinaryIO, model: Model, *, start: int = 0) -> int:
    """Return where the last ticket of a log ends that is whole.

    Args:
        stream: the log, of which more may be written meanwhile.
        model: what ends a ticket.
        start: up to here its tickets are known to be whole.
    """
    framing = model.framing
    if framing.quoting is None and framing.record_end is None and model.encoding != UTF_16:
        return _end_of_last_line(stream)
    size_bytes = stream.seek(0, os.SEEK_END)
    seen = cast("BinaryIO", Window(stream, size_bytes))
    seen.seek(max(0, size_bytes - TAIL_BYTES))
    is_at_line_end = ends_a_line(model)(seen.read(), size_bytes)
    seen.seek(start)
    lines = read_lines(seen, model, start_offset=start, keep_blank=not start)
    if not start:
        lines = islice(lines, framing.skip_lines, None)
    joiner = line_joiner(framing, text_encoding(model))
    tickets = joiner.tickets(line for line in lines if line.data.strip())
    last = deque(tickets, maxlen=1)
    if joiner.held is not None:
        return joiner.held.offset
    if is_at_line_end:
        return size_bytes
    return last[0].ordinal if last else start


def _end_of_last_line(stream: BinaryIO) -> int:
    """Return where the last line ends that is whole; 0 if none is."""
    size_bytes = stream.seek(0, os.SEEK_END)
    start = stream.seek(max(0, size_bytes - LONGEST_LINE_BYTES))
    tail = stream.read(size_bytes - start)
    last = max(tail.rfind(b"\n"), tail.rfind(b"\r", 0, -1))
    return start + last + 1 if last >= 0 else 0
