"""The staged contract: whole batches, tickets sent twice or cut, the hour that comes twice."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import psycopg
import pytest

from lab.grandstream_ucm import as_csv, as_xml
from lab.grandstream_ucm import tickets_of as ucm_records
from lab.traffic import Call, Site
from tests.collector.collecting import collecting
from tests.collector.speaking_pbx import say, speaking, stay_connected, wait_until
from tests.installed import pbx_of
from tests.transports.pulling import Puller
from tollhouse.building import BuildError, run_dbt
from tollhouse.framing import frame_file
from tollhouse.pbx import models
from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import DBT, LOADER, connect

pytestmark = pytest.mark.postgres

PBX_ID = "paris_hq"
MODEL = "mitel_3300"


@pytest.fixture
def loader(warehouse: Settings) -> Iterator[psycopg.Connection]:
    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        install(connection, PBX_ID)
        yield connection


def test_a_batch_built_again_leaves_the_same_rows_and_touches_no_other(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    first = land(loader, {"segment 1": [line("09:00"), "no ticket at all", line("99:00")]})
    stage(warehouse, loader)
    second = land(loader, {"segment 2": [line("09:10")]})
    stage(warehouse, loader)
    before = staged(warehouse)

    loader.execute("update raw.batches set built_at = null where batch_id = %s", [first])
    stage(warehouse, loader)

    assert staged(warehouse) == before
    assert [row[0] for row in before] == [first, first, first, second]
    assert [row[2] for row in before] == ["ticket", "ignored", "rejected", "ticket"]


def test_a_ticket_sent_again_in_another_delivery_is_a_duplicate(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    sent_twice, equal, only_here = line("10:00"), line("10:01"), line("10:02")
    land(loader, {"segment 1": [sent_twice, equal, equal]})
    stage(warehouse, loader)

    # The PBX sends its buffer again: what came before, one equal call more, and a new call.
    land(loader, {"segment 2": [sent_twice, equal, equal, equal, only_here]})
    stage(warehouse, loader)

    assert states_of(warehouse, "segment 1") == ["ticket", "ticket", "ticket"]
    assert states_of(warehouse, "segment 2") == [
        "duplicate", "duplicate", "duplicate", "ticket", "ticket",
    ]  # fmt: skip


def test_a_ticket_sent_twice_within_one_build_is_a_duplicate(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    land(loader, {"segment 1": [line("10:00")], "segment 2": [line("10:00"), line("10:05")]})

    stage(warehouse, loader)

    assert states_of(warehouse, "segment 1") == ["ticket"]
    assert states_of(warehouse, "segment 2") == ["duplicate", "ticket"]


def test_a_ticket_with_an_identity_counts_once_wherever_it_comes_again(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    ucm = "grandstream_ucm"
    install(loader, "tours_shop", ucm)
    install(loader, "nice_shop", ucm)
    first, other_leg, equal, later = record(1), record(2), record(None), record(3)
    # Many connections share a segment; a record without an identity says nothing about another.
    records = [first, other_leg, first, equal, equal]
    land(loader, {"segment 1": records}, pbx_id="tours_shop", model=ucm)
    stage(warehouse, loader)

    # The segment grows, as long as it is not full, and another one begins.
    growth = {"segment 1": [other_leg, later, later]}
    land(loader, growth, pbx_id="tours_shop", model=ucm, first_ordinal=len(records))
    land(loader, {"segment 2": [later, first]}, pbx_id="tours_shop", model=ucm)
    land(loader, {"segment 3": [first]}, pbx_id="nice_shop", model=ucm)
    stage(warehouse, loader)

    assert states_of(warehouse, "segment 1") == [
        "ticket", "ticket", "duplicate", "ticket", "ticket",
        "duplicate", "ticket", "duplicate",
    ]  # fmt: skip
    assert states_of(warehouse, "segment 2") == ["duplicate", "duplicate"]
    assert states_of(warehouse, "segment 3") == ["ticket"]


def test_a_record_that_was_pushed_and_asked_for_counts_once(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    """A UCM that pushed in real time is now asked by its CDR API, or the other way round."""
    ucm = "grandstream_ucm"
    install(loader, "tours_shop", ucm)
    group_legs, transferred, plain, only_asked_for = ucm_calls()
    pushed = [
        # Older firmware pushes values without the number of the record.
        *(as_csv({name: leg[name] for name in leg if name != "AcctId"}) for leg in group_legs),
        *(as_xml(leg) for leg in transferred),
        *(json.dumps(leg | {"sn": "Serial Number:1"}) for leg in plain),
    ]
    legs = [*group_legs, *transferred, *plain, *only_asked_for]
    asked_for = [json.dumps({"cdr": leg["session"], **leg}) for leg in legs]
    land(loader, {"segment 1": pushed, "cdrapi": asked_for}, pbx_id="tours_shop", model=ucm)
    stage(warehouse, loader)

    assert states_of(warehouse, "segment 1") == ["ticket"] * 5
    assert states_of(warehouse, "cdrapi") == ["duplicate"] * 5 + ["ticket"]


def test_a_ticket_that_came_over_tcp_and_comes_in_a_file_counts_once(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    """What was lost over TCP is read again from files; the file has the other tickets too."""
    avaya, *_, other_call = sample_bodies("avaya_ipoffice/ipo500v2_live_2017.csv")
    shoretel, *_ = sample_bodies("shoretel/legacy_cdr_7_5_synthetic.log")
    openscape, *_ = sample_bodies("unify_openscape/openscape_pipe_compressed.txt")
    (oxe_block,) = sample_bodies("alcatel_oxe/SYNTHETIC_ethernet_frame_of_real_ticket.bin")
    (oxe_line,) = sample_bodies("alcatel_oxe/real_ticket_ED5.2_772chars.txt")
    ways = {
        # The PBX puts NULs before a line, and a guide has the line end one column further on.
        "avaya_ipoffice": ("\\x00\\x00" + avaya, avaya),
        "shoretel": (shoretel, shoretel + " "),
        "unify_openscape": (openscape, openscape),
        "alcatel_oxe": (oxe_block, oxe_line),
    }
    for model, (over_tcp, in_file) in ways.items():
        pbx_id = f"one_{model}"
        install(loader, pbx_id, model)
        land(loader, {f"{model} segment": [over_tcp]}, pbx_id=pbx_id, model=model)
        land(loader, {f"{model} file": [in_file]}, pbx_id=pbx_id, model=model)
    only_in_file = {"day.csv": [avaya, other_call]}
    land(loader, only_in_file, pbx_id="one_avaya_ipoffice", model="avaya_ipoffice")
    stage(warehouse, loader)

    for model in ways:
        assert states_of(warehouse, f"{model} segment") == ["ticket"], model
        assert states_of(warehouse, f"{model} file") == ["duplicate"], model
    assert states_of(warehouse, "day.csv") == ["duplicate", "ticket"]


def test_equal_tickets_of_two_pbxs_are_two_calls(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    install(loader, "lyon_plant")
    land(loader, {"segment 1": [line("10:00")], "segment 2": [line("11:00")]})
    land(loader, {"segment 3": [line("10:00")], "segment 4": []}, pbx_id="lyon_plant")

    stage(warehouse, loader)

    assert states_of(warehouse, "segment 1") == ["ticket"]
    assert states_of(warehouse, "segment 3") == ["ticket"]


def test_a_ticket_that_a_disconnect_cut_is_rejected_and_counts_once_when_it_comes_whole(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    install(loader, "lyon_plant")
    # Cut within the last number, which reads as a shorter one.
    cut, whole = line("10:01").encode()[:-1], line("10:01").encode() + b"\r\n"
    sent_again = iter([line("10:00").encode() + b"\r\n" + cut, whole])

    def cut_and_send_again(connection: socket.socket) -> None:
        said = next(sent_again)
        connection.sendall(said)
        if said is whole:
            stay_connected(connection)

    with (
        speaking(cut_and_send_again) as paris,
        speaking(say(cut + b"\r\n")) as lyon,
        collecting(
            warehouse.var,
            (pbx_of(MODEL), {"host": "127.0.0.1", "port": paris.port}),
            (pbx_of(MODEL, "lyon_plant"), {"host": "127.0.0.1", "port": lyon.port}),
        ) as collector,
    ):
        wait_until(lambda: len(collector.records(PBX_ID)) == 3)
        wait_until(lambda: len(collector.records("lyon_plant")) == 1)
    pullers = [Puller(warehouse, pbx_of(MODEL, pbx_id)) for pbx_id in (PBX_ID, "lyon_plant")]
    for puller in pullers:
        puller.pull()
    stage(warehouse, loader)
    before = staged(warehouse)

    assert outcomes(warehouse, PBX_ID) == [
        ("ticket", None), ("rejected", "cut_by_disconnect"), ("ticket", None),
    ]  # fmt: skip
    # The same text with its line end: only the collector can know.
    assert outcomes(warehouse, "lyon_plant") == [("ticket", None)]

    for puller in pullers:
        puller.watermark.value = None
        assert puller.pull().rows_inserted == 0
    loader.execute("update raw.batches set built_at = null")
    stage(warehouse, loader)
    assert staged(warehouse) == before


def test_the_order_of_tickets_tells_the_second_of_two_repeated_hours(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    # Ends rise along the lines; the clock goes back at 03:00 summer time, 01:00 UTC.
    land(
        loader,
        {
            "segment 1": [
                line("02:10", day="10/25"),
                line("02:50", day="10/25"),
                line("02:05", day="10/25"),  # ends before the line above, unless an hour later
                line("02:52", day="10/25"),  # shown only by the line above
                line("02:40", day="10/25", duration="01:20:00"),  # a long call of the first hour
                line("03:00", day="10/25"),
            ]
        },
        received_at=datetime(2026, 10, 26, tzinfo=UTC),
    )

    # This clock tells the end: a call may begin before the hour that comes twice and end in it.
    install(loader, "rouen_clinic", "panasonic_kx")
    land(
        loader,
        {
            "segment 2": [
                line_by_end("02:30", duration="00:40'00"),
                line_by_end("02:50", duration="00:01'00"),
                line_by_end("02:10", duration="00:20'00"),  # ends before the line above, or later
                line_by_end("03:05", duration="00:10'00"),
            ]
        },
        pbx_id="rouen_clinic",
        model="panasonic_kx",
    )

    stage(warehouse, loader)

    assert instants(warehouse, "segment 1") == [
        ("00:10", True, True),
        ("00:50", True, True),
        ("01:05", True, False),
        ("01:52", True, False),
        ("00:40", True, True),
        ("02:00", True, False),
    ]
    assert instants(warehouse, "segment 2") == [
        ("23:50", True, True),
        ("00:49", True, True),
        ("00:50", True, False),
        ("01:55", True, False),
    ]


def test_a_full_refresh_that_would_lose_history_is_refused(
    warehouse: Settings, loader: psycopg.Connection
) -> None:
    land(loader, {"segment 1": [line("09:00")]})
    stage(warehouse, loader)

    with pytest.raises(BuildError, match="open batches again instead of --full-refresh"):
        run_dbt(warehouse, "run", "--select", "int_tickets__staged", "--full-refresh")

    assert states_of(warehouse, "segment 1") == ["ticket"]


def install(connection: psycopg.Connection, pbx_id: str, model: str = MODEL) -> None:
    connection.execute(
        "insert into directory.pbxs (pbx_id, model, transport, time_zone, country) "
        "values (%s, %s, 'spooled_stream', 'Europe/Paris', 'FR')",
        [pbx_id, model],
    )


def sample_bodies(name: str) -> list[str]:
    """Return the tickets of a sample as they land."""
    path = PROJECT / "tests" / "samples" / name
    with path.open("rb") as stream:
        return [ticket.body for ticket in frame_file(stream, models()[path.parent.name]).tickets]


def line(start: str, *, day: str = "03/02", duration: str = "00:00:30") -> str:
    return f" {day} {start}  {duration} 4216      00199001234               A T003"


def line_by_end(end: str, *, duration: str) -> str:
    return f"25/10/26 {end}    101 01 0199001234           {duration}"


def record(record_number: int | None) -> str:
    """Return a leg of a UCM's call, or one that holds no identity."""
    identity = f"'AcctId':'{record_number}','session':'1772438400-200-1','uniqueid':'1772438400.7',"
    return (
        "{"
        + (identity if record_number is not None else "")
        + "'src':'200','dst':'0199001234','start':'2026-03-02 09:00:00','duration':'30',"
        "'billsec':'20','disposition':'ANSWERED','userfield':'Outbound'}"
    ).replace("'", '"')


def ucm_calls() -> list[list[dict[str, str]]]:
    """Return the records of four calls: of a ring group, a transferred one, and two plain ones."""
    call = Call(
        pbx_id="tours_shop",
        day=date(2026, 3, 2),
        number=0,
        direction="incoming",
        outcome="answered",
        started_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        ring_seconds=5,
        talk_seconds=90,
        extension="4216",
        destination="",
        outside_number="0199005122",
    )
    transferred = replace(call, transferred_to="4230", transferred_after_seconds=30)
    site = Site("tours_shop", 4200, 4299, "0199001200", 100)
    # The simulator lets every twelfth call come by the ring group.
    calls = {0: call, 1: transferred, 2: call, 3: call}
    return [
        [json.loads(told.ticket) for told in ucm_records(made, site, number)]
        for number, made in calls.items()
    ]


def land(
    connection: psycopg.Connection,
    deliveries: dict[str, list[str]],
    *,
    pbx_id: str = PBX_ID,
    model: str = MODEL,
    first_ordinal: int = 0,
    received_at: datetime = datetime(2026, 3, 3, 8, tzinfo=UTC),
) -> int:
    """Put deliveries, or what they grew by, into raw as one batch and return its id."""
    batch_id = value(
        connection,
        "insert into raw.batches (pbx_id, model) values (%s, %s) returning batch_id",
        pbx_id,
        model,
    )
    for unit, bodies in deliveries.items():
        delivery_id = value(
            connection,
            "with known as ("
            "select delivery_id from raw.deliveries where pbx_id = %s and unit = %s), "
            "new as (insert into raw.deliveries (pbx_id, model, unit) "
            "select %s, %s, %s where not exists (select from known) returning delivery_id) "
            "select delivery_id from known union all select delivery_id from new",
            pbx_id,
            unit,
            pbx_id,
            model,
            unit,
        )
        for ordinal, body in enumerate(bodies, start=first_ordinal):
            connection.execute(
                "insert into raw.tickets "
                "(model, delivery_id, ordinal, batch_id, received_at, body) "
                "values (%s, %s, %s, %s, %s, %s)",
                [model, delivery_id, ordinal, batch_id, received_at, body],
            )
    return batch_id


def stage(warehouse: Settings, connection: psycopg.Connection) -> None:
    """Build the staged contract for the batches that wait, and close them."""
    build_id = value(connection, "insert into raw.builds default values returning build_id")
    connection.execute("update raw.batches set build_id = %s where built_at is null", [build_id])
    run_dbt(warehouse, "run", "--select", "int_tickets__staged")
    connection.execute("update raw.batches set built_at = now() where built_at is null")


def staged(warehouse: Settings) -> list[tuple[object, ...]]:
    with connect(DBT, settings=warehouse) as connection:
        return connection.execute(
            "select batch_id, ticket_id, state, staged.* from intermediate.int_tickets__staged "
            "as staged order by ticket_id"
        ).fetchall()


def outcomes(warehouse: Settings, pbx_id: str) -> list[tuple[str, str | None]]:
    """Return the states and reasons of a PBX's tickets, in order of arrival."""
    with connect(DBT, settings=warehouse) as connection:
        return connection.execute(
            "select state, state_reason from intermediate.int_tickets__staged where pbx_id = %s "
            "order by delivery_id, ordinal",
            [pbx_id],
        ).fetchall()


def instants(warehouse: Settings, unit: str) -> list[tuple[str, bool, bool]]:
    """Return the start of each ticket, whether its end fits, and whether the hour is in doubt."""
    with connect(DBT, settings=warehouse) as connection:
        return connection.execute(
            "select to_char(started_at, 'HH24:MI'), ended_at - started_at = talk_seconds * "
            "interval '1 second', time_dst_ambiguous from intermediate.int_tickets__staged "
            "inner join raw.deliveries using (delivery_id) where unit = %s order by ordinal",
            [unit],
        ).fetchall()


def states_of(warehouse: Settings, unit: str) -> list[str]:
    with connect(DBT, settings=warehouse) as connection:
        rows = connection.execute(
            "select state from intermediate.int_tickets__staged inner join raw.deliveries "
            "using (delivery_id) where unit = %s order by ordinal",
            [unit],
        ).fetchall()
    return [row[0] for row in rows]


def value(connection: psycopg.Connection, query: str, *parameters: object) -> int:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return int(row[0])
