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
_AFTER_TABLES = {"where", "group", "having", "on", "using", "union", "select"}


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
    found: dict[str, None] = {}
    is_expected = is_listed = False
    name = ""
    for token in _tokens(query):
        word = token.text.lower() if token.kind == "word" else ""
        if word in {"from", "join"}:
            is_expected = is_listed = True
        elif word in _AFTER_TABLES:
            is_expected = is_listed = False
        elif token.text == "," and is_listed:
            is_expected = True
        elif is_expected and token.kind in {"word", "name"}:
            name = token.text
            found[name] = None
            is_expected = False
        elif token.text == "." and name:
            # schema.table: the word before was the schema.
            found.pop(name, None)
            name += "."
            continue
        elif name.endswith("."):
            name += token.text
            found[name] = None
        else:
            name = ""
    return list(found)


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
