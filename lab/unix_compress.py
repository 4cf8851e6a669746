"""Unix ``compress``: LZW, the method in which an Alcatel OXE keeps its tickets.

Python's library has none. This is the published method with codes of 9 to 16 bits, lowest bit
first, without its reset of the table: once that is full it serves as it is.
"""

from __future__ import annotations

MAGIC = b"\x1f\x9d"
FIRST_BITS, MOST_BITS = 9, 16
#: In the third byte: codes of up to 16 bits, and one of them kept for a reset.
BLOCK_MODE = 0x80
FIRST_FREE_CODE = 257
#: Codes are written in groups of eight, and a group is filled up before the codes get longer.
CODES_PER_GROUP = 8


def compress(content: bytes) -> bytes:
    """Return a content as ``compress`` would write it."""
    return MAGIC + bytes([BLOCK_MODE | MOST_BITS]) + _packed(content)


def _packed(content: bytes) -> bytes:
    codes = {bytes([byte]): byte for byte in range(256)}
    next_code, bits = FIRST_FREE_CODE, FIRST_BITS
    packed, group = bytearray(), list[int]()
    known = b""
    for place in range(len(content)):
        byte = content[place : place + 1]
        if known + byte in codes:
            known += byte
            continue
        group.append(codes[known])
        if next_code < 1 << MOST_BITS:
            codes[known + byte] = next_code
            next_code += 1
        known = byte
        if len(group) == CODES_PER_GROUP:
            packed += _group(group, bits)
            group = []
        # The reader is one code behind, so codes get longer when one more than fit is known.
        if next_code > 1 << bits and bits < MOST_BITS:
            packed += _group(group, bits)
            group, bits = [], bits + 1
    if known:
        group.append(codes[known])
    used_bits = len(group) * bits
    return bytes(packed + _group(group, bits)[: (used_bits + 7) // 8])


def _group(codes: list[int], bits: int) -> bytes:
    """Return codes as a full group; none make none."""
    if not codes:
        return b""
    number = sum(code << bits * place for place, code in enumerate(codes))
    return number.to_bytes(bits * CODES_PER_GROUP // 8, "little")
