"""Layouts in the warehouse: a user writes YAML, and the next build reads by it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.types.json import Jsonb

from tests.layouts.declared import A5000, BROKEN, CARRIER, declare
from tests.test_staging_contract import explain, nodes, reads_raw_tickets
from tollhouse.building import build, deploy_changed_layouts
from tollhouse.layouts.compiling import compile_tickets
from tollhouse.layouts.dbt_project import generated_models
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.deployment import have_changed, prepare, record
from tollhouse.layouts.rendering import plain_sql
from tollhouse.layouts.trying import problem_of
from tollhouse.layouts.views import CompiledLayout, LayoutsOfModel, fields_view, tickets_view
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, LOADER, connect

pytestmark = pytest.mark.postgres

RECEIVED_AT = datetime(2026, 11, 1, 8, tzinfo=UTC)

LINE = "R{number};2026-10-01 10:00:0{number};60;0199001000;0199001234;a note"

DAMAGED = "R9;2026-10-01 10:00:09;sixty;0199001000;0199001234;a note"

#: How each row of raw is read: pbx, model, state, reason, and how often.
STATES = """
select pbx_id, model, state, state_reason, count(*)
from intermediate.int_tickets__staged
group by pbx_id, model, state, state_reason
order by pbx_id, state, state_reason
"""


@pytest.fixture
def declared(warehouse: Settings, tmp_path: Path) -> Settings:
    """An installation whose layouts lie in a folder of its own, which is empty."""
    folder = declare(tmp_path / "layouts")
    environment = warehouse.environment | {"TOLLHOUSE_LAYOUTS": str(folder)}
    return replace(warehouse, environment=environment)


@pytest.fixture
def loader(declared: Settings) -> Iterator[psycopg.Connection]:
    with connect(LOADER, settings=declared, autocommit=True) as connection:
        yield connection


def install(connection: psycopg.Connection, pbx_id: str, model: str, **settings: str) -> None:
    connection.execute(
        "insert into directory.pbxs (pbx_id, model, transport, time_zone, country, settings) "
        "values (%s, %s, 'dropped_files', 'Europe/Paris', 'FR', %s)",
        [pbx_id, model, Jsonb(settings)],
    )


def land(connection: psycopg.Connection, pbx_id: str, model: str, bodies: Sequence[str]) -> None:
    delivery, batch = (
        connection.execute(query, [pbx_id, model]).fetchone()
        for query in (
            "insert into raw.deliveries (pbx_id, model, unit) "
            "values (%s, %s, gen_random_uuid()::text) returning delivery_id",
            "insert into raw.batches (pbx_id, model, rows_inserted) "
            "values (%s, %s, 1) returning batch_id",
        )
    )
    assert delivery is not None
    assert batch is not None
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.tickets (model, delivery_id, ordinal, batch_id, received_at, body) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                (model, delivery[0], ordinal, batch[0], RECEIVED_AT, body)
                for ordinal, body in enumerate(bodies)
            ],
        )


def lines(count: int) -> list[str]:
    return [LINE.format(number=number) for number in range(count)]


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with connect(DBT, settings=settings) as connection:
        return connection.execute(query.encode()).fetchall()


def test_yaml_and_an_entry_are_all_that_a_build_needs(
    declared: Settings, loader: psycopg.Connection
) -> None:
    folder = declare(
        declared.layouts_folder,
        north_carrier=CARRIER,
        south_carrier=BROKEN,
        west_carrier=CARRIER.replace("confirmed: true", "confirmed: false"),
        a5000_own=A5000,
    )
    install(loader, "north", "north_carrier")
    install(loader, "south", "south_carrier")
    install(loader, "west", "west_carrier")
    install(loader, "paris", "aastra_a5000", layout="a5000_own")
    install(loader, "rouen", "aastra_a5000")
    for pbx_id, model, count in (
        ("north", "north_carrier", 3),
        ("south", "south_carrier", 2),
        ("west", "west_carrier", 1),
        ("paris", "aastra_a5000", 2),
        ("rouen", "aastra_a5000", 1),
        # Its layout went away before anything was built.
        ("east", "east_carrier", 2),
    ):
        land(loader, pbx_id, model, [*lines(count), DAMAGED])

    shipped = "select to_regclass('staging.stg_generic_csv__tickets') is not null"
    assert rows(declared, shipped) == [(True,)]

    assert build(declared).batch_count == 6

    # What was shipped has gone from the folder, and nothing was ever landed of it.
    assert rows(declared, shipped) == [(False,)]
    assert "generic_csv" not in generated_models(declared)
    assert rows(declared, STATES) == [
        ("east", "east_carrier", "rejected", "layout_missing", 3),
        ("north", "north_carrier", "rejected", "no_such_duration", 1),
        ("north", "north_carrier", "ticket", None, 3),
        ("paris", "aastra_a5000", "rejected", "no_such_duration", 1),
        ("paris", "aastra_a5000", "ticket", None, 2),
        ("rouen", "aastra_a5000", "rejected", "layout_not_confirmed", 2),
        ("south", "south_carrier", "rejected", "layout_broken", 3),
        ("west", "west_carrier", "rejected", "layout_not_confirmed", 2),
    ]
    assert rows(declared, "select count(*) from raw.tickets") == [(17,)]
    # What no column reads can be seen, of a layout that is not confirmed too.
    for model, count in (("north_carrier", 4), ("west_carrier", 2), ("aastra_a5000", 3)):
        notes = f"select fields ->> 'note', count(*) from staging.stg_{model}__fields group by 1"
        assert rows(declared, notes) == [("a note", count)], model
    assert rows(
        declared,
        "select layout_id, model, state, problem like '%fortnights%' from directory.layouts",
    ) == [
        ("a5000_own", "aastra_a5000", "confirmed", None),
        ("north_carrier", "north_carrier", "confirmed", None),
        ("south_carrier", "south_carrier", "broken", True),
        ("west_carrier", "west_carrier", "unconfirmed", None),
    ]

    # By its own layout or by none, what a build reads of a model is found by its batches.
    with connect(DBT, settings=declared) as connection:
        plan = explain(
            connection,
            "select * from staging.stg_aastra_a5000__tickets "
            "where batch_id = any(array(select batch_id from raw.batches_to_build))",
        )
    scans = [node for node in nodes(plan) if reads_raw_tickets(node)]
    assert len(scans) == 2
    for scan in scans:
        filters = (scan.get(key, "") for key in ("Filter", "Index Cond", "Recheck Cond"))
        assert "batch_id = ANY" in " ".join(filters)

    # Then one is edited, one corrected, and one taken away.
    assert not have_changed(loader, declared)
    made_at = dict(rows(declared, "select model, deployed_at from directory.layout_views"))
    edited = CARRIER.replace("called_number: called", "called_number: {from: called, before: '9'}")
    declare(folder, north_carrier=edited, south_carrier=CARRIER)
    (folder / "west_carrier.yml").unlink()
    deploy_changed_layouts(declared)

    made_again = dict(rows(declared, "select model, deployed_at from directory.layout_views"))
    changed = {model for model, instant in made_again.items() if made_at[model] != instant}
    assert changed == {"north_carrier", "south_carrier", "west_carrier"}
    assert made_again.keys() == made_at.keys()
    read = Counter(
        rows(
            declared,
            "select pbx_id, called_number, state_reason from staging.stg_north_carrier__tickets "
            "union all "
            "select pbx_id, called_number, state_reason from staging.stg_south_carrier__tickets "
            "union all "
            "select pbx_id, called_number, state_reason from staging.stg_west_carrier__tickets",
        )
    )
    assert read == {
        ("north", "01", None): 3,
        ("north", None, "no_such_duration"): 1,
        ("south", "0199001234", None): 2,
        ("south", None, "no_such_duration"): 1,
        ("west", None, "layout_missing"): 2,
    }


def test_each_row_of_a_model_with_several_layouts_is_read_once(
    declared: Settings, loader: psycopg.Connection
) -> None:
    for pbx_id, layout in (("a", "v1"), ("b", "v2"), ("c", "v3"), ("d", None), ("f", "v4")):
        install(loader, pbx_id, "aastra_a5000", **({"layout": layout} if layout else {}))
        land(loader, pbx_id, "aastra_a5000", lines(2))
    # An entry that was taken out of include/pbx.yml.
    land(loader, "e", "aastra_a5000", lines(2))
    without_own = LayoutsOfModel(
        "aastra_a5000",
        is_built_in=True,
        tickets={name: read_by(name) for name in ("v1", "v2")},
        broken=["v3"],
    )
    assert readings(declared, without_own) == [
        ("a", "v1", 2),
        ("b", "v2", 2),
        ("c", "layout_broken", 2),
        ("d", "layout_not_confirmed", 2),
        ("e", "layout_not_confirmed", 2),
        ("f", "layout_missing", 2),
    ]

    own = {"aastra_a5000": read_by("aastra_a5000")}
    with_own = replace(without_own, tickets={**without_own.tickets, **own})
    assert readings(declared, with_own) == [
        ("a", "v1", 2),
        ("b", "v2", 2),
        ("c", "layout_broken", 2),
        ("d", "aastra_a5000", 2),
        ("e", "aastra_a5000", 2),
        ("f", "layout_missing", 2),
    ]


def read_by(layout_id: str) -> str:
    """Return the SQL of a layout that writes its id into each ticket."""
    text = f"{A5000}  group_name: {{value: {layout_id}}}\n"
    layout = Layout.model_validate({**yaml.safe_load(text), "layout_id": layout_id})
    return compile_tickets(layout)


def readings(settings: Settings, layouts: LayoutsOfModel) -> list[tuple[Any, ...]]:
    view = plain_sql(tickets_view(layouts))
    return rows(
        settings,
        "select pbx_id, coalesce(state_reason, group_name), count(*) "
        f"from ({view}) as tickets group by 1, 2 order by 1",
    )


@pytest.mark.parametrize(
    ("tickets", "said"),
    [
        ("select 1 as ticket_id", "not those of the view"),
        ("select no_such_column", "refuses its SQL"),
        ("select (", "refuses its SQL"),
    ],
)
def test_what_postgresql_refuses_is_found_out_before_a_view_is_made(
    declared: Settings, tickets: str, said: str
) -> None:
    fields = fields_view(LayoutsOfModel("aastra_a5000"))
    with connect(DBT, settings=declared, autocommit=True) as connection:
        assert problem_of(connection, CompiledLayout(None, fields)) is None
        assert said in str(problem_of(connection, CompiledLayout(tickets, fields)))


def test_files_of_any_name_and_keys_of_any_character_stop_no_build(
    declared: Settings, loader: psycopg.Connection
) -> None:
    folder = os.fsencode(declared.layouts_folder)
    # Latin-1, as an old archive has it.
    Path(os.fsdecode(folder + b"/op\xe9rateur.yml")).write_text(CARRIER, encoding="utf-8")
    declare(declared.layouts_folder, south=f'{CARRIER}"a\\0b": x\n')

    record(loader, declared, prepare(loader, declared))

    assert not have_changed(loader, declared)
    problems: dict[str, str] = dict(
        loader.execute("select layout_id, problem from directory.layouts").fetchall()
    )
    assert "small letters, digits and _" in problems[r"op\udce9rateur"]
    assert r"a\x00b: is no key that is known" in problems["south"]
