"""Files that an OXE compressed read as it wrote them, and never fill a disk."""

from __future__ import annotations

import io

import pytest

from tollhouse.decompression import DecompressionError, decompressed

TEXT = b"ED5.2 a ticket of an OXE\n" * 8
BLOCK_MODE_16_BITS = 0x90


def lzw(text: bytes) -> bytes:
    """Compress without looking for repetitions: a code of nine bits a byte, lowest bit first."""
    codes = sum(byte << 9 * place for place, byte in enumerate(text))
    return (
        b"\x1f\x9d" + bytes([BLOCK_MODE_16_BITS]) + codes.to_bytes(len(text) * 9 // 8 + 1, "little")
    )


def test_a_file_that_is_not_compressed_stays_the_same_stream() -> None:
    stream = io.BytesIO(b"ED5.2")
    assert decompressed(stream) is stream
    assert stream.read() == b"ED5.2"


def test_a_compressed_file_reads_as_it_was_written() -> None:
    assert decompressed(io.BytesIO(lzw(TEXT))).read() == TEXT


def test_content_beyond_the_bound_is_refused() -> None:
    with pytest.raises(DecompressionError, match=f"more than {len(TEXT) - 1} bytes"):
        decompressed(io.BytesIO(lzw(TEXT)), maximum_bytes=len(TEXT) - 1)
    assert decompressed(io.BytesIO(lzw(TEXT)), maximum_bytes=len(TEXT)).read() == TEXT


def test_a_damaged_file_is_refused_with_what_gzip_says() -> None:
    with pytest.raises(DecompressionError, match=r"damaged after .* bytes .*corrupt"):
        decompressed(io.BytesIO(lzw(TEXT)[:100] + b"\xff" * 100))
