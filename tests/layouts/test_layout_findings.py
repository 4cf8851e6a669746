"""What is noted while a layout reads a file, and how it is shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tollhouse.commands.layout_report import as_json_object, show_findings
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.findings import MOST_EXAMPLES, MOST_REASONS, Findings
from tollhouse.layouts.places import line_of
from tollhouse.layouts.trial import model_on_trial
from tollhouse.parsing import ParsedTicket

NOW = datetime(2026, 10, 21, tzinfo=UTC)

LAYOUT = Layout.model_validate(
    {
        "layout_id": "some_carrier",
        "title": "A carrier",
        "confirmed": True,
        "tickets": {"kind": "delimited", "header": True, "fields": ["Date", "Time", "Old"]},
        "columns": {
            "started_at": {"from": ["Date", "Time"], "format": "dd/MM/yyyy HH:mm:ss"},
            "talk_seconds": "Seconds",
            "direction": {"from": "Type", "lookup": {"O": "outgoing"}},
            "caller_number": "From",
            "called_number": "To",
            "pbx_charge_amount": "Price",
            "pbx_charge_currency": {"value": "EUR"},
        },
    }
)


def ticket(number: int = 0, **columns: Any) -> ParsedTicket:
    given = dict.fromkeys(
        ("presented_number", "extension", "extension_name", "group_name", "account_code",
         "trunk_in", "trunk_out", "transferred_to", "state_reason", "state_field", "ring_seconds")
    ) | {
        "state": "ticket", "started_at": "2026-10-20T08:00:00+00:00", "talk_seconds": 65,
        "direction": "outgoing", "outcome": "answered", "caller_number": "0199005012",
        "called_number": "0536491234", "pbx_charge_amount": "0.041000",
        "pbx_charge_currency": "EUR",
    }  # fmt: skip
    fields = {"Date": "20/10/2026", "Time": "25:61", "Type": "X", "Zone": "[bold]7", "Note": None}
    return ParsedTicket(number, f"ticket {number}", given | columns, fields)


def findings(*tickets: ParsedTicket, file: str = "calls.csv", shown: int = 2) -> Findings:
    found = Findings(LAYOUT, received_at=NOW, shown_tickets=shown)
    found.add_file(file)
    for one in tickets:
        found.add(file, one)
    return found


def shown(found: Findings, width: int = 120) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False)
    show_findings(console, found, "Europe/Paris", zone_is_given=True)
    return text.getvalue()


def rejected(reason: str, field: str, number: int = 0) -> ParsedTicket:
    return ticket(number, state="rejected", state_reason=reason, state_field=field)


def test_rejections_are_grouped_and_the_most_frequent_comes_first() -> None:
    found = findings(
        rejected("no_such_time", "Date"),
        *(rejected("unknown_code", "Type", number) for number in range(5)),
    )
    first, second = found.refused("rejected")
    assert (first.reason, first.field, first.count) == ("unknown_code", "Type", 5)
    assert len(first.examples) == MOST_EXAMPLES
    assert {example.text for example in first.examples} == {"X"}
    # What is wrong with an instant may be any of the fields that it is read from.
    assert [example.text for example in second.examples] == ["20/10/2026 25:61"]


def test_reasons_without_end_are_counted_together() -> None:
    tickets = [rejected("unknown_code", f"Type {number}") for number in range(MOST_REASONS + 9)]
    refused = findings(*tickets).refused("rejected")
    assert (refused[0].reason, refused[0].count) == ("other", 9)
    assert sum(refusal.count for refusal in refused) == MOST_REASONS + 9


def test_fields_that_no_column_reads_are_shown_with_what_is_in_them() -> None:
    found = findings(ticket(), ticket())
    assert found.unmapped == {"Zone": ["[bold]7"], "Note": []}
    assert found.names_new_field("Zone")
    assert "'[bold]7'" in shown(found)
    assert "always empty" in shown(found)


def test_totals_are_exact() -> None:
    found = findings(*(ticket(pbx_charge_amount="0.1") for _ in range(3)))
    assert as_json_object(found)["totals"]["charges"] == {"EUR": "0.3"}
    assert "0.30 EUR" in shown(found)
    assert "0:03:15, in 3 of the tickets" in shown(found)
    assert "2026-10-20 10:00:00 to 2026-10-20 10:00:00" in shown(found)


@pytest.mark.parametrize(
    ("columns", "warning"),
    [
        ({"direction": "unknown"}, "all are unknown"),
        ({"talk_seconds": 0}, "Nobody talks"),
        ({"pbx_charge_amount": "0"}, "All charges are 0"),
        ({"started_at": "2026-10-21T00:00:01+00:00"}, "start after they came"),
        ({"started_at": "1970-01-01T00:00:00+00:00"}, "start before 2000"),
        ({"called_number": "3,3199E+10"}, "a spreadsheet saved this file"),
    ],
)
def test_what_looks_wrong_is_said_though_it_was_parsed(
    columns: dict[str, Any], warning: str
) -> None:
    assert list(findings(ticket()).warnings()) == []
    (said,) = findings(ticket(**columns)).warnings()
    assert warning in said
    assert said in " ".join(shown(findings(ticket(**columns)), width=1000).split())


def test_a_file_without_a_ticket_is_said() -> None:
    assert list(findings().warnings()) == ["There is no ticket in it."]


def test_hostile_text_is_text() -> None:
    hostile = "[red]\x1b[2Jevil\u202etxt\n"
    found = findings(
        ticket(called_number=hostile, pbx_charge_currency="E\x07R"),
        ParsedTicket(7, hostile, rejected("unknown_code", hostile).columns, {hostile: hostile}),
        file=f"{hostile}.csv",
    )
    text = shown(found, width=200)
    assert not {"\x1b", "\u202e", "\x07"} & set(text)
    assert text.count("[red]\\x1b[2Jevil\\u202etxt") >= 4


def test_a_layout_that_maps_too_little_says_what_is_missing() -> None:
    bare = Layout(layout_id="bare", title="Bare", tickets=LAYOUT.tickets)
    text = shown(Findings(bare, received_at=NOW), width=1000)
    assert "Nothing maps started_at or answered_at or ended_at, talk_seconds" in text
    assert "is not confirmed" in text


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_ticket_is_found_by_its_line(tmp_path: Path, line_end: bytes) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(line_end.join([b"Date", b"", b"first", b"second"]))
    offset = path.read_bytes().index(b"second")
    assert line_of(path, offset, model_on_trial(LAYOUT)) == 4
