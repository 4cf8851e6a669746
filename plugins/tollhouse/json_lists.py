"""Files of JSON whose tickets stand in a list: each is an item of it, found at a path.

The file is read as it comes, a block at a time, and may hold one document or several, one behind
the other. Items are found by brackets, strings and commas alone, so that one which is damaged by
itself is handed on like any other, for staging to say what is wrong with it. What was whole before
a file breaks off is tickets, and what was begun is one damaged ticket.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from tollhouse.json_items import loaded

BLOCK_BYTES = 1 << 18
#: Brackets within brackets that are followed; tickets have a few, and staging says so.
DEEPEST = 100_000

#: What stands between values, and between documents that were put behind each other.
BLANKS = re.compile(rb"[ \t\r\n]*+")
BETWEEN_DOCUMENTS = re.compile(rb"(?:[\s\0]++|\xef\xbb\xbf)*+")
PARTS_OF_BYTE_ORDER_MARK = (b"\xef", b"\xef\xbb")
#: Strings and all that is no bracket; and the rest of a string.
FLAT = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
WITHIN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
#: A number, a word, or what is none of these.
SCALAR = re.compile(rb'[^"\[\]{},]*+')
LINE = re.compile(rb"[^\r\n]*+")
BRACKETS = {b"}": b"{", b"]": b"["}
#: There is no ticket in these alone.
SHAPE = b" \t\r\n\0{}[],:\xef\xbb\xbf"

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Item(NamedTuple):
    """A stretch of a file that is a ticket.

    Attributes:
        ordinal: offset of its first byte; of what was begun in a file that breaks off, that of its
            last byte: when the file has grown and the item is whole, that takes its own place.
        data: its bytes.
        end: offset of what follows.
    """

    ordinal: int
    data: bytes
    end: int


class BrokenError(Exception):
    """The file is no JSON from here on, or ends too early; the message says why."""


@contextmanager
def as_utf_8(stream: BinaryIO, encoding: str) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a file and its encoding, as UTF-8 where it is in UTF-16: a bracket is one byte then.

    Args:
        stream: the file, at its beginning.
        encoding: what it is said to be; a mark at its beginning counts more.
    """
    head = stream.read(2)
    stream.seek(0)
    if encoding != "utf-16" and head not in UTF_16_MARKS:
        yield stream, encoding
        return
    order = "utf-16-be" if head == codecs.BOM_UTF16_BE else "utf-16-le"
    decoder = codecs.getincrementaldecoder(order)("backslashreplace")
    with tempfile.TemporaryFile() as written:
        while block := stream.read(BLOCK_BYTES):
            written.write(decoder.decode(block).encode())
        written.write(decoder.decode(b"", final=True).encode())
        written.seek(0)
        yield written, "utf-8"


class ListFile:
    """A file of JSON, read once from its beginning.

    Attributes:
        damage: what is wrong with the file and where, once all of it was read.
    """

    def __init__(
        self, stream: BinaryIO, path: Sequence[str | int], *, maximum_bytes: int = 65_536
    ) -> None:
        """Take a file.

        Args:
            stream: the file, opened in binary mode, at its beginning; ASCII is itself in it.
            path: names, and places in lists, that lead from a document to its list of tickets; none
                where the document is the list. Where a single object stands in place of a list it
                is the ticket; so are documents that have nothing there, for staging to reject.
            maximum_bytes: what is longer comes in pieces of that size.
        """
        self._stream = stream
        self._path = tuple(path)
        self._maximum_bytes = maximum_bytes
        self.damage: str | None = None
        #: What was read and is still needed, where in the file that begins, and how far it is read.
        self._buffer = b""
        self._base = 0
        self._position = 0
        #: Where the item begins that is being read.
        self._open: int | None = None
        self._document_start = 0
        self._is_found = False

    def items(self) -> Iterator[Item]:
        """Yield the tickets, in order."""
        try:
            while self._find_document():
                yield from self._document()
        except BrokenError as error:
            self.damage = f"byte {self._offset()}: {error}"
            if not self._is_found:
                yield from self._rest(self._document_start)
            elif self._open is not None:
                yield from self._rest(self._open)
            elif not self._is_at_end():
                yield from self._rest(self._offset())

    def _document(self) -> Iterator[Item]:
        self._document_start = self._offset()
        self._is_found = not self._path
        if self._sign() not in (b"{", b"["):
            # A line of something else, such as a message of the program that writes the file.
            yield from self._ticket(self._pass_line())
            return
        yield from self._value_at(0)
        if not self._is_found:
            yield from self._slice(self._document_start, self._offset())

    def _value_at(self, step_count: int) -> Iterator[Item]:
        """Go into the value that so many steps of the path have led to."""
        if step_count == len(self._path):
            yield from self._list()
            return
        step = self._path[step_count]
        is_object = isinstance(step, str)
        if self._sign() != (b"{" if is_object else b"["):
            self._skip_value()
            return
        self._position += 1
        for key in self._keys() if is_object else self._places():
            if key == step and not self._is_found:
                yield from self._value_at(step_count + 1)
            else:
                self._skip_value()

    def _keys(self) -> Iterator[str | None]:
        """Yield the names in an object, each before its value is read."""
        while (sign := self._needed_sign()) != b"}":
            if sign == b",":
                self._position += 1
                continue
            if sign != b'"':
                raise BrokenError("the name of a value is missing")
            name = self._name()
            if self._needed_sign() != b":":
                raise BrokenError("a name has no value")
            self._position += 1
            if self._needed_sign() in (b",", b"}", b"]"):
                raise BrokenError("a name has no value")
            yield name
        self._position += 1

    def _places(self) -> Iterator[int]:
        """Yield the places of a list, each before its value is read."""
        place = 0
        while (sign := self._needed_sign()) != b"]":
            if sign == b",":
                self._position += 1
            elif sign == b"}":
                raise BrokenError("brackets do not match")
            else:
                yield place
                place += 1
        self._position += 1

    def _list(self) -> Iterator[Item]:
        self._is_found = True
        if self._sign() != b"[":
            for item in self._ticket(self._pass_value()):
                if item.data != b"null":
                    yield item
            return
        self._position += 1
        for _ in self._places():
            yield from self._ticket(self._pass_value())

    def _ticket(self, passing: Iterator[None]) -> Iterator[Item]:
        """Yield what is passed, in pieces if it is too long."""
        begin = self._open = self._offset()
        for _ in passing:
            while self._offset() - begin > self._maximum_bytes:
                end = begin + self._maximum_bytes
                yield Item(begin, self._between(begin, end), end)
                begin = self._open = end
        self._open = None
        data = self._between(begin, self._offset()).rstrip()
        for start in range(0, len(data), self._maximum_bytes):
            piece = data[start : start + self._maximum_bytes]
            yield Item(begin + start, piece, begin + start + len(piece))

    def _name(self) -> str | None:
        """Read the name of a value; None for one that is longer than a ticket."""
        start = self._open = self._offset()
        try:
            for _ in self._pass_value():
                if self._offset() - start > self._maximum_bytes:
                    self._open = None
            name = None if self._open is None else loaded(self._between(start, self._offset()))
        finally:
            self._open = None
        return name if isinstance(name, str) else None

    def _skip_value(self) -> None:
        for _ in self._pass_value():
            pass

    def _pass_value(self) -> Iterator[None]:
        """Read a value to its end; yield before each block that is read for it."""
        open_brackets = bytearray()
        is_begun = in_string = False
        while True:
            within = WITHIN_STRING if in_string else FLAT if open_brackets else SCALAR
            end = self._match_end(within)
            is_begun = is_begun or end > self._position
            self._position = end
            sign = self._buffer[end : end + 1]
            if not sign or (in_string and sign == b"\\"):
                yield
                if not self._fill():
                    raise BrokenError("it ends within a value")
            elif is_begun and not open_brackets and not in_string:
                return
            else:
                self._position = end + 1
                is_begun = True
                in_string = sign == b'"' and not in_string
                self._count_bracket(sign, open_brackets)
                if not in_string and not open_brackets:
                    return

    @staticmethod
    def _count_bracket(sign: bytes, open_brackets: bytearray) -> None:
        if sign in (b"{", b"["):
            if len(open_brackets) == DEEPEST:
                raise BrokenError(f"more than {DEEPEST} brackets within each other")
            open_brackets += sign
        elif sign in BRACKETS:
            if not open_brackets.endswith(BRACKETS[sign]):
                raise BrokenError("brackets do not match")
            del open_brackets[-1:]

    def _pass_line(self) -> Iterator[None]:
        while True:
            self._position = self._match_end(LINE)
            if self._position < len(self._buffer):
                return
            yield
            if not self._fill():
                return

    def _find_document(self) -> bool:
        """Go to where the next document begins; return False at the end of the file."""
        while True:
            self._position = self._match_end(BETWEEN_DOCUMENTS)
            rest = self._buffer[self._position : self._position + 3]
            if rest and rest not in PARTS_OF_BYTE_ORDER_MARK:
                return True
            if not self._fill():
                return bool(rest)

    def _needed_sign(self) -> bytes:
        """Go to the next value or sign in a document, and return its first byte."""
        sign = self._sign()
        if not sign:
            raise BrokenError("it ends before its last bracket")
        return sign

    def _sign(self) -> bytes:
        while True:
            self._position = self._match_end(BLANKS)
            if self._position < len(self._buffer) or not self._fill():
                return self._buffer[self._position : self._position + 1]

    def _match_end(self, pattern: re.Pattern[bytes]) -> int:
        match = pattern.match(self._buffer, self._position)
        return match.end() if match else self._position

    def _fill(self) -> bool:
        """Read a block and drop what is no longer needed; return False at the end of the file."""
        needed = self._offset() if self._open is None else self._open
        block = self._stream.read(BLOCK_BYTES)
        self._position = self._offset() - needed
        self._buffer = self._buffer[needed - self._base :] + block
        self._base = needed
        return bool(block)

    def _is_at_end(self) -> bool:
        return self._position == len(self._buffer) and not self._fill()

    def _offset(self) -> int:
        return self._base + self._position

    def _between(self, start: int, end: int) -> bytes:
        return self._buffer[start - self._base : end - self._base]

    def _slice(self, start: int, end: int) -> Iterator[Item]:
        """Yield a stretch that was read already, and go on behind it."""
        self._stream.seek(start)
        self._buffer, self._base, self._position = b"", end, 0
        while start < end and (data := self._stream.read(min(self._maximum_bytes, end - start))):
            if data.strip(SHAPE):
                yield Item(start, data, start + len(data))
            start += len(data)

    def _rest(self, start: int) -> Iterator[Item]:
        """Yield what is left of a file, from here on, in pieces."""
        self._stream.seek(start)
        while data := self._stream.read(self._maximum_bytes):
            if data.strip(SHAPE):
                yield Item(start + len(data.rstrip()) - 1, data, start + len(data))
            start += len(data)
