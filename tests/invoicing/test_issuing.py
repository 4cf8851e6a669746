"""Numbers without a gap, frozen rows, gates: against a real PostgreSQL."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal

import psycopg
import pytest

from tests.invoicing.ledger import (
    ISSUE_DATE,
    MONTH,
    NEXT_MONTH,
    billing,
    change_directory,
    forget_legs,
    found_operator,
    issued_numbers,
    leg,
    rate_leg,
    rate_legs,
)
from tollhouse.invoicing.gates import Override, OverrideRefusedError
from tollhouse.invoicing.issuing import IssueError, IssueReport, issue_month
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

pytestmark = pytest.mark.postgres


def issue(
    settings: Settings,
    month: date = MONTH,
    overrides: tuple[Override, ...] = (),
    issue_date: date = ISSUE_DATE,
) -> IssueReport:
    with billing(settings) as connection:
        return issue_month(
            connection, month, issued_by="test", overrides=overrides, issue_date=issue_date
        )


def read(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    with billing(settings) as connection:
        return connection.execute(statement).fetchall()


def obstacles(report: IssueReport) -> list[tuple[str, str]]:
    return [(item.gate, item.subject) for blocked in report.blocked for item in blocked.obstacles]


def test_an_invoice_freezes_lines_calls_amounts_and_parties(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "0.012345")
    rate_leg(warehouse, 2, "0.102655", talk_seconds=90)
    rate_leg(warehouse, 3, "1.000000", destination_class="international", called_e164="+4930000000")

    report = issue(warehouse)

    assert [issued.invoice_number for issued in report.issued] == ["ET2026-000001"]
    change_directory(warehouse, "customers", legal_name="Renamed afterwards")
    assert read(
        warehouse,
        "select net_amount, vat_amount, total_amount, call_count, talk_seconds, due_date, "
        "customer_snapshot ->> 'legal_name' from billing.invoices",
    ) == [
        (Decimal("1.12"), Decimal("0.22"), Decimal("1.34"), 3, 210, date(2026, 12, 2),
         "Atelier Exemple SARL")
    ]  # fmt: skip
    assert read(
        warehouse,
        "select destination_class, call_count, exact_amount, net_amount from billing.invoice_lines "
        "order by line_number",
    ) == [
        ("national_fixed", 2, Decimal("0.115000"), Decimal("0.12")),
        ("international", 1, Decimal("1.000000"), Decimal("1.00")),
    ]
    assert read(
        warehouse, "select ticket_id, line_number from billing.invoice_calls order by ticket_id"
    ) == [(1, 1), (2, 1), (3, 2)]


def test_what_is_issued_cannot_be_changed_or_deleted(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    issue(warehouse)
    with psycopg.connect(warehouse.owner_url, autocommit=True) as owner:
        for statement in (
            "update billing.invoices set total_amount = 0",
            "delete from billing.invoices",
            "update billing.invoice_lines set net_amount = 0",
            "update billing.invoice_calls set exact_amount = 0",
            "delete from billing.invoice_calls",
            "truncate billing.invoice_calls",
            "truncate billing.invoices cascade",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="immutable"):
                owner.execute(statement)


def test_the_same_month_twice_gives_the_same_numbers(warehouse: Settings) -> None:
    found_operator(warehouse, {"service_id": "a"}, {"service_id": "b"})
    rate_leg(warehouse, 1, "1", service_id="a")
    rate_leg(warehouse, 2, "2", service_id="b")
    issue(warehouse)
    frozen = read(warehouse, "select * from billing.invoices order by invoice_id")

    again = issue(warehouse)

    assert again.issued == ()
    assert read(warehouse, "select * from billing.invoices order by invoice_id") == frozen


def test_two_runs_at_once_give_each_service_one_number(warehouse: Settings) -> None:
    services = [f"service_{position:02d}" for position in range(12)]
    found_operator(warehouse, *({"service_id": service} for service in services))
    rate_legs(
        warehouse,
        [leg(position, "1.5", service_id=service) for position, service in enumerate(services, 1)],
    )
    barrier = threading.Barrier(3)

    def run() -> None:
        barrier.wait()
        issue(warehouse)

    runs = [threading.Thread(target=run) for _ in range(3)]
    for run_ in runs:
        run_.start()
    for run_ in runs:
        run_.join()

    assert issued_numbers(warehouse) == [f"ET2026-{number:06d}" for number in range(1, 13)]
    assert len(read(warehouse, "select distinct service_id from billing.invoices")) == 12


def test_an_unrated_call_blocks_its_service_and_no_other(warehouse: Settings) -> None:
    found_operator(warehouse, {"service_id": "good"}, {"service_id": "doubtful"})
    rate_leg(warehouse, 1, "1", service_id="good")
    rate_leg(warehouse, 2, "1", service_id="doubtful")
    rate_leg(warehouse, 3, None, service_id="doubtful", called_e164="+99900000000")

    report = issue(warehouse)

    assert [issued.service_id for issued in report.issued] == ["good"]
    assert obstacles(report) == [("calls_rated", "doubtful")]
    assert "no_rate" in report.blocked[0].obstacles[0].detail


def test_unrated_calls_set_aside_by_name_wait_and_come_late(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    rate_leg(warehouse, 2, None)
    aside = Override("calls_rated", "support", "Camille Exemple", "tariff asked for, ticket 7")

    assert len(issue(warehouse, overrides=(aside,)).issued) == 1
    assert read(warehouse, "select ticket_id, reason, named_by from billing.set_aside") == [
        (2, "tariff asked for, ticket 7", "Camille Exemple")
    ]
    forget_legs(warehouse, 2)
    rate_leg(warehouse, 2, "0.25")

    issue(warehouse, NEXT_MONTH)

    assert read(
        warehouse,
        "select invoices.billing_month, lines.section, lines.period_month, lines.exact_amount "
        "from billing.invoice_lines as lines "
        "inner join billing.invoices as invoices using (invoice_id) "
        "order by invoice_id",
    ) == [
        (MONTH, "communications", MONTH, Decimal("1.000000")),
        (NEXT_MONTH, "previous_periods", MONTH, Decimal("0.250000")),
    ]


def test_a_call_that_arrives_after_issue_stands_on_the_next_invoice(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    issue(warehouse)
    rate_leg(warehouse, 2, "0.5")
    rate_leg(warehouse, 3, "2", month=NEXT_MONTH)

    assert issue(warehouse).issued == ()
    issue(warehouse, NEXT_MONTH)

    assert read(
        warehouse,
        "select section, period_month, net_amount from billing.invoice_lines where invoice_id = "
        "(select max(invoice_id) from billing.invoices) order by line_number",
    ) == [
        ("communications", NEXT_MONTH, Decimal("2.00")),
        ("previous_periods", MONTH, Decimal("0.50")),
    ]


def test_a_silent_source_blocks_until_a_person_says_why_not(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    with psycopg.connect(warehouse.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into directory.pbxs (pbx_id, model, transport, time_zone, country) "
            "values ('lille_plant', 'cisco_cucm', 'dropped_files', 'Europe/Paris', 'FR')"
        )
        owner.execute(
            "insert into raw.batches (pbx_id, model, rows_read, landed_at, built_at) "
            "values ('lille_plant', 'cisco_cucm', 3, '2026-09-30 12:00+02', now())"
        )

    assert obstacles(issue(warehouse)) == [("sources_heard", "lille_plant")]
    override = Override("sources_heard", "lille_plant", "Camille Exemple", "plant closed for works")
    assert len(issue(warehouse, overrides=(override,)).issued) == 1
    assert read(
        warehouse, "select gate, subject, named_by, reason from billing.gate_overrides"
    ) == [("sources_heard", "lille_plant", "Camille Exemple", "plant closed for works")]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        (Override("sources_heard", "paris_hq", "", "because"), "needs named_by and reason"),
        (
            Override("sources_heard", "paris_hq", "Camille Exemple", " "),
            "needs named_by and reason",
        ),
        (
            Override("totals_reconcile", "support", "Camille Exemple", "hurry"),
            "cannot be overridden",
        ),
        (Override("no_such_gate", "x", "Camille Exemple", "hurry"), "There is no gate"),
    ],
)
def test_an_override_without_name_or_reason_or_of_a_firm_gate_is_refused(
    warehouse: Settings, override: Override, reason: str
) -> None:
    with pytest.raises(OverrideRefusedError, match=reason):
        issue(warehouse, overrides=(override,))


def test_a_month_that_is_not_over_is_not_issued(warehouse: Settings) -> None:
    found_operator(warehouse)
    far = date(2098, 1, 1)
    rate_leg(warehouse, 1, "1", month=far)
    assert obstacles(issue(warehouse, far, issue_date=date(2098, 3, 1))) == [
        ("month_is_over", "support")
    ]


@pytest.mark.parametrize(
    ("table", "values", "said"),
    [
        ("customers", {"siren": "12"}, "siren '12' is not nine digits"),
        ("customers", {"city": " "}, "city is empty"),
        ("issuers", {"invoice_series": "F.2 "}, "invoice_series 'F.2 '"),
        ("services", {"vat_rate_percent": Decimal("19.00")}, "no known rate"),
        ("services", {"vat_regime": "exempt"}, "vat_exemption_reason is empty"),
    ],
)
def test_a_gap_in_the_directory_blocks_and_is_named(
    warehouse: Settings, table: str, values: dict[str, object], said: str
) -> None:
    found_operator(warehouse)
    change_directory(warehouse, table, **values)
    rate_leg(warehouse, 1, "1")
    report = issue(warehouse)
    assert obstacles(report) == [("directory_complete", "support")]
    assert said in report.blocked[0].obstacles[0].detail


def test_reverse_charge_leaves_the_vat_to_the_customer(warehouse: Settings) -> None:
    found_operator(warehouse, {"vat_regime": "reverse_charge_283_2_octies"})
    rate_leg(warehouse, 1, "10")
    issue(warehouse)
    assert read(
        warehouse,
        "select net_amount, vat_amount, total_amount, vat_rate_percent from billing.invoices",
    ) == [(Decimal("10.00"), Decimal("0.00"), Decimal("10.00"), Decimal("0.00"))]


def test_a_leg_that_lost_its_call_stops_the_invoice(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    with connect(DBT, settings=warehouse) as owner:
        owner.execute("update marts.fct_call_legs set call_id = 99")
    assert obstacles(issue(warehouse)) == [("totals_reconcile", "support")]


def test_a_batch_that_is_not_built_or_half_built_stops_the_month(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    with psycopg.connect(warehouse.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into raw.batches (pbx_id, model, rows_read, rows_inserted, landed_at) "
            "values ('paris_hq', 'mitel_3300', 3, 3, now() - interval '3 hours')"
        )
        # These landed just now, and a killed build began one of them.
        owner.execute(
            "with builds as (insert into raw.builds default values returning build_id) "
            "insert into raw.batches (pbx_id, model, rows_read, rows_inserted, build_id) "
            "select 'paris_hq', 'mitel_3300', 3, 3, build_id from builds "
            "union all select 'paris_hq', 'mitel_3300', 3, 3, null"
        )
    assert obstacles(issue(warehouse)) == [
        ("batches_built", "batch 1"),
        ("batches_built", "batch 2"),
    ]


def test_a_missing_number_stops_the_series(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    with psycopg.connect(warehouse.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into billing.number_series (issuer_id, series, year, last_number) "
            "values ('exemple_telecom', 'ET', 2026, 4)"
        )
    assert obstacles(issue(warehouse)) == [("numbers_continue", "exemple_telecom ET 2026")]


def test_issue_dates_never_run_backwards(warehouse: Settings) -> None:
    found_operator(warehouse, {"service_id": "a"}, {"service_id": "b"})
    rate_leg(warehouse, 1, "1", service_id="a")
    issue(warehouse)
    rate_leg(warehouse, 2, "1", service_id="b")
    with pytest.raises(IssueError, match="order of dates"):
        issue(warehouse, issue_date=date(2026, 11, 1))
    assert issued_numbers(warehouse) == ["ET2026-000001"]


def test_a_new_year_starts_its_own_count(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "1")
    rate_leg(warehouse, 2, "1", month=NEXT_MONTH)
    issue(warehouse, issue_date=date(2026, 12, 31))
    issue(warehouse, NEXT_MONTH, issue_date=date(2027, 1, 2))
    assert issued_numbers(warehouse) == ["ET2026-000001", "ET2027-000001"]


def test_a_month_of_free_calls_only_gets_no_invoice(warehouse: Settings) -> None:
    found_operator(warehouse)
    rate_leg(warehouse, 1, "0", destination_class="free")
    report = issue(warehouse)
    assert (report.issued, report.blocked) == ((), ())
    assert issued_numbers(warehouse) == []


def test_a_charge_for_a_number_that_may_not_be_listed_stops_the_invoice(
    warehouse: Settings,
) -> None:
    found_operator(warehouse)
    rate_legs(warehouse, [{**leg(1, "0", destination_class="free"), "rating_state": "rated"}])
    assert ("calls_printable", "free") in obstacles(issue(warehouse))
