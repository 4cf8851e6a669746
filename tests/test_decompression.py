"""Compressed files read as they were written, never fill a disk, and are never read in part."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from tollhouse.decompression import (
    MAXIMUM_BYTES,
    DecompressionError,
    decompressed,
    is_compressed,
    uncompressed_name,
    unpacked,
)
from tollhouse.decompression import (
    contents as files_in,
)

TEXT = b"ED5.2 a ticket of an OXE\n" * 8
BLOCK_MODE_16_BITS = 0x90
ENCRYPTED = 0x1


def lzw(text: bytes) -> bytes:
    """Compress without looking for repetitions: a code of nine bits a byte, lowest bit first."""
    codes = sum(byte << 9 * place for place, byte in enumerate(text))
    return (
        b"\x1f\x9d" + bytes([BLOCK_MODE_16_BITS]) + codes.to_bytes(len(text) * 9 // 8 + 1, "little")
    )


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def contents(data: bytes, name: str = "file", limit: int = MAXIMUM_BYTES) -> dict[str, bytes]:
    with unpacked(io.BytesIO(data), name, maximum_bytes=limit) as members:
        return {member.name: member.open().read() for member in members}


WAYS = {"Z": lzw, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
every_way = pytest.mark.parametrize(("suffix", "compress"), WAYS.items(), ids=WAYS)
Compress = Callable[[bytes], bytes]


def test_a_file_that_is_not_compressed_stays_the_same_stream() -> None:
    stream = io.BytesIO(b"ED5.2")
    assert decompressed(stream) is stream
    assert stream.read() == b"ED5.2"


@every_way
def test_a_compressed_file_reads_as_it_was_written(suffix: str, compress: Compress) -> None:
    data = compress(TEXT)
    assert is_compressed(data[:10])
    assert decompressed(io.BytesIO(data)).read() == TEXT
    assert contents(data, f"cdr_1.{suffix}") == {"cdr_1": TEXT}
    assert contents(data, "TAX.DAT") == {"TAX.DAT": TEXT}


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_parts_compressed_one_after_the_other_are_one_file(suffix: str) -> None:
    assert contents(WAYS[suffix](TEXT) * 3) == {"file": TEXT * 3}


@every_way
def test_content_beyond_the_bound_is_refused(suffix: str, compress: Compress) -> None:
    data = compress(TEXT)
    with pytest.raises(DecompressionError, match=f"more than {len(TEXT) - 1} bytes"):
        decompressed(io.BytesIO(data), maximum_bytes=len(TEXT) - 1)
    assert decompressed(io.BytesIO(data), maximum_bytes=len(TEXT)).read() == TEXT


def test_content_many_times_the_size_of_its_file_is_refused() -> None:
    bomb = gzip.compress(bytes(70 << 20))
    with pytest.raises(DecompressionError, match="more than 250 times its own size"):
        contents(bomb)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("missing_bytes", [1, 9, 30])
def test_a_file_that_was_cut_short_is_refused(suffix: str, missing_bytes: int) -> None:
    with pytest.raises(DecompressionError, match="damaged after"):
        contents(WAYS[suffix](TEXT)[:-missing_bytes])


def test_a_damaged_file_is_refused_with_what_gzip_says() -> None:
    with pytest.raises(DecompressionError, match=r"damaged after .* bytes .*corrupt"):
        decompressed(io.BytesIO(lzw(TEXT)[:100] + b"\xff" * 100))


def test_an_archive_gives_its_files_in_order_of_name_and_takes_names_for_labels() -> None:
    data = zipped(("../../etc/passwd", b"2"), ("folder/", b""), ("a/cdr_2", b"3"), ("/cdr_1", b"1"))
    assert list(contents(data).items()) == [
        ("../../etc/passwd", b"2"),
        ("/cdr_1", b"1"),
        ("a/cdr_2", b"3"),
    ]
    assert contents(zipped()) == {}


def test_an_archive_is_read_whole_or_not_at_all() -> None:
    data = zipped(("cdr_1", TEXT), ("cdr_2", TEXT[::-1]))
    damaged = bytearray(data)
    damaged[data.index(b"cdr_2") + 8] ^= 0xFF
    for broken in (data[:-1], data[: len(data) // 2], bytes(damaged)):
        with pytest.raises(DecompressionError, match="damaged after"):
            contents(broken)
    with pytest.raises(DecompressionError, match="more than"):
        contents(data, limit=2 * len(TEXT) - 1)


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(data: bytes) -> bytes:
    """Say of the only member that it is encrypted, where it begins and in the directory."""
    changed = bytearray(data)
    changed[data.index(b"PK\x03\x04") + 6] |= ENCRYPTED
    changed[data.index(b"PK\x01\x02") + 8] |= ENCRYPTED
    return bytes(changed)


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("cdr_1"))
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_cannot_be_tickets_is_refused_with_its_name() -> None:
    refused = {
        "'cdr_1.gz' in it is an archive itself": zipped(("cdr_1.gz", gzip.compress(TEXT))),
        "'file' in it is an archive itself": gzip.compress(tar()),
        "'cdr_1' in the archive is encrypted": encrypted(zipped(("cdr_1", TEXT))),
        "'cdr_1' in the archive is a link": zipped((link("cdr_1"), b"/etc/passwd")),
        r"'cdr\\n1' in the archive has a name": zipped(("cdr\n1", TEXT)),
        "two files of one name": zipped(("cdr_1", TEXT), ("cdr_1", TEXT)),
        "has a name of 3000 bytes": zipped(("é" * 1500, TEXT)),
        "compressed by zstd, which is not read": b"\x28\xb5\x2f\xfd" + TEXT,
        "compressed by 7-Zip, which is not read": b"7z\xbc\xaf\x27\x1c" + TEXT,
    }
    for reason, data in refused.items():
        with pytest.raises(DecompressionError, match=reason):
            contents(data)


def test_one_file_alone_can_be_asked_for() -> None:
    assert decompressed(io.BytesIO(zipped(("cdr_1", TEXT)))).read() == TEXT
    with pytest.raises(DecompressionError, match="holds 2 files"):
        decompressed(io.BytesIO(zipped(("cdr_1", TEXT), ("cdr_2", TEXT))))


def test_files_are_given_one_after_the_other_whether_compressed_or_not() -> None:
    for data, expected in {
        TEXT: [TEXT],
        gzip.compress(TEXT): [TEXT],
        zipped(("b", b"2"), ("a", TEXT)): [TEXT, b"2"],
    }.items():
        with files_in(io.BytesIO(data), "file") as streams:
            assert [stream.read() for stream in streams] == expected


def test_a_name_loses_the_suffix_of_its_compression_alone() -> None:
    names = {
        "a.gz": "a",
        "a.b.zip": "a.b",
        "TAX.DAT": "TAX.DAT",
        "a.Z": "a",
        "a.xz.old": "a.xz.old",
    }
    assert {name: uncompressed_name(name) for name in names} == names
