"""Which characters the documents can print: PDF/A refuses a glyph that no font has.

Documents use DejaVu from the system. A character that it lacks (rare scripts, new emoji) prints as
U+FFFD, and control characters, those that turn the direction of text included, are left out: names
come from tickets and files (I16).
"""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from functools import lru_cache

FONTS = ("DejaVu Sans", "DejaVu Sans Mono")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class FontMissingError(Exception):
    """A font of the documents is not installed; the message says what to install."""


@lru_cache(maxsize=1)
def known_characters() -> frozenset[int]:
    """Return the code points that the fonts of the documents have; one stands in for the other.

    Raises:
        FontMissingError: a DejaVu font is absent.
    """
    # Slow to import, wanted by rendering only; it carries no types.
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    known: list[frozenset[int]] = []
    for name in FONTS:
        with TTFont(_font_file(name), lazy=True) as font:
            known.append(frozenset(font.getBestCmap()))
    return frozenset.union(*known)


def _font_file(name: str) -> str:
    program = shutil.which("fc-match")
    answer = ""
    if program is not None:
        answer = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [program, "--format=%{family}\t%{file}", name],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    family, _, path = answer.partition("\t")
    if "DejaVu" not in family:
        raise FontMissingError(
            f"The font {name} is not installed: apt-get install fonts-dejavu-core fontconfig"
        )
    return path


def printable(text: str) -> str:
    """Return the text with what cannot be printed replaced or left out; line feeds stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable_character(character) for character in text)


@lru_cache(maxsize=4096)
def _printable_character(character: str) -> str:
    if character == "\n":
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return ""
    return character if ord(character) in known_characters() else REPLACEMENT
