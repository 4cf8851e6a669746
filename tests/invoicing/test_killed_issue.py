"""A run of issue killed after each of its statements leaves no hole and no double (I2)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.invoicing.ledger import MONTH, billing, found_operator, leg, rate_legs
from tollhouse.invoicing.issuing import issue_month
from tollhouse.settings import PROJECT, Settings

pytestmark = pytest.mark.postgres

#: Enough for a run to pass the gates and to issue two invoices and a part of the third.
STATEMENTS = 48


def test_a_run_killed_at_each_step_leaves_no_hole_and_no_double(
    warehouse: Settings, tmp_path: Path
) -> None:
    services = [f"service_{position:03d}" for position in range(1, STATEMENTS * 2)]
    found_operator(warehouse, *({"service_id": service} for service in services))
    rate_legs(
        warehouse,
        [
            leg(position, "1.005", service_id=service)
            for position, service in enumerate(services, 1)
        ],
    )
    file = tmp_path / "settings.json"
    file.write_text(
        json.dumps(
            {
                "project": str(warehouse.project),
                "var": str(warehouse.var),
                "include": str(warehouse.include),
                "environment": warehouse.environment,
            }
        )
    )

    issued = 0
    for statements in range(1, STATEMENTS + 1):
        killed = subprocess.run(
            [sys.executable, "-m", "tests.invoicing.issuing_process", str(file), f"{MONTH:%Y-%m}",
             str(statements)],
            cwd=PROJECT,
            env={**warehouse.environment, "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}"},
            check=False,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL
        issued, issued_before = assert_nothing_is_half_done(warehouse), issued

    assert issued - issued_before >= 2, "the last run was killed too early to show anything"
    with billing(warehouse) as connection:
        issue_month(connection, MONTH, issued_by="the one that lives")
    assert assert_nothing_is_half_done(warehouse) == len(services)


def assert_nothing_is_half_done(settings: Settings) -> int:
    """Check the numbers and rows of all issued invoices; return how many there are."""
    with billing(settings) as connection:
        numbers = [
            number
            for (number,) in connection.execute(
                "select sequence_number from billing.invoices order by invoice_number"
            ).fetchall()
        ]
        assert numbers == list(range(1, len(numbers) + 1))
        counters = connection.execute("select last_number from billing.number_series").fetchall()
        assert counters == ([(len(numbers),)] if numbers else [])
        incomplete = connection.execute(
            "select invoice_id from billing.invoices as invoices "
            "left join billing.invoice_lines as lines using (invoice_id) "
            "left join billing.invoice_calls as calls using (invoice_id, line_number) "
            "group by invoice_id "
            "having count(lines.line_number) <> 1 or count(calls.ticket_id) <> 1"
        ).fetchall()
        assert incomplete == []
        doubled = connection.execute(
            "select service_id from billing.invoices group by service_id having count(*) > 1"
        ).fetchall()
        assert doubled == []
    return len(numbers)
