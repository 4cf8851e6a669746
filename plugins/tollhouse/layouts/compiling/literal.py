r"""Texts of a layout in SQL: the only way that they get there.

Whatever a layout says stands between quotation marks, and of everything but the plainest signs
only the code point: ``E'\u0027'``. So no quotation mark, backslash, brace, percent sign, comment or
line end of a layout is seen by PostgreSQL's parser, or by Jinja before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

#: Signs of a regular expression that may stand as they are: those of ``patterns``, and no mark.
PLAIN_EXPRESSION = re.compile(r"(?!.*(?:\{[{%#]|[}%#]\}))[A-Za-z0-9 _./:,\\()\[\]{}?*+^$|-]*")
PLAIN = re.compile(r"[A-Za-z0-9 _./:,-]*")


def literal(text: str) -> str:
    """Return a text as a constant of SQL.

    Raises:
        ValueError: no text of PostgreSQL can hold it (NUL, half a surrogate pair).
    """
    if PLAIN.fullmatch(text):
        return f"'{text}'"
    return "E'" + "".join(map(_sign, text)) + "'"


def _sign(sign: str) -> str:
    number = ord(sign)
    if not number or 0xD800 <= number <= 0xDFFF:
        raise ValueError(f"{sign!r} is no character that a ticket can have")
    if PLAIN.fullmatch(sign):
        return sign
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def expression_literal(expression: str) -> str:
    """Return a regular expression, as ``patterns`` writes it, as a constant of SQL."""
    return f"'{expression}'" if PLAIN_EXPRESSION.fullmatch(expression) else literal(expression)


def literals(texts: Iterable[str]) -> str:
    """Return texts as constants of SQL with commas between them."""
    return ", ".join(map(literal, texts))


def array_literal(texts: Iterable[str]) -> str:
    """Return texts as an array of SQL."""
    return f"array[{literals(texts)}]::text[]"


def number(value: float) -> str:
    """Return a number as a constant of SQL, exactly as it was written."""
    return f"{Decimal(repr(value)):f}"
