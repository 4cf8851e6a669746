"""The set-up guides: written where the model is, shown on one page that follows from them."""

from __future__ import annotations

import re

import pytest

from tollhouse.commands.docs import guide_page
from tollhouse.pbx import models
from tollhouse.settings import PROJECT

SECTIONS = ("## Pitfalls", "## Test", "tollhouse pbx check", "hold no price")


def test_the_page_is_what_the_docstrings_say() -> None:
    page = (PROJECT / "docs" / "pbx.md").read_text(encoding="utf-8")
    assert page == guide_page(), "run `make docs` and commit docs/pbx.md"


@pytest.mark.parametrize("model_id", models())
def test_every_guide_names_pitfalls_and_how_to_test(model_id: str) -> None:
    guide = models()[model_id].guide
    for expected in SECTIONS:
        assert expected in guide, f"{model_id}: {expected}"


@pytest.mark.parametrize("model_id", models())
def test_a_guide_shows_no_real_address_and_no_password(model_id: str) -> None:
    guide = models()[model_id].guide
    addresses = re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", guide)
    # 192.0.2.0/24 is the documentation's own network (RFC 5737).
    assert all(address.startswith(("192.0.2.", "127.0.0.1")) for address in addresses)
    assert all(value == "…" for value in re.findall(r'"password": "([^"]*)"', guide))
