"""Documents: the tickets of a Grandstream UCM, which it writes as JSON, as XML or as CSV.

What a PBX pushes is cut into documents: one JSON value, one XML element, or one line of anything
else. A document may hold a group of legs; each leg becomes a ticket, as a verbatim slice. No field
is read: legs are found by the names of what holds them, and by shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 1 << 20
#: A file that was exported by hand may be one document of all its records.
FILE_DOCUMENT_BYTES = 64 << 20
#: Brackets and elements within one another; more is no ticket but an attack on the parser.
DEEPEST = 100

#: What stands between documents: line ends, blanks, NUL and byte order marks.
BETWEEN = re.compile(rb"[\s\0]*+(?:\xef\xbb\xbf[\s\0]*+)*+")
PARTS_OF_BYTE_ORDER_MARK = (b"\xef", b"\xef\xbb")
#: How each kind begins; the second byte decides, so that a line of text in brackets stays a line.
JSON_START = re.compile(rb'\[\s*+[\[{\]]|\{\s*+["}]')
JSON_MAY_START = re.compile(rb"[\[{]\s*+\Z")
XML_START = re.compile(rb"<[A-Za-z_?!]")
#: A JSON string on one line; and the fields of an object that hold nothing nested, up to a comma.
#: Nearly all of a record is such fields, and one regular expression for all of them is many times
#: as fast as token after token.
STRING = rb'"(?:[^"\\\n\0]|\\[^\n\0])*+"'
FIELD = STRING + rb"\s*+:\s*+(?:" + STRING + rb"|[\w.+-]++)\s*+"
PLAIN_FIELDS = re.compile(rb"(?:\s*+" + FIELD + rb",)++")
FLAT_OBJECT = re.compile(rb"\{(?:\s*+" + FIELD + rb'(?:,(?=\s*+")|(?=\})))++\}')

#: How a record in JSON begins: nothing else looks like it, neither in a string, whose quotes are
#: escaped, nor in text or a tag of XML, nor in a line. The same holds for the declaration of XML
#: in a string and in a line. At the end of what has arrived the bytes to come may decide.
RECORD_START = rb'\{(?=\s{0,16}"\w{1,64}"\s{0,16}:)'
DECLARATION = rb"<(?=\?xml\s)"
MAY_START = re.compile(rb'(?:\{\s{0,16}(?:"\w{0,64}(?:"\s{0,16})?)?|<(?:\?(?:x(?:ml?)?)?)?)\Z')
LONGEST_START = 100

#: Outside a string no other quotes and no tag can stand in JSON: a line or an element begins.
JSON_TOKEN = re.compile(rb"[\"{}\[\],:\0<']")
STRING_STOP = re.compile(rb'["\\\n\0]|' + DECLARATION + rb"|" + RECORD_START)
LINE_STOP = re.compile(rb"[\n\0]")
#: A time that a logger put before a document, or what is left of a broken one, is a line too.
LINE_OR_DOCUMENT_STOP = re.compile(rb"[\n\0]|" + DECLARATION + rb"|" + RECORD_START)
XML_STOP = re.compile(rb"[<\0]|" + RECORD_START)
#: Constructs of XML and their ends; a tag also ends, damaged, where another one begins.
XML_ENDS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
TAG_STOP = re.compile(rb"[<>\0]|" + RECORD_START)

#: The line that names the columns of a CSV export.
COLUMN_NAMES = re.compile(rb"[\"']?(acctid|accountcode)[\"']?,", re.IGNORECASE)

#: Fields that hold nothing nested; a JSON string, closed or running to the end; or what gives a
#: document its shape.
SHAPE_TOKEN = re.compile(
    rb"(?P<fields>(?:" + FIELD + rb',\s*+)++)|"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\],:]', re.DOTALL
)
#: What holds legs: the answer of the CDR API, and the group of a call with several.
LIST_OF_LEGS = re.compile(rb'"(cdr_root|cdr)"')
#: What newer releases put around it.
AROUND_LEGS = re.compile(rb'"response"')
LEG_OF_GROUP = re.compile(rb'"(main_cdr|sub_cdr_\d+)"')
ELEMENT = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|<![^<>]*+>?"
    rb"|<(?P<closing>/?)[A-Za-z_][^<>]*?(?P<empty>/?)>",
    re.DOTALL,
)
#: What may be left of a document when all its legs are taken out.
GLUE = b" \t\r\n\0,]}"


class Document(NamedTuple):
    """A document as it came, and where it stood.

    Attributes:
        is_whole: it is not a piece of one that is longer than allowed, which goes on in the next.
    """

    offset: int
    data: bytes
    is_whole: bool = True


class _Kind(Enum):
    BETWEEN = "between two documents"
    JSON = "json"
    XML = "xml"
    LINE = "line"


class DocumentSplitter:
    """Cuts a stream of bytes into documents, in bounded memory, however the bytes arrive.

    JSON and XML end where their outermost bracket or element is closed. A document that was broken
    off must not swallow the one after it: NUL ends everything, so does a line end within a JSON
    string, and a bracket or tag where none can stand, or the start of a JSON record anywhere,
    begins a new document. What is damaged in any other way, nested too deeply or longer than
    ``maximum_bytes`` is read on as a line; a line longer than that comes in pieces.
    """

    def __init__(self, maximum_bytes: int, *, start_offset: int = 0) -> None:
        self._maximum_bytes = maximum_bytes
        self._offset = start_offset
        self._buffer = b""
        #: Where the document begins in the buffer, and where looking at it goes on.
        self._start = 0
        self._position = 0
        self._begin(_Kind.BETWEEN)

    def feed(self, data: bytes) -> list[Document]:
        """Take what arrived and return the documents that are complete now, in order."""
        self._buffer += data
        documents: list[Document] = []
        while self._step(documents):
            pass
        if self._kind is _Kind.LINE:
            self._cut_pieces(documents, self._position)
        self._buffer = self._buffer[self._start :]
        self._offset += self._start
        self._position -= self._start
        self._gap_start -= self._start
        self._start = 0
        return documents

    @property
    def is_open(self) -> bool:
        """Whether a JSON or XML document has begun and is not closed: more of it must come."""
        return self._kind in (_Kind.JSON, _Kind.XML)

    def remainder(self) -> list[Document]:
        """Return what has begun, as it stands, and begin anew."""
        documents: list[Document] = []
        if self._buffer:
            self._end(documents, len(self._buffer))
            self._offset += len(self._buffer)
        self._buffer = b""
        self._start = 0
        self._begin(_Kind.BETWEEN)
        return documents

    def _begin(self, kind: _Kind) -> None:
        self._kind = kind
        self._position = self._gap_start = self._start
        self._brackets = bytearray()
        self._depth = 0
        self._in_string = False
        self._is_damaged = False
        self._last_token = b""

    @property
    def _limit(self) -> int:
        """Where a document that has begun is too long."""
        return self._start + self._maximum_bytes

    def _take(self, documents: list[Document], end: int, *, is_whole: bool) -> None:
        data = self._buffer[self._start : end]
        documents.append(Document(self._offset + self._start, data, is_whole))
        self._start = end
        self._position = max(self._position, end)

    def _cut_pieces(self, documents: list[Document], end: int) -> None:
        while end > self._limit:
            self._take(documents, self._limit, is_whole=False)

    def _end(self, documents: list[Document], end: int) -> bool:
        self._cut_pieces(documents, end)
        self._take(documents, end, is_whole=True)
        self._begin(_Kind.BETWEEN)
        return True

    def _step(self, documents: list[Document]) -> bool:
        """Go on by one token; return whether the buffer may hold another."""
        match self._kind:
            case _Kind.BETWEEN:
                return self._find_start(documents)
            case _Kind.LINE:
                return self._step_line(documents)
            case _Kind.JSON:
                goes_on = self._step_json(documents)
            case _Kind.XML:
                goes_on = self._step_xml(documents)
        if goes_on or len(self._buffer) <= self._limit:
            return goes_on
        return self._read_on_as_line(self._limit)

    def _find_start(self, documents: list[Document]) -> bool:
        blanks = BETWEEN.match(self._buffer, self._start)
        if blanks:
            self._start = blanks.end()
        flat = FLAT_OBJECT.match(self._buffer, self._start, self._limit)
        if flat:
            return self._end(documents, flat.end())
        if JSON_START.match(self._buffer, self._start, self._limit):
            self._begin(_Kind.JSON)
        elif XML_START.match(self._buffer, self._start):
            self._begin(_Kind.XML)
        elif self._is_undecided():
            return False
        else:
            self._begin(_Kind.LINE)
        return True

    def _is_undecided(self) -> bool:
        """Whether the next bytes decide what begins here."""
        rest = self._buffer[self._start : self._start + 3]
        if rest in (b"", b"<", *PARTS_OF_BYTE_ORDER_MARK):
            return True
        return (
            len(self._buffer) <= self._limit
            and JSON_MAY_START.match(self._buffer, self._start) is not None
        )

    def _search(self, pattern: re.Pattern[bytes], end: int) -> re.Match[bytes] | None:
        """Return where the pattern is found next; None too where bytes to come may move that."""
        end = min(end, len(self._buffer))
        stop = pattern.search(self._buffer, self._position, end)
        if stop is not None and end - stop.start() > LONGEST_START:
            return stop
        from_here = max(self._position, end - LONGEST_START)
        undecided = MAY_START.search(self._buffer, from_here, end)
        if undecided and (stop is None or undecided.start() < stop.start()):
            self._position = undecided.start()
            return None
        if stop is None:
            self._position = max(self._position, end)
        return stop

    def _step_line(self, documents: list[Document]) -> bool:
        pattern = LINE_STOP if self._is_damaged else LINE_OR_DOCUMENT_STOP
        stop = self._search(pattern, len(self._buffer))
        return stop is not None and self._end(documents, stop.start())

    def _read_on_as_line(self, position: int) -> bool:
        self._begin(_Kind.LINE)
        self._is_damaged = True
        self._position = position
        return True

    def _step_json(self, documents: list[Document]) -> bool:
        if not self._in_string and self._last_token in (b"{", b",") and self._is_in_object():
            fields = PLAIN_FIELDS.match(self._buffer, self._position, self._limit)
            if fields:
                self._last_token = b","
                self._position = self._gap_start = fields.end()
        if self._in_string:
            stop = self._search(STRING_STOP, self._limit)
        else:
            stop = JSON_TOKEN.search(self._buffer, self._position, self._limit)
        if stop is None:
            if not self._in_string:
                self._position = max(self._position, min(len(self._buffer), self._limit))
            return False
        token = stop.group()
        if token in (b"\0", b"\n") or (self._in_string and token in b"{<"):
            return self._end(documents, stop.start())
        if token == b"\\":
            return self._skip_escaped(stop.start())
        if not self._in_string:
            return self._take_json_token(documents, token, stop.start())
        self._in_string = False
        self._position = self._gap_start = stop.end()
        return True

    def _is_in_object(self) -> bool:
        return self._brackets.endswith(b"{") and self._position == self._gap_start

    def _skip_escaped(self, start: int) -> bool:
        """Pass over a backslash and what it escapes; a line end and NUL cannot be escaped."""
        escaped = self._buffer[start + 1 : start + 2]
        self._position = start + (1 if escaped in (b"", b"\n", b"\0") else 2)
        if not escaped:
            self._position = start
        return bool(escaped)

    def _take_json_token(self, documents: list[Document], token: bytes, start: int) -> bool:
        if not self._may_stand_here(token, start):
            if token in b"{[<'":
                return self._end(documents, start)
            return self._read_on_as_line(start)
        if token in b"{[":
            if len(self._brackets) == DEEPEST:
                return self._read_on_as_line(start)
            self._brackets += token
        elif token in b"}]":
            del self._brackets[-1:]
            if not self._brackets:
                return self._end(documents, start + 1)
        self._in_string = token == b'"'
        self._last_token = token
        self._position = self._gap_start = start + 1
        return True

    def _may_stand_here(self, token: bytes, start: int) -> bool:
        """Whether JSON can go on with this token: enough to tell a break from a nesting."""
        container, last = bytes(self._brackets[-1:]), self._last_token
        gap = self._buffer[self._gap_start : start]
        has_scalar = gap != b"" and not gap.isspace()
        match token:
            case b"}" | b"]":
                return container == {b"}": b"{", b"]": b"["}[token]
            case b",":
                return has_scalar or last in (b'"', b"}", b"]")
            case b":":
                return container == b"{" and last == b'"' and not has_scalar
            case b'"':
                return last in (b"{", b"[", b",", b":") and not has_scalar
            case b"<" | b"'":
                return False
        if not self._brackets:
            return not has_scalar
        follows = (b"[", b",") if container == b"[" else (b":",)
        return last in follows and not has_scalar

    def _step_xml(self, documents: list[Document]) -> bool:
        start = self._search(XML_STOP, self._limit)
        if start is None:
            return False
        if start.group() != b"<":
            return self._end(documents, start.start())
        self._position = start.start()
        opened = self._buffer[self._position : min(self._position + 9, self._limit)]
        for opening, ending in XML_ENDS:
            if opened.startswith(opening):
                return self._skip_xml(documents, opening, ending)
            if opening.startswith(opened):
                return False
        stop = TAG_STOP.search(self._buffer, self._position + 1, self._limit)
        if stop is None:
            return False
        if stop.group() != b">":
            # A tag that was broken off, by NUL or where the next tag or record begins.
            return self._end(documents, stop.start())
        return self._take_tag(documents, self._buffer[self._position : stop.end()], stop.end())

    def _skip_xml(self, documents: list[Document], opening: bytes, ending: bytes) -> bool:
        if opening == b"<?" and self._depth:
            return self._end(documents, self._position)
        stop = self._buffer.find(ending, self._position + len(opening), self._limit)
        if stop < 0:
            return False
        self._position = stop + len(ending)
        return True

    def _take_tag(self, documents: list[Document], tag: bytes, end: int) -> bool:
        self._position = end
        if tag.startswith(b"<!"):
            return True
        if tag.startswith(b"</"):
            self._depth -= 1
        elif not tag.endswith(b"/>"):
            self._depth += 1
        if not 0 <= self._depth <= DEEPEST:
            return self._read_on_as_line(end)
        return self._end(documents, end) if self._depth == 0 else True


@dataclass
class _Container:
    """A bracket or an element that is open."""

    start: int
    opening: bytes
    #: It may be a leg: it is the document itself, or stands where a leg or a list of legs does.
    may_be_leg: bool
    has_legs: bool = False
    #: It is no leg itself, whatever it holds.
    is_around_legs: bool = False
    #: Of an element: the elements in it that hold text, and those that hold elements.
    leaf_count: int = 0
    inner_count: int = 0
    #: How many legs had been found when it was opened.
    legs_before: int = 0


def read_documents(
    stream: BinaryIO, *, start_offset: int = 0, maximum_bytes: int = FILE_DOCUMENT_BYTES
) -> Iterator[Document]:
    """Yield the documents of a file, from where it stands; a piece counts as one."""
    splitter = DocumentSplitter(maximum_bytes, start_offset=start_offset)
    while block := stream.read(BLOCK_BYTES):
        yield from splitter.feed(block)
    yield from splitter.remainder()


def split(data: bytes, *, maximum_bytes: int = FILE_DOCUMENT_BYTES) -> Iterator[Document]:
    """Yield the documents of some bytes that are all there."""
    splitter = DocumentSplitter(maximum_bytes)
    yield from splitter.feed(data)
    yield from splitter.remainder()


def legs(document: Document, *, maximum_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield the legs of a document, each as a verbatim slice with its offset.

    A leg of a group keeps its name (``"sub_cdr_2": {…}``). A document without a group is its own
    leg. Of a damaged one the legs that are whole are yielded, then the rest as it stands. What
    is longer than ``maximum_bytes`` comes in pieces.
    """
    offset, data, _ = document
    first = data[:1]
    spans: list[tuple[int, int]] = []
    is_sound = True
    if first in (b"{", b"["):
        spans, is_sound = _json_legs(data)
    elif first == b"<":
        spans, is_sound = _xml_legs(data)
    taken = spans[-1][1] if spans else 0
    if not spans or (not is_sound and data[taken:].strip(GLUE)):
        spans = [*spans, (taken, len(data))]
    for start, end in spans:
        slice_end = start + len(data[start:end].rstrip(b" \t\r\n\0"))
        for piece in range(start, slice_end, maximum_bytes):
            yield offset + piece, data[piece : min(piece + maximum_bytes, slice_end)]


def _json_legs(data: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Return where legs start and end, and whether every bracket is closed."""
    spans: list[tuple[int, int]] = []
    open_containers: list[_Container] = []
    text: re.Match[bytes] | None = None
    name: re.Match[bytes] | None = None
    for token in SHAPE_TOKEN.finditer(data):
        mark = token.group()[:1]
        if token["fields"] or mark == b",":
            name = None
        elif mark == b'"':
            text = token
        elif mark == b":":
            name = text
        elif mark in b"{[":
            if len(open_containers) > DEEPEST:
                return spans, False
            parent = open_containers[-1] if open_containers else None
            open_containers.append(_json_container(token, name, parent))
            name = None
        elif not open_containers or open_containers[-1].opening != {b"}": b"{", b"]": b"["}[mark]:
            return spans, False
        else:
            closed = open_containers.pop()
            is_leg = closed.may_be_leg and not closed.is_around_legs
            if is_leg and closed.opening == b"{" and not closed.has_legs:
                spans.append((closed.start, token.end()))
                closed.has_legs = True
            if closed.has_legs and open_containers:
                open_containers[-1].has_legs = True
    return spans, not open_containers


def _json_container(
    token: re.Match[bytes], name: re.Match[bytes] | None, parent: _Container | None
) -> _Container:
    opening, start = token.group(), token.start()
    if parent is None:
        return _Container(start, opening, may_be_leg=True)
    if not parent.may_be_leg:
        return _Container(start, opening, may_be_leg=False)
    if parent.opening == b"[":
        return _Container(start, opening, may_be_leg=True)
    if name is not None and LEG_OF_GROUP.fullmatch(name.group()) and opening == b"{":
        return _Container(name.start(), opening, may_be_leg=True)
    if name is not None and AROUND_LEGS.fullmatch(name.group()):
        return _Container(start, opening, may_be_leg=True, is_around_legs=True)
    is_list = name is not None and LIST_OF_LEGS.fullmatch(name.group()) is not None
    return _Container(start, opening, may_be_leg=is_list)


def _xml_legs(data: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Return where legs start and end: elements that hold more texts than elements."""
    spans: list[tuple[int, int]] = []
    open_elements: list[_Container] = []
    for element in ELEMENT.finditer(data):
        if element["closing"] is None:
            continue
        parent = open_elements[-1] if open_elements else _Container(0, b"", may_be_leg=False)
        if element["empty"]:
            parent.leaf_count += 1
        elif not element["closing"]:
            if len(open_elements) > DEEPEST:
                return spans, False
            start, tag = element.start(), element.group()
            element_opened = _Container(start, tag, may_be_leg=True, legs_before=len(spans))
            open_elements.append(element_opened)
        elif not open_elements:
            return spans, False
        else:
            closed = open_elements.pop()
            parent = open_elements[-1] if open_elements else parent
            if closed.leaf_count > closed.inner_count:
                spans[closed.legs_before :] = [(closed.start, element.end())]
            if closed.leaf_count or closed.inner_count:
                parent.inner_count += 1
            else:
                parent.leaf_count += 1
    return spans, not open_elements
