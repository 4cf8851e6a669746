"""Drafts for feeds that are invented here, in the ways of several countries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.layouts.drafted import drafted, drafted_text
from tollhouse.layouts.declaration.tickets import (
    DelimitedTickets,
    FixedTickets,
    JsonTickets,
    PatternTickets,
    XmlTickets,
)

FRENCH_CALLS = "".join(
    f"M{number:05};{1 + number:02}/10/2026;{8 + number % 9:02}:12:05;053649{3017 + number % 4};"
    f"C{number % 4};0199{5000 + number:06};France fixe;00:0{number % 7}:17;1 0{number:02},5040;EUR"
    "\r\n"
    for number in range(20)
)
FRENCH = f"""Opérateur Exemple;relevé détaillé;01/10/2026\r
Référence;Date;Heure;Appelant;Code client;Appelé;Destination;Durée;Coût HT;Devise\r
{FRENCH_CALLS}TOTAL;20 appels\r
"""


def test_a_french_carrier_is_drafted_by_the_words_of_its_header(tmp_path: Path) -> None:
    found = drafted_text(FRENCH.encode("cp1252"), tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, DelimitedTickets)
    assert (tickets.encoding, tickets.separator) == ("windows-1252", ";")
    assert (tickets.skip_lines, tickets.header) == (1, True)
    assert [rule.starts_with for rule in tickets.ignore] == [("TOTAL;",)]
    assert found.draft.missing == ()
    assert found.columns() == {
        "source_call_id": {"from": ("Référence",)},
        "started_at": {"from": ("Date", "Heure"), "format": "dd/MM/yyyy HH:mm:ss"},
        "talk_seconds": {"from": ("Durée",), "format": "hh:mm:ss"},
        "direction": {"value": "outgoing"},
        "caller_number": {"from": ("Appelant",)},
        "called_number": {"from": ("Appelé",)},
        "account_code": {"from": ("Code client",)},
        "pbx_charge_amount": {"from": ("Coût HT",), "decimal": ",", "thousands": " "},
        "pbx_charge_currency": {"from": ("Devise",)},
    }
    assert "whether all calls of this feed go out" in found.doubts
    assert "start, the answer or the end" in found.doubts
    # The 13th to the 20th: no month.
    assert "MM/dd" not in found.doubts


def test_an_american_carrier_without_header_is_drafted_by_its_values(tmp_path: Path) -> None:
    lines = [
        f"{90_000 + number}|03/{number + 1:02}/2026 {1 + number % 11:02}:20:00 PM|"
        f"121255501{number % 7:02}|130555501{number * 3:02}|{number * 1.25:.2f}|"
        f"{number * 0.0165:.4f}|USD|{'ANSWERED' if number else 'NO ANSWER'}"
        for number in range(12)
    ]

    found = drafted_text("\n".join(lines), tmp_path, country="US")

    columns = found.columns()
    assert columns["started_at"] == {"from": ("time_2",), "format": "MM/dd/yyyy hh:mm:ss a"}
    assert columns["talk_seconds"] == {"from": ("amount_5",), "format": "minutes"}
    assert columns["caller_number"] == {"from": ("number_3",)}
    assert columns["called_number"] == {"from": ("number_4",)}
    assert columns["pbx_charge_amount"] == {"from": ("amount_6",)}
    assert columns["pbx_charge_currency"] == {"from": ("currency_7",)}
    assert columns["outcome"]["lookup"] == {"ANSWERED": "answered", "NO ANSWER": "no_answer"}
    assert "dd/MM/yyyy hh:mm:ss a?" in found.doubts
    assert "which of the two numbers called" in found.doubts
    assert "whether amount_5 is a duration at all" in found.doubts


def test_a_german_pbx_says_with_its_direction_who_called(tmp_path: Path) -> None:
    lines = ["Beginn\tDauer (s)\tRichtung\tNebenstelle\tRufnummer\tKosten (EUR)"] + [
        f"{12 + number}.03.2026 09:15:00\t{60 + number}\t{'kommend' if number % 3 else 'gehend'}\t"
        f"{200 + number % 4}\t036530{1000 + number * 7}\t{number / 40:.3f}".replace(".", ",", 0)
        for number in range(9)
    ]

    found = drafted_text("\r\n".join(lines), tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, DelimitedTickets)
    assert tickets.separator == "\t"
    columns = found.columns()
    assert columns["started_at"] == {"from": ("Beginn",), "format": "dd.MM.yyyy HH:mm:ss"}
    assert columns["talk_seconds"] == {"from": ("Dauer (s)",)}
    assert columns["direction"]["lookup"] == {"gehend": "outgoing", "kommend": "incoming"}
    assert columns["extension"] == {"from": ("Nebenstelle",)}
    [case] = columns["called_number"]["cases"]
    assert (case["when"]["column"], case["from"]) == ("direction", "Nebenstelle")
    assert columns["pbx_charge_currency"] == {"value": "EUR"}


def test_paths_of_nested_json_become_fields(tmp_path: Path) -> None:
    calls = [
        {
            "callId": f"6f1a-{number}",
            "times": {
                "setup": 1772439600000 + number * 60_000,
                "answer": 1772439605000 + number * 60_000 if number % 3 else None,
                "release": 1772439625000 + number * 60_000,
            },
            "durationMs": 20_000 if number % 3 else 0,
            "from": {"number": "+33199001234"},
            "to": {"number": f"+332619100{number:02}", "a name. with a dot": number},
            "direction": "outbound",
        }
        for number in range(8)
    ]

    found = drafted_text(json.dumps({"page": 1, "data": {"calls": calls}}), tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, JsonTickets)
    assert tickets.list == "data.calls"
    assert tickets.fields["to.a name. with a dot"] == 'to."a name. with a dot"'
    columns = found.columns()
    assert columns["answered_at"]["from"] == ("times.answer",)
    assert columns["started_at"]["format"] == "epoch_milliseconds"
    assert columns["talk_seconds"] == {"from": ("durationMs",), "format": "milliseconds"}
    assert "ringing" not in found.doubts
    assert "which other codes there are" in found.doubts


def test_a_document_of_json_that_is_larger_than_what_is_read_is_drafted(tmp_path: Path) -> None:
    call = '{"start":"2026-03-02T10:00:00Z","seconds":30,"from":"0199001234","to":"0261910%04d"},'
    text = '{"calls":[' + "".join(call % (number % 10_000) for number in range(14_000))

    found = drafted_text(text, tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, JsonTickets)
    assert tickets.list == "calls"
    assert found.draft.ticket_count == 400


def test_attributes_of_xml_are_fields_and_what_stands_beside_is_ignored(tmp_path: Path) -> None:
    calls = "".join(
        f"<c:Call id='{number:03}x'><Start>2026-03-02T10:{number:02}:00+01:00</Start>"
        f"<Party side='a'>0199001{number:03}</Party><Called no='0261910{number:03}'/>"
        f"<Length>{number * 7}</Length></c:Call>"
        for number in range(7)
    )
    text = (
        f"<?xml version='1.0'?><Cdrs xmlns:c='urn:c'><Head><From>x</From><To>y</To></Head>"
        f"<List>{calls}</List></Cdrs>"
    )

    found = drafted_text(text, tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, XmlTickets)
    assert tickets.element == "Call"
    assert tickets.fields["Called/no"] == "Called/@no"
    [rule] = tickets.ignore
    assert all(part.empty for part in rule.parts)
    columns = found.columns()
    assert columns["started_at"] == {"from": ("Start",), "format": "iso8601", "zone": "utc"}
    assert columns["called_number"]["from"] == ("Called/no",)


def test_fixed_columns_leave_room_for_values_longer_than_those_of_the_sample(
    tmp_path: Path,
) -> None:
    lines = [
        f"{'SI'[number % 2]}20260302{9 + number // 6:02}{number * 7 % 60:02}00{200 + number % 7:<6}"
        f"{'0199' + str(5000 + number * 37).zfill(6) if number % 3 else '15':<20}{number * 31:>6}"
        for number in range(24)
    ]

    found = drafted_text("\n".join(lines), tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, FixedTickets)
    places = list(tickets.fields.values())
    assert [(place.start, place.width) for place in places[:3]] == [(1, 1), (2, 14), (16, 3)]
    number, duration = places[3], places[4]
    assert number.width > 10
    assert duration.width > 3
    assert duration.start + duration.width == 48
    columns = found.columns()
    assert columns["started_at"]["format"] == "yyyyMMddHHmmss"
    assert columns["direction"]["lookup"] == {"S": "outgoing", "I": "incoming"}
    assert 'whether "S" means that' in found.doubts
    assert found.draft.missing == ()


def test_totals_and_headings_with_times_elsewhere_are_no_tickets(tmp_path: Path) -> None:
    def page(number: int) -> list[str]:
        tickets = [
            f"2610{number + 10} {9 + call:02}.{call * 13 % 60:02} {'UI'[call % 2]} {201 + call}  "
            f"{'02619100' + str(31 + call):<16}{call + 2:>4}'{call * 7:02}"
            for call in range(5)
        ]
        return [
            f"HOTEL MODELE                   {number + 10}-10-2026 23:59",
            "DATE   HEURE S POSTE NUMERO         DUREE",
            *tickets,
            f"TOTAL PAGE {number:03}                       20'48",
        ]

    found = drafted_text("\n".join(page(1) + page(2) + page(3)), tmp_path)

    rules = [rule.starts_with for rule in found.layout.tickets.ignore]
    assert rules == [("HOTEL MODELE",), ("DATE   HEURE",), ("TOTAL PAGE 0",)]
    columns = found.columns()
    (instant,) = (name for name in ("started_at", "ended_at") if name in columns)
    assert columns[instant]["format"] == "yyMMdd HH.mm"
    assert columns["talk_seconds"]["format"] == "m'ss"
    assert found.draft.missing == ()


def test_a_charge_in_cents_and_a_name_of_the_call_are_seen(tmp_path: Path) -> None:
    lines = ["Verbindung;Beginn;Art;Rufnummer A;Rufnummer B;Dauer (Min);Betrag (Ct)"] + [
        f"NK-{770 + number};{13 + number}.03.2026 09:15:00;{'AE'[number % 2]};0199007001;"
        f"02619100{10 + number};{number},50;{number},75"
        for number in range(9)
    ]

    found = drafted_text("\n".join(lines), tmp_path)

    assert found.columns()["pbx_charge_amount"]["divide_by"] == 100
    assert "counted in hundredths" in found.doubts
    # What is in the columns of an unknown name is not guessed, and not passed over either.
    assert found.columns()["direction"]["lookup"] == {"A": "unknown", "E": "incoming"}
    assert "Verbindung may name the call" in found.draft.text


def test_exact_instants_give_the_ringing_and_leave_no_doubt_of_their_format(tmp_path: Path) -> None:
    rows = [
        {
            "start": f"2026-03-02T09:{minute:02}:00+01:00",
            "answer": f"2026-03-02T09:{minute:02}:08+01:00",
            "end": f"2026-03-02T09:{minute:02}:50+01:00",
            "from": "+33199007001",
            "to": f"+332619100{10 + minute}",
        }
        for minute in range(9)
    ]

    found = drafted_text("\n".join(map(json.dumps, rows)), tmp_path)

    columns = found.columns()
    assert columns["talk_seconds"] == {"between": ("answered_at", "ended_at")}
    assert columns["ring_seconds"] == {"between": ("started_at", "answered_at")}
    assert "The sample cannot tell" not in found.doubts


def test_names_and_values_in_a_line_become_a_pattern(tmp_path: Path) -> None:
    lines = [
        f'start="2026-03-02 10:{number:02}:00" dur={number * 9} src=0199001{number:03} '
        f"dst=0261910{number:03} dir=out"
        for number in range(8)
    ]

    found = drafted_text("\n".join(lines), tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, PatternTickets)
    assert 'start="(?P<start>[^"]*)"' in tickets.pattern
    assert tickets.field_list == ("start", "dur", "src", "dst", "dir")
    assert found.columns()["started_at"]["format"] == "yyyy-MM-dd HH:mm:ss"
    assert found.draft.missing == ()


@pytest.mark.parametrize(
    ("order", "column"),
    [
        pytest.param("by its end", "started_at", id="the clock is that of the start"),
        pytest.param("by its start", "ended_at", id="the clock is that of the end"),
    ],
)
def test_the_order_of_a_printed_file_tells_start_from_end(
    tmp_path: Path, order: str, column: str
) -> None:
    calls = [(number * 60, 240 if number % 3 == 0 else 20) for number in range(12)]
    if order == "by its end":
        calls.sort(key=sum)
    lines = [
        f"02/03/2026 10:{start // 60:02}:00   00:{length // 60:02}:{length % 60:02}   201"
        f"   019900{start:04}"
        for start, length in calls
    ]

    found = drafted_text("\n".join(lines), tmp_path)

    assert column in found.columns()
    assert f"{column}: whether" in found.doubts


def test_codes_that_nobody_knows_are_listed_with_how_often_they_are_there(tmp_path: Path) -> None:
    rows = [
        f"2026-03-{13 + number} 10:00:00,{number},{number % 3},0199001234,026191000{number}"
        for number in range(9)
    ]

    found = drafted_text("\n".join(["start,seconds,direction,caller,called", *rows]), tmp_path)

    assert found.columns()["direction"]["lookup"] == dict.fromkeys("012", "unknown")
    assert "# 3 tickets" in found.draft.text
    assert 'direction: what "0", "1", "2" stand for' in found.doubts


def test_what_is_not_found_is_named_with_what_to_write(tmp_path: Path) -> None:
    rows = [f"2026-03-{13 + number};blue;{'yes' if number else 'no'}" for number in range(9)]

    found = drafted_text("\n".join(["day;colour;loud", *rows]), tmp_path)

    assert found.draft.missing == (
        "started_at or answered_at or ended_at", "talk_seconds", "direction", "called_number",
        "caller_number or extension",
    )  # fmt: skip
    assert "dates alone are in day; no time of day beside them" in found.draft.text.lower()
    assert "  # called_number: FIELD" in found.draft.text
    assert found.layout.confirmed is False


def test_texts_that_mean_nothing_are_named(tmp_path: Path) -> None:
    rows = [
        f"2026-03-{13 + number} 10:00:00,{'-' if number % 3 else '2026-03-13 10:00:05'},{number},"
        f"{'NULL' if number % 2 else '0199001234'},026191000{number}"
        for number in range(9)
    ]

    found = drafted_text("\n".join(["start,answer,seconds,caller,called", *rows]), tmp_path)

    columns = found.columns()
    assert columns["answered_at"]["empty_when"] == ("-",)
    assert columns["caller_number"]["empty_when"] == ("NULL",)


def test_several_files_of_a_feed_are_looked_at_together(tmp_path: Path) -> None:
    header = "start,seconds,caller,called,cost\n"
    for name, day in (("one.csv", 11), ("two.csv", 25)):
        rows = [
            f"{day}/03/2026 10:00:0{number},{number},0199001234,026191000{number},0.1"
            for number in range(5)
        ]
        (tmp_path / name).write_text(header + "\n".join(rows) + "\n")

    found = drafted(tmp_path / "one.csv", tmp_path / "two.csv", folder=tmp_path)

    assert found.draft.ticket_count == 10
    # Only the second tells a day from a month.
    assert found.columns()["started_at"]["format"] == "dd/MM/yyyy HH:mm:ss"
    assert "MM/dd" not in found.doubts
