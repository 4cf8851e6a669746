"""XML files of tickets: each element below the root is one, kept as it stands in the file.

Expat reads the file as it comes, a block at a time, and says where an element begins and ends; the
ticket is the bytes between. What was whole before a damage is tickets, the rest of the file is one
damaged ticket. A document type is damage, so no entity is ever declared, let alone expanded or
fetched: what XML itself does not define is unknown, and the parser is told of nothing outside the
file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple
from xml.parsers import expat

from tollhouse.pbx import Framing

BLOCK_BYTES = 1 << 16
#: Elements within elements; tickets have a few levels.
MAXIMUM_DEPTH = 100
#: The declaration of a file stands in so much of it.
HEAD_BYTES = 256

DECLARED = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
#: A byte order mark, or the first character of a file without one, in two bytes.
MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
UNMARKED = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: Encodings of one byte a character, by the name that Python has for them.
ONE_BYTE = re.compile(r"ascii|iso8859-\d+|cp(125\d|437|85\d)")
#: The names that expat knows by itself; for another it asks Python.
EXPAT_NAMES = {"utf-8": "UTF-8", "utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE"}

START_TAG = re.compile(r"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")


class Element(NamedTuple):
    """A stretch of a file that is a ticket.

    Attributes:
        ordinal: offset of its first byte; of the rest of a damaged file, that of its last byte at
            which no element can begin. If the file grows, what was cut is read whole, and takes its
            own place.
        data: its bytes.
        end: offset of what follows.
        is_piece: whether it is one of several, of a ticket that is too long.
    """

    ordinal: int
    data: bytes
    end: int
    is_piece: bool = False


class DamagedError(Exception):
    """The file is no XML from here on, or none that is read; the message says why."""


def encoding_of(head: bytes) -> tuple[str, int]:
    """Return the encoding of a file by its first bytes, and how many of them are its mark.

    What stands in the file counts more than what it declares: programs that write through a text
    stream declare UTF-16 and write UTF-8.

    Raises:
        DamagedError: it declares an encoding that is not read.
    """
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    for mark, encoding in UNMARKED:
        if head.startswith(mark):
            return encoding, 0
    if head.startswith(BYTE_ORDER_MARK):
        return "utf-8", len(BYTE_ORDER_MARK)
    declared = DECLARED.match(head)
    if declared is None:
        return "utf-8", 0
    name = declared[1].decode("ascii")
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if encoding.startswith("utf-"):
        return "utf-8", 0
    if not ONE_BYTE.fullmatch(encoding):
        raise DamagedError(f"the encoding {name!r} is not read")
    return encoding, 0


class ElementFile:
    """A file of elements, read once from its beginning.

    Attributes:
        encoding: of the file, and so of its tickets; known once the header was read.
        header: the start tag of the root, whose attributes may hold for all tickets.
        damage: what is wrong with the file and on which line, once all of it was read.
    """

    def __init__(self, stream: BinaryIO, framing: Framing) -> None:
        """Take a file.

        Args:
            stream: the file, opened in binary mode, at its beginning.
            framing: which elements are tickets, and how large one may be.
        """
        self._stream = stream
        self._ticket_element = framing.ticket_element
        # A piece of a text in UTF-16 is even.
        self._maximum_bytes = framing.maximum_bytes & ~1
        self._parser: expat.XMLParserType | None = None
        self.encoding = "utf-8"
        self.header: str | None = None
        self.damage: str | None = None
        #: What was read and may still be needed, and where in the file that begins.
        self._buffer = b""
        self._base = 0
        self._found: list[Element] = []
        self._depth = 0
        #: Up to here all is told, or is part of no ticket.
        self._done = 0
        #: What is being collected: where it begins, and how deep it stands.
        self._open: int | None = None
        self._open_depth = 0
        self._is_ticket = False
        self._is_text = False
        self._is_cut = False
        self._holds_more = False

    def read_header(self) -> str | None:
        """Read as far as the start tag of the root, and return that."""
        head = self._stream.read(BLOCK_BYTES)
        self._buffer = head
        try:
            self.encoding, self._done = encoding_of(head[:HEAD_BYTES])
        except DamagedError as error:
            self._note_damage(1, str(error))
            return None
        self._parser = self._new_parser()
        self._parse(head)
        while self.header is None and self._advance():
            pass
        return self.header

    def elements(self) -> Iterator[Element]:
        """Yield the tickets that are whole, in order; then what is left of a damaged file."""
        yield from self._take_found()
        while self._advance():
            yield from self._take_found()
        yield from self._take_found()
        if self.damage is not None:
            yield from self._rest()

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(EXPAT_NAMES.get(self.encoding, self.encoding))
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = self._text_between
        parser.StartDoctypeDeclHandler = self._refuse_document_type
        return parser

    def _advance(self) -> bool:
        """Read a block; return False at the end of the file, or of what can be read of it."""
        if self._parser is None:
            return False
        self._forget_told(self._parser.CurrentByteIndex)
        block = self._stream.read(BLOCK_BYTES)
        self._buffer += block
        self._parse(block)
        return self._parser is not None

    def _parse(self, block: bytes) -> None:
        """Let the parser see a block; none is the end of the file."""
        parser = self._parser
        if parser is None:
            return
        try:
            parser.Parse(block, not block)
            unread_bytes = self._base + len(self._buffer) - parser.CurrentByteIndex
            if block and unread_bytes > self._maximum_bytes:
                raise DamagedError(f"a tag or comment has more than {self._maximum_bytes} bytes")
        except expat.ExpatError as error:
            self._note_damage(error.lineno, expat.ErrorString(error.code))
        except DamagedError as error:
            self._note_damage(parser.CurrentLineNumber, str(error))
        if not block:
            self._parser = None

    def _note_damage(self, line: int, reason: str) -> None:
        self.damage = f"line {line}: {reason}"
        self._parser = None

    def _index(self) -> int:
        return self._parser.CurrentByteIndex if self._parser is not None else 0

    def _refuse_document_type(self, *_: Any) -> None:
        raise DamagedError("a document type, with which a file may ask for more than it holds")

    def _start_element(self, name: str, _: dict[str, str]) -> None:
        index = self._index()
        self._close_text(index)
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise DamagedError(f"more than {MAXIMUM_DEPTH} elements within each other")
        if self._depth == 1:
            self._take_header(index)
        if self._is_ticket:
            return
        if self._ticket_element is None:
            is_ticket = self._depth > 1
        else:
            is_ticket = name.rpartition(":")[2] == self._ticket_element
        # Where tickets stand deeper, what is beside them is kept too, not so mere tags around them.
        if is_ticket and self._open is not None and self._holds_more:
            self._emit(self._open, index)
        if is_ticket or (self._open is None and self._depth > 1):
            self._open, self._open_depth, self._is_ticket = index, self._depth, is_ticket
            self._is_cut = self._holds_more = False

    def _end_element(self, _: str) -> None:
        index = self._index()
        self._close_text(index)
        if self._open is not None and self._depth == self._open_depth:
            end = self._end_of_element(self._open, index)
            self._emit(self._open, end)
            self._open, self._is_ticket, self._done = None, False, end
        elif self._open is None:
            self._done = max(self._done, self._end_of_element(None, index))
        else:
            self._holds_more = True
        self._depth -= 1

    def _text_between(self, data: str) -> None:
        """Collect a text that stands between tickets, where only blanks are expected."""
        if self._is_ticket or data.isspace():
            return
        if self._open is None:
            self._open, self._open_depth, self._is_text = self._index(), 0, True
        self._holds_more = True

    def _close_text(self, index: int) -> None:
        if self._is_text and self._open is not None:
            self._emit(self._open, index)
            self._open, self._is_text, self._done = None, False, index

    def _take_header(self, index: int) -> None:
        begin = index - self._base
        text = self._buffer[begin : begin + self._maximum_bytes].decode(self.encoding, "replace")
        tag = START_TAG.match(text)
        if tag is None:
            raise DamagedError(f"the tag of the root has more than {self._maximum_bytes} bytes")
        self.header = tag[0]
        self._done = index + len(self.header.encode(self.encoding))

    def _end_of_element(self, start: int | None, index: int) -> int:
        """Return where an element ends, of whose end the parser tells at this place.

        That is behind an empty tag, or before the end tag. An empty tag is told by its text: what
        follows it may be the end tag of an element of the same name.
        """
        closing = ">".encode(self.encoding)
        if start is not None and not self._is_cut:
            slash = "/>".encode(self.encoding)
            if self._buffer.endswith(slash, start - self._base, index - self._base):
                text = self._buffer[start - self._base : index - self._base].decode(self.encoding)
                if START_TAG.fullmatch(text):
                    return index
        elif start is None and self._depth == 1 and (self.header or "").endswith("/>"):
            return index
        place = self._buffer.find(closing, index - self._base)
        while (place - (index - self._base)) % len(closing):
            place = self._buffer.find(closing, place + 1)
        return self._base + place + len(closing)

    def _emit(self, start: int, end: int) -> None:
        """Take a stretch of the file for a ticket, in pieces if it is too long."""
        is_piece = self._is_cut or end - start > self._maximum_bytes
        while end - start > self._maximum_bytes:
            start = self._emit_piece(start)
        data = self._buffer[start - self._base : end - self._base]
        self._found.append(Element(start, data, end, is_piece))

    def _emit_piece(self, start: int) -> int:
        """Take as much as a ticket may have; return where it ends."""
        data = self._first_piece(self._buffer[start - self._base :])
        self._found.append(Element(start, data, start + len(data), is_piece=True))
        return start + len(data)

    def _first_piece(self, data: bytes) -> bytes:
        """Return the beginning of what is too long.

        What follows does not begin with a tag: CDATA may hold what looks like a ticket, and in a
        piece of its own it would be one.
        """
        tag_start = "<".encode(self.encoding)
        end = self._maximum_bytes
        if end > len(tag_start) and data.startswith(tag_start, end):
            end -= len(tag_start)
        return data[:end]

    def _take_found(self) -> list[Element]:
        found, self._found = self._found, []
        return found

    def _forget_told(self, index: int) -> None:
        """Drop what is no longer needed of the buffer; what is needed too long becomes pieces."""
        if self._open is not None:
            while index - self._open > self._maximum_bytes:
                self._open = self._emit_piece(self._open)
                self._is_cut = True
        elif index - self._done > self._maximum_bytes:
            self._done = index
        needed = self._done if self._open is None else self._open
        self._buffer = self._buffer[needed - self._base :]
        self._base = needed

    def _rest(self) -> Iterator[Element]:
        """Yield what is left of a damaged file, from what is not told yet, in pieces."""
        start = self._done if self._open is None else self._open
        data = self._buffer[start - self._base :]
        is_piece = self._is_cut
        while True:
            while len(data) > self._maximum_bytes:
                piece, is_piece = self._first_piece(data), True
                yield self._rest_element(start, piece, is_piece=True)
                start, data = start + len(piece), data[len(piece) :]
            block = self._stream.read(BLOCK_BYTES)
            if not block:
                break
            data += block
        if data:
            yield self._rest_element(start, data, is_piece=is_piece)

    @staticmethod
    def _rest_element(start: int, data: bytes, *, is_piece: bool) -> Element:
        last = start + len(data.rstrip(b"<\0")) - 1
        return Element(max(last, 0), data, start + len(data), is_piece)
