"""Builds of the warehouse: what landed is built once, whatever is late, killed or done again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.mitel_tickets import OutgoingLeg, land
from tollhouse.building import BUILD_APPLICATION, BuildError, build, run_dbt
from tollhouse.directory.loading import load_directory
from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import BILLING, DBT, LOADER, connect

pytestmark = pytest.mark.postgres

BUILD_IN_A_PROCESS = "from tollhouse.building import build; from tollhouse.settings import *; " \
    "build(load_settings())"  # fmt: skip


@pytest.fixture
def filled(warehouse: Settings) -> Settings:
    """A warehouse that knows the demo's directory and has no tickets."""
    load_directory(warehouse)
    return warehouse


@pytest.fixture
def loader(filled: Settings) -> Iterator[psycopg.Connection]:
    with connect(LOADER, settings=filled) as connection:
        yield connection


def land_now(connection: psycopg.Connection, *tickets: object) -> int:
    batch_id = land(connection, tickets)
    connection.commit()
    return batch_id


def rows(settings: Settings, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connect(DBT, settings=settings) as connection:
        return connection.execute(query, parameters or None).fetchall()


def legs(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(
        settings, "select ticket_id, call_id, talk_seconds from marts.fct_call_legs order by 1"
    )


def calls(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(settings, "select call_id, leg_count, talk_seconds from marts.fct_calls order by 1")


def test_a_build_without_news_starts_nothing(filled: Settings, tmp_path: Any) -> None:
    result = build(filled)
    assert not result.did_something
    assert not (tmp_path / "dbt").exists()


def test_a_pull_that_landed_nothing_is_closed_without_dbt(
    filled: Settings, loader: psycopg.Connection, tmp_path: Any
) -> None:
    land_now(loader)
    assert not build(filled).did_something
    assert not (tmp_path / "dbt").exists()
    assert rows(filled, "select count(*) from raw.batches where built_at is null") == [(0,)]


def test_a_batch_that_commits_after_a_newer_one_was_built_is_built(
    filled: Settings, loader: psycopg.Connection
) -> None:
    with connect(LOADER, settings=filled) as slow:
        late_batch = land(slow, [OutgoingLeg("10/12 09:00", 60)])
        newer_batch = land_now(loader, OutgoingLeg("10/12 09:05", 120))
        assert late_batch < newer_batch
        assert build(filled).batch_count == 1
        slow.commit()
    assert build(filled).batch_count == 1
    assert sorted(talk for _, _, talk in legs(filled)) == [60, 120]
    assert not build(filled).did_something


def test_a_late_leg_joins_the_call_that_is_there(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_now(
        loader,
        OutgoingLeg("10/12 09:00", 60, call="M0010001"),
        OutgoingLeg("10/12 09:00", 30, call="M0010002"),
    )
    build(filled)
    assert [leg_count for _, leg_count, _ in calls(filled)] == [1, 1]
    first_call, other_call = (call_id for call_id, _, _ in calls(filled))
    land_now(loader, OutgoingLeg("10/12 09:02", 90, call="M0010001", leg="B"))
    build(filled)
    assert calls(filled) == [(first_call, 2, 150), (other_call, 1, 30)]


def test_a_late_leg_may_make_one_call_of_two(filled: Settings, loader: psycopg.Connection) -> None:
    # The pause between the two legs is longer than an identity rests; the late leg fills it.
    land_now(loader, OutgoingLeg("10/12 09:00", 60, call="M0010001"))
    land_now(loader, OutgoingLeg("10/12 12:00", 60, call="M0010001", leg="C"))
    build(filled)
    assert len(calls(filled)) == 2
    land_now(loader, OutgoingLeg("10/12 10:30", 60, call="M0010001", leg="B"))
    build(filled)
    [(call_id, leg_count, talk_seconds)] = calls(filled)
    assert (leg_count, talk_seconds) == (3, 180)
    assert call_id == min(ticket_id for ticket_id, _, _ in legs(filled))


def test_a_call_identity_used_again_is_another_call(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_now(
        loader,
        OutgoingLeg("10/12 09:00", 60, call="M0010001"),
        OutgoingLeg("10/12 15:00", 60, call="M0010001"),
        OutgoingLeg("10/13 09:00", 60, call="M0010001"),
    )
    build(filled)
    assert [leg_count for _, leg_count, _ in calls(filled)] == [1, 1, 1]


def test_a_build_killed_between_two_models_is_done_again(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_now(
        loader,
        OutgoingLeg("10/12 09:00", 60, call="M0010001"),
        OutgoingLeg("10/12 09:01", 30, call="M0010001", leg="B"),
    )
    build(filled)
    land_now(loader, OutgoingLeg("10/12 09:02", 90, call="M0010001", leg="C"))
    with connect(DBT, settings=filled) as blocker:
        blocker.execute(
            "lock table intermediate.int_calls__of_several_legs in access exclusive mode"
        )
        build_process = subprocess.Popen(
            [sys.executable, "-c", BUILD_IN_A_PROCESS],
            env={**filled.environment, "PYTHONPATH": str(PROJECT / "plugins")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_session(filled, "int_calls__of_several_legs")
        build_process.send_signal(signal.SIGKILL)
        build_process.wait()
        # Its dbt is an orphan now and still waits for the table of the first build.
        assert len(legs(filled)) == 3
        leg_counts = blocker.execute(
            "select leg_count from intermediate.int_calls__of_several_legs"
        ).fetchall()
        assert leg_counts == [(2,)]
        assert rows(filled, "select count(*) from raw.batches where built_at is null") == [(1,)]
        unblock = threading.Timer(3, blocker.rollback)
        unblock.start()
        result = build(filled)
        unblock.join()
    assert result.batch_count == 1
    [(_, leg_count, talk_seconds)] = calls(filled)
    assert (leg_count, talk_seconds) == (3, 180)


def wait_for_session(settings: Settings, table: str) -> None:
    """Wait until a session of the build waits for a lock in a statement about ``table``."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        waiting = rows(
            settings,
            "select pid from pg_stat_activity where application_name = %s "
            "and wait_event_type = 'Lock' and query like %s",
            BUILD_APPLICATION,
            f"%{table}%",
        )
        if waiting:
            return
        time.sleep(0.05)
    raise AssertionError(f"no build came to {table}")


def test_a_replayed_batch_leaves_the_same_rows(
    filled: Settings, loader: psycopg.Connection
) -> None:
    batch_id = land_now(
        loader,
        OutgoingLeg("10/12 09:00", 60, call="M0010001"),
        OutgoingLeg("10/12 09:01", 30, call="M0010001", leg="B"),
    )
    build(filled)
    everything = "select * from marts.fct_call_legs order by ticket_id"
    before = rows(filled, everything)
    loader.execute("update raw.batches set built_at = null where batch_id = %s", [batch_id])
    loader.commit()
    assert build(filled).ticket_count == 2
    assert rows(filled, everything) == before


def test_a_leg_on_an_issued_invoice_keeps_its_price_when_its_call_grows(
    filled: Settings, loader: psycopg.Connection
) -> None:
    batch_id = land_now(loader, OutgoingLeg("10/12 09:02", 61, call="M0010001", leg="B"))
    build(filled)
    [(ticket_id, amount)] = rows(filled, "select ticket_id, sale_amount from marts.fct_call_legs")
    issue(filled, ticket_id)
    # A tariff dated back would price it otherwise now; its own batch is even built again.
    loader.execute("update directory.rates set price_per_minute = 9")
    loader.execute("update raw.batches set built_at = null where batch_id = %s", [batch_id])
    late_batch = land_now(loader, OutgoingLeg("10/12 09:00", 61, call="M0010001"))
    build(filled)
    assert rows(
        filled, "select sale_amount from marts.fct_call_legs where ticket_id = %s", ticket_id
    ) == [(amount,)]
    assert [leg_count for _, leg_count, _ in calls(filled)] == [2]
    # The leg that came late is priced, and waits for the next month under its own period (I4).
    assert rows(
        filled,
        "select batch_id, section, billing_month, period_month "
        "from intermediate.int_invoices__draft_calls join marts.fct_call_legs using (ticket_id)"
        .replace("billing_month", "int_invoices__draft_calls.billing_month"),
    ) == [(late_batch, "previous_periods", date(2026, 11, 1), date(2026, 10, 1))]  # fmt: skip


def issue(settings: Settings, ticket_id: int) -> None:
    """Put one leg on an issued invoice of its service and month."""
    with connect(BILLING, settings=settings) as connection:
        connection.execute(
            "insert into billing.invoices (issuer_id, customer_id, service_id, billing_month, "
            "invoice_number, series, year, sequence_number, issue_date, due_date, currency, "
            "language, vat_regime, vat_rate_percent, net_amount, vat_amount, total_amount, "
            "call_count, talk_seconds, billed_seconds, issuer_snapshot, customer_snapshot, "
            "service_snapshot, issued_by) "
            "select issuer_id, customer_id, service_id, billing_month, 'T-2026-1', 'T', 2026, 1, "
            "'2026-11-02', '2026-11-30', 'EUR', 'fr', 'standard', 20, round(sale_amount, 2), 0, "
            "round(sale_amount, 2), 1, talk_seconds, billed_seconds, '{}', '{}', '{}', 'a test' "
            "from marts.fct_call_legs where ticket_id = %s",
            [ticket_id],
        )
        connection.execute(
            "insert into billing.invoice_lines "
            "select 1, 1, 'communications', billing_month, destination_class, 'a line', 1, "
            "talk_seconds, billed_seconds, sale_amount, round(sale_amount, 2), 20, 'EUR' "
            "from marts.fct_call_legs where ticket_id = %s",
            [ticket_id],
        )
        connection.execute(
            "insert into billing.invoice_calls "
            "select ticket_id, 1, 1, call_id, rated_at, extension, called_number, "
            "destination_name, destination_class, talk_seconds, billed_seconds, sale_amount, "
            "sale_currency, tariff_version_id, rate_id "
            "from marts.fct_call_legs where ticket_id = %s",
            [ticket_id],
        )


def test_a_load_of_the_directory_is_seen_by_the_next_build(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_now(loader, OutgoingLeg("10/12 09:00", 60, number="199001999"))
    build(filled)
    assert rows(filled, "select called_namespace from marts.fct_call_legs") == [("e164",)]
    # Without an outside-line prefix the same digits mean something else.
    loader.execute("update directory.pbxs set outside_line_policy = 'always'")
    loader.execute("insert into directory.loads (files, rows_by_table) values ('{}', '{}')")
    land_now(loader, OutgoingLeg("10/12 10:00", 60, number="199001999"))
    build(filled)
    assert rows(filled, "select called_namespace from marts.fct_call_legs order by ticket_id") == [
        ("e164",),
        ("unknown",),
    ]


def test_a_failing_model_is_named_in_one_line_and_its_batch_stays_open(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_now(loader, OutgoingLeg("10/12 09:00", 60))
    with connect(DBT, settings=filled, autocommit=True) as owner:
        owner.execute(
            "alter table marts.fct_call_legs add constraint refuse_all check (talk_seconds < 0)"
        )
    with pytest.raises(BuildError, match=r"model\.tollhouse\.fct_call_legs: .*refuse_all"):
        build(filled)
    assert rows(filled, "select count(*) from raw.batches where built_at is null") == [(1,)]
    with connect(DBT, settings=filled, autocommit=True) as owner:
        owner.execute("alter table marts.fct_call_legs drop constraint refuse_all")
    assert build(filled).batch_count == 1
    assert [leg_count for _, leg_count, _ in calls(filled)] == [1]


ASTERISK_ROW = {
    "calldate": "2026-10-12 09:00:00", "src": "301", "dst": "0199001999", "duration": 20,
    "billsec": 20, "channel": "PJSIP/301-00000001", "dstchannel": "PJSIP/carrier-00000002",
    "disposition": "ANSWERED", "uniqueid": "1791788400.1", "lastapp": "Dial",
}  # fmt: skip
CUCM_HEADER = (
    "cdrRecordType,globalCallID_callId,dateTimeOrigination,dateTimeConnect,dateTimeDisconnect,"
    "duration,callingPartyNumber,finalCalledPartyNumber,destDeviceName"
)
YEAR_SECONDS = 366 * 86_400


def land_as(
    connection: psycopg.Connection, pbx_id: str, model: str, *bodies: str, header: str | None = None
) -> None:
    """Land tickets of any model as one delivery and batch."""
    connection.execute(
        "with delivery as (insert into raw.deliveries (pbx_id, model, unit, header) "
        "values (%(pbx)s, %(model)s, 'one', %(header)s) returning delivery_id), "
        "batch as (insert into raw.batches (pbx_id, model, rows_read, rows_inserted) "
        "values (%(pbx)s, %(model)s, 1, 1) returning batch_id) "
        "insert into raw.tickets (model, delivery_id, ordinal, batch_id, received_at, body) "
        "select %(model)s, delivery_id, ordinal, batch_id, '2026-11-20 12:00Z', body "
        "from delivery, batch, unnest(%(bodies)s::text[]) with ordinality as given (body, ordinal)",
        {"pbx": pbx_id, "model": model, "header": header, "bodies": list(bodies)},
    )
    connection.commit()


def test_a_call_longer_than_a_year_is_rejected_and_stops_no_build(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_as(
        loader,
        "lyon_support",
        "asterisk_mysql",
        json.dumps(ASTERISK_ROW | {"duration": 2**31 - 1, "billsec": 2**31 - 1}),
        json.dumps(ASTERISK_ROW | {"billsec": YEAR_SECONDS + 1}),
        json.dumps(ASTERISK_ROW | {"duration": YEAR_SECONDS, "billsec": YEAR_SECONDS}),
    )
    land_as(
        loader,
        "lille_plant",
        "cisco_cucm",
        f"1,1,1791788400,1791788400,1791788420,{2**31 - 1},1201,0199001999,carrier@example",
        f"1,2,1791788400,1791788400,1791788420,{YEAR_SECONDS},1201,0199001999,carrier@example",
        header=CUCM_HEADER,
    )
    assert build(filled).batch_count == 2
    assert rows(
        filled,
        "select pbx_id, state, state_field, talk_seconds from intermediate.int_tickets__staged "
        "order by pbx_id desc, ordinal",
    ) == [
        ("lyon_support", "rejected", "duration", None),
        ("lyon_support", "rejected", "billsec", None),
        ("lyon_support", "ticket", None, YEAR_SECONDS),
        ("lille_plant", "rejected", "duration", None),
        ("lille_plant", "ticket", None, YEAR_SECONDS),
    ]
    assert [talk for _, _, talk in legs(filled)] == [YEAR_SECONDS, YEAR_SECONDS]


def test_an_increment_of_any_length_stops_no_build(
    filled: Settings, loader: psycopg.Connection
) -> None:
    loader.execute(
        "update directory.rates set first_increment_seconds = 1, next_increment_seconds = %s",
        [2**31 - 1],
    )
    land_now(loader, OutgoingLeg("10/12 09:00", 90))
    build(filled)
    assert rows(filled, "select billed_seconds from marts.fct_call_legs") == [(2**31 - 1,)]


def test_history_cannot_be_rebuilt_away(filled: Settings, loader: psycopg.Connection) -> None:
    land_now(loader, OutgoingLeg("10/12 09:00", 60))
    build(filled)
    with pytest.raises(BuildError, match="open batches again instead of --full-refresh"):
        run_dbt(filled, "run", "--select", "fct_call_legs", "--full-refresh")
    assert len(legs(filled)) == 1


def test_analysts_see_the_last_four_digits_only_where_they_may(
    filled: Settings, loader: psycopg.Connection
) -> None:
    land_now(loader, OutgoingLeg("10/12 09:00", 60, number="0199001234"))
    build(filled)
    with connect("analyst", settings=filled, autocommit=True) as analyst:
        masked = analyst.execute(
            "select called_number, called_e164, extension from marts.fct_call_legs_masked"
        ).fetchall()
        assert masked == [("0019900xxxx", "+3319900xxxx", "4201")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("select called_number from marts.fct_call_legs")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("select body from raw.tickets")
    with connect("analyst_full", settings=filled, autocommit=True) as analyst:
        whole = analyst.execute(
            "select called_e164, sale_amount from marts.fct_call_legs"
        ).fetchall()
        assert whole[0][0] == "+33199001234"
        assert whole[0][1] > Decimal(0)
