"""A stretch of a file, read as if it were all of it."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class Window(io.RawIOBase):
    """The bytes of a file from ``start``, so many of them: what is around them is not seen.

    The file stays open when it is closed. Of several windows of one file, the one made or moved
    last can be read.
    """

    def __init__(self, file: BinaryIO, size_bytes: int, start: int = 0) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size_bytes = size_bytes
        self._position = 0
        file.seek(start)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, count: int | None = -1) -> bytes:
        """Read so many bytes, or what is left."""
        left = max(0, self._size_bytes - self._position)
        data = self._file.read(left if count is None or count < 0 else min(count, left))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within the window."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}[whence]
        self._position = max(0, base + offset)
        self._file.seek(self._start + self._position)
        return self._position

    def tell(self) -> int:
        """Where it stands, from the beginning of the window."""
        return self._position
