"""Which encoding a sample is in, of those that a layout can name, and what speaks for it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Encodings of one byte a character; of those that read a sample alike the first is taken.
ONE_BYTE = ("windows-1252", "iso-8859-15", "cp850", "cp437")
#: Letters of Western Europe, and signs that stand in names, numbers and prices.
EXPECTED = re.compile(r"[À-ÖØ-öø-ÿŒœŠšŽžŸ€°£ªº§²³«»\u2013\u2019\xa0]")
LETTERS_AROUND = re.compile(r"(?<=[A-Za-z])[À-ÖØ-öø-ÿŒœŠšŽž]|[À-ÖØ-öø-ÿŒœŠšŽž](?=[A-Za-z])")
HIGH = re.compile(rb"[\x80-\xff]")
#: A file of UTF-8 may have a few bytes that were damaged on the way.
MOST_DAMAGED_SHARE = 0.1


@dataclass(frozen=True)
class Encoding:
    """An encoding and why it was taken.

    Attributes:
        name: as a layout has it.
        reason: what speaks for it.
        doubt: what speaks against it; None where nothing does.
        codec: as Python has it.
    """

    name: str
    reason: str
    doubt: str | None = None
    codec: str = ""

    def decode(self, data: bytes) -> str:
        """Return the text; bytes that are none are replaced."""
        text = data.decode(self.codec or self.name, "replace")
        return text.removeprefix("\ufeff")


def encoding_of(heads: Sequence[bytes]) -> Encoding:
    """Return the encoding that a sample is read in."""
    data = b"\n".join(heads)
    first = next((head for head in heads if head), b"")
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if first.startswith(mark):
            return Encoding("utf-16", "its byte order mark says so", codec=codec)
    if unmarked := _utf_16_without_mark(first):
        return unmarked
    high_bytes = len(HIGH.findall(data))
    if not high_bytes:
        return Encoding("utf-8", "the sample is plain ASCII, which UTF-8 holds unchanged")
    damaged = _bytes_that_are_not_utf_8(heads)
    if damaged <= MOST_DAMAGED_SHARE * high_bytes:
        doubt = f"{damaged} bytes are not UTF-8" if damaged else None
        return Encoding("utf-8", "what is not ASCII is valid UTF-8", doubt)
    return _one_byte(data)


def _utf_16_without_mark(head: bytes) -> Encoding | None:
    start = head[:2000]
    for place, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(start) > 3 and start[place::2].count(0) > 0.8 * (len(start) // 2):
            doubt = "it has no byte order mark: check that the tickets below are readable"
            return Encoding("utf-16", "every second byte is zero", doubt, codec)
    return None


def _bytes_that_are_not_utf_8(heads: Sequence[bytes]) -> int:
    count = 0
    for head in heads:
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        # What is cut at the end of the piece is no damage.
        text = decoder.decode(head, final=False)
        count += sum("\udc80" <= sign <= "\udcff" for sign in text)
    return count


def _one_byte(data: bytes) -> Encoding:
    scores: dict[str, tuple[int, int]] = {}
    texts: dict[str, str] = {}
    for name in ONE_BYTE:
        text = data.decode(name, "replace")
        texts[name] = "".join(sign for sign in text if ord(sign) > 127)
        scores[name] = (
            len(EXPECTED.findall(text)) - 2 * text.count("�"),
            len(LETTERS_AROUND.findall(text)),
        )
    best = max(ONE_BYTE, key=lambda name: scores[name])
    alike = [name for name in ONE_BYTE if name != best and texts[name] == texts[best]]
    reason = "it is no UTF-8, and gives letters where letters are expected"
    if alike:
        return Encoding(best, f"{reason}; {', '.join(alike)} read the sample alike")
    doubt = "encodings of one byte a character can only be told apart by reading: check names"
    return Encoding(best, reason, doubt)
