"""The dialogue of a Grandstream UCM: it connects, pushes documents, and may do so by HTTP.

Over plain TCP nothing is answered. Where the PBX is set to HTTP on the same port, the body of a
request is the document, and an answer of 200 lets the PBX go on to the next one.
"""

from __future__ import annotations

import re

from tollhouse.collector.dialogues import DialogueError, Heard
from tollhouse.collector.lines import Piece
from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE, TERMINATED
from tollhouse.documents import Document, DocumentSplitter

MAXIMUM_HEAD_BYTES = 16_384

REQUEST_LINE = re.compile(rb"(?P<method>[A-Z]{3,7}) [!-~]+ HTTP/1\.[01]\r?\n")
#: As much as tells a request from anything else that a PBX may begin with.
LONGEST_METHOD_BYTES = 8
METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
HEAD_END = re.compile(rb"\r?\n\r?\n")
CONTENT_LENGTH = re.compile(rb"\nContent-Length:[ \t]*(\d{1,12})[ \t]*\r?\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\nTransfer-Encoding:[ \t]*chunked[ \t]*\r?\n", re.IGNORECASE)
EXPECTS_CONTINUE = re.compile(rb"\nExpect:[ \t]*100-continue[ \t]*\r?\n", re.IGNORECASE)
CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,200}\r?\n")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NO_DOCUMENT = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST, PUT\r\nContent-Length: 0\r\n\r\n"


class DocumentDialogue:
    """Documents as they come, or in the bodies of HTTP requests; decided by the first bytes."""

    longest_silence_seconds: float | None = None
    is_serving: bool = True

    def __init__(self, maximum_bytes: int) -> None:
        self._splitter = DocumentSplitter(maximum_bytes)
        self._first_bytes = b""
        self._requests: _Requests | None = None
        self._is_decided = False

    def greeting(self) -> bytes:
        """Say nothing: the PBX begins."""
        return b""

    def feed(self, data: bytes) -> Heard:
        """Return the documents that are complete now, and an answer to each HTTP request."""
        if not self._is_decided:
            data = self._decide(data)
        if self._requests is not None:
            return self._requests.feed(data)
        return Heard(pieces_of(self._splitter.feed(data)))

    def pause(self) -> Heard:
        """Take a line to be complete: not every PBX ends one.

        JSON and XML show themselves when they are complete, so a slow network cuts none of them.
        """
        if self._requests is not None:
            return Heard([])
        pieces = self._take_as_documents()
        if not self._splitter.is_open:
            pieces += pieces_of(self._splitter.remainder())
        return Heard(pieces)

    def remainder(self) -> list[Piece]:
        """Return what the end of the connection completes, or cuts."""
        if self._requests is not None:
            return self._requests.remainder()
        pieces = self._take_as_documents()
        is_cut = self._splitter.is_open
        return pieces + pieces_of(self._splitter.remainder(), is_cut=is_cut)

    def _decide(self, data: bytes) -> bytes:
        """Return what is to be read, once the first bytes tell how."""
        self._first_bytes += data
        start = self._first_bytes[:LONGEST_METHOD_BYTES]
        if any(start.startswith(method) for method in METHODS):
            self._requests = _Requests(self._splitter)
        elif any(method.startswith(start) for method in METHODS):
            return b""
        self._is_decided = True
        first_bytes, self._first_bytes = self._first_bytes, b""
        return first_bytes

    def _take_as_documents(self) -> list[Piece]:
        """What might have become the word POST, but did not go on, is no request."""
        self._is_decided = self._is_decided or self._first_bytes != b""
        first_bytes, self._first_bytes = self._first_bytes, b""
        return pieces_of(self._splitter.feed(first_bytes))


class _Requests:
    """HTTP requests, one after the other on a connection; heads are no tickets and not kept.

    A request without a body leaves its first line as a document, so that a PBX that is set up
    wrongly is seen.
    """

    def __init__(self, splitter: DocumentSplitter) -> None:
        self._splitter = splitter
        self._rest = b""
        self._heard: list[Piece] = []
        self._body_bytes_left = 0
        self._is_chunked = False
        self._is_in_body = False

    def feed(self, data: bytes) -> Heard:
        """Take what arrived; raise DialogueError for what is no HTTP."""
        self._rest += data
        replies = b""
        while True:
            before = len(self._rest), self._is_in_body
            replies += self._take_body() if self._is_in_body else self._take_head()
            if (len(self._rest), self._is_in_body) == before:
                break
        heard, self._heard = self._heard, []
        return Heard(heard, replies)

    def remainder(self) -> list[Piece]:
        """Return what was heard of a body that did not arrive whole."""
        heard, self._heard = self._heard, []
        return heard + pieces_of(self._splitter.remainder(), is_cut=True)

    def _take_head(self) -> bytes:
        self._rest = self._rest.lstrip(b"\r\n")
        end = HEAD_END.search(self._rest)
        if end is None:
            if len(self._rest) > MAXIMUM_HEAD_BYTES:
                raise DialogueError(
                    f"the head of an HTTP request exceeds {MAXIMUM_HEAD_BYTES} bytes"
                )
            return b""
        head, self._rest = self._rest[: end.end()], self._rest[end.end() :]
        if not REQUEST_LINE.match(head):
            raise DialogueError(f"no HTTP request: {head[:40]!r}")
        length = CONTENT_LENGTH.search(head)
        self._is_chunked = CHUNKED.search(head) is not None
        self._body_bytes_left = int(length[1]) if length and not self._is_chunked else 0
        if not self._is_chunked and not self._body_bytes_left:
            request_line = head.partition(b"\n")[0].rstrip(b"\r")
            self._heard.append((request_line, TERMINATED))
            return NO_DOCUMENT
        self._is_in_body = True
        return CONTINUE if EXPECTS_CONTINUE.search(head) else b""

    def _take_body(self) -> bytes:
        if self._is_chunked and not self._body_bytes_left:
            return self._take_chunk_head()
        part = self._rest[: self._body_bytes_left]
        self._rest = self._rest[len(part) :]
        self._body_bytes_left -= len(part)
        self._heard += pieces_of(self._splitter.feed(part))
        if self._body_bytes_left or self._is_chunked:
            return b""
        return self._end_body()

    def _take_chunk_head(self) -> bytes:
        # The bytes of a chunk end with a line end of their own.
        self._rest = self._rest.removeprefix(b"\r\n")
        head = CHUNK_HEAD.match(self._rest)
        if head is None:
            if len(self._rest) > MAXIMUM_HEAD_BYTES:
                raise DialogueError(f"no chunk of an HTTP body: {self._rest[:40]!r}")
            return b""
        self._rest = self._rest[head.end() :]
        self._body_bytes_left = int(head[1], 16)
        return b"" if self._body_bytes_left else self._end_body()

    def _end_body(self) -> bytes:
        self._is_in_body = False
        self._heard += pieces_of(self._splitter.remainder())
        return OK


def pieces_of(documents: list[Document], *, is_cut: bool = False) -> list[Piece]:
    """Return documents as they are spooled.

    Args:
        documents: what the splitter returned.
        is_cut: the connection ended in the last of them.
    """
    pieces = [(document.data, TERMINATED if document.is_whole else PIECE) for document in documents]
    if is_cut and pieces:
        pieces[-1] = (pieces[-1][0], CUT_BY_DISCONNECT)
    return pieces
