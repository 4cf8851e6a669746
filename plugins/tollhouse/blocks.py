r"""Fixed blocks: the tickets of an Alcatel OXE over Ethernet, and captures of that stream.

A block is 772 bytes: a label of four, then the content, padded with NUL. On the wire the marker
``03 04`` stands before it. The label says what the content is: ``01 00 02 00`` a call ticket,
``01 00 01 00`` nothing, ``01 00 06 00`` a change of configuration, ``01 00 07 00`` voice quality.
Between blocks, and in the middle of a burst of them, the PBX asks whether its client is alive:
``00 08 TEST_REQ``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 772
MARKER = b"\x03\x04"
TICKET_LABEL = b"\x01\x00\x02\x00"
TEST_REQUEST = b"\x00\x08TEST_REQ"
TEST_RESPONSE = b"\x00\x08TEST_RSP"
#: How the main processor answers a client; captures of a connection begin with it.
MAIN_PROCESSOR = b"\x00\x01\x50"

#: Where something known begins: a block, told from chance bytes by its label, or a test request.
KNOWN_START = re.compile(rb"\x03\x04\x01\x00[\x00-\xff]\x00|\x00\x08TEST_REQ")
#: What such a beginning looks like while bytes of it are missing, at the end of what is there.
UNFINISHED_START = re.compile(
    rb"(?:\x03(?:\x04(?:\x01(?:\x00[\x00-\xff]?)?)?)?|\x00(?:\x08(?:T(?:E(?:S(?:T(?:_(?:RE?)?)?)?)?)?)?)?)\Z"
)
_LONGEST_UNFINISHED_BYTES = len(TEST_REQUEST) - 1
_CHUNK_BYTES = 1 << 16


class Stretch(NamedTuple):
    """Bytes of a stream that belong together.

    Attributes:
        offset: of its first byte in the stream.
        data: a block without its marker, or bytes that are no block.
        is_block: whether it is a whole block.
    """

    offset: int
    data: bytes
    is_block: bool


class BlockSplitter:
    """Cuts a stream into blocks, however it arrives, and finds back to them after damage.

    What lies between known beginnings is damage: it comes in stretches of at most a block, so that
    a stream without a single marker costs bounded memory and no byte is lost. A block in which
    another one begins was cut by its sender and is damage as well. Test requests are counted and
    taken out, also from within a block.
    """

    def __init__(self, offset: int = 0) -> None:
        self._offset = offset
        self._held = bytearray()
        #: Test requests seen so far.
        self.test_request_count = 0

    def feed(self, data: bytes) -> list[Stretch]:
        """Take what arrived and return what is complete now, in order."""
        self._held += data
        stretches: list[Stretch] = []
        while self._take_one(stretches):
            pass
        return stretches

    def damage(self) -> list[Stretch]:
        """Return what is known to be no part of a block, without waiting for what follows it."""
        stretches: list[Stretch] = []
        if self._held and not KNOWN_START.match(self._held):
            self._take(self._certain_damage_bytes(), stretches)
        return stretches

    def remainder(self) -> list[Stretch]:
        """Return what the end of the stream leaves: a block that was cut, or damage."""
        stretches = self.damage()
        if self._held.startswith(MARKER):
            self._skip(len(MARKER))
        self._take(len(self._held), stretches)
        return stretches

    def _take_one(self, stretches: list[Stretch]) -> bool:
        """Take one thing from the front of what is held; return whether to look again."""
        held = self._held
        if held.startswith(TEST_REQUEST):
            self._skip(len(TEST_REQUEST))
            self.test_request_count += 1
            return True
        if KNOWN_START.match(held):
            return self._take_block(stretches)
        found = KNOWN_START.search(held)
        size = found.start() if found else self._certain_damage_bytes()
        while size >= BLOCK_BYTES:
            self._take(BLOCK_BYTES, stretches)
            size -= BLOCK_BYTES
        if found is None:
            return False
        self._take(size, stretches)
        return True

    def _take_block(self, stretches: list[Stretch]) -> bool:
        held, end = self._held, len(MARKER) + BLOCK_BYTES
        inside = KNOWN_START.search(held, len(MARKER), end)
        if inside and inside.group() == TEST_REQUEST:
            del held[inside.start() : inside.end()]
            self._offset += len(TEST_REQUEST)
            self.test_request_count += 1
            return True
        if inside is None and len(held) < end:
            return False
        self._skip(len(MARKER))
        if inside:
            self._take(inside.start() - len(MARKER), stretches)
        else:
            self._take(BLOCK_BYTES, stretches, is_block=True)
        return True

    def _certain_damage_bytes(self) -> int:
        """Count the bytes before what may be the beginning of something known."""
        held = self._held
        tail_offset = max(0, len(held) - _LONGEST_UNFINISHED_BYTES)
        unfinished = UNFINISHED_START.search(held, tail_offset)
        return unfinished.start() if unfinished else len(held)

    def _take(self, size: int, stretches: list[Stretch], *, is_block: bool = False) -> None:
        data = bytes(self._held[:size])
        # A marker that begins nothing says nothing; the answer to the greeting may end with one.
        if data not in (b"", MARKER):
            stretches.append(Stretch(self._offset, data, is_block))
        self._skip(size)

    def _skip(self, size: int) -> None:
        del self._held[:size]
        self._offset += size


def content(block: bytes) -> bytes:
    """Return what a block says: a ticket without its label and padding, anything else with label.

    So the body of a ticket is the same text as in the PBX's files, and nothing is lost of a block
    that is no ticket.
    """
    return block.removeprefix(TICKET_LABEL).rstrip(b"\0")


def is_capture(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a capture of the stream, and no text."""
    return KNOWN_START.search(head) is not None or head.startswith(MAIN_PROCESSOR)


def read_blocks(stream: BinaryIO, *, start_offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a capture with their offsets; the last one may be cut.

    Bytes that belong to no block are yielded as they stand, as damaged tickets. What is said on a
    connection beside blocks (the answer to the greeting, test requests) is no ticket.
    """
    head = b"" if start_offset else stream.read(len(MAIN_PROCESSOR))
    if head == MAIN_PROCESSOR:
        head, start_offset = b"", len(MAIN_PROCESSOR)
    splitter = BlockSplitter(start_offset)
    chunk = head or stream.read(_CHUNK_BYTES)
    while chunk:
        yield from ((stretch.offset, stretch.data) for stretch in splitter.feed(chunk))
        chunk = stream.read(_CHUNK_BYTES)
    yield from ((stretch.offset, stretch.data) for stretch in splitter.remainder())
