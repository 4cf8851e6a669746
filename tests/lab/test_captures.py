"""Simulated PBXs without a public layout: what they send is kept, told apart, and rejected."""

from __future__ import annotations

from datetime import date

import pytest

from lab.sites import SITES
from lab.traffic import calls_of_day
from tests.lab.reading import parsed_beside_truth
from tollhouse.settings import Settings

CAPTURED = [
    pbx
    for pbx in SITES
    if pbx.stream and pbx.stream.model_id in ("aastra_a5000", "alcatel_oxe_ahl", "md_evolution")
]


@pytest.mark.postgres
def test_no_line_without_a_layout_becomes_a_leg(warehouse: Settings) -> None:
    for pbx in CAPTURED:
        assert pbx.stream is not None
        calls = [
            call
            for day in range(2, 7)
            for call in calls_of_day(pbx.site, seed=1, day=date(2026, 2, day))
        ]
        truth = [
            ticket
            for number, call in enumerate(calls)
            for ticket in pbx.tickets_of(call, pbx.site, number)
        ]
        assert len({ticket.ticket for ticket in truth}) == len(calls) > 0
        parsed, told = parsed_beside_truth(warehouse, pbx.stream.model_id, truth)
        assert parsed == told
        assert {row["state"] for row in parsed} == {"rejected"}
