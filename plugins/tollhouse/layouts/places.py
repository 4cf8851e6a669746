"""Where a ticket stands in a file, as an editor counts: the line of a byte offset."""

from __future__ import annotations

from pathlib import Path

from tollhouse.decompression import LONGEST_MAGIC_BYTES, is_compressed
from tollhouse.pbx import Model

#: A file beyond this is not read once more for the sake of line numbers.
LARGEST_FILE_BYTES = 64 << 20


def line_of(path: Path, offset: int, model: Model) -> int | None:
    """Return the line, from 1, at which a ticket begins; None where lines cannot be counted.

    Args:
        path: the file.
        offset: the ordinal of the ticket.
        model: by whose framing the ordinal is counted.
    """
    framing = model.framing
    has_offsets = framing.kind in ("lines", "header_lines", "elements", "documents", "items")
    is_text = not model.encoding.startswith(("utf-16", "utf_16")) and framing.record_end is None
    if not has_offsets or not is_text or offset > LARGEST_FILE_BYTES:
        return None
    try:
        with path.open("rb") as file:
            above = file.read(offset)
    except OSError:
        return None
    if is_compressed(above[:LONGEST_MAGIC_BYTES]):
        return None
    # CR LF is one line end, and so is either alone.
    return 1 + above.count(b"\n") + above.count(b"\r") - above.count(b"\r\n")
