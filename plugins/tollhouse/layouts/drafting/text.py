"""Texts of a sample as people can read them in a comment or a terminal: one line, cut."""

from __future__ import annotations

LONGEST_SHOWN = 40


def shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Return a text between quotation marks, what cannot be printed escaped, and cut."""
    written = "".join(_printable(sign) for sign in text[: longest + 1])
    cut = f"{written[:longest]}…" if len(written) > longest else written
    return f'"{cut}"'


def printable(text: str) -> str:
    """Return a text of which every character can be printed and takes one column."""
    return "".join(sign if sign.isprintable() else "·" for sign in text)


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: 1 line, 2 lines."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def of(part: int, whole: int, noun: str = "value") -> str:
    """Return a share in words: 12 of 12 values."""
    return f"{part} of {whole} {noun}{'' if whole == 1 else 's'}"


def _printable(sign: str) -> str:
    if sign == "\t":
        return "\\t"
    return sign if sign.isprintable() else f"\\x{ord(sign):02x}"
