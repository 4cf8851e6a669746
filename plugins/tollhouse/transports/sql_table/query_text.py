"""What can be seen of a query before a server is asked: is it one that can be read page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<comment> --[ \t].*? (?:\n|$) | \#.*? (?:\n|$) | /\*.*?\*/ )
    | (?P<text> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" )
    | (?P<name> `(?:[^`]|``)+` )
    | (?P<word> @?[\w$]+ )
    | (?P<sign> [(),.;] )
    """,
    re.VERBOSE | re.DOTALL,
)

#: Words that a query must not have outside parentheses, and why.
UNWANTED = {
    "order": "it must have no ORDER BY: rows are put in order of the key, page by page",
    "limit": "it must have no LIMIT: page_rows says how many rows are asked for",
    "into": "it must only read, without INTO",
    "for": "it must only read, without FOR UPDATE",
    "lock": "it must only read, without LOCK IN SHARE MODE",
}

#: What ends a list of tables.
_AFTER_TABLES = {"where", "group", "having", "union", "select"}


class _Token(NamedTuple):
    kind: str
    text: str
    depth: int


def fault_of(query: str) -> str | None:
    """Say what keeps a query from being read page by page; None if nothing is seen."""
    tokens = list(_tokens(query))
    if not tokens or tokens[0].text.lower() != "select":
        return "it must begin with SELECT"
    for token in tokens:
        if token.text == ";" and token.kind == "sign":
            return "it must be one statement, without a semicolon"
        if token.kind == "word" and token.depth == 0 and token.text.lower() in UNWANTED:
            return UNWANTED[token.text.lower()]
    return None


def uses_idlast(query: str) -> bool:
    """Whether the query asks for what comes after ``@IDLAST`` itself."""
    return any(token.text.lower() == "@idlast" for token in _tokens(query))


def tables_of(query: str) -> list[str]:
    """Return the tables that a query names, as it quotes them, in order of appearance."""
    found: list[str] = []
    #: The parentheses, by their depth, whose list of tables goes on.
    listing: set[int] = set()
    is_expected = is_named = False
    for token in _tokens(query):
        word = token.text.lower() if token.kind == "word" else ""
        if word in {"from", "join"}:
            listing.add(token.depth)
            is_expected = True
        elif word in _AFTER_TABLES:
            listing.discard(token.depth)
            is_expected = False
        elif token.text == "," and token.depth in listing:
            is_expected = True
        elif token.text == "." and is_named:
            # What was taken for the table is its database.
            found[-1] += "."
            continue
        elif token.kind in {"word", "name"} and found and found[-1].endswith("."):
            found[-1] += token.text
        elif token.kind in {"word", "name"} and is_expected:
            found.append(token.text)
            is_expected, is_named = False, True
            continue
        elif token.text == ")":
            listing.discard(token.depth + 1)
        is_named = False
    return list(dict.fromkeys(found))


def _tokens(query: str) -> Iterator[_Token]:
    depth = 0
    for match in _TOKEN.finditer(query):
        kind = str(match.lastgroup)
        if kind == "comment":
            continue
        if match.group() == ")":
            depth -= 1
        yield _Token(kind, match.group(), depth)
        if match.group() == "(":
            depth += 1
