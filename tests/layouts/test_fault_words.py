"""Faults of a layout: the line, the key, what is wrong, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.layouts.declared import CARRIER
from tollhouse.layouts.reading import LayoutError, read_layout

LINES = CARRIER.splitlines()
SEPARATOR, SECONDS, DIRECTION = (
    next(number for number, line in enumerate(LINES, start=1) if part in line)
    for part in ("separator", "talk_seconds", "direction")
)


def fault_of(folder: Path, text: str) -> str:
    path = folder / "carrier.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LayoutError) as raised:
        read_layout(path)
    (fault,) = raised.value.faults
    return str(fault)


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        (2, "confirmed: perhaps", "confirmed: must be true or false (found 'perhaps')"),
        (
            SEPARATOR,
            "  seperator: ;",
            "tickets.seperator: is no key that is known here; is separator meant? known are "
            "encoding, ignore, skip_lines, record_separator, kind, separator, quote, header, "
            "fields",
        ),
        (
            SEPARATOR,
            "  skip_lines: -1",
            "tickets.skip_lines: must be greater than or equal to 0 (found '-1')",
        ),
        (SEPARATOR, "  ignore: TOTAL", "tickets.ignore: must be a list (found 'TOTAL')"),
        (
            SEPARATOR,
            "  skip_lines: few",
            "tickets.skip_lines: must be a whole number (found 'few')",
        ),
        (
            4,
            "  kind: csv",
            "tickets.kind: must be one of 'delimited', 'fixed', 'pattern', 'xml', 'json' (found "
            "'csv')",
        ),
        (
            SECONDS,
            "  talk_seconds: {from: seconds, format: fortnights}",
            "columns.talk_seconds.format: must be 'seconds', 'milliseconds', 'minutes', "
            "'hh:mm:ss', 'mm:ss' or \"m'ss\" (found 'fortnights')",
        ),
        (
            DIRECTION,
            "  direction: {cases: [{when: {feild: note, is: x}, value: outgoing}]}",
            "columns.direction.cases.0.when.feild: is no key that is known here; is field meant? "
            "known are field, column, is, is_not, empty, starts_with, matches, above, below, all, "
            "any, none",
        ),
    ],
)
def test_a_fault_says_where_it_is_and_what_is_allowed(
    tmp_path: Path, line: int, instead: str, said: str
) -> None:
    text = "\n".join([*LINES[: line - 1], instead, *LINES[line:]])
    assert fault_of(tmp_path, text) == f"line {line}, {said}"


def test_faults_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "carrier.yml"
    path.write_text(CARRIER.replace("direction:", "directoin:").replace("true", "maybe"))
    with pytest.raises(LayoutError) as raised:
        read_layout(path)
    lines = [fault.line for fault in raised.value.faults]
    assert len(lines) > 1
    assert lines == sorted(lines)


def test_a_key_like_no_other_is_said_without_a_guess(tmp_path: Path) -> None:
    assert "is no key that is known here; known are title, model, confirmed" in fault_of(
        tmp_path, f"{CARRIER}zzz: 1\n"
    )
