"""Compressed files of tickets, made readable within a bound of disk space.

Python's library reads no LZW, the method of Unix compress, in which an Alcatel OXE keeps its
tickets; ``gzip -dc`` does, on every Debian. What comes out is on disk before any of it is read, so
that a file that is damaged or grows beyond all measure lands nothing rather than a part. LZW has
neither length nor checksum: a file that was cut short shows by its last ticket, which is cut too.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from typing import BinaryIO

LZW_MAGIC = b"\x1f\x9d"
#: A year of tickets of a large OXE; what grows beyond is damage or malice.
MAXIMUM_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 20


class DecompressionError(OSError):
    """A compressed file cannot be read; the message says why."""


def decompressed(stream: BinaryIO, *, maximum_bytes: int = MAXIMUM_BYTES) -> BinaryIO:
    """Return a file as its PBX wrote it before compressing it.

    Args:
        stream: a file, opened in binary mode.
        maximum_bytes: of the content.

    Returns:
        The stream itself when it is not compressed, else a temporary file; both at their beginning.

    Raises:
        DecompressionError: it is damaged, or its content is larger than allowed.
    """
    head = stream.read(len(LZW_MAGIC))
    stream.seek(0)
    if head != LZW_MAGIC:
        return stream
    with tempfile.TemporaryFile() as compressed:
        shutil.copyfileobj(stream, compressed)
        compressed.seek(0)
        return _content(compressed, maximum_bytes)


def _content(compressed: BinaryIO, maximum_bytes: int) -> BinaryIO:
    with ExitStack() as on_failure:
        content = on_failure.enter_context(tempfile.TemporaryFile())
        _decompress(compressed, content, maximum_bytes)
        content.seek(0)
        on_failure.pop_all()
        return content


def _decompress(compressed: BinaryIO, content: BinaryIO, maximum_bytes: int) -> None:
    gzip = shutil.which("gzip")
    if gzip is None:
        raise DecompressionError("The file is compressed, and the program gzip is not installed.")
    with (
        tempfile.TemporaryFile() as complaint,
        subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
            [gzip, "-dc"], stdin=compressed, stdout=subprocess.PIPE, stderr=complaint
        ) as process,
    ):
        size_bytes = 0
        while chunk := process.stdout.read(_CHUNK_BYTES) if process.stdout else b"":
            size_bytes += len(chunk)
            if size_bytes > maximum_bytes:
                process.kill()
                raise DecompressionError(
                    f"The compressed file holds more than {maximum_bytes} bytes, which no file of "
                    "tickets does. Look at it with `gzip -dc`; a person must split it."
                )
            content.write(chunk)
        if process.wait():
            complaint.seek(0)
            reason = complaint.read(200).decode("ascii", "backslashreplace").strip()
            raise DecompressionError(
                f"The compressed file is damaged after {size_bytes} bytes of its content "
                f"({' '.join(reason.split())}). Fetch it from the PBX again."
            )
