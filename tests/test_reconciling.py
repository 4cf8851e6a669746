"""Reconciling finds what does not add up: each side is bent in turn, and its check says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.conftest import Cluster
from tests.mitel_tickets import OutgoingLeg, land
from tollhouse.building import build
from tollhouse.commands import reconcile as command
from tollhouse.directory.loading import load_directory
from tollhouse.invoicing.drafts import open_billing
from tollhouse.invoicing.gates import Override
from tollhouse.invoicing.issuing import issue_month, survey_month
from tollhouse.reconciling import Reconciliation, compare, reconcile
from tollhouse.settings import Settings, load_settings
from tollhouse.warehouse import DBT, LOADER, connect

pytestmark = pytest.mark.postgres

OCTOBER = date(2026, 10, 1)

STATES = "raw = the four states, per pbx and batch"
WAITING = "waiting batches = their tickets"
LEGS = "tickets = legs, with their seconds"
CALLS = "legs = calls, with their seconds and amounts"
RATING = "every leg is in one rating state"
PRICES = "rated legs = their rates"
COVERED = "rated legs are on one invoice or draft"
INVOICED_CALLS = "legs = calls on invoices"
INVOICE_LINES = "calls = lines of invoices"
INVOICE_TOTALS = "lines = totals of invoices"
INVOICE_TAX = "net + tax = totals of invoices"
INVOICE_NUMBERS = "invoice numbers have no gap"

#: A leg of November, which no invoice has yet, and its ticket.
OPEN_LEG = "where extension = '4201' and talk_seconds = 90"

#: What is bent, and every check that must say so.
BENT = {
    "delete from intermediate.int_tickets__staged where state = 'rejected'": {STATES},
    "update intermediate.int_tickets__staged set batch_id = 99 where state = 'rejected'": {STATES},
    "update raw.tickets set batch_id = 99 where batch_id = 1 and ordinal = 0": {STATES},
    "update raw.tickets set ticket_id = 999999 where batch_id = 1 and ordinal = 0": {STATES},
    "delete from raw.batches where batch_id = 1": {STATES},
    "update raw.batches set rows_inserted = rows_inserted + 1 where batch_id = 1": {STATES},
    "update raw.batches set rows_inserted = rows_inserted + 1 where built_at is null": {WAITING},
    f"update intermediate.int_tickets__staged set talk_seconds = 91 {OPEN_LEG}": {LEGS},
    f"delete from marts.fct_call_legs {OPEN_LEG}": {LEGS},
    "delete from marts.fct_call_legs where ticket_id <> call_id": {
        LEGS,
        CALLS,
        INVOICED_CALLS,
    },
    f"update marts.fct_call_legs set call_id = 999999 {OPEN_LEG}": {CALLS},
    "delete from intermediate.int_calls__of_several_legs": {CALLS},
    "update intermediate.int_calls__of_several_legs set talk_seconds = talk_seconds + 1": {CALLS},
    "update intermediate.int_calls__of_several_legs set sale_amount = sale_amount + 1": {CALLS},
    "update intermediate.int_calls__of_several_legs set sale_currency = 'USD'": {CALLS},
    f"update marts.fct_call_legs set sale_amount = sale_amount + 1 {OPEN_LEG}": {PRICES},
    f"update marts.fct_call_legs set billed_seconds = billed_seconds + 1 {OPEN_LEG}": {PRICES},
    f"update marts.fct_call_legs set rating_state = 'forgotten' {OPEN_LEG}": {RATING},
    f"update marts.fct_call_legs set rating_state = 'not_answered', billed_seconds = 0,"
    f" sale_amount = 0 {OPEN_LEG}": {RATING},
    f"update marts.fct_call_legs set rating_state = 'incoming', billed_seconds = 0,"
    f" sale_amount = 0 {OPEN_LEG}": {RATING},
    f"update marts.fct_call_legs set is_billable = false {OPEN_LEG}": {RATING, COVERED},
    "delete from billing.invoice_calls": {INVOICE_LINES},
    "update billing.invoice_calls set exact_amount = exact_amount + 1": {
        INVOICED_CALLS,
        INVOICE_LINES,
    },
    "update billing.invoice_lines set net_amount = net_amount + 1": {
        INVOICE_LINES,
        INVOICE_TOTALS,
    },
    "update billing.invoices set vat_amount = vat_amount + 10, total_amount = total_amount + 10": {
        INVOICE_TAX
    },
    # Its calls stand on an invoice that is none and in the draft of the month that opens again.
    "delete from billing.invoices": {COVERED, INVOICED_CALLS, INVOICE_LINES, INVOICE_NUMBERS},
    "delete from billing.invoice_calls; delete from billing.invoice_lines;"
    "delete from billing.invoices": {INVOICE_NUMBERS},
    "update billing.number_series set last_number = last_number + 1": {INVOICE_NUMBERS},
}


def failing(result: Reconciliation) -> set[str]:
    return {check.name for check in result.checks if not check.holds}


def issue_october(settings: Settings) -> int:
    """Issue what October has, whatever pbxs are silent, and return how many invoices."""
    with open_billing(settings) as billing:
        _, checklist = survey_month(billing, OCTOBER)
        overrides = tuple(
            Override(finding.gate, finding.subject, "Camille Exemple", "no such pbx in this test")
            for finding in checklist.findings
            if finding.gate == "sources_heard"
        )
        report = issue_month(billing, OCTOBER, issued_by="test", overrides=overrides)
    assert not report.blocked
    return len(report.issued)


@pytest.fixture
def invoiced(warehouse: Settings) -> Settings:
    """October on an invoice, November rated, a rejected ticket, and a batch that waits."""
    load_directory(warehouse)
    with connect(LOADER, settings=warehouse) as loader:
        land(
            loader,
            [
                OutgoingLeg("10/12 09:00", 60),
                OutgoingLeg("10/12 09:01", 61, call="M0010001"),
                OutgoingLeg("10/12 09:02", 62, call="M0010001", leg="B"),
                " 13/45 99:99  [red]not a ticket[/red]",
            ],
        )
    build(warehouse)
    assert issue_october(warehouse) == 1
    with connect(LOADER, settings=warehouse) as loader:
        # The first comes late: its month is on an invoice already.
        land(loader, [OutgoingLeg("10/13 09:00", 75), OutgoingLeg("11/12 09:00", 90)])
    build(warehouse)
    with connect(LOADER, settings=warehouse) as loader:
        land(loader, [OutgoingLeg("11/12 10:00", 30)])
    return warehouse


@contextmanager
def tampering(cluster: Cluster, settings: Settings) -> Iterator[psycopg.Connection]:
    """Open a connection that no trigger and no foreign key stops; all of it is taken back."""
    database = urlsplit(settings.owner_url).path.removeprefix("/")
    with psycopg.connect(cluster.postgres.superuser_url(database)) as superuser:
        superuser.execute("set session_replication_role = replica")
        superuser.commit()
        yield superuser
        superuser.rollback()


def test_what_was_built_and_invoiced_reconciles(invoiced: Settings) -> None:
    result = reconcile(invoiced)

    assert failing(result) == set()
    [states] = result.states
    assert (states["raw_count"], states["ticket_count"], states["rejected_count"]) == (6, 5, 1)
    assert sum(row["leg_count"] for row in result.rating) == 5
    assert [row["example"] for row in result.rejected] == [" 13/45 99:99  [red]not a ticket[/red]"]
    # What waits for its build is no difference.
    assert [row["rows_inserted"] for row in result.waiting] == [1]


def test_a_narrow_terminal_shows_amounts_and_ids_whole(
    invoiced: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(DBT, settings=invoiced) as owner:
        owner.execute("update marts.fct_call_legs set sale_amount = sale_amount + 12345678.123456")
    for variable, value in {**invoiced.environment, "COLUMNS": "80"}.items():
        monkeypatch.setenv(variable, value)
    load_settings.cache_clear()

    assert command.run() == 1

    printed = capsys.readouterr().out
    assert all(len(line) <= 80 for line in printed.splitlines())
    result = reconcile(invoiced)
    assert failing(result) == {CALLS, PRICES, INVOICED_CALLS}
    for row in (row for check in result.checks for row in check.differences):
        for value in row.values():
            assert value is None or str(value) in printed, row


def test_each_fault_is_found_and_named(invoiced: Settings, cluster: Cluster) -> None:
    with tampering(cluster, invoiced) as superuser:
        found = {}
        for statements in BENT:
            for statement in statements.split(";"):
                assert superuser.execute(statement).rowcount > 0, statement
            found[statements] = failing(compare(superuser))
            superuser.rollback()
        assert compare(superuser).holds
    assert found == BENT


def test_ignored_tickets_are_listed_and_are_no_difference(
    invoiced: Settings, cluster: Cluster
) -> None:
    with tampering(cluster, invoiced) as superuser:
        superuser.execute(
            "update intermediate.int_tickets__staged set state = 'ignored', state_reason = 'event' "
            "where state = 'rejected'"
        )
        result = compare(superuser)
    assert result.holds
    assert [
        (row["pbx_id"], row["state_reason"], row["ticket_count"]) for row in result.ignored
    ] == [("paris_hq", "event", 1)]
