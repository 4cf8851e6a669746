"""Bytes to tickets: where one ticket ends and the next begins, and nothing else.

No field is read here. Every byte that is not a line end, a blank line, the head of a file that
names its columns or what holds a group of documents together ends up in the body of exactly one
ticket; what cannot be decoded is kept, escaped. Everything streams: memory is bounded by one block
of the file and one ticket or document, whatever the file holds.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from tollhouse import blocks, declared_lines, documents, json_items
from tollhouse.decompression import decompressed
from tollhouse.elements import ElementFile
from tollhouse.json_lists import ListFile, as_utf_8
from tollhouse.pbx import Framing, Model
from tollhouse.physical_lines import (
    JOIN_WINDOW,
    PhysicalLine,
    Ticket,
    decode,
    split_lines,
)
from tollhouse.quoted_lines import QuotedLines

#: A saved answer of an API is one page of it; what is larger is read as rows.
LARGEST_ANSWER_BYTES = 64 << 20
#: Enough of a file to tell a capture of blocks from lines of text.
HEAD_BYTES = 1 << 16

#: A line that names columns begins with a word, quoted or not; a ticket with a number or a date.
NAMES_LINE = re.compile(r'^"?[A-Za-z_]')
#: CUCM's second line: SQL types and nothing else.
TYPES_LINE = re.compile(r'^"?[A-Z]+(\(\d+\))?"?(,"?[A-Z]+(\(\d+\))?"?)*$')

logger = logging.getLogger(__name__)

__all__ = [
    "FramedFile",
    "LineJoiner",
    "Ticket",
    "WrappedLines",
    "decode",
    "frame_file",
    "frame_record",
    "line_joiner",
    "take_header",
]


@dataclass(frozen=True)
class FramedFile:
    """A file taken apart: the line that names its columns, if any, and its tickets, one by one."""

    header: str | None
    tickets: Iterator[Ticket]


def frame_file(
    stream: BinaryIO,
    model: Model,
    *,
    start_offset: int = 0,
    header: str | None = None,
    name: str = "a file",
) -> FramedFile:
    """Take a file of a model apart.

    Args:
        stream: the file, opened in binary mode.
        model: whose framing and encoding apply.
        start_offset: read from this byte on (the file has grown since); the stream is moved there.
        header: the line that names the columns, when reading starts below it.
        name: of the file, for the log.

    Returns:
        The header and the tickets. The ordinal of a ticket is its byte offset in the file; for rows
        of JSON it is the row's key where the row has one, else the number of its line. Of a
        compressed file the offsets are those of its content, and all of it is read.
    """
    framing = model.framing
    content = decompressed(stream)
    if content is not stream:
        stream, start_offset, header = content, 0, None
    if framing.kind == "blocks":
        return _frame_blocks(stream, model, start_offset, header)
    if start_offset:
        stream.seek(start_offset)
    if framing.kind == "documents":
        return _frame_documents(stream, model, start_offset, header)
    if framing.kind == "elements":
        return _frame_elements(stream, model, start_offset, name)
    if framing.kind == "items":
        return FramedFile(None, _tickets_of_items(stream, model, start_offset, name))
    if framing.has_declared_head:
        return _frame_below_head(stream, model, start_offset)
    if framing.kind == "json_rows":
        return _frame_rows(stream, model, start_offset)
    lines = declared_lines.read_lines(stream, model, start_offset=start_offset)
    encoding = declared_lines.text_encoding(model)
    if framing.kind == "header_lines" and not start_offset:
        header, lines = take_header(lines, framing, encoding)
    return FramedFile(header, _tickets(lines, framing, encoding))


def frame_record(data: bytes, model: Model) -> Iterator[Ticket]:
    """Take apart what a collector spooled as one record, for models that do not speak in lines.

    Args:
        data: one block or one document, whole.
        model: whose framing and encoding apply.

    Yields:
        Its tickets; the ordinal is the offset in the record.
    """
    if model.framing.kind == "documents":
        yield from _tickets_of_documents(documents.split(data), model)
        return
    yield Ticket(0, decode(blocks.content(data), model.encoding))


def _frame_below_head(stream: BinaryIO, model: Model, start_offset: int) -> FramedFile:
    """Take apart a file whose head is declared, which is read again also where it has grown.

    Its head may not have been whole when it was read before.
    """
    framing, encoding = model.framing, declared_lines.text_encoding(model)
    if start_offset:
        stream.seek(0)
    lines = declared_lines.read_lines(stream, model, keep_blank=True)
    skipped, lines = declared_lines.take_skipped(lines, framing, encoding)
    header, tickets = declared_lines.take_header(
        skipped, _tickets(lines, framing, encoding), framing
    )
    first = next(tickets, None)
    if first is None:
        return FramedFile(header, iter(()))
    if first.ordinal >= start_offset:
        return FramedFile(header, chain([first], tickets))
    stream.seek(start_offset)
    lines = declared_lines.read_lines(stream, model, start_offset=start_offset)
    return FramedFile(header, _tickets(lines, framing, encoding))


def _frame_documents(
    stream: BinaryIO, model: Model, start_offset: int, header: str | None
) -> FramedFile:
    """Take apart a file of documents; a CSV export begins with a line that names its columns."""
    found = documents.read_documents(stream, start_offset=start_offset)
    first = None if start_offset else next(found, None)
    if first is None:
        return FramedFile(header, _tickets_of_documents(found, model))
    if documents.COLUMN_NAMES.match(first.data):
        header = decode(first.data.rstrip(b"\r"), model.encoding)
    else:
        found = chain([first], found)
    return FramedFile(header, _tickets_of_documents(found, model))


def _tickets_of_documents(found: Iterable[documents.Document], model: Model) -> Iterator[Ticket]:
    for document in found:
        for offset, leg in documents.legs(document, maximum_bytes=model.framing.maximum_bytes):
            yield Ticket(offset, decode(leg, model.encoding))


def _frame_elements(stream: BinaryIO, model: Model, start_offset: int, name: str) -> FramedFile:
    """Take apart a file of XML elements, which is read from its beginning also where it has grown.

    An element of which a part stood above the start, at the end of what the file was, is a ticket
    now that it is whole.
    """
    if start_offset:
        stream.seek(0)
    file = ElementFile(stream, model.framing)
    return FramedFile(file.read_header(), _tickets_of_elements(file, start_offset, name))


def _tickets_of_elements(file: ElementFile, start_offset: int, name: str) -> Iterator[Ticket]:
    for element in file.elements():
        body = decode(element.data, file.encoding)
        if body.strip() and element.end > start_offset:
            # Blanks are left where they keep a piece from looking like an element.
            yield Ticket(element.ordinal, body if element.is_piece else body.strip())
    if file.damage is not None:
        logger.warning("%s, %s; what follows is kept as a damaged ticket", name, file.damage)


def _tickets_of_items(
    stream: BinaryIO, model: Model, start_offset: int, name: str
) -> Iterator[Ticket]:
    """Yield the items of lists in a file of JSON, which is read again also where it has grown."""
    stream.seek(0)
    framing = model.framing
    with as_utf_8(stream, model.encoding) as (text, encoding):
        if text is not stream:
            start_offset = 0
        file = ListFile(text, framing.list_path, maximum_bytes=framing.maximum_bytes)
        for item in file.items():
            if item.end > start_offset:
                yield Ticket(item.ordinal, json_items.compact(decode(item.data, encoding)))
    if file.damage is not None:
        logger.warning("%s, %s; what follows is kept as a damaged ticket", name, file.damage)


def _frame_blocks(
    stream: BinaryIO, model: Model, start_offset: int, header: str | None
) -> FramedFile:
    """Take apart a capture of blocks, or a file in which the PBX keeps such tickets as lines."""
    is_capture = blocks.is_capture(stream.read(HEAD_BYTES))
    stream.seek(start_offset)
    if is_capture:
        return FramedFile(None, _tickets_of_blocks(stream, start_offset, model))
    framing = model.framing
    lines = split_lines(stream, start_offset=start_offset, maximum_bytes=framing.maximum_bytes)
    if not start_offset:
        header, lines = _take_marked_header(lines, model.encoding)
    return FramedFile(header, _tickets(lines, framing, model.encoding))


def _take_marked_header(
    lines: Iterator[PhysicalLine], encoding: str
) -> tuple[str | None, Iterator[PhysicalLine]]:
    """Return the line that names the columns, which begins with a number sign, and the tickets."""
    first = next(lines, None)
    if first is None:
        return None, iter(())
    if first.data.startswith(b"#"):
        return decode(first.data, encoding), lines
    return None, _chain(first, lines)


def _tickets_of_blocks(stream: BinaryIO, start_offset: int, model: Model) -> Iterator[Ticket]:
    for offset, data in blocks.read_blocks(stream, start_offset=start_offset):
        yield Ticket(offset, decode(blocks.content(data), model.encoding))


class WrappedLines:
    """Joins the lines of a port that wraps: what fills the width exactly goes on in the next line.

    Unless that one starts a ticket itself (a ticket may just happen to fill the width), or arrived
    so much later that the port did not write the two in one go. So the last line read may not be
    complete yet: it is held until the next one is seen or ``release`` is called.
    """

    def __init__(self, framing: Framing, encoding: str) -> None:
        self._width = framing.wrap_columns
        self._starts_ticket = re.compile(framing.ticket_start) if framing.ticket_start else None
        self._maximum_bytes = framing.maximum_bytes
        self._encoding = encoding
        self.held: PhysicalLine | None = None

    def is_whole(self, data: bytes) -> bool:
        """Whether a line is a ticket of its own: it continues none, and none can continue it."""
        return self.held is None and len(data) != self._width

    def tickets(self, lines: Iterable[PhysicalLine]) -> Iterator[Ticket]:
        """Yield the tickets that are complete; afterwards ``held`` is what may still go on."""
        width, encoding = self._width, self._encoding
        for line in lines:
            is_full = len(line.data) == width
            if self.held is not None:
                if self._goes_on_with(line):
                    self.held = self.held._replace(data=self.held.data + line.data)
                    if not is_full:
                        yield from self.release()
                    continue
                yield from self.release()
            if is_full:
                self.held = line
            else:
                yield Ticket(line.offset, decode(line.data, encoding), line.received_at)

    def release(self) -> Iterator[Ticket]:
        """Yield what is held: nothing will continue it."""
        if self.held is not None:
            line, self.held = self.held, None
            yield Ticket(line.offset, decode(line.data, self._encoding), line.received_at)

    def _goes_on_with(self, line: PhysicalLine) -> bool:
        held = self.held
        if held is None or len(held.data) + len(line.data) > self._maximum_bytes:
            return False
        # Decided by arrival alone, so that the same lines join alike whenever they are read.
        if (
            held.received_at
            and line.received_at
            and line.received_at - held.received_at > JOIN_WINDOW
        ):
            return False
        text = decode(line.data, self._encoding)
        return not (self._starts_ticket and self._starts_ticket.match(text))


LineJoiner = WrappedLines | QuotedLines


def line_joiner(framing: Framing, encoding: str) -> LineJoiner:
    """Return what joins the lines of which a ticket may have several."""
    if framing.quoting is not None:
        return QuotedLines(framing, framing.quoting, encoding)
    return WrappedLines(framing, encoding)


def _tickets(lines: Iterator[PhysicalLine], framing: Framing, encoding: str) -> Iterator[Ticket]:
    joiner = line_joiner(framing, encoding)
    yield from joiner.tickets(lines)
    yield from joiner.release()


def take_header(
    lines: Iterator[PhysicalLine], framing: Framing, encoding: str
) -> tuple[str | None, Iterator[PhysicalLine]]:
    """Return the line that names the columns and the lines that are tickets.

    A file that starts with a ticket has no header, and a second line is passed over only where it
    holds types: a damaged file loses its header, never a ticket.
    """
    first = next(lines, None)
    if first is None:
        return None, iter(())
    header = decode(first.data, encoding)
    if not NAMES_LINE.match(header):
        return None, _chain(first, lines)
    if framing.header_line_count < 2:
        return header, lines
    second = next(lines, None)
    if second is None:
        return header, iter(())
    if TYPES_LINE.match(decode(second.data, encoding)):
        return header, lines
    return header, _chain(second, lines)


def _chain(first: PhysicalLine, others: Iterator[PhysicalLine]) -> Iterator[PhysicalLine]:
    yield first
    yield from others


def _frame_rows(stream: BinaryIO, model: Model, start_offset: int) -> FramedFile:
    """Take apart a file of JSON: rows, one a line, or a whole answer of an API."""
    source, list_name = model.table or model.api, model.framing.answer_list
    key = source.key if source else None
    if list_name and not start_offset:
        rows = _rows_of_answer(stream, list_name, model.encoding)
        if rows is not None:
            return FramedFile(None, _keyed(rows, key))
        stream.seek(0)
    lines = declared_lines.read_lines(stream, model, start_offset=start_offset)
    return FramedFile(None, _json_rows(lines, key, declared_lines.text_encoding(model)))


def _json_rows(lines: Iterator[PhysicalLine], key: str | None, encoding: str) -> Iterator[Ticket]:
    for number, line in enumerate(lines, start=1):
        body = decode(line.data, encoding)
        yield Ticket(_row_key(body, key) or number, body, line.received_at)


def _rows_of_answer(stream: BinaryIO, list_name: str, encoding: str) -> list[str] | None:
    """Return the items of a file that is one answer of an API, or None where it is none."""
    data = stream.read(LARGEST_ANSWER_BYTES + 1)
    if len(data) > LARGEST_ANSWER_BYTES:
        return None
    text = decode(data, encoding).removeprefix(json_items.BYTE_ORDER_MARK)
    answer = json_items.loaded(text)
    if not isinstance(answer, dict) or not isinstance(answer.get(list_name), list):
        return None
    return json_items.items_of(text, list_name)


def _keyed(bodies: Iterable[str], key: str | None) -> Iterator[Ticket]:
    for number, body in enumerate(bodies, start=1):
        yield Ticket(_row_key(body, key) or number, body)


def _row_key(body: str, key: str | None) -> int | None:
    """Return the key of a row of JSON, or None where it has none that is a number."""
    if key is None:
        return None
    try:
        row = json.loads(body)
    except (ValueError, RecursionError):
        return None
    value = row.get(key) if isinstance(row, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
