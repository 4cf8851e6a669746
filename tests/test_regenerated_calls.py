"""Call logs that a PBX generates again under new ids: each call counts once, as last told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.test_building import issue, rows
from tollhouse.building import build
from tollhouse.directory.loading import load_directory
from tollhouse.settings import Settings
from tollhouse.warehouse import LOADER, connect

pytestmark = pytest.mark.postgres

PBX_ID = "lyon_support"
START = datetime(2026, 10, 12, 9, tzinfo=UTC)

STATES = """
select ordinal, state, state_reason from intermediate.int_tickets__staged order by ticket_id
"""
LEGS = """
select tickets.ordinal, legs.talk_seconds, legs.rating_state
from marts.fct_call_legs as legs inner join raw.tickets as tickets using (ticket_id)
order by tickets.ticket_id
"""
CALLS = "select count(*), sum(talk_seconds) from marts.fct_calls"


@pytest.fixture
def loader(warehouse: Settings) -> Iterator[psycopg.Connection]:
    """The demo's directory, and a Wazo in Lyon."""
    load_directory(warehouse)
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        connection.execute("update directory.pbxs set model = 'wazo' where pbx_id = %s", [PBX_ID])
        connection.execute(
            "insert into raw.deliveries (pbx_id, model, unit) values (%s, 'wazo', 'call-logd')",
            [PBX_ID],
        )
        yield connection


def call_log(row_id: int, call: int, talk_seconds: int = 60, **changes: Any) -> dict[str, Any]:
    """An outgoing call; ``call`` says which, whatever id its row has."""
    start = START + timedelta(minutes=call)
    answer = start + timedelta(seconds=5)
    return {
        "id": row_id,
        "tenant_uuid": "0f6c1de2-5a0b-4c1e-9b7a-3c5d2e8f9a10",
        "start": start.isoformat(),
        "answer": answer.isoformat(),
        "end": (answer + timedelta(seconds=talk_seconds)).isoformat(),
        "answered": True,
        "duration": talk_seconds,
        "call_direction": "outbound",
        "conversation_id": f"{int(start.timestamp())}.{call}",
        "source_extension": "6016",
        "destination_extension": "0199001234",
        "requested_extension": "0199001234",
        "tags": [],
    } | changes


def land(connection: psycopg.Connection, *items: dict[str, Any]) -> int:
    """Land call logs under their ids as one batch; return it."""
    row = connection.execute(
        "with batch as (insert into raw.batches (pbx_id, model, rows_read, rows_inserted) "
        "values (%(pbx)s, 'wazo', %(count)s, %(count)s) returning batch_id), "
        "landed as (insert into raw.tickets "
        "(model, delivery_id, ordinal, batch_id, received_at, body) "
        "select 'wazo', delivery_id, (body::jsonb ->> 'id')::bigint, batch_id, "
        "'2026-11-20 12:00Z', body from batch, raw.deliveries, "
        "unnest(%(bodies)s::text[]) with ordinality as given (body, place) "
        "where unit = 'call-logd' order by place) "
        "select batch_id from batch",
        {"pbx": PBX_ID, "count": len(items), "bodies": [json.dumps(item) for item in items]},
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_call_generated_again_counts_once_and_never_changes_an_issued_invoice(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    old_release = {"conversation_id": None}
    hidden = old_release | {"source_extension": None}
    first = land(
        loader,
        call_log(1, 1),
        call_log(2, 2),
        call_log(3, 3),
        call_log(4, 4, **old_release),
        call_log(5, 5, **hidden),
        call_log(6, 6),
        call_log(7, 6, 61),
    )
    build(warehouse)
    [(invoiced,)] = rows(
        warehouse, "select ticket_id from raw.tickets where model = 'wazo' and ordinal = 3"
    )
    issue(warehouse, invoiced)

    # All of them are deleted and written anew: the second, third and fourth say something else.
    land(
        loader,
        call_log(11, 1, tags=["atelier"]),
        call_log(12, 2, 90),
        call_log(13, 3, 90),
        call_log(14, 4, 90, **old_release),
        call_log(15, 5, **hidden),
    )
    build(warehouse)

    expected_states = [
        (1, "ticket", None),
        (2, "duplicate", "superseded"),
        (3, "ticket", None),
        (4, "duplicate", "superseded"),
        # Without an id and a caller nothing tells a call: both stand.
        (5, "ticket", None),
        (6, "duplicate", "superseded"),
        (7, "ticket", None),
        (11, "duplicate", "same_ticket_came_before"),
        (12, "ticket", None),
        (13, "duplicate", "call_is_invoiced"),
        (14, "ticket", None),
        (15, "ticket", None),
    ]
    expected_legs = [
        (1, 60, "rated"), (3, 60, "rated"), (5, 60, "rated"), (7, 61, "rated"),
        (12, 90, "rated"), (14, 90, "rated"), (15, 60, "rated"),
    ]  # fmt: skip
    assert rows(warehouse, STATES) == expected_states
    assert rows(warehouse, LEGS) == expected_legs
    assert rows(warehouse, CALLS) == [(7, sum(talk for _, talk, _ in expected_legs))]
    assert rows(
        warehouse,
        "select count(*), min(section) from intermediate.int_invoices__draft_calls "
        "inner join raw.tickets using (ticket_id) where ordinal in (3, 13)",
    ) == [(0, None)]

    # The older batch built again, alone: what stands does not depend on the order of builds.
    loader.execute("update raw.batches set built_at = null where batch_id = %s", [first])
    build(warehouse)
    assert rows(warehouse, STATES) == expected_states
    assert rows(warehouse, LEGS) == expected_legs
