"""Compressed files of tickets, made readable within a bound of disk space.

What comes out is on disk before any of it is read, so that a file that is damaged, cut short or
grows beyond all measure lands nothing rather than a part. Names in an archive are labels: nothing
is ever written under them.

Python's library reads no LZW, the method of Unix compress, in which an Alcatel OXE keeps its
tickets; ``gzip -dc`` does, on every Debian. LZW has neither length nor checksum: a file that was
cut short shows by its last ticket, which is cut too.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import struct
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tollhouse.windows import Window

#: Years of tickets of a large PBX; what grows beyond is damage or malice.
MAXIMUM_BYTES = 4 << 30
#: Tickets shrink to a tenth or a thirtieth. What is many times smaller is no file of tickets,
#: unless it is small anyway: a few tickets padded with blanks.
MAXIMUM_RATIO = 250
HARMLESS_BYTES = 64 << 20
#: Files in one archive, and the longest name of one: it is kept, and looked up.
MAXIMUM_MEMBERS = 100_000
LONGEST_NAME_BYTES = 1024
#: A decompressor of .xz may need as much memory as the file says.
XZ_MEMORY_BYTES = 128 << 20

LZW_MAGIC = b"\x1f\x9d"
ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC = b"PK\x05\x06"
TAR_MAGIC, TAR_MAGIC_OFFSET = b"ustar", 257
SUFFIXES = (".Z", ".gz", ".bz2", ".xz", ".zip")
ENCRYPTED_FLAG = 0x1
#: The methods whose memory is bounded, whatever the file says.
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)

#: What Python's readers of archives raise of a file that is not what it says.
DAMAGE = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    struct.error,
    ValueError,
    NotImplementedError,
    OverflowError,
)

_CHUNK_BYTES = 1 << 18


class DecompressionError(OSError):
    """A compressed file cannot be read; the message says why."""


@dataclass(frozen=True)
class Member:
    """A file that was in a compressed one.

    Attributes:
        name: as the archive has it; of a file compressed alone, its name without the suffix.
        size_bytes: of its content.
        content: the file in which the contents of all members stand one after the other.
        start: where this one begins there.
    """

    name: str
    size_bytes: int
    content: BinaryIO
    start: int

    def open(self) -> BinaryIO:
        """Return its content, to be read before that of another member is."""
        return cast("BinaryIO", Window(self.content, self.size_bytes, self.start))


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins with these bytes is compressed, whatever it is called."""
    return _method(head) is not None


def uncompressed_name(name: str) -> str:
    """Return the name that a file had before it was compressed, as its suffix tells."""
    return next((name[: -len(suffix)] for suffix in SUFFIXES if name.endswith(suffix)), name)


@contextmanager
def unpacked(
    stream: BinaryIO,
    name: str,
    *,
    maximum_bytes: int = MAXIMUM_BYTES,
    folder: Path | None = None,
) -> Iterator[Sequence[Member]]:
    """Decompress a file and give the files in it, which are gone afterwards.

    Args:
        stream: a compressed file, opened in binary mode, at its beginning.
        name: of the file.
        maximum_bytes: of all contents together.
        folder: where there is room for them; by default that of temporary files, which may be in
            memory.

    Raises:
        DecompressionError: it is damaged, cut short, encrypted or nested, or its content is larger
            than allowed.
    """
    with tempfile.TemporaryFile(dir=folder) as content:
        yield _members(stream, name, cast("BinaryIO", content), maximum_bytes)


@contextmanager
def contents(stream: BinaryIO, name: str) -> Iterator[Iterator[BinaryIO]]:
    """Give what is in a file, one after the other: the file itself when it is not compressed.

    Raises:
        DecompressionError: as ``unpacked``.
    """
    head = stream.read(LONGEST_MAGIC_BYTES)
    stream.seek(0)
    if not is_compressed(head):
        yield iter((stream,))
        return
    with unpacked(stream, name) as members:
        yield (member.open() for member in members)


def decompressed(stream: BinaryIO, *, maximum_bytes: int = MAXIMUM_BYTES) -> BinaryIO:
    """Return a file as its PBX wrote it before compressing it.

    Args:
        stream: a file, opened in binary mode.
        maximum_bytes: of the content.

    Returns:
        The stream itself when it is not compressed, or cannot be moved in, as a pipe; else a
        temporary file. Both are at their beginning.

    Raises:
        DecompressionError: as ``unpacked``, or there are several files in it.
    """
    if not stream.seekable():
        return stream
    head = stream.read(LONGEST_MAGIC_BYTES)
    stream.seek(0)
    if not is_compressed(head):
        return stream
    with ExitStack() as on_failure:
        content = on_failure.enter_context(tempfile.TemporaryFile())
        members = _members(stream, "content", cast("BinaryIO", content), maximum_bytes)
        if len(members) != 1:
            raise DecompressionError(
                f"The archive holds {len(members)} files; here one is read at a time. Unpack it."
            )
        on_failure.pop_all()
        return members[0].open()


def _members(
    stream: BinaryIO, name: str, content: BinaryIO, maximum_bytes: int
) -> Sequence[Member]:
    head = stream.read(LONGEST_MAGIC_BYTES)
    stream.seek(0)
    method = _method(head)
    if method is None:
        raise DecompressionError("The file is not compressed by a method that is known.")
    into = _Content(content, maximum_bytes)
    try:
        members = method(stream, PurePosixPath(uncompressed_name(name)).name, into)
    except DAMAGE as error:
        raise _damaged(into.size_bytes, str(error)) from error
    for member in members:
        _refuse_nested(member)
    return members


class _Content:
    """Where decompressed bytes go, up to what a file of tickets can hold."""

    def __init__(self, file: BinaryIO, maximum_bytes: int) -> None:
        self._file = file
        self._maximum_bytes = maximum_bytes
        self.size_bytes = 0

    def write(self, data: bytes, compressed_bytes: int) -> None:
        """Take what came out of so many bytes, counted from the beginning of the file.

        Raises:
            DecompressionError: it is too much.
        """
        self.size_bytes += len(data)
        if self.size_bytes > self._maximum_bytes:
            raise DecompressionError(
                f"The compressed file holds more than {self._maximum_bytes} bytes, which no file "
                "of tickets does. A person must look at it, and split it."
            )
        if self.size_bytes > max(HARMLESS_BYTES, compressed_bytes * MAXIMUM_RATIO):
            raise DecompressionError(
                f"The compressed file holds more than {MAXIMUM_RATIO} times its own size, which "
                "no file of tickets does. A person must look at it, and decompress it."
            )
        self._file.write(data)

    def member(self, name: str, start: int) -> Member:
        """Return what was written since ``start``."""
        self._file.flush()
        return Member(name, self.size_bytes - start, self._file, start)


Method = Callable[[BinaryIO, str, _Content], list[Member]]


def _method(head: bytes) -> Method | None:
    for magic, method in METHODS:
        if head.startswith(magic):
            return method
    return None


def _damaged(size_bytes: int, reason: str) -> DecompressionError:
    return DecompressionError(
        f"The compressed file is damaged after {size_bytes} bytes of its content "
        f"({reason}). Fetch it from the PBX again."
    )


def _refuse_nested(member: Member) -> None:
    head = member.open().read(TAR_MAGIC_OFFSET + len(TAR_MAGIC))
    if is_compressed(head) or head[TAR_MAGIC_OFFSET:] == TAR_MAGIC:
        raise DecompressionError(
            f"{member.name!r} in it is an archive itself, and archives in archives are not read. "
            "Unpack it and drop what is in it."
        )


def _unpack_lzw(stream: BinaryIO, name: str, into: _Content) -> list[Member]:
    program = shutil.which("gzip")
    if program is None:
        raise DecompressionError("The file is compressed, and the program gzip is not installed.")
    with tempfile.TemporaryFile() as compressed, tempfile.TemporaryFile() as complaint:
        shutil.copyfileobj(stream, compressed)
        compressed_bytes = compressed.tell()
        compressed.seek(0)
        with subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
            [program, "-dc"], stdin=compressed, stdout=subprocess.PIPE, stderr=complaint
        ) as process:
            try:
                while data := process.stdout.read(_CHUNK_BYTES) if process.stdout else b"":
                    into.write(data, compressed_bytes)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            complaint.seek(0)
            reason = complaint.read(200).decode("ascii", "backslashreplace").strip()
            raise _damaged(into.size_bytes, " ".join(reason.split()))
    return [into.member(name, 0)]


def _unpack_gzip(stream: BinaryIO, name: str, into: _Content) -> list[Member]:
    with gzip.GzipFile(fileobj=stream) as file:
        while data := file.read(_CHUNK_BYTES):
            into.write(data, stream.tell())
    return [into.member(name, 0)]


def _unpack_bzip2(stream: BinaryIO, name: str, into: _Content) -> list[Member]:
    _decompress(stream, bz2.BZ2Decompressor, into)
    return [into.member(name, 0)]


def _unpack_xz(stream: BinaryIO, name: str, into: _Content) -> list[Member]:
    def bounded() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)

    _decompress(stream, bounded, into)
    return [into.member(name, 0)]


def _decompress(
    stream: BinaryIO,
    new_decompressor: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
    into: _Content,
) -> None:
    """Decompress streams that may follow each other, as those of parallel compressors do."""
    decompressor, data = new_decompressor(), b""
    while True:
        if decompressor.eof:
            data = decompressor.unused_data.lstrip(b"\0") or stream.read(_CHUNK_BYTES).lstrip(b"\0")
            if not data:
                return
            decompressor = new_decompressor()
        elif decompressor.needs_input:
            data = stream.read(_CHUNK_BYTES)
            if not data:
                raise EOFError("its end is missing")
        else:
            data = b""
        try:
            content = decompressor.decompress(data, _CHUNK_BYTES)
        except OSError as error:
            raise _damaged(into.size_bytes, str(error)) from error
        into.write(content, stream.tell())


def _unpack_zip(stream: BinaryIO, name: str, into: _Content) -> list[Member]:
    del name  # the archive names its members
    members: list[Member] = []
    with zipfile.ZipFile(stream) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > MAXIMUM_MEMBERS:
            raise DecompressionError(f"The archive holds more than {MAXIMUM_MEMBERS} files.")
        names = [info.filename for info in infos]
        if len(set(names)) < len(names):
            raise DecompressionError("The archive holds two files of one name. Unpack it.")
        # Members that overlap say together that they are larger than the file is.
        file_bytes, compressed_bytes = stream.seek(0, os.SEEK_END), 0
        for info in sorted(infos, key=lambda info: info.filename):
            _refuse_unreadable(info)
            start = into.size_bytes
            compressed_bytes = min(compressed_bytes + info.compress_size, file_bytes)
            with archive.open(info) as file:
                while data := file.read(_CHUNK_BYTES):
                    into.write(data, compressed_bytes)
            members.append(into.member(info.filename, start))
    return members


def _refuse_unreadable(info: zipfile.ZipInfo) -> None:
    name_bytes = len(info.filename.encode())
    if name_bytes > LONGEST_NAME_BYTES:
        raise DecompressionError(
            f"{info.filename[:40]!r}… in the archive has a name of {name_bytes} bytes, and "
            f"{LONGEST_NAME_BYTES} are the most that are read. Unpack it under a shorter one."
        )
    if info.flag_bits & ENCRYPTED_FLAG:
        raise DecompressionError(
            f"{info.filename!r} in the archive is encrypted. Have it sent without a password: the "
            "connection is what protects it."
        )
    if info.compress_type not in ZIP_METHODS:
        raise DecompressionError(
            f"{info.filename!r} in the archive is compressed by method {info.compress_type}, which "
            "is not read; the ordinary one is called deflate."
        )
    if not info.filename.isprintable():
        raise DecompressionError(
            f"{info.filename!r} in the archive has a name that cannot be printed."
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DecompressionError(f"{info.filename!r} in the archive is a link.")


def _refuse_method(title: str) -> Method:
    def refuse(stream: BinaryIO, name: str, into: _Content) -> list[Member]:
        del stream, name, into
        raise DecompressionError(
            f"The file is compressed by {title}, which is not read. Decompress it, and have those "
            "to come compressed by gzip."
        )

    return refuse


#: Compressed files that would land as thousands of lines of nonsense if they were not known.
UNREAD_METHODS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"LZIP\x01": "lzip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
}

METHODS: tuple[tuple[bytes, Method], ...] = (
    (LZW_MAGIC, _unpack_lzw),
    (b"\x1f\x8b", _unpack_gzip),
    *((b"BZh%d1AY&SY" % level, _unpack_bzip2) for level in range(1, 10)),
    (b"\xfd7zXZ\0", _unpack_xz),
    (ZIP_MAGIC, _unpack_zip),
    (EMPTY_ZIP_MAGIC, _unpack_zip),
    *((magic, _refuse_method(title)) for magic, title in UNREAD_METHODS.items()),
)
LONGEST_MAGIC_BYTES = max(len(magic) for magic, _ in METHODS)
