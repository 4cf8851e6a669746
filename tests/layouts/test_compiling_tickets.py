"""Tickets of the three kinds that have lines: what becomes of each, and what is derived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.layouts.compiled import COLUMNS, FIELDS, GOOD, layout_with, line_of, read
from tollhouse.layouts.compiling import compile_tickets
from tollhouse.layouts.declaration.columns import Columns
from tollhouse.layouts.rendering import plain_sql
from tollhouse.parsing import ParsedTicket

pytestmark = pytest.mark.postgres

UTC_FORMAT = {"format": "yyyy-MM-dd HH:mm:ss", "zone": "utc"}
#: Names and types of the columns of int_tickets__staged (architecture.md, "The contract").
CONTRACT = [
    ("ticket_id", "int8"), ("state", "text"), ("state_reason", "text"), ("state_field", "text"),
    ("pbx_id", "text"), ("model", "text"), ("delivery_id", "int4"), ("ordinal", "int8"),
    ("batch_id", "int4"), ("received_at", "timestamptz"), ("source_call_id", "text"),
    ("leg_number", "int4"), ("started_at", "timestamptz"), ("answered_at", "timestamptz"),
    ("ended_at", "timestamptz"), ("ring_seconds", "int4"), ("talk_seconds", "int4"),
    ("direction", "text"), ("outcome", "text"), ("caller_number", "text"),
    ("called_number", "text"), ("presented_number", "text"), ("extension", "text"),
    ("extension_name", "text"), ("group_name", "text"), ("subsidiary_name", "text"),
    ("trunk_in", "text"), ("trunk_out", "text"), ("account_code", "text"),
    ("authorization_code", "text"), ("is_private", "bool"), ("is_estimated", "bool"),
    ("transferred_from", "text"), ("transferred_to", "text"), ("pulses", "int4"),
    ("pbx_charge_amount", "numeric(18,6)"), ("pbx_charge_currency", "text"),
    ("time_is_minute", "bool"), ("time_year_inferred", "bool"), ("time_dst_ambiguous", "bool"),
    ("time_dst_shifted", "bool"),
]  # fmt: skip

NINE = "2026-03-02T09:00:00+00:00"


def verdict(ticket: ParsedTicket) -> tuple[str, str | None, str | None]:
    columns = ticket.columns
    return columns["state"], columns["state_reason"], columns["state_field"]


def delimited(**keys: Any) -> dict[str, Any]:
    return {"kind": "delimited", "separator": ";", "fields": FIELDS} | keys


def semicolons(**values: str) -> str:
    return ";".join((GOOD | values).values())


def test_every_line_comes_out_in_one_state_with_the_field_at_fault(
    connection: psycopg.Connection,
) -> None:
    tickets = delimited(
        ignore=[
            {"starts_with": "#"},
            {"field": "id", "is": ["H", "TOTAL"]},
            {"field": "extra", "is": "TEST"},
            {"field": "to", "empty": True},
        ]
    )
    cases = {
        semicolons(): ("ticket", None, None),
        "\x02" + semicolons() + "\\x00\x03": ("ticket", None, None),
        "\ufeff" + semicolons(): ("ticket", None, None),
        semicolons() + ";;": ("ticket", None, None),
        semicolons().removesuffix(";"): ("ticket", None, None),
        "": ("ignored", "blank_line", None),
        " ; ;;": ("ignored", "blank_line", None),
        "# a remark; with too little": ("ignored", "ignored_by_layout", None),
        "TOTAL;7": ("ignored", "ignored_by_layout", None),
        semicolons(extra="TEST"): ("ignored", "ignored_by_layout", None),
        semicolons(to=""): ("ignored", "ignored_by_layout", None),
        "42;2026-03-02 10:00:00": ("rejected", "truncated", "extra"),
        semicolons() + ";;x": ("rejected", "too_many_values", "layout"),
        semicolons(to='"0199'): ("rejected", "open_quotation_mark", "layout"),
        semicolons(to='"01"99'): ("rejected", "open_quotation_mark", "layout"),
        semicolons(start=""): ("rejected", "missing", "start"),
        semicolons(talk=""): ("rejected", "missing", "talk"),
        semicolons(kind=""): ("rejected", "missing", "kind"),
        semicolons(kind="Q"): ("rejected", "unknown_code", "kind"),
        semicolons(ring="soon"): ("rejected", "no_such_duration", "ring"),
        semicolons(to="0199\\xff"): ("rejected", "unknown_value", "to"),
        semicolons(to="01\x9999"): ("rejected", "unknown_value", "to"),
        semicolons(to="9" * 201): ("rejected", "value_too_long", "to"),
        semicolons(id="9" * 1001): ("rejected", "value_too_long", "id"),
    }
    # The rule on an empty field is for whole lines: what lost its end is no heading.
    parsed = read(connection, layout_with(tickets=tickets), list(cases))

    assert {ticket.body: verdict(ticket) for ticket in parsed} == cases
    for ticket in parsed:
        shown = {name for name, value in ticket.columns.items() if value is not None}
        is_bare = shown <= {
            "state",
            "state_reason",
            "state_field",
            "model",
            "ordinal",
            "received_at",
        }
        assert is_bare != (ticket.state == "ticket"), ticket.body


def test_an_outgoing_call_without_the_called_number_is_rejected(
    connection: psycopg.Connection,
) -> None:
    bodies = [line_of(kind=kind, to="") for kind in "OTIL"]
    parsed = read(connection, layout_with(), bodies)

    assert [verdict(ticket) for ticket in parsed] == [
        ("rejected", "missing", "to"), ("rejected", "missing", "to"),
        ("ticket", None, None), ("ticket", None, None),
    ]  # fmt: skip


def test_quoted_values_may_hold_separators_and_doubled_marks(
    connection: psycopg.Connection,
) -> None:
    for separator, quote in (
        (";", '"'),
        ("\t", '"'),
        ("|", "'"),
        ("{", '"'),
        (" ", '"'),
        ("%", "'"),
    ):
        fields = ["start", "talk", "to", "name"]
        columns = {
            "source_call_id": None, "ring_seconds": None, "direction": {"value": "outgoing"},
            "caller_number": None, "extension": "to", "extension_name": "name",
            "called_number": "to",
            "started_at": {"from": "start", "format": "yyyy-MM-dd'T'HH:mm:ss"},
        }  # fmt: skip
        tickets = {"kind": "delimited", "separator": separator, "quote": quote, "fields": fields}
        name = f"a{separator}{quote}{quote}b{quote}{quote}"
        body = separator.join(
            ["2026-03-02T10:00:00", "30", f"{quote}01{quote}", f"{quote}{name}{quote}"]
        )
        ticket = read(connection, layout_with(columns, tickets), [body])[0]

        assert ticket.columns["called_number"] == "01"
        assert ticket.columns["extension_name"] == f"a{separator}{quote}b{quote}"
        assert ticket.fields is not None
        assert ticket.fields["name"] == f"a{separator}{quote}b{quote}"


def test_a_mark_is_a_sign_like_any_other_where_nothing_is_quoted(
    connection: psycopg.Connection,
) -> None:
    layout = layout_with({"extension_name": "extra"}, delimited(quote="none"))
    ticket = read(connection, layout, [semicolons(extra='6" pipe')])[0]

    assert ticket.columns["extension_name"] == '6" pipe'


def test_fields_below_a_header_are_found_by_their_names(connection: psycopg.Connection) -> None:
    layout = layout_with(tickets=delimited(header=True, fields=[]))
    header = '\ufeffTo; "from" ;unknown;TALK;talk;kind;ring;start;id;id;'
    body = "0199001234;301;kept;99;30;O;5;2026-03-02 10:00:00;42;43"

    parsed = read(
        connection, layout, [body, header, body + ";;", body + ";;x", "1;2"], header=header
    )

    assert [verdict(ticket) for ticket in parsed] == [
        ("ticket", None, None),
        ("ignored", "column_names", None),
        ("ticket", None, None),
        ("rejected", "too_many_values", "layout"),
        ("rejected", "truncated", "id"),
    ]
    ticket = parsed[0].columns
    assert ticket["called_number"] == "0199001234"
    assert ticket["talk_seconds"] == 30
    assert ticket["source_call_id"] == "42"
    assert parsed[0].fields == {
        "To": "0199001234", "from": "301", "unknown": "kept", "TALK": "99", "talk": "30",
        "kind": "O", "ring": "5", "start": "2026-03-02 10:00:00", "id": "42", "#11": None,
    }  # fmt: skip


def test_a_header_without_a_field_that_is_read_rejects_its_tickets(
    connection: psycopg.Connection,
) -> None:
    tickets = delimited(header=True, fields=[], ignore=[{"field": "kind", "empty": True}])
    layout = layout_with(tickets=tickets)
    verdicts = {
        header: verdict(read(connection, layout, [semicolons()], header=header)[0])
        for header in (None, ";".join(FIELDS).replace("kind", "sort"), 'id;"start', ";")
    }

    assert list(verdicts.values()) == [
        ("rejected", "missing_header", "layout"),
        ("rejected", "missing_field", "kind"),
        ("rejected", "open_quotation_mark", "header"),
        ("rejected", "missing_field", "kind"),
    ]


FIXED = {
    "kind": "fixed",
    "fields": {
        "id": {"start": 1, "width": 4}, "start": {"start": 6, "width": 19},
        "ring": {"start": 25, "width": 3}, "talk": {"start": 28, "width": 5},
        "kind": {"start": 33, "width": 1}, "from": {"start": 34, "width": 6},
        "to": {"start": 40, "width": 12}, "name": {"start": 52, "width": 20},
    },
}  # fmt: skip
FIXED_LINE = "42   2026-03-02 10:00:00  5   30O301   0199001234  Éléonore"


def test_fixed_columns_are_counted_in_characters(connection: psycopg.Connection) -> None:
    layout = layout_with({"extension_name": "name"}, FIXED)
    parsed = read(connection, layout, [FIXED_LINE, FIXED_LINE[:51], FIXED_LINE[:52], ""])

    assert parsed[0].columns["extension_name"] == "Éléonore"
    assert parsed[0].columns["called_number"] == "0199001234"
    assert parsed[0].columns["talk_seconds"] == 30
    assert [verdict(ticket) for ticket in parsed[1:]] == [
        ("rejected", "truncated", "layout"),
        ("ticket", None, None),
        ("ignored", "blank_line", None),
    ]
    short = layout_with({"extension_name": "name"}, FIXED | {"shortest_line": 48})
    assert read(connection, short, [FIXED_LINE[:50]])[0].columns["called_number"] == "0199001234"


def test_a_pattern_stands_for_the_whole_line(connection: psycopg.Connection) -> None:
    pattern = (
        r"(?P<id>\d+) (?P<start>\S+ \S+) (?P<ring>\d+)/(?P<talk>\d+) "
        r"(?P<kind>O|I)(?: from (?P<from>[0-9*#]+))? to (?P<to>\S+)|END(?P<more>)"
    )
    layout = layout_with(
        tickets={"kind": "pattern", "pattern": pattern, "ignore": [{"starts_with": "--"}]}
    )
    line = "42 2026-03-02_10:00:00 x 5/30 O to 0199001234".replace("_", " ").replace(" x", "")
    parsed = read(
        connection, layout,
        [line, line.replace(" to", " from 301 to"), line + " and more", "-- heading", "x" * 9_000],
    )  # fmt: skip

    assert parsed[0].columns["called_number"] == "0199001234"
    assert parsed[0].columns["caller_number"] is None
    assert parsed[1].columns["caller_number"] == "301"
    assert [verdict(ticket) for ticket in parsed[2:]] == [
        ("rejected", "unknown_layout", "layout"),
        ("ignored", "ignored_by_layout", None),
        ("rejected", "unknown_layout", "layout"),
    ]


@pytest.mark.parametrize(
    ("mapped", "expected"),
    [
        ("started_at", ("08:59:25", "08:59:30", "09:00:00")),
        ("answered_at", ("08:59:25", "08:59:30", "09:00:00")),
        ("ended_at", ("08:59:25", "08:59:30", "09:00:00")),
    ],
)
def test_the_instants_that_are_not_told_follow_from_the_one_that_is(
    connection: psycopg.Connection, mapped: str, expected: tuple[str, str, str]
) -> None:
    told = dict(zip(("started_at", "answered_at", "ended_at"), expected, strict=True))[mapped]
    columns = {"started_at": None, mapped: {"from": "start"} | UTC_FORMAT}
    bodies = [line_of(start=f"2026-03-02 {told}"), line_of(start=f"2026-03-02 {told}", talk="0")]
    answered, unanswered = (
        ticket.columns for ticket in read(connection, layout_with(columns), bodies)
    )

    found = tuple(answered[name][11:19] for name in ("started_at", "answered_at", "ended_at"))
    assert found == expected
    assert unanswered["answered_at"] is None
    assert unanswered["outcome"] == "no_answer"
    assert (unanswered["ring_seconds"], unanswered["talk_seconds"]) == (5, 0)


def test_without_ringing_the_answer_is_known_from_its_own_clock_or_the_end_only(
    connection: psycopg.Connection,
) -> None:
    for mapped, answer in (
        ("started_at", None), ("answered_at", NINE), ("ended_at", "2026-03-02T08:59:30+00:00")
    ):  # fmt: skip
        columns = {
            "started_at": None, "ring_seconds": None, mapped: {"from": "start"} | UTC_FORMAT
        }  # fmt: skip
        ticket = read(connection, layout_with(columns), [line_of(start="2026-03-02 09:00:00")])[0]

        assert ticket.columns["answered_at"] == answer
        assert ticket.columns["ring_seconds"] is None


def test_durations_between_exact_instants_need_no_field(connection: psycopg.Connection) -> None:
    columns = {
        "started_at": {"from": "start"} | UTC_FORMAT,
        "answered_at": {"from": "extra", "format": "iso8601", "zone": "utc", "empty_when": "0"},
        "ended_at": {"from": "more", "format": "epoch_seconds"},
        "ring_seconds": {"between": ["started_at", "answered_at"]},
        "talk_seconds": {"between": ["answered_at", "ended_at"]},
    }
    bodies = [
        line_of(start="2026-03-02 09:00:00", extra=extra, more=more)
        for extra, more in (
            ("2026-03-02T10:00:05.5+01:00", "1772442030"), ("0", "1772442030"),
            ("2026-03-02T10:00:05+01:00", "1772442000"), ("noon", "1772442030"),
        )
    ]  # fmt: skip
    parsed = read(connection, layout_with(columns), bodies)

    first = parsed[0].columns
    assert (first["ring_seconds"], first["talk_seconds"]) == (6, 25)
    assert first["ended_at"] == "2026-03-02T09:00:30+00:00"
    assert (parsed[1].columns["outcome"], parsed[1].columns["talk_seconds"]) == ("no_answer", 0)
    assert [verdict(ticket) for ticket in parsed[2:]] == [
        ("rejected", "no_such_duration", "talk_seconds"),
        ("rejected", "no_such_time", "extra"),
    ]


OUTCOME = {
    "cases": [{"when": {"field": "extra", "is": "VM"}, "value": "answered_by_machine"}],
    "from": "status",
    "lookup": {"OK": "answered", "BUSY": "busy", "FWD": "redirected"},
}


def test_an_outcome_that_is_told_must_fit_the_seconds(connection: psycopg.Connection) -> None:
    cases: list[tuple[dict[str, str], Any]] = [
        ({"status": "OK"}, ("answered", 30)),
        ({"status": "OK", "talk": "0"}, ("answered", 0)),
        ({"status": "BUSY", "talk": "0"}, ("busy", 0)),
        ({"status": "BUSY", "talk": ""}, ("busy", 0)),
        ({"status": "BUSY"}, ("talk_without_answer", "talk")),
        ({"status": "FWD"}, ("talk_without_answer", "talk")),
        ({"status": "OK", "talk": ""}, ("missing", "talk")),
        ({"status": "BUSY", "extra": "VM"}, ("answered_by_machine", 30)),
        ({"status": "LATE"}, ("unknown_code", "status")),
        ({"status": ""}, ("missing", "status")),
    ]
    bodies = [line_of(**values) for values, _ in cases]
    parsed = read(connection, layout_with({"outcome": OUTCOME}), bodies)

    found = [
        (ticket.columns["outcome"], ticket.columns["talk_seconds"])
        if ticket.state == "ticket"
        else verdict(ticket)[1:]
        for ticket in parsed
    ]
    assert found == [result for _, result in cases]


def test_below_the_threshold_of_the_pbx_an_answer_is_a_guess(
    connection: psycopg.Connection,
) -> None:
    outcome = OUTCOME | {"otherwise": "answered"}
    bodies = [
        line_of(), line_of(talk="5"), line_of(talk="5", kind="I"), line_of(talk="0"),
        line_of(talk="5", ring=""),
    ]  # fmt: skip
    for layout in (layout_with(), layout_with({"outcome": outcome})):
        parsed = read(connection, layout, bodies, answer_threshold_seconds=20)
        told = layout.columns.outcome is not None

        assert [
            tuple(
                ticket.columns[name]
                for name in ("outcome", "ring_seconds", "talk_seconds", "is_estimated")
            )
            for ticket in parsed
        ] == [
            ("answered", 5, 30, True),
            ("no_answer", 10, 0, True),
            ("answered", 5, 5, False),
            ("answered" if told else "no_answer", 5, 0, False),
            ("no_answer", 5, 0, True),
        ]
        assert parsed[1].columns["answered_at"] is None
        assert parsed[1].columns["ended_at"] == "2026-03-02T09:00:10+00:00"


def test_the_repeated_hour_is_the_first_unless_the_ticket_says_more(
    connection: psycopg.Connection,
) -> None:
    columns = {"ended_at": {"from": "extra", "format": "yyyy-MM-dd HH:mm:ss"}}
    bodies = [
        line_of(start="2026-10-25 02:59:50", extra="2026-10-25 02:00:30"),
        line_of(start="2026-10-25 02:30:00", extra="2026-10-25 02:30:30"),
        line_of(start="2026-03-29 02:30:00", extra="2026-03-29 03:00:30"),
    ]
    parsed = [ticket.columns for ticket in read(connection, layout_with(columns), bodies)]

    assert parsed[0]["started_at"] == "2026-10-25T00:59:50+00:00"
    assert parsed[0]["ended_at"] == "2026-10-25T01:00:30+00:00"
    assert parsed[1]["ended_at"] == "2026-10-25T00:30:30+00:00"
    flags = [(ticket["time_dst_ambiguous"], ticket["time_dst_shifted"]) for ticket in parsed]
    assert flags == [(True, False), (True, False), (False, True)]


def test_a_charge_has_a_currency(connection: psycopg.Connection) -> None:
    layout = layout_with({"pbx_charge_amount": "extra", "pbx_charge_currency": "more"})
    bodies = [
        line_of(extra=amount, more=currency)
        for amount, currency in (("1.5", "EUR"), ("1.5", "€"), ("1.5", ""), ("", "EUR"), ("", "x"))
    ]
    parsed = read(connection, layout, bodies)

    assert [verdict(ticket)[1:] for ticket in parsed] == [
        (None, None), ("unknown_value", "more"), ("missing", "more"), (None, None), (None, None),
    ]  # fmt: skip
    assert parsed[3].columns["pbx_charge_currency"] is None


def test_every_ticket_of_an_unconfirmed_layout_is_kept_and_rejected(
    connection: psycopg.Connection,
) -> None:
    layout = layout_with(confirmed=False)
    parsed = read(connection, layout, [line_of(), ""])

    assert {verdict(ticket) for ticket in parsed} == {("rejected", "layout_not_confirmed", None)}
    assert parsed[0].fields is not None
    assert parsed[0].fields["to"] == "0199001234"


def test_what_a_layout_on_trial_does_not_map_is_the_fault_of_its_tickets(
    connection: psycopg.Connection,
) -> None:
    for missing, field in (
        ("talk_seconds", "talk_seconds"), ("direction", "direction"),
        ("called_number", "called_number"), ("caller_number", "caller_number or extension"),
        ("started_at", "started_at or answered_at or ended_at"),
    ):  # fmt: skip
        layout = layout_with({missing: None}, confirmed=False).model_copy(
            update={"confirmed": True}
        )

        ticket = read(connection, layout, [line_of()])[0]

        assert verdict(ticket) == ("rejected", "not_mapped", field)


def test_a_pbx_of_a_built_in_model_is_read_by_the_layout_that_it_names(
    connection: psycopg.Connection,
) -> None:
    own = compile_tickets(layout_with(layout_id="alcatel_oxo", model="alcatel_oxo"))
    other = compile_tickets(layout_with(layout_id="our_oxo", model="alcatel_oxo"))

    for query, named, count in (
        (own, None, 1), (own, "our_oxo", 0), (other, "our_oxo", 1), (other, None, 0),
        (other, "alcatel_oxo", 0),
    ):  # fmt: skip
        with connection.transaction(force_rollback=True):
            connection.execute(
                "insert into directory.pbxs (pbx_id, model, transport, time_zone, country,"
                " settings) values ('oxo', 'alcatel_oxo', 'none', 'Europe/Paris', 'FR', %s)",
                [Jsonb({"layout": named} if named else {})],
            )
            connection.execute(
                "insert into raw.deliveries (delivery_id, pbx_id, model, unit)"
                " overriding system value values (-7, 'oxo', 'alcatel_oxo', 'on trial')"
            )
            connection.execute(
                "insert into raw.tickets (model, delivery_id, ordinal, ticket_id, batch_id,"
                " received_at, body) values ('alcatel_oxo', -7, 1, -7, 0, now(), %s)",
                [line_of()],
            )
            rows = connection.execute(plain_sql(query).encode()).fetchall()
        assert len(rows) == count, named


def test_the_columns_are_those_of_the_contract_and_the_batch_filter_reaches_raw(
    connection: psycopg.Connection,
) -> None:
    every_column = {
        name: COLUMNS.get(name, "extra")
        for name in Columns.model_fields
        if name not in ("answered_at", "ended_at", "is_private", "is_estimated", "outcome")
    }
    for layout in (
        layout_with(),
        layout_with(every_column),
        layout_with(confirmed=False),
        layout_with(tickets=delimited(header=True, fields=[])),
        layout_with(tickets=FIXED | {"ignore": [{"field": "id", "is": "x"}]}),
    ):
        query = plain_sql(compile_tickets(layout))
        described = connection.execute(f"select * from ({query}) as tickets limit 0".encode())
        assert described.description is not None
        found = [(column.name, column.type_display) for column in described.description]
        assert found == CONTRACT

        plan = connection.execute(
            f"explain (format json) select * from ({query}) as tickets where batch_id = any("
            "array(select batch_id from raw.batches_to_build))".encode()
        ).fetchone()
        assert plan is not None
        nodes = list(nodes_of(plan[0][0]["Plan"]))
        scan = next(
            node for node in nodes if node.get("Relation Name") == "tickets_declared_layouts"
        )
        assert "batch_id = ANY" in " ".join(map(str, scan.values()))
        assert not {node["Node Type"] for node in nodes} & {"CTE Scan", "WindowAgg", "Materialize"}


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)
