"""What is looked at of a file: a piece of its head, its middle and its tail, as text.

A file may be compressed, and may be larger than anything that could be read: what is read of it is
bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tollhouse.decompression import DecompressionError, contents
from tollhouse.layouts.drafting.encodings import Encoding, encoding_of

HEAD_BYTES = 1 << 20
#: Of the middle and of the tail; even, as a character of UTF-16 is.
PIECE_BYTES = 1 << 16
HEAD_LINES = 400
PIECE_LINES = 100
#: Files of one archive, and files at all: a sample is no more telling with more of them.
MOST_FILES = 20
#: A line beyond that is no ticket.
LONGEST_LINE = 16_384

LINE_END = re.compile(r"\r\n|\n|\r")
#: What ports and printers put around lines; layouts leave it out too.
AROUND_LINES = "".join(map(chr, (*range(9), *range(10, 32), 127, 0xFEFF)))
#: What ends records where no line ends.
OTHER_ENDS = "\x1e\x03\x04\x1d\x0c\x17"
#: Characters that tickets do not hold; some PBXs put others around each ticket.
BINARY = re.compile(r"[\x00-\x01\x05-\x08\x0e-\x1b\x7f�]")
MOST_BINARY_SHARE = 0.05
#: Files that are made large before they are filled.
UNFILLED = re.compile(r"\0{8,}")


class DraftError(Exception):
    """No draft can be made; the message says why."""


@dataclass(frozen=True)
class SampledFile:
    """What was read of a file.

    Attributes:
        name: of the file.
        text: its head.
        is_whole: whether that is all of it.
        lines: of head, middle and tail, those that were read to their end, blank ones left out.
        long_lines: how many were left out for their length.
    """

    name: str
    text: str
    is_whole: bool
    lines: tuple[str, ...]
    long_lines: int = 0


@dataclass(frozen=True)
class Sample:
    """What was read of all files.

    Attributes:
        record_separator: as a layout has it: ``newline``, or a character.
    """

    files: tuple[SampledFile, ...]
    encoding: Encoding
    record_separator: str = "newline"

    @property
    def lines(self) -> list[str]:
        """The lines of all files."""
        return [line for file in self.files for line in file.lines]


def sample_of(paths: Sequence[Path]) -> Sample:
    """Read a sample of files.

    Raises:
        DraftError: one is no file, cannot be read, or holds no text.
    """
    pieces = [read for path in paths for read in _pieces_of(path)][:MOST_FILES]
    if not pieces:
        raise DraftError(f"There is no file in {', '.join(map(str, paths))}.")
    encoding = encoding_of([head for _, head, *_ in pieces])
    texts = [(name, encoding.decode(head)) for name, head, *_ in pieces]
    for name, text in texts:
        _refuse_no_text(name, text)
    separator = _record_separator([text for _, text in texts])
    files = []
    for (name, text), (_, _, middle, tail, is_whole) in zip(texts, pieces, strict=True):
        lines = _lines(text, separator, is_cut_before=False, is_cut_behind=not is_whole)
        kept = list(islice(lines, HEAD_LINES))
        for piece, is_last in ((middle, False), (tail, True)):
            more = list(
                _lines(encoding.decode(piece), separator, is_cut_before=True,
                       is_cut_behind=not is_last)
            )  # fmt: skip
            kept += more[-PIECE_LINES:] if is_last else more[:PIECE_LINES]
        short = tuple(line for line in kept if len(line) <= LONGEST_LINE)
        files.append(SampledFile(name, text, is_whole, short, len(kept) - len(short)))
    return Sample(tuple(files), encoding, separator)


def _pieces_of(path: Path) -> Iterator[tuple[str, bytes, bytes, bytes, bool]]:
    """Yield head, middle and tail of what is in a file, and whether the head is all of it."""
    if not path.is_file():
        raise DraftError(f"{path} is no file that can be read.")
    try:
        with path.open("rb") as file, contents(file, path.name) as streams:
            for stream in islice(streams, MOST_FILES):
                yield (path.name, *_read_pieces(stream))
    except DecompressionError as error:
        raise DraftError(f"{path}: {error}") from error
    except OSError as error:
        raise DraftError(f"{path} cannot be read: {error.strerror}.") from error


def _read_pieces(stream: BinaryIO) -> tuple[bytes, bytes, bytes, bool]:
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        return head, b"", b"", True
    size_bytes = stream.seek(0, 2)
    left = size_bytes - HEAD_BYTES
    middle = tail = b""
    if left > 0:
        tail_start = max(HEAD_BYTES, size_bytes - PIECE_BYTES) & ~1
        middle_start = HEAD_BYTES + (tail_start - HEAD_BYTES) // 2 & ~1
        stream.seek(middle_start)
        middle = stream.read(min(PIECE_BYTES, tail_start - middle_start))
        stream.seek(tail_start)
        tail = stream.read(PIECE_BYTES)
    return head, middle, tail, left == 0


def _lines(text: str, separator: str, *, is_cut_before: bool, is_cut_behind: bool) -> Iterator[str]:
    """Yield the lines of a piece that are whole, without those that are blank."""
    lines = LINE_END.split(text) if separator == "newline" else text.split(separator)
    for line in lines[bool(is_cut_before) : len(lines) - bool(is_cut_behind)]:
        # NUL is what padding is made of; PostgreSQL has none in its texts.
        plain = line.strip(AROUND_LINES).replace("\0", " ")
        if plain.strip():
            yield plain


def _record_separator(texts: Sequence[str]) -> str:
    text = "".join(text[:HEAD_BYTES] for text in texts)
    if LINE_END.search(text):
        return "newline"
    counts = {sign: text.count(sign) for sign in OTHER_ENDS}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] > 1 else "newline"


def _refuse_no_text(name: str, text: str) -> None:
    stripped = text.strip("\0 \t\r\n\f")
    if not stripped:
        what = "is empty" if not text else "holds nothing but blanks"
        raise DraftError(f"{name} {what}: a draft needs some tickets to look at.")
    filled = UNFILLED.sub("", text)
    if len(BINARY.findall(filled)) > MOST_BINARY_SHARE * len(filled):
        raise DraftError(
            f"{name} is no text that can be read as tickets: too many of its characters are "
            "control characters. If it is a file of the PBX's own making (a database, an image, "
            "an encrypted archive), ask the PBX for an export as text."
        )
    if len(stripped) > 1 and stripped == stripped[0] * len(stripped):
        raise DraftError(f"{name} holds nothing but the character {stripped[0]!r}, repeated.")
