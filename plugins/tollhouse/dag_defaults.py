"""What every DAG has in common: its kind, its defaults, and the one way in which it calls for help.

An alarm goes to the log of the task, to ``var/alarms.jsonl`` and, where TOLLHOUSE_ALARM_RECIPIENTS
names addresses, by mail through the Airflow Connection ``smtp_default``.
"""

from __future__ import annotations

import html
import json
import logging
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from airflow.sdk import Asset, BaseNotifier, ExceptionRetryPolicy, RetryAction, RetryRule

from tollhouse.settings import Settings, load_settings

ALARM_FILE = "alarms.jsonl"
MAIL_CONNECTION = "smtp_default"

#: Early enough for a backfill of whatever a PBX still keeps.
START_DATE = datetime(2020, 1, 1, tzinfo=UTC)

RAW_TICKETS = Asset("raw_tickets")
WAREHOUSE = Asset("warehouse")

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a DAG is for: each bears exactly one of these tags."""

    EXTRACT = "extract"
    DIRECTORY = "directory"
    BUILD = "build"
    INVOICE = "invoice"
    HOUSEKEEPING = "housekeeping"


class FailureNotifier(BaseNotifier):  # type: ignore[misc] # Airflow is not followed by mypy
    """Calls for help when a task has failed for good."""

    def notify(self, context: Any) -> None:
        """Raise an alarm that names the DAG, the task, the run and the error."""
        task_instance = context["task_instance"]
        raise_alarm(
            f"{task_instance.dag_id}.{task_instance.task_id} failed",
            f"Run {task_instance.run_id}: {context.get('exception') or 'see the log of the task'}",
        )


def default_args() -> dict[str, Any]:
    """Return the arguments of every task: retried ever later, and never failing in silence.

    What only an operator can settle is not tried again.
    """
    return {
        "owner": "tollhouse",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=15),
        "retry_policy": ExceptionRetryPolicy(
            rules=[
                RetryRule(
                    exception="tollhouse.watermark.IdlastError",
                    action=RetryAction.FAIL,
                    reason="An operator has to say which is right; see the message.",
                ),
                RetryRule(
                    exception="tollhouse.installed_pbxs.BrokenLayoutError",
                    action=RetryAction.FAIL,
                    reason="The layout has to be corrected; see the message.",
                ),
            ]
        ),
        "on_failure_callback": FailureNotifier(),
    }


def raise_alarm(subject: str, text: str, settings: Settings | None = None) -> None:
    """Tell the operators; a mail that cannot be sent must not fail the work it reports on."""
    settings = settings or load_settings()
    logger.error("ALARM %s: %s", subject, text)
    alarm = {"raised_at": datetime.now(UTC).isoformat(), "subject": subject, "text": text}
    try:
        settings.var.mkdir(parents=True, exist_ok=True)
        with (settings.var / ALARM_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(alarm) + "\n")
    except OSError:
        logger.exception("The alarm could not be written to %s", ALARM_FILE)
    recipients = settings.environment.get("TOLLHOUSE_ALARM_RECIPIENTS", "")
    addresses = [address.strip() for address in recipients.split(",") if address.strip()]
    if addresses:
        _mail(addresses, subject, text)


def _mail(addresses: list[str], subject: str, text: str) -> None:
    from airflow.exceptions import AirflowException
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    try:
        with SmtpHook(smtp_conn_id=MAIL_CONNECTION) as hook:
            hook.send_email_smtp(
                to=addresses,
                subject=f"Tollhouse: {subject}",
                html_content=f"<p>{html.escape(text)}</p>",
            )
    except (OSError, AirflowException):
        logger.exception("The alarm could not be mailed to %s", ", ".join(addresses))
