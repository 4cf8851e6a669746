"""The page of data checks: what Great Expectations found at the borders raw and billing.

Its own Data Docs load styles and scripts from the network, which an installation may not reach;
this page reads the same results and needs nothing from elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tollhouse.settings import Settings
from tollhouse.ui.pages import render_page

#: Results below var, as Great Expectations stores them: one JSON file per validation.
VALIDATIONS_FOLDER = Path("gx") / "validations"
DATA_DOCS_FOLDER = Path("gx") / "data_docs"
SHOWN_CHECKS = 100
SHOWN_VALUES = 5


@dataclass(frozen=True)
class Expectation:
    """One expectation of a check: what it says, whether it held, and if not, what was seen."""

    description: str
    held: bool
    seen: str


@dataclass(frozen=True)
class Check:
    """One validation: a suite held against what a batch or a month brought."""

    checked_at: datetime
    border: str
    asset: str
    row_count: int | None
    expectations: tuple[Expectation, ...]

    @property
    def failures(self) -> tuple[Expectation, ...]:
        """The expectations that did not hold."""
        return tuple(expectation for expectation in self.expectations if not expectation.held)

    @property
    def held(self) -> bool:
        """Whether every expectation held."""
        return not self.failures


def data_checks_page(settings: Settings) -> str:
    """Return the page as HTML."""
    return render_page("data_checks.html", checks=latest_checks(settings))


def latest_checks(settings: Settings) -> list[Check]:
    """Return the newest checks, newest first."""
    folder = settings.var / VALIDATIONS_FOLDER
    # The folder of a validation is named by its time: the newest are found without opening any.
    files = sorted(folder.glob("**/*.json"), key=lambda path: path.parent.name, reverse=True)
    return [read_check(path) for path in files[:SHOWN_CHECKS]]


def read_check(path: Path) -> Check:
    """Return one stored validation."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    definition = stored["meta"]["active_batch_definition"]
    counts = [result["result"].get("element_count") for result in stored["results"]]
    return Check(
        checked_at=datetime.fromisoformat(stored["meta"]["run_id"]["run_time"]),
        border=definition["datasource_name"],
        asset=definition["data_asset_name"],
        row_count=next((count for count in counts if count is not None), None),
        expectations=tuple(_expectation(result) for result in stored["results"]),
    )


def _expectation(result: dict[str, Any]) -> Expectation:
    config = result["expectation_config"]
    seen = ""
    if not result["success"]:
        unexpected = result["result"].get("partial_unexpected_list") or [
            result["result"].get("observed_value")
        ]
        seen = ", ".join(str(value) for value in unexpected[:SHOWN_VALUES])
    return Expectation(
        description=config.get("description") or config["type"].replace("_", " "),
        held=bool(result["success"]),
        seen=seen,
    )
