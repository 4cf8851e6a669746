"""Formats of instants are taken apart, or refused with what is wrong and what is allowed."""

from __future__ import annotations

import pytest

from tollhouse.layouts.time_formats import WORDS, is_zone, parsed

REFUSED = {
    "": "a day",
    "dd/MM/yyyy": "an hour",
    "HH:mm:ss": "a day",
    "dd/yyyy HH:mm": "a month",
    "dd/MM/yyyy HH:ss": "minutes",
    "dd/MM/MM HH:mm": "twice",
    "dd/MM MMM HH:mm": "a month",
    "dd/MM/yyyy yy HH:mm": "year twice",
    "dd/MM/yyyy hh:mm": "come together",
    "dd/MM/yyyy HH:mm a": "come together",
    "dd/MM/yyyy HH:hh:mm a": "an hour",
    "dd/MM/yyyy HH:mm.SSS": "without seconds",
    "DD/MM/YYYY HH:MM": "'DD'; known are yyyy",
    "dd/MM/yyyyHHmm": None,
    "d/MMyyyyHHmm": None,
    "dM/yyyy HH:mm": "a sign must stand between it and 'M'",
    "dd/MM/yyyy Hmm": "a sign must stand between",
    "dd/MM/yyyy 'at HH:mm": "does not close it",
    "dd/MM/yyyy 'at'''' HH:mm'": "does not close it|an hour",
    "dddd/MM/yyyy HH:mm": "'dddd'",
    "iso 8601": "'i'",
    "dd/MM/yyyy HH:mm " + "x" * 60: "at most 60 characters",
    "dd/MM/yyyy T HH:mm": "between quotation marks",
}


def test_parts_are_known_by_their_letters_and_the_rest_is_literal() -> None:
    kinds = [(part.kind, part.letters) for part in parsed("dd MMM yy 'at' h:mm''ss a").parts]

    assert kinds == [
        ("day", "dd"), ("literal", " "), ("month_name", "MMM"), ("literal", " "),
        ("short_year", "yy"), ("literal", " "), ("literal", "at"), ("literal", " "),
        ("half_day_hour", "h"), ("literal", ":"), ("minute", "mm"), ("literal", "'"),
        ("second", "ss"), ("literal", " "), ("half_day", "a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("dd/MM HH'h'mm", ["/", " ", "h"]),
        ("dd/MM HH''mm", ["/", " ", "'"]),
        ("dd/MM HH'o''clock'mm", ["/", " ", "o'clock"]),
        ("dd/MM HH''''mm", ["/", " ", "'"]),
        ("dd/MM'{{ 1/0 }}'HH:mm", ["/", "{{ 1/0 }}", ":"]),
        ("dd年MM HH:mm", ["年", " ", ":"]),
    ],
)
def test_two_quotation_marks_stand_for_one(text: str, literals: list[str]) -> None:
    assert [part.letters for part in parsed(text).parts if part.kind == "literal"] == literals


def test_words_stand_for_whole_formats() -> None:
    assert [(parsed(word).word, parsed(word).parts) for word in WORDS] == [
        (word, ()) for word in WORDS
    ]
    assert parsed("epoch_seconds").has_offset
    assert not parsed("iso8601").has_offset
    assert parsed("dd/MM/yyyy HH:mm:ssZ").has_offset


def test_a_format_tells_what_it_leaves_out() -> None:
    assert not parsed("dd/MM HH:mm:ss").has_year
    assert parsed("dd/MM/yy HH:mm:ss").has_year
    assert not parsed("dd/MM/yyyy HH:mm").has_seconds
    assert parsed("epoch_milliseconds").has_seconds


@pytest.mark.parametrize(("text", "words"), REFUSED.items())
def test_what_is_no_format_is_refused_with_what_is_allowed(text: str, words: str | None) -> None:
    if words is None:
        assert parsed(text).parts
        return
    with pytest.raises(ValueError, match=words):
        parsed(text)


def test_zones_are_those_of_the_pbx_utc_or_named_ones() -> None:
    assert all(is_zone(name) for name in ("pbx", "utc", "Europe/Paris", "America/New_York"))
    assert not any(is_zone(name) for name in ("UTC+1", "Paris", "", "CET", "../Paris", "Europe/"))
