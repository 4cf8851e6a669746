"""Lines of files that a layout describes: ended by another byte, or with a head of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO

from tollhouse.pbx import Framing, Model
from tollhouse.physical_lines import (
    BLOCK_BYTES,
    BYTE_ORDER_MARK,
    PhysicalLine,
    Ticket,
    cut_line,
    decode,
    split_lines,
)
from tollhouse.utf_16_lines import UNIT_BYTES, UTF_16, split_utf_16

LINE_ENDS = (b"\n", b"\r")
LINE_ENDS_UTF_16 = (b"\n\0", b"\r\0", b"\0\n", b"\0\r")
#: A record may be followed by a line end that belongs to no record.
BETWEEN_RECORDS = b"\r\n"


def text_encoding(model: Model) -> str:
    """Return the encoding of the lines that ``read_lines`` yields."""
    return "utf-8" if model.encoding == UTF_16 else model.encoding


def ends_a_line(model: Model) -> Callable[[bytes, int], bool]:
    """Return what tells by the last bytes of a file, and its size, whether it ends with a line."""
    record_end = model.framing.record_end
    if model.encoding == UTF_16:
        return lambda tail, size: size % UNIT_BYTES == 0 and tail.endswith(LINE_ENDS_UTF_16)
    if record_end is None:
        return lambda tail, _: tail.endswith(LINE_ENDS)
    return lambda tail, _: tail.rstrip(BETWEEN_RECORDS).endswith(record_end)


def read_lines(
    stream: BinaryIO, model: Model, *, start_offset: int = 0, keep_blank: bool = False
) -> Iterator[PhysicalLine]:
    """Yield the lines of a stream that are not blank, or all of them.

    Args:
        stream: stands at ``start_offset``.
        model: what ends a line, in which encoding; lines of UTF-16 come as UTF-8.
        start_offset: of the first line to read.
        keep_blank: whether blank lines are lines too.
    """
    framing = model.framing
    if model.encoding == UTF_16:
        return split_utf_16(stream, framing, start_offset=start_offset, keep_blank=keep_blank)
    if framing.record_end is not None:
        return _split_records(stream, framing, framing.record_end, start_offset, keep_blank)
    return split_lines(
        stream,
        start_offset=start_offset,
        maximum_bytes=framing.maximum_bytes,
        keep_blank=keep_blank,
    )


def take_skipped(
    lines: Iterator[PhysicalLine], framing: Framing, encoding: str
) -> tuple[list[str], Iterator[PhysicalLine]]:
    """Return the lines at the top that are no tickets, and those below that are not blank."""
    skipped = [decode(line.data, encoding) for line in islice(lines, framing.skip_lines)]
    return skipped, (line for line in lines if line.data.strip())


def take_header(
    skipped: list[str], tickets: Iterator[Ticket], framing: Framing
) -> tuple[str | None, Iterator[Ticket]]:
    r"""Return what stands above the tickets, as the delivery keeps it, and the tickets.

    The lines that were skipped come first, each with a ``\n`` behind it where more follows; the
    line that names the columns is the last, and may itself hold line ends between quotation marks.
    """
    head = skipped
    if framing.header_is_certain:
        names = next(tickets, None)
        head = skipped if names is None else [*skipped, names.body]
    return "\n".join(head) if head else None, tickets


def record_of(data: bytes, record_end: bytes) -> bytes:
    """Return a record without its end, and without line ends around it."""
    return data.removesuffix(record_end).strip(BETWEEN_RECORDS)


def _split_records(
    stream: BinaryIO, framing: Framing, record_end: bytes, offset: int, keep_blank: bool
) -> Iterator[PhysicalLine]:
    """Yield what stands between record ends."""
    maximum_bytes = framing.maximum_bytes
    rest = b""
    if not offset:
        rest = stream.read(len(BYTE_ORDER_MARK))
        if rest == BYTE_ORDER_MARK:
            rest, offset = b"", len(BYTE_ORDER_MARK)
    while block := stream.read(BLOCK_BYTES):
        *records, rest = (rest + block).split(record_end)
        for record in records:
            yield from _cut_record(offset, record, maximum_bytes, keep_blank)
            offset += len(record) + len(record_end)
        while len(rest) > maximum_bytes:
            yield PhysicalLine(offset, rest[:maximum_bytes])
            offset += maximum_bytes
            rest = rest[maximum_bytes:]
    # Several records only where the whole file is no longer than a byte order mark.
    for record in rest.split(record_end):
        yield from _cut_record(offset, record, maximum_bytes, keep_blank and bool(record))
        offset += len(record) + len(record_end)


def _cut_record(
    offset: int, record: bytes, maximum_bytes: int, keep_blank: bool
) -> Iterator[PhysicalLine]:
    data = record.lstrip(BETWEEN_RECORDS)
    line = PhysicalLine(offset + len(record) - len(data), data)
    return cut_line(line, maximum_bytes, keep_blank=keep_blank)
