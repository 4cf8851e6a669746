"""docs/pbx.md says what the models say."""

from __future__ import annotations

from tollhouse.commands.docs import guide_page
from tollhouse.pbx import models
from tollhouse.settings import PROJECT


def test_the_committed_page_is_the_one_that_make_docs_writes() -> None:
    page = (PROJECT / "docs" / "pbx.md").read_text(encoding="utf-8")
    assert page == guide_page(), "run `make docs` and commit docs/pbx.md"


def test_every_model_has_its_section() -> None:
    headings = [line for line in guide_page().splitlines() if line.startswith("## ")]
    assert headings == [f"## {model.title}" for model in models().values()]
