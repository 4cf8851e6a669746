"""From files of tickets to the draft of a layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.numbers import get_territory_currencies

from tollhouse.layouts.declaration.columns import Columns
from tollhouse.layouts.drafting.choices import Survey
from tollhouse.layouts.drafting.clocks import choose_instants
from tollhouse.layouts.drafting.content import Sample, sample_of
from tollhouse.layouts.drafting.details import choose_charge, choose_details
from tollhouse.layouts.drafting.kinds import shape_of
from tollhouse.layouts.drafting.lengths import choose_durations, seconds_of_tickets
from tollhouse.layouts.drafting.parties import choose_direction, choose_parties
from tollhouse.layouts.drafting.text import counted
from tollhouse.layouts.drafting.writing import written

#: Where a month stands before its day.
MONTH_FIRST_COUNTRIES = frozenset({"US", "FM", "MH", "PW", "PH"})


@dataclass(frozen=True)
class Draft:
    """A draft of a layout.

    Attributes:
        text: YAML, with comments.
        doubts: what a person should check, in words.
        missing: what every layout needs and was not found, in words.
        kind: of the tickets.
        ticket_count: how many were looked at.
    """

    text: str
    doubts: tuple[str, ...]
    missing: tuple[str, ...]
    kind: str
    ticket_count: int


def draft_of(paths: Sequence[Path], *, country: str = "FR") -> Draft:
    """Look at files and draft a layout for them.

    Args:
        paths: files of the same feed.
        country: of the PBX: it decides what cannot be told otherwise, which is said.

    Raises:
        DraftError: the files cannot be read, or hold nothing that tickets could be.
    """
    sample = sample_of(paths)
    shape = shape_of(sample)
    currencies = get_territory_currencies(country) or ["EUR"]
    survey = Survey(shape, country in MONTH_FIRST_COUNTRIES, currencies[0])
    clocks = choose_instants(survey, seconds_of_tickets(survey))
    choose_charge(survey)
    choose_durations(survey, clocks)
    choose_direction(survey)
    choose_parties(survey)
    choose_details(survey)
    doubts = _all_doubts(survey, sample)
    mapped: dict[str, Any] = dict.fromkeys(survey.choices, True)
    missing = tuple(Columns.model_construct(**mapped).missing())
    text = written(survey, sample, doubts, missing)
    return Draft(text, doubts, missing, shape.kind, shape.ticket_count)


def _all_doubts(survey: Survey, sample: Sample) -> tuple[str, ...]:
    doubts = [f"encoding: {sample.encoding.doubt}"] if sample.encoding.doubt else []
    doubts += survey.shape.doubts
    doubts += survey.doubts
    doubts += [
        f"{column}: {choice.doubt}" for column, choice in survey.choices.items() if choice.doubt
    ]
    long_lines = sum(file.long_lines for file in sample.files)
    if long_lines:
        doubts.append(f"{counted(long_lines, 'line')} too long for a ticket, not looked at")
    columns = list(Columns.model_fields)

    def place(doubt: str) -> int:
        column = doubt.partition(":")[0].partition(",")[0]
        return columns.index(column) if column in columns else -1

    return tuple(sorted(dict.fromkeys(doubts), key=place))
