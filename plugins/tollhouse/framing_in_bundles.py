"""Files of tickets taken apart a block at a time, for those whose tickets are plain lines.

What ``framing`` says of a line holds here too, and a test holds the two to each other. The
difference is speed: here a line costs a few steps of Python's own machine code, there some of
Python, and a million records of a CUCM are a million times that difference.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate, compress
from typing import BinaryIO, NamedTuple

from tollhouse.bundles import Bundle, bundled
from tollhouse.framing import LineJoiner, Ticket, decode, frame_file, line_joiner, take_header
from tollhouse.pbx import Framing, Model
from tollhouse.physical_lines import BYTE_ORDER_MARK, PhysicalLine, cut_line, split_lines
from tollhouse.quoted_lines import QuotedLines

#: Lines of one block make a bundle: few enough to be landed while they are in the caches.
BLOCK_BYTES = 1 << 18
#: The names and the types of columns are looked for in so much of a file.
HEAD_BYTES = 1 << 16
#: In these a line end is one byte, which is part of no other character.
PLAIN_ENCODINGS = frozenset(
    {"ascii", "latin-1", "utf-8", "cp1252", "iso-8859-15", "cp437", "cp850"}
)
#: What ``bytes.isspace`` calls blank.
BLANKS = " \t\r\n\v\f"


class FramedBundles(NamedTuple):
    """A file taken apart: the line that names its columns, if any, and its tickets in bundles."""

    header: str | None
    bundles: Iterable[Bundle]


def frame_in_bundles(
    stream: BinaryIO,
    model: Model,
    *,
    start_offset: int = 0,
    header: str | None = None,
    received_at: datetime | None = None,
    name: str = "a file",
) -> FramedBundles:
    """Take a file of a model apart; as ``frame_file``, with the instant that its tickets share."""
    framing = model.framing
    start: int | None = start_offset
    is_plain = _is_plain(framing) and model.encoding in PLAIN_ENCODINGS
    if is_plain and framing.has_declared_head:
        header, start = _find_below_head(stream, model, start_offset)
    elif framing.kind == "header_lines" and not start_offset:
        header, start = _find_tickets(stream, framing, model.encoding)
    if not is_plain or start is None:
        framed = frame_file(stream, model, start_offset=start_offset, header=header, name=name)
        return FramedBundles(framed.header, bundled(_arrived(framed.tickets, received_at)))
    stream.seek(start)
    return FramedBundles(header, _bundles(stream, start, model, received_at))


def _is_plain(framing: Framing) -> bool:
    """Whether line ends end tickets, but for those within quotation marks."""
    is_of_lines = framing.kind in ("lines", "header_lines")
    return is_of_lines and framing.wrap_columns is None and framing.record_end is None


def _find_below_head(
    stream: BinaryIO, model: Model, start_offset: int
) -> tuple[str | None, int | None]:
    """Return what stands above the tickets of a file with a declared head, and where they begin."""
    framed = frame_file(stream, model, start_offset=start_offset)
    first = next(framed.tickets, None)
    return framed.header, None if first is None else first.ordinal


def _find_tickets(
    stream: BinaryIO, framing: Framing, encoding: str
) -> tuple[str | None, int | None]:
    """Return the line that names the columns, and where tickets begin; None if that is far off."""
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    is_all = len(head) < HEAD_BYTES
    if not is_all:
        head = head[: head.rfind(b"\n") + 1]
    found = split_lines(io.BytesIO(head), maximum_bytes=framing.maximum_bytes)
    header, lines = take_header(found, framing, encoding)
    first = next(lines, None)
    if first is not None:
        return header, first.offset
    return header, len(head) if is_all else None


def _bundles(
    stream: BinaryIO, offset: int, model: Model, received_at: datetime | None
) -> Iterator[Bundle]:
    """Yield the lines of a stream, the whole ones of each block in a bundle."""
    joiner = line_joiner(model.framing, model.encoding)
    rest = b""
    if not offset:
        rest = stream.read(len(BYTE_ORDER_MARK))
        if rest == BYTE_ORDER_MARK:
            rest, offset = b"", len(BYTE_ORDER_MARK)
    while block := stream.read(BLOCK_BYTES):
        block = rest + block
        # A CR at the very end may be half of a CR LF: up to the last LF everything is clear.
        end = block.rfind(b"\n") + 1
        if not end and len(block) > BLOCK_BYTES:
            stream.seek(offset)
            yield from _bundles_one_by_one(stream, offset, model, joiner, received_at)
            return
        if end:
            yield from _bundle_of_lines(block[:end], offset, model, joiner, received_at)
        offset += end
        rest = block[end:]
    yield from _bundle_of_lines(rest, offset, model, joiner, received_at)
    yield from bundled(_arrived(joiner.release(), received_at))


def _bundle_of_lines(
    data: bytes,
    offset: int,
    model: Model,
    joiner: LineJoiner,
    received_at: datetime | None,
) -> Iterator[Bundle]:
    """Yield the tickets that whole lines complete."""
    if isinstance(joiner, QuotedLines) and not joiner.are_whole(data):
        yield from _bundles_one_by_one(io.BytesIO(data), offset, model, joiner, received_at)
    else:
        yield from _bundle_of_whole_lines(data, offset, model, received_at)


def _bundle_of_whole_lines(
    data: bytes, offset: int, model: Model, received_at: datetime | None
) -> Iterator[Bundle]:
    """Yield the tickets of lines that are tickets of their own."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return
    if max(map(len, lines)) > model.framing.maximum_bytes:
        yield from _bundle_of_long_lines(lines, offset, model, received_at)
        return
    text = decode(data, model.encoding)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    bodies = text.split("\n")
    if not bodies[-1]:
        del bodies[-1]
    ordinals: Iterable[int] = accumulate(map(len, lines[:-1]), initial=offset)
    if not all(map(str.strip, bodies)):
        is_ticket = [bool(body.strip(BLANKS)) for body in bodies]
        bodies = list(compress(bodies, is_ticket))
        ordinals = compress(ordinals, is_ticket)
    if bodies:
        yield Bundle(tuple(ordinals), bodies, [received_at] * len(bodies))


def _bundle_of_long_lines(
    lines: list[bytes], offset: int, model: Model, received_at: datetime | None
) -> Iterator[Bundle]:
    """Yield the tickets of lines of which some are to be cut."""
    offsets = accumulate(map(len, lines), initial=offset)
    pieces = [
        piece
        for line in map(PhysicalLine, offsets, lines)
        for piece in cut_line(line, model.framing.maximum_bytes)
    ]
    if pieces:
        bodies = [decode(piece.data, model.encoding) for piece in pieces]
        yield Bundle([piece.offset for piece in pieces], bodies, [received_at] * len(pieces))


def _bundles_one_by_one(
    stream: BinaryIO, offset: int, model: Model, joiner: LineJoiner, received_at: datetime | None
) -> Iterator[Bundle]:
    """Yield the tickets of lines that go on, that never end, or that end with CR alone."""
    lines = split_lines(stream, start_offset=offset, maximum_bytes=model.framing.maximum_bytes)
    yield from bundled(_arrived(joiner.tickets(lines), received_at))


def _arrived(tickets: Iterable[Ticket], received_at: datetime | None) -> Iterator[Ticket]:
    return (ticket._replace(received_at=received_at) for ticket in tickets)
