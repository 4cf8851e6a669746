"""Replays: what is in raw is read again, the difference is seen first, and invoices stay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.collector.speaking_pbx import wait_until
from tests.mitel_tickets import OutgoingLeg, land
from tests.test_building import issue, rows, wait_for_session
from tollhouse.building import BUILD_APPLICATION, build
from tollhouse.directory.loading import load_directory
from tollhouse.reconciling import reconcile
from tollhouse.replaying.choice import Choice, ReplayError, choose_batches
from tollhouse.replaying.difference import Difference
from tollhouse.replaying.session import replay
from tollhouse.replaying.trial import Trial
from tollhouse.settings import Settings
from tollhouse.warehouse import BUILD_LOCKS, DBT, LOADER, WAREHOUSE, advisory_lock, connect

pytestmark = pytest.mark.postgres

PBX_ID = "paris_hq"
VIEW = "staging.stg_mitel_3300__tickets"
STAGED = "select staged.* from intermediate.int_tickets__staged as staged order by ticket_id"
#: What the view of a layout that is not confirmed makes of a ticket.
ONLY_CAPTURED = {
    "state": "'rejected'", "state_reason": "'layout_not_confirmed'", "state_field": "null",
    **dict.fromkeys(("started_at", "answered_at", "ended_at", "talk_seconds", "direction"), "null"),
}  # fmt: skip
STATES = """
select batch_id, state, state_reason from intermediate.int_tickets__staged
order by batch_id, ordinal
"""
LEGS = """
select direction, rating_state, sale_currency, count(*), sum(talk_seconds)::bigint, sum(sale_amount)
from marts.fct_call_legs group by 1, 2, 3 order by 1, 2, 3
"""


class Onlooker:
    """Somebody who answers, and remembers what was seen."""

    def __init__(self, *answers: Callable[[], bool]) -> None:
        self.answers = list(answers)
        self.trials: list[Trial] = []
        self.seen: list[Difference] = []

    def waits_for_build(self) -> None:
        raise AssertionError("no build is under way")

    def reads(self, choice: Choice) -> None:
        """Nothing is asked here."""

    def sees(self, trial: Trial, difference: Difference) -> None:
        self.trials.append(trial)
        self.seen.append(difference)

    def builds(self) -> None:
        """The build itself is looked at."""

    def agrees(self) -> bool:
        return self.answers.pop(0)()


def yes() -> bool:
    return True


@pytest.fixture
def loader(warehouse: Settings) -> Iterator[psycopg.Connection]:
    """The demo's directory, which knows the PBX."""
    load_directory(warehouse)
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        yield connection


@contextmanager
def reading_otherwise(
    settings: Settings, expressions: dict[str, str]
) -> Iterator[Callable[[dict[str, str]], None]]:
    """Give the staging view other expressions for columns, and a way to change them once more."""
    with connect(DBT, settings=settings, autocommit=True) as owner:
        columns = owner.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 order by attnum",
            [VIEW],
        ).fetchall()

        def read(changed: dict[str, str]) -> None:
            selected = ", ".join(
                f"({changed.get(name, name)})::{data_type} as {name}" for name, data_type in columns
            )
            owner.execute(
                f"create or replace view {VIEW} as select {selected} from staging.read_tickets"
            )

        owner.execute(f"alter view {VIEW} rename to read_tickets")
        read(expressions)
        yield read
        owner.execute(f"drop view {VIEW}")
        owner.execute("alter view staging.read_tickets rename to stg_mitel_3300__tickets")


def faults(settings: Settings) -> list[str]:
    """Return the comparisons that do not hold; the invoice of a test adds up to nothing."""
    return [check.name for check in reconcile(settings).checks if not check.holds]


def land_on(connection: psycopg.Connection, day: int, *tickets: object) -> int:
    """Land tickets as one batch that was received on a day of November 2026."""
    batch_id = land(connection, tickets)
    instant = datetime(2026, 11, day, 12, tzinfo=UTC)
    connection.execute(
        "update raw.tickets set received_at = %s where batch_id = %s", [instant, batch_id]
    )
    connection.execute(
        "update raw.batches set landed_at = %s where batch_id = %s", [instant, batch_id]
    )
    return batch_id


def ticket_of(settings: Settings, batch_id: int) -> int:
    """Return the first ticket of a batch."""
    [(ticket_id,)] = rows(
        settings, "select min(ticket_id) from raw.tickets where batch_id = %s", batch_id
    )
    return int(ticket_id)


def command(settings: Settings, *options: str) -> subprocess.Popen[str]:
    """Start ``tollhouse replay`` without a terminal."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("tollhouse"), "replay", "--pbx", PBX_ID, *options],
        env=settings.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_was_captured_is_read_at_last_and_an_issued_invoice_stays(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    invoiced, resent = OutgoingLeg("10/12 09:00", 60), OutgoingLeg("10/12 09:10", 90)
    first_leg = OutgoingLeg("10/12 10:00", 30, call="M0010001")
    second_leg = OutgoingLeg("10/12 10:01", 45, call="M0010001", leg="B")
    with reading_otherwise(warehouse, ONLY_CAPTURED):
        captured = land_on(loader, 2, invoiced, resent, first_leg, "no ticket at all")
        build(warehouse)
    # The layout is filled in now; the PBX sends some tickets again, and one is even invoiced.
    came_again = land_on(loader, 4, invoiced)
    land_on(loader, 9, resent, second_leg)
    build(warehouse)
    issue(warehouse, ticket_of(warehouse, came_again))
    before, faults_before = rows(warehouse, STAGED), faults(warehouse)

    # Killed while it writes its differences down: its dbt goes on alone, and changes nothing.
    with connect(LOADER, settings=warehouse) as blocker:
        blocker.execute("lock table raw.replay_differences in access exclusive mode")
        killed = command(warehouse, "--since", "2026-11-01")
        wait_for_session(warehouse, "replay_differences")
        killed.kill()
        killed.communicate()
    wait_until(lambda: not sessions_of_builds(warehouse))
    assert rows(warehouse, STAGED) == before
    assert rows(warehouse, "select count(*) from raw.batches where built_at is null") == [(0,)]

    # Without a terminal nothing is kept; a build under way is waited for.
    with advisory_lock(loader, BUILD_LOCKS, WAREHOUSE):
        asked = command(warehouse, "--since", "2026-11-01", "--until", "2026-11-02", "--json")
        assert asked.stderr is not None
        assert "A build is under way" in asked.stderr.readline()
    output, _ = asked.communicate()
    assert asked.returncode == 1
    told = json.loads(output)
    assert told["kept_as_replay"] is None
    assert rows(warehouse, STAGED) == before
    assert rows(warehouse, "select count(*) from raw.replays") == [(0,)]
    # The batch of the ticket that came again and is not invoiced has to be read again with it.
    assert (told["batch_ids"], told["added_batch_ids"]) == (
        [captured, captured + 2],
        [captured + 2],
    )

    onlooker = Onlooker(yes)
    outcome = replay(warehouse, onlooker, PBX_ID, since="2026-11-01")
    [difference] = onlooker.seen
    assert {
        row["state"]: (row["before_count"], row["after_count"]) for row in difference.states
    } == {"ticket": (3, 4), "rejected": (4, 0), "ignored": (0, 1), "duplicate": (0, 2)}
    assert difference.kept_as_invoiced_count == 0
    assert rows(warehouse, STATES) == [
        (captured, "duplicate", "call_is_invoiced"),
        (captured, "ticket", None),
        (captured, "ticket", None),
        (captured, "ignored", "event"),
        (came_again, "ticket", None),
        (captured + 2, "duplicate", "came_before_in_another_delivery"),
        (captured + 2, "ticket", None),
    ]
    # What was shown is what was built: calls, seconds and prices, but for the invoiced leg, which
    # no changed ticket touches.
    assert (difference.prices.calls_before, difference.prices.calls_after) == (2, 2)
    assert [
        (row["after_count"], row["after_talk_seconds"], row["after_amount"])
        for row in difference.prices.legs
    ] == [
        (legs - 1, talk - 60, price - invoiced_amount(warehouse))
        for _, _, _, legs, talk, price in rows(warehouse, LEGS)
    ]
    # Both legs that can be read at last wait for the next invoice (I4), like the one before them.
    assert [row["leg_count"] for row in difference.prices.late_legs] == [2]
    assert rows(
        warehouse,
        "select period_month, count(*) from intermediate.int_invoices__draft_calls "
        "where section = 'previous_periods' group by period_month",
    ) == [(date(2026, 10, 1), 3)]
    assert faults(warehouse) == faults_before
    assert rows(
        warehouse,
        "select replay_id, ticket_count, kept_at is not null, (summary ->> 'changed_count')::int, "
        "(select count(*) from raw.replay_differences where replay_id = replays.replay_id) "
        "from raw.replays",
    ) == [(outcome.trial.replay_id, 7, True, 5, 5)]

    again = replay(warehouse, onlooker, PBX_ID, since="2026-11-01")
    assert (again.difference.changed_count, again.leaves_difference) == (0, False)


def test_an_upgraded_model_changes_calls_and_prices_but_none_on_an_issued_invoice(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    batch_id = land_on(
        loader,
        2,
        OutgoingLeg("10/12 09:00", 60),
        OutgoingLeg("10/12 09:10", 90),
        OutgoingLeg("11/01 09:10", 30),
    )
    build(warehouse)
    invoiced = ticket_of(warehouse, batch_id)
    before = rows(warehouse, STAGED)
    [(_, _, _, _, _, amount_before)] = rows(warehouse, LEGS)
    faults_before: list[str] = []

    with reading_otherwise(warehouse, {"talk_seconds": "talk_seconds * 2"}) as read:

        def issue_and_agree() -> bool:
            issue(warehouse, invoiced)
            faults_before.extend(faults(warehouse))
            return True

        def change_the_model_and_agree() -> bool:
            read({"talk_seconds": "talk_seconds * 3"})
            return True

        onlooker = Onlooker(issue_and_agree, change_the_model_and_agree, yes)
        outcome = replay(warehouse, onlooker, PBX_ID, since="2026-11-02T00:00Z", example_count=2)

        # What was agreed to is no more what would be kept: it is shown again.
        assert [
            [row["after"]["talk_seconds"] for row in seen.examples] for seen in onlooker.seen
        ] == [[120, 180], [180, 120], [270, 180]]
        assert [seen.kept_as_invoiced_count for seen in onlooker.seen] == [0, 1, 1]
        difference = outcome.difference
        assert difference.columns == [{"column_name": "talk_seconds", "ticket_count": 2}]
        assert [row["is_invoiced"] for row in difference.examples] == [False, True]
        amount = invoiced_amount(warehouse)
        assert [tuple(row.values()) for row in difference.prices.invoiced_legs] == [
            (date(2026, 10, 1), "T-2026-1", "EUR", 1, amount, Decimal("0.134"))
        ]
        [(_, _, _, leg_count, talk_seconds, amount_after)] = rows(warehouse, LEGS)
        assert (leg_count, talk_seconds) == (3, 60 + 270 + 90)
        assert difference.prices.amounts() == {
            "EUR": (amount_before - amount, amount_after - amount)
        }
        [(service_id,)] = rows(warehouse, "select distinct service_id from marts.fct_call_legs")
        assert [tuple(row.values()) for row in difference.prices.payers] == [
            (service_id, "EUR", 2, 2, amount_before - amount, amount_after - amount)
        ]
        after = rows(warehouse, STAGED)
        assert [row for row in after if row[0] == invoiced] == [
            row for row in before if row[0] == invoiced
        ]
        assert faults(warehouse) == faults_before

        # The PBX sends the invoiced ticket again, and the model reads it the new way.
        came_again = land_on(loader, 9, OutgoingLeg("10/12 09:00", 60))
        build(warehouse)
        states = [(batch_id, "ticket", None)] * 3 + [
            (came_again, "duplicate", "came_before_in_another_delivery")
        ]
        assert rows(warehouse, STATES) == states
        # Read again alone, by a model that was upgraded once more, it would count again.
        read({"talk_seconds": "talk_seconds * 4"})
        outcome = replay(warehouse, Onlooker(yes), PBX_ID, since="2026-11-09")
        assert outcome.trial.added_batch_ids == (batch_id,)
        assert rows(warehouse, STATES) == states
        assert faults(warehouse) == faults_before
        after = rows(warehouse, STAGED)

    broken = ONLY_CAPTURED | {"state_reason": "'layout_broken'"}
    with (
        reading_otherwise(warehouse, broken),
        pytest.raises(ReplayError, match=r"does not hold \(layout_broken\)"),
    ):
        replay(warehouse, Onlooker(), PBX_ID, since="2026-11-02")
    assert rows(warehouse, STAGED) == after
    assert rows(warehouse, "select count(*) from raw.replays") == [(2,)]


def test_a_replay_of_nothing_is_refused_with_a_reason(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    batch_id = land_on(loader, 2, OutgoingLeg("10/12 09:00", 60))
    refusals = {
        ("atlantis", "2026-11-01", None): "knows no PBX 'atlantis'; known are .*paris_hq",
        (PBX_ID, "9999-01-01", None): "--since 9999-01-01 is in the future",
        (PBX_ID, "2026-11-03", "2026-11-02"): "--until 2026-11-02 is not after --since",
        # Half past two comes twice: this begins with the first and ends with the second.
        (PBX_ID, "2026-10-25T02:30+02:00", "2026-10-25T02:30"): "no built tickets at all; 1 batch",
        (PBX_ID, "last week", None): "--since last week is no date and no instant: write it as",
        (PBX_ID, "2026-11-01", "2026-11-31"): "--until 2026-11-31 is no date",
        (PBX_ID, "2026-11-01", None): "no built tickets at all; 1 batches wait for their first",
    }
    for (pbx_id, since, until), message in refusals.items():
        with pytest.raises(ReplayError, match=message):
            choose_batches(loader, pbx_id, since=since, until=until)
    loader.execute("update raw.batches set built_at = now()")
    with pytest.raises(ReplayError, match=r"last ones landed at 2026-11-02 13:00 \(Europe/Paris\)"):
        choose_batches(loader, PBX_ID, since="2026-11-03")
    # Received at 13:00 in Paris: a date is one of the PBX, and --until goes to its end.
    for since, until in (
        ("2026-11-02", "2026-11-02"),
        ("20261102", "20261102"),
        ("2026-11-02T13:00", None),
        ("2026-11-02T12:00Z", "2026-11-02T12:01Z"),
    ):
        assert choose_batches(loader, PBX_ID, since=since, until=until).batch_ids == (batch_id,)
    with pytest.raises(ReplayError):
        choose_batches(loader, PBX_ID, since="2026-11-01", until="2026-11-02T13:00")


def sessions_of_builds(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(
        settings, "select pid from pg_stat_activity where application_name = %s", BUILD_APPLICATION
    )


def invoiced_amount(settings: Settings) -> Decimal:
    [(amount,)] = rows(settings, "select sum(exact_amount) from billing.invoice_calls")
    assert isinstance(amount, Decimal)
    return amount
