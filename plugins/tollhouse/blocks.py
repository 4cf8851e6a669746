r"""Fixed blocks: the tickets of an Alcatel OXE over Ethernet, and captures of that stream.

A block is 772 bytes: a label of four, then the content, padded with NUL. On the wire the marker
``03 04`` stands before it. The label says what the content is: ``01 00 02 00`` a call ticket,
``01 00 01 00`` nothing, ``01 00 06 00`` a change of configuration, ``01 00 07 00`` voice quality.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

BLOCK_BYTES = 772
MARKER = b"\x03\x04"
TICKET_LABEL = b"\x01\x00\x02\x00"


def content(block: bytes) -> bytes:
    """Return what a block says: a ticket without its label and padding, anything else with label.

    So the body of a ticket is the same text as in the PBX's files, and nothing is lost of a block
    that is no ticket.
    """
    if block.startswith(TICKET_LABEL):
        return block.removeprefix(TICKET_LABEL).rstrip(b"\0")
    return block.rstrip(b"\0")


def read_blocks(stream: BinaryIO, *, start_offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a capture with their offsets; the last one may be cut.

    Bytes before a marker that belong to no block are yielded as they stand, as a damaged ticket.
    """
    offset = start_offset
    rest = b""
    while chunk := stream.read(1 << 20):
        rest += chunk
        while True:
            start = rest.find(MARKER)
            if start > 0:
                yield offset, rest[:start]
                offset, rest = offset + start, rest[start:]
            end = len(MARKER) + BLOCK_BYTES
            if start < 0 or len(rest) < end:
                break
            yield offset + len(MARKER), rest[len(MARKER) : end]
            offset, rest = offset + end, rest[end:]
    if rest:
        skipped = len(MARKER) if rest.startswith(MARKER) else 0
        yield offset + skipped, rest[skipped:]
