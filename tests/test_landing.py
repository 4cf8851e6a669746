"""Landing on a real PostgreSQL: every ticket once, whatever comes again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain

import psycopg
import pytest

from tests.installed import batches, bodies, rows
from tollhouse import landing, warehouse
from tollhouse.bundles import bundled
from tollhouse.framing import Ticket
from tollhouse.landing import (
    BatchStart,
    Delivery,
    DeliveryTickets,
    KnownDeliveries,
    LandedBatch,
    LandingBusyError,
    SmallDeliveries,
    land,
    landing_lock,
    says_the_same,
)
from tollhouse.settings import Settings

pytestmark = pytest.mark.postgres

START = BatchStart(pbx_id="paris_hq", model_id="mitel_3300")
SEGMENT = Delivery("segment-0000000001")


def tickets(*ordinals: int, text: str = "ticket") -> Iterator[Ticket]:
    return (Ticket(ordinal, f"{text} {ordinal}") for ordinal in ordinals)


def landed(
    settings: Settings,
    found: Iterator[Ticket],
    delivery: Delivery = SEGMENT,
    idlast_after: str | None = None,
    cut_ordinals: Sequence[int] = (),
) -> LandedBatch:
    with warehouse.connect(warehouse.LOADER, settings=settings, autocommit=True) as connection:
        return land(
            connection,
            START,
            [DeliveryTickets(delivery, bundled(found), cut_ordinals)],
            idlast_after=lambda: idlast_after,
        )


def test_tickets_land_verbatim(warehouse: Settings) -> None:
    hostile = [
        "a\tb",
        "back\\slash \\N",
        "\\.",
        "two\nlines\r",
        "é€😀",
        "'; drop table raw.tickets",
    ]
    arrived_at = datetime(2026, 2, 4, 13, 34, 56, 789000, tzinfo=UTC)
    landed(warehouse, (Ticket(n, body, arrived_at) for n, body in enumerate(hostile)))
    assert bodies(warehouse) == hostile
    assert rows(warehouse, "select distinct received_at from raw.tickets") == [(arrived_at,)]


def test_tickets_that_come_again_are_counted_and_not_doubled(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 2, 3))
    again = landed(warehouse, tickets(2, 3, 4), idlast_after="4")
    assert (again.rows_read, again.rows_inserted, again.rows_already_there) == (3, 1, 2)
    assert bodies(warehouse) == ["ticket 1", "ticket 2", "ticket 3", "ticket 4"]


def test_a_late_ticket_between_older_ones_lands(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 2, 5))
    assert landed(warehouse, tickets(2, 3, 5)).rows_inserted == 1
    assert bodies(warehouse) == ["ticket 1", "ticket 2", "ticket 3", "ticket 5"]


def test_a_key_that_comes_twice_in_one_pull_lands_once(warehouse: Settings) -> None:
    result = landed(warehouse, tickets(1, 2, 1, 3, 2))
    assert (result.rows_inserted, result.rows_already_there) == (3, 2)
    assert bodies(warehouse) == ["ticket 1", "ticket 2", "ticket 3"]


def test_another_body_under_the_same_key_is_kept_beside_the_first(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 2))
    result = landed(warehouse, tickets(2, text="other"))
    assert (result.rows_inserted, result.rows_conflicting) == (0, 1)
    assert bodies(warehouse) == ["ticket 1", "ticket 2"]
    kept = rows(
        warehouse,
        "select conflicts.body, tickets.body, conflicts.batch_id from raw.conflicts "
        "join raw.tickets on tickets.ticket_id = conflicts.kept_ticket_id",
    )
    assert kept == [("other 2", "ticket 2", result.batch_id)]


def test_the_same_conflict_is_kept_and_told_once(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 2))
    landed(warehouse, tickets(2, text="other"))
    again = landed(warehouse, tickets(2, text="other"))
    assert (again.batch_id, again.rows_conflicting, again.rows_already_there) == (None, 0, 1)
    assert len(rows(warehouse, "select from raw.conflicts")) == 1


def test_a_column_added_to_a_table_makes_no_conflict_of_its_rows() -> None:
    assert says_the_same('{"id": 1, "src": "100"}', '{"id": 1, "src": "100", "did": null}')
    assert not says_the_same('{"id": 1, "src": "100"}', '{"id": 1, "src": "200", "did": null}')
    assert not says_the_same('{"id": 1, "src": "100"}', '{"id": 1, "src": "200"}')
    assert not says_the_same("{broken", "{broken too")


def test_a_pull_that_finds_nothing_new_leaves_no_trace(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 2), idlast_after="2")
    with_idlast = BatchStart("paris_hq", "mitel_3300", idlast_before="2")
    with connection_of(warehouse) as connection:
        again = land(
            connection,
            with_idlast,
            [DeliveryTickets(SEGMENT, bundled(tickets(1, 2)))],
            idlast_after=lambda: "2",
        )
    assert again == LandedBatch(None, 2, 0, 2, 0, "2", "2")
    assert len(batches(warehouse)) == 1


def test_a_batch_without_new_tickets_wakes_no_build(warehouse: Settings) -> None:
    landed(warehouse, tickets(1), idlast_after="1")
    landed(warehouse, tickets(1), idlast_after="2")
    built = rows(warehouse, "select built_at is not null from raw.batches order by batch_id")
    assert built == [(False,), (True,)]


def test_the_ledger_says_from_where_to_where_each_delivery_was_read(warehouse: Settings) -> None:
    landed(warehouse, tickets(0, 5, 9))
    ledger = (
        "select first_ordinal, last_ordinal, rows_read, rows_inserted from raw.batch_deliveries"
    )
    assert rows(warehouse, ledger) == [(0, 9, 3, 3)]


def test_small_deliveries_land_together_whatever_raw_has_of_each(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 3), Delivery("b"))
    several = SmallDeliveries(
        [
            (Delivery("c"), tuple(bundled(tickets(5, text="new")))),
            (Delivery("b"), tuple(bundled(chain(tickets(1, 2), tickets(3, text="other"))))),
            (Delivery("empty"), ()),
            (Delivery("b", generation=2), tuple(bundled(tickets(1, text="again")))),
            (Delivery("a"), tuple(bundled(tickets(7, 7, text="twice")))),
        ]
    )
    with connection_of(warehouse) as connection:
        result = land(connection, START, [several])
    assert (result.rows_read, result.rows_inserted) == (7, 4)
    assert (result.rows_already_there, result.rows_conflicting) == (2, 1)
    found = rows(
        warehouse,
        "select unit, generation, array_agg(body order by ordinal) from raw.deliveries "
        "left join raw.tickets using (delivery_id) group by delivery_id order by delivery_id",
    )
    assert found == [
        ("b", 1, ["ticket 1", "ticket 2", "ticket 3"]),
        ("c", 1, ["new 5"]),
        ("empty", 1, [None]),
        ("b", 2, ["again 1"]),
        ("a", 1, ["twice 7"]),
    ]


def test_a_new_generation_of_a_unit_begins_afresh(warehouse: Settings) -> None:
    landed(warehouse, tickets(1, 2))
    landed(warehouse, tickets(1, text="other"), Delivery(SEGMENT.unit, generation=2))
    assert bodies(warehouse) == ["ticket 1", "ticket 2", "other 1"]
    assert rows(warehouse, "select from raw.conflicts") == []


def test_a_pull_that_fails_half_way_lands_nothing(warehouse: Settings) -> None:
    def breaking() -> Iterator[Ticket]:
        yield from tickets(*range(landing.CHUNK_TICKETS + 1))
        raise ConnectionResetError("the PBX went away")

    with pytest.raises(ConnectionResetError):
        landed(warehouse, breaking())
    assert bodies(warehouse) == []
    assert batches(warehouse) == []
    assert rows(warehouse, "select from raw.deliveries") == []


def test_more_tickets_than_one_chunk_land_in_one_batch(warehouse: Settings) -> None:
    count = 2 * landing.CHUNK_TICKETS + 7
    result = landed(warehouse, tickets(*range(count)))
    found = rows(warehouse, "select count(*), count(distinct batch_id) from raw.tickets")
    assert (result.rows_inserted, found) == (count, [(count, 1)])


def test_a_large_batch_is_known_to_the_planner_when_it_has_landed(warehouse: Settings) -> None:
    landed(warehouse, tickets(*range(5_000)))

    estimates = rows(
        warehouse, "select reltuples from pg_class where oid = 'raw.tickets_mitel_3300'::regclass"
    )
    assert estimates == [(5_000,)]


def test_two_pulls_of_one_pbx_land_one_after_the_other(warehouse: Settings) -> None:
    pulls = [
        threading.Thread(target=landed, args=(warehouse, tickets(*range(1000)))) for _ in range(4)
    ]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()
    assert len(bodies(warehouse)) == 1000
    assert [batch[1] for batch in batches(warehouse)] == [1000]


def test_a_run_that_waits_too_long_for_another_says_so(warehouse: Settings) -> None:
    with (
        connection_of(warehouse) as first,
        connection_of(warehouse) as second,
        landing_lock(first, "paris_hq"),
        pytest.raises(LandingBusyError, match="extract__paris_hq"),
        landing_lock(second, "paris_hq", wait_seconds=1),
    ):
        pass


def test_what_is_known_is_the_newest_generation(warehouse: Settings) -> None:
    for generation in (1, 2):
        landed(warehouse, tickets(1), Delivery("cdr_a", generation, content_sha256=f"{generation}"))
    with connection_of(warehouse) as connection:
        known = KnownDeliveries(connection, "paris_hq", "mitel_3300")
        assert known.current(["cdr_a", "cdr_b"])["cdr_a"].generation == 2
        (holder,) = known.with_contents(["1", "3"])["1"]
        assert holder.generation == 1
        newest = known.newest()
        assert newest is not None
        assert newest.generation == 2
        assert known.bodies(newest.delivery_id, [1, 2]) == {1: "ticket 1"}


def connection_of(settings: Settings) -> psycopg.Connection:
    return warehouse.connect(warehouse.LOADER, settings=settings, autocommit=True)


def test_a_cut_ticket_is_noted_once_and_bears_the_batch_that_landed_it(
    warehouse: Settings,
) -> None:
    first = landed(warehouse, tickets(1, 2), cut_ordinals=[2])
    assert landed(warehouse, tickets(2, 3), cut_ordinals=[2]).rows_inserted == 1
    # Landed before anybody knew that it was cut.
    landed(warehouse, tickets(1), cut_ordinals=[1, 99])
    assert rows(
        warehouse,
        "select ordinal, cut.batch_id, tickets.body from raw.cut_tickets as cut "
        "join raw.tickets using (ticket_id) order by ordinal",
    ) == [(1, first.batch_id, "ticket 1"), (2, first.batch_id, "ticket 2")]
