"""The two borders that Great Expectations guards: raw after landing, billing before issue.

The suites are the JSON files of ``expectations/``; the queries under them are in its
great_expectations.yml and read which batches or which month to look at from settings of their
database session. Results and Data Docs are kept below var/gx.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tollhouse.invoicing.months import parse_month
from tollhouse.settings import Settings
from tollhouse.warehouse import BILLING, LOADER, connect

RAW = "raw"
BILLING_BORDER = "billing"

#: Validations kept per suite, about 100 KB each with their page of the Data Docs.
KEPT_VALIDATIONS = 50

#: Values shown of what an expectation did not expect.
SHOWN_VALUES = 5

log = logging.getLogger(__name__)


class CheckpointFailedError(Exception):
    """Expectations of a border do not hold; the message names each with what was seen."""

    def __init__(self, border: str, subject: str, failures: Sequence[str]) -> None:
        self.border = border
        self.subject = subject
        self.failures = tuple(failures)
        super().__init__(
            f"The {border} checkpoint of {subject} failed, {len(failures)} expectations do not "
            "hold:\n  " + "\n  ".join(failures)
        )


def check_raw_batches(settings: Settings, batch_ids: Iterable[int]) -> None:
    """Check landed batches in one validation; those that read nothing have nothing to check.

    Raises:
        CheckpointFailedError: naming the expectations that do not hold.
    """
    with connect(LOADER, settings=settings) as connection:
        rows = connection.execute(
            "select batch_id from raw.batches where batch_id = any(%s) and rows_read > 0 "
            "order by batch_id",
            [list(batch_ids)],
        ).fetchall()
    read_something = [str(batch_id) for (batch_id,) in rows]
    if not read_something:
        log.info("nothing arrived, nothing to check")
        return
    subject = f"batch {', '.join(read_something)}"
    _run(settings, RAW, subject, {"tollhouse.batch_ids": "{" + ",".join(read_something) + "}"})


def check_billing(settings: Settings, month: str) -> None:
    """Check the charges, drafts and issued invoices of a month written ``2026-10``.

    Raises:
        CheckpointFailedError: naming the expectations that do not hold.
        MonthError: the month is written otherwise.
    """
    first_day = parse_month(month).isoformat()
    _run(settings, BILLING_BORDER, month, {"tollhouse.billing_month": first_day})


def results_home(settings: Settings) -> Path:
    """Return the folder of validation results and Data Docs."""
    return settings.var / "gx"


def _run(settings: Settings, border: str, subject: str, session: dict[str, str]) -> None:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    # Takes seconds to import: only a process that checks pays for it, and once.
    import great_expectations as gx
    from great_expectations.expectations.metadata_types import FailureSeverity

    home = results_home(settings)
    _prune(home)
    context = gx.get_context(
        mode="file",
        context_root_dir=settings.project / "expectations",
        runtime_environment={
            "TOLLHOUSE_GX_HOME": str(home.resolve()),
            "TOLLHOUSE_GX_RAW_URL": _session_url(settings, LOADER, session),
            "TOLLHOUSE_GX_BILLING_URL": _session_url(settings, BILLING, session),
        },
    )
    result = context.checkpoints.get(border).run()
    failures = []
    for validation in result.run_results.values():
        for outcome in validation.results:
            if outcome.success:
                continue
            described = _describe(validation.suite_name, outcome)
            if outcome.expectation_config.severity == FailureSeverity.WARNING:
                # Seen on the page of data checks; it stops nothing.
                log.warning("the %s checkpoint of %s warns: %s", border, subject, described)
            else:
                failures.append(described)
    if failures:
        raise CheckpointFailedError(border, subject, failures)
    log.info("the %s checkpoint of %s holds", border, subject)


def _session_url(settings: Settings, role: str, session: dict[str, str]) -> str:
    """URL of the warehouse with settings of the session, read with current_setting()."""
    options = " ".join(
        f"-c {name}={value}" for name, value in {**session, "timezone": "UTC"}.items()
    )
    url = settings.role_url(role)
    return f"{url}{'&' if '?' in url else '?'}options={quote(options, safe='')}"


def _describe(suite: str, outcome: Any) -> str:
    configuration = outcome.expectation_config
    kwargs = configuration.kwargs
    subject = kwargs.get("column") or ", ".join(kwargs.get("column_list", ()))
    name = f"{suite}.{subject}: {configuration.description} ({configuration.type})"
    if outcome.exception_info and outcome.exception_info.get("raised_exception"):
        return f"{name}: could not be evaluated: {outcome.exception_info.get('exception_message')}"
    seen = outcome.result
    if "observed_value" in seen:
        return f"{name}: observed {seen['observed_value']}"
    values = ", ".join(
        str(value) for value in seen.get("partial_unexpected_list", ())[:SHOWN_VALUES]
    )
    return (
        f"{name}: {seen.get('unexpected_count')} of {seen.get('element_count')} rows unexpected"
        + (f", such as {values}" if values else "")
    )


def _prune(home: Path) -> None:
    """Keep the last validations of each suite, and their pages."""
    for root in (home / "validations", home / "data_docs" / "validations"):
        for suite in root.glob("*"):
            if suite.is_dir():
                runs = sorted(_runs_of(suite), key=lambda run: run.stat().st_mtime, reverse=True)
                # The run about to start will be one more.
                for run in runs[KEPT_VALIDATIONS - 1 :]:
                    shutil.rmtree(run, ignore_errors=True)


def _runs_of(suite: Path) -> list[Path]:
    """Folders of one validation each: below a suite stand run names, below these the times."""
    return [time for name in suite.iterdir() if name.is_dir() for time in name.iterdir()]
