"""Regular expressions of layouts mean in PostgreSQL what they mean in Python."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import psycopg
import pytest

from tollhouse.layouts import patterns

#: A pattern, and for each text whether it is found in it. Digits, words and blanks are those of
#: ASCII, as in PostgreSQL's own classes of this subset.
EXAMPLES: dict[str, dict[str, bool]] = {
    r"[]-]": {"]": True, "-": True, "[": False},
    r"[^]]": {"]": False, "a": True},
    r"[^\n]": {"\n": False, "a": True},
    r".": {"\n": False, "\r": True, "😀": True},
    r"[\]\\^-]": {"]": True, "\\": True, "^": True, "-": True, "[": False},
    r"[a\-z]": {"b": False, "-": True},
    r"[\w.-]+@": {"a.b-c@": True, "é@": False},
    r"^\d{3}$": {"123": True, "1234": False, "12٣": False},
    r"\s\S\D\W": {" aa-": True, "\taa ": True, " a1-": False},
    r"^(?:a|b|)c$": {"c": True, "ac": True, "abc": False},
    r"(^a|b$)": {"ax": True, "xb": True, "xa": False, "bx": False},
    r"x(^a)": {"xa": False},
    r"a\.b\*c\(\[": {"a.b*c([": True, "aXb*c([": False},
    r"^😀{2}$": {"😀😀": True, "😀": False},
    r"[😀-😂]": {"😁": True, "😃": False},
    r"[^😀]": {"😀": False, "x": True},
    r"[à-ü]\x41\u0042\t": {"éAB\t": True},
    r"^a{0}b{2,}c{,2}$": {"bb": True, "bbbcc": True, "b": False, "bbccc": False},
    r"^.{255}$": {"x" * 255: True, "x" * 256: False},
    r"\A\d+\Z": {"1": True, "1a": False},
    r"'--{{}}%\\": {"'--{{}}%\\": True},
}  # fmt: skip

REFUSED = {
    "(": "no regular expression", "a{2,1}": "no regular expression",
    "(?=a)": "look-around", "(?<!a)b": "look-around", r"(a)\1": "back-references",
    "(?P<a>x)(?P=a)": "back-references", r"\bword": "does not know|do not know",
    "a*?": "lazy", "a++": "possessive", "(?>a)": "possessive", "(?i)a": "flags",
    "(?i:a)": "flags", "a{256}": "255 times", "a{0,1000}": "255 times", "(?:^)*": "no width",
    "(?:)+": "no width", "(?:$)*": "no width", "(?:a?){2}": "may be nothing",
    "(?:a*|b){1,9}": "may be nothing", r"[\D\s]": "among others", r"[a\W]": "among others",
    "\\0": "NUL", "[\0a]": "NUL", "(?:(?:.{0,255}){1,255}){1,9}": "too large|may be nothing",
    "(?:.{1,255}){1,255}": "too large", "(" * 30 + "a" + ")" * 30: "too deep",
    "(a)(?(1)b|c)": "groupref_exists", "a" * 3_000: "too large",
    "\ud800": "surrogate",
}  # fmt: skip

RANDOM_PATTERNS = 1_500
PARTS = [
    *"ab0 ;-", r"\.", r"\d", r"\w", r"\s", ".", "[a-c]", "[^a]", "[^0-9;]", "[]-]", r"[\w.]", "é",
    "😀", "[😀-😂]",
    r"[^\n]", r"\D", r"[\s-]", r"\S", r"\W", r"\t", "[à-ü]", "[^]]", "[+*?]", r"\\",
]  # fmt: skip
REPETITIONS = ["*", "+", "?", "{2}", "{0,3}", "{1,20}", "{3,}", "{0}"]
SIGNS = list("ab0 ;-.é😀]\\+xYZ_\t:")


def random_pattern(draw: random.Random, depth: int = 0) -> str:
    parts: list[str] = []
    for _ in range(draw.randint(1, 3)):
        kind = draw.random()
        if depth < 2 and kind < 0.3:
            branches = [random_pattern(draw, depth + 1) for _ in range(draw.choice([1, 1, 2, 3]))]
            opening = draw.choice(["(", "(?:", f"(?P<n{draw.randrange(10**9)}>"])
            parts.append(f"{opening}{'|'.join(branches)})")
        else:
            parts.append(draw.choice("^$") if kind < 0.36 else draw.choice(PARTS))
        if draw.random() < 0.35:
            parts[-1] += draw.choice(REPETITIONS)
    return "".join(parts)


def accepted(draw: random.Random, count: int) -> Iterator[tuple[str, patterns.Pattern]]:
    while count:
        pattern = random_pattern(draw)
        try:
            checked = patterns.checked(pattern)
        except ValueError:
            continue
        yield pattern, checked
        count -= 1


@pytest.mark.postgres
def test_edge_cases_mean_the_same_in_postgresql(connection: psycopg.Connection) -> None:
    cases = [
        (pattern, text, found)
        for pattern, texts in EXAMPLES.items()
        for text, found in texts.items()
    ]
    expressions = [patterns.checked(pattern).expression for pattern, _, _ in cases]
    rows = connection.execute(
        "select text ~ expression from unnest(%s::text[], %s::text[]) with ordinality"
        " as cases (text, expression, place) order by place",
        [[text for _, text, _ in cases], expressions],
    ).fetchall()

    for (pattern, text, found), (is_found,) in zip(cases, rows, strict=True):
        assert is_found is found, (pattern, text)
        assert (re.search(pattern, text, re.ASCII) is not None) is found, (pattern, text)


@pytest.mark.postgres
def test_random_patterns_mean_the_same_in_postgresql(connection: psycopg.Connection) -> None:
    draw = random.Random(20261122)
    cases = [
        (pattern, checked.expression, "".join(draw.choices(SIGNS, k=draw.choice([0, 1, 3, 6, 9]))))
        for pattern, checked in accepted(draw, RANDOM_PATTERNS)
    ]
    rows = connection.execute(
        "select text ~ expression, regexp_match(text, '^(?:' || expression || ')$') is not null"
        " from unnest(%s::text[], %s::text[]) with ordinality as cases (text, expression, place)"
        " order by place",
        [[text for _, _, text in cases], [expression for _, expression, _ in cases]],
    ).fetchall()

    found = 0
    for (pattern, _, text), (is_found, is_whole) in zip(cases, rows, strict=True):
        python = re.compile(pattern, re.ASCII)
        assert is_found == (python.search(text) is not None), (pattern, text)
        assert is_whole == (python.fullmatch(text) is not None), (pattern, text)
        found += is_found
    assert RANDOM_PATTERNS / 20 < found < RANDOM_PATTERNS


@pytest.mark.postgres
def test_named_groups_hold_what_python_puts_into_them(connection: psycopg.Connection) -> None:
    pattern = r"(?P<day>\d+)/(?P<month>\d+)( at | )(?P<clock>[\d:]+)(?:;(?P<rest>[^;]*))?;?"
    checked = patterns.checked(pattern)
    for text in ("31/12 at 10:00;x;", "1/1 9:00", "1/1 9:00;"):
        row = connection.execute(
            "select regexp_match(%s, %s)", [text, f"^(?:{checked.expression})$"]
        ).fetchone()
        match = re.fullmatch(pattern, text)
        assert row is not None
        assert match is not None
        assert dict(zip(checked.group_names, row[0], strict=True)) == match.groupdict()


@pytest.mark.parametrize(("pattern", "words"), REFUSED.items())
def test_what_postgresql_has_not_or_means_otherwise_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        patterns.checked(pattern)


def test_expressions_never_hold_a_mark_of_sql_or_jinja() -> None:
    draw = random.Random(7)
    expressions = [checked.expression for _, checked in accepted(draw, 2_000)]
    expressions += [
        patterns.checked(re.escape(text)).expression for text in ("'", "{{", "{%", "--")
    ]

    for expression in expressions:
        assert not re.search(r"['\";\n]|\{[{%#]|[}%#]\}|--", expression), expression
