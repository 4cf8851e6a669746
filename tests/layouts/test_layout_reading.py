"""A layout's file is read, or refused with the line, the key, what is wrong and what is allowed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.layouts.declared import CARRIER, declare
from tollhouse.layouts.reading import LayoutError, LayoutFault, read_layout

#: What is changed in the layout of a carrier; the line and the key at fault, and words of it.
FAULTS: list[tuple[str, str, int, str, str]] = [
    ("title: A carrier of the tests\n", "", 1, "title", "is missing"),
    ("confirmed: true", "confirmed: perhaps", 2, "confirmed", "must be true or false"),
    ("confirmed: true", "confirmed: true\nguides: x", 3, "guides", "no key that is known"),
    ("kind: delimited", "kind: csv", 4, "tickets.kind", "'delimited', 'fixed', 'pattern'"),
    ("  kind: delimited\n", "", 3, "tickets", "is missing the key `kind`"),
    ('separator: ";"', "separator: semicolon", 5, "tickets.separator", "one character such as"),
    ('separator: ";"', "seperator: x", 5, "tickets.seperator", "no key that is known"),
    ("called, note]", "called, called]", 3, "tickets", "'called' is there twice"),
    ("called, note]", "note]", 15, "columns.called_number", "'called' is read but not among"),
    (
        "called, note]\n", "called, note]\n  ignore: [{field: remark, is: x}]\n", 7,
        "tickets.ignore.0", "'remark' is read but not among",
    ),
    ("fields: [reference", "field: [reference", 6, "tickets.field", "no key that is known"),
    ("format: seconds", "format: fortnights", 12, "columns.talk_seconds.format", "'hh:mm:ss'"),
    ("yyyy-MM-dd HH:mm:ss", "YYYY-MM-DD", 11, "columns.started_at.format", "known are yyyy"),
    ("yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd", 11, "columns.started_at.format", "an hour"),
    ("zone: utc", "zone: Paris", 11, "columns.started_at.zone", "Europe/Paris"),
    ("{value: outgoing}", "{value: out}", 13, "columns.direction", "outgoing, incoming, internal"),
    ("{value: outgoing}", "note", 13, "columns.direction", "direction needs `lookup`"),
    ("{value: outgoing}", "{}", 13, "columns.direction", "comes from nowhere"),
    ("{value: outgoing}", "{from: note, value: x}", 13, "columns.direction", "stands without"),
    ("  called_number: called\n", "", 1, "", "maps these columns too: called_number"),
    ("  caller_number: caller\n", "", 1, "", "caller_number or extension"),
    ("called_number: called\n", "called_numbers: called\n", 15, "columns.called_numbers", "no key"),
    (
        "called_number: called\n", "called_number: called\n  called_number: caller\n", 16,
        "columns.called_number", "is there twice",
    ),
    (
        "called_number: called\n", "called_number: {from: called, extract: '[0-9]+'}\n", 15,
        "columns.called_number.extract", "has not one group",
    ),
    (
        "called_number: called\n", "called_number: {from: called, extract: '(?=x)'}\n", 15,
        "columns.called_number.extract", "look-around",
    ),
    (
        "called_number: called\n", 'called_number: {from: called, before: "a\\0"}\n', 15,
        "columns.called_number.before", "no ticket can have",
    ),
    (
        "called_number: called\n", 'called_number: {from: called, lookup: {"\\ud800": x}}\n', 15,
        "columns.called_number.lookup", "no ticket can have|surrogate|unicode|utf-8",
    ),
    (
        "called_number: called\n", "called_number: called\n  pbx_charge_amount: note\n", 16,
        "columns.pbx_charge_amount", "come together",
    ),
    (
        "called_number: called\n",
        "called_number: {cases: [{when: {field: note, is: x, empty: true}, value: y}]}\n", 15,
        "columns.called_number.cases.0.when", "has one of is, is_not",
    ),
    (
        "called_number: called\n", "called_number: called\n  pulses: {from: note, divide_by: 7}\n",
        16,
        "columns.pulses.divide_by", "1, 10, 100",
    ),
    (
        "called, note]\n", "called, note]\n  ignore: [{all: []}]\n", 7, "tickets.ignore.0.all",
        "must not be empty",
    ),
    (
        "format: seconds}", "format: seconds, join: x}", 12, "columns.talk_seconds.join",
        "no effect here: it stands between the texts",
    ),
    (
        "{from: seconds, format: seconds}", "{value: 5, minus: note}", 12,
        "columns.talk_seconds.minus", "no effect here: no field is read",
    ),
    (
        "{value: outgoing}", "{value: outgoing, empty_when: x}", 13,
        "columns.direction.empty_when", "no effect here",
    ),
    (
        "{value: outgoing}", "{value: outgoing, lookup: {x: incoming}}", 13,
        "columns.direction.lookup", "no effect here: constants stay as they are",
    ),
    ("tickets:\n", "tickets: &a\n", 0, "", ""),
    ("title: A", "layout_id: x\ntitle: A", 1, "layout_id", "is the name of the file"),
    ("title: A carrier", "title: [A carrier", 2, "", "is not YAML"),
    ("title: A", "? [a, b]\n: x\ntitle: A", 1, "", "a key is a text"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "key", "words"), FAULTS)
def test_a_fault_names_its_line_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: int, key: str, words: str
) -> None:
    assert CARRIER.count(old) == 1
    path = declare(tmp_path, carrier=CARRIER.replace(old, new)) / "carrier.yml"
    if not line:
        assert read_layout(path).layout_id == "carrier"
        return

    with pytest.raises(LayoutError) as raised:
        read_layout(path)

    faults = [(fault.line, fault.key) for fault in raised.value.faults]
    assert (line, key) in faults, raised.value
    assert re.search(words, str(raised.value)), raised.value
    assert str(path) in str(raised.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = CARRIER.replace("format: seconds", "format: hours").replace("zone: utc", "zone: moon")
    path = (
        declare(tmp_path, carrier=text.replace("confirmed: true", "confirmed: 7")) / "carrier.yml"
    )

    with pytest.raises(LayoutError) as raised:
        read_layout(path)

    assert {fault.key for fault in raised.value.faults} == {
        "confirmed", "columns.talk_seconds.format", "columns.started_at.zone",
    }  # fmt: skip
    assert "(found 'moon')" in str(raised.value)


def test_values_are_text_as_they_are_written(tmp_path: Path) -> None:
    text = CARRIER.replace(
        "direction: {value: outgoing}",
        "direction: {from: note, lookup: {NO: outgoing, 0044: incoming, null: internal}}",
    )
    layout = read_layout(declare(tmp_path, carrier=text) / "carrier.yml")

    assert layout.columns.direction is not None
    assert list(layout.columns.direction.lookup) == ["NO", "0044", "null"]


def test_a_layout_is_not_confirmed_until_it_says_so(tmp_path: Path) -> None:
    text = CARRIER.replace("confirmed: true\n", "").replace("  called_number: called\n", "")
    layout = read_layout(declare(tmp_path, carrier=text) / "carrier.yml")

    assert layout.confirmed is False
    assert layout.columns.missing() == ["called_number"]
    assert layout.unmapped_fields() == ["called", "note"]


#: Lists that hold the one before them ten times.
MANIFOLD = "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected keys and values"),
        (b"- a\n- b\n", "expected keys and values"),
        (b"title: \xff\n", "line 1, the layout: is not UTF-8"),
        (b"a: &x [*x]\n", "is not YAML|is there twice|too deep"),
        (b"a: " + b"[" * 5_000, "too deep|is not YAML"),
        (b"a: " + b"{b: " * 60 + b"x" + b"}" * 60, "too deep"),
        (b"x" * 600_000, "larger than"),
        (b"a0: &a0 [x]\n" + MANIFOLD, "aliases repeat"),
        (b"a: &a [1,2]\nb: *a\n", "is there twice|no key"),
        (b"title: !!python/object:os.system x\n", "is missing"),
    ],
)
def test_what_is_no_layout_at_all_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "broken.yml"
    path.write_bytes(data)

    with pytest.raises(LayoutError, match=words):
        read_layout(path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "device.yml").symlink_to("/dev/zero")

    for name in ("pipe.yml", "device.yml"):
        with pytest.raises(LayoutError, match="cannot be read: it is no file"):
            read_layout(tmp_path / name)


def test_the_name_of_the_file_is_the_id(tmp_path: Path) -> None:
    folder = declare(tmp_path, **{"Carrier-1": CARRIER})

    with pytest.raises(LayoutError, match="small letters, digits and _"):
        read_layout(folder / "Carrier-1.yml")
    with pytest.raises(LayoutError, match="cannot be read: No such file"):
        read_layout(folder / "absent.yml")


def test_a_fault_says_where_and_what_on_one_line() -> None:
    fault = LayoutFault(7, "columns.pulses", "is no number", "'x'")

    assert str(fault) == "line 7, columns.pulses: is no number (found 'x')"
    assert str(LayoutFault(1, "", "is not UTF-8")) == "line 1, the layout: is not UTF-8"
