"""What a draft tells of files that PBXs wrote, held against what is known of them."""

from __future__ import annotations

from pathlib import Path

from tests.layouts.drafted import SAMPLES, drafted
from tollhouse.layouts.declaration.tickets import (
    DelimitedTickets,
    FixedTickets,
    JsonTickets,
    XmlTickets,
)

SUFFIXES = (".txt", ".csv", ".jsonl", ".json", ".xml")


def test_smdr_of_an_ip_office_is_drafted_whole(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "avaya_ipoffice" / "ipo500v2_live_2017.csv", folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, DelimitedTickets)
    assert (tickets.separator, tickets.header, len(tickets.fields)) == (",", False, 34)
    assert found.draft.missing == ()
    columns = found.columns()
    assert columns["started_at"] == {"from": ("time_1",), "format": "yyyy/MM/dd HH:mm:ss"}
    assert columns["talk_seconds"] == {"from": ("duration_2",), "format": "hh:mm:ss"}
    assert columns["direction"]["lookup"] == {"O": "outgoing", "I": "incoming"}
    assert columns["extension"]["from"] == ("code_4",)
    assert "started_at: whether time_1 is the start, the answer or the end" in found.doubts


def test_lines_of_a_3cx_tell_their_three_clocks_apart(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "threecx" / "cdr-240617055949.288831.log", folder=tmp_path)

    columns = found.columns()
    assert columns["started_at"] == {"from": ("time_4",), "format": "yyyy/MM/dd HH:mm:ss"}
    assert columns["answered_at"]["from"] == ("time_5",)
    assert columns["ended_at"]["from"] == ("time_6",)
    assert columns["talk_seconds"] == {"from": ("duration_3",), "format": "hh:mm:ss"}
    assert columns["caller_number"]["strip_prefix"] == ("Ext.",)
    # From answer to end it is the duration of the line: nothing is doubtful about that.
    assert "ringing" not in found.doubts


def test_the_row_of_types_in_a_cucm_file_is_no_call(tmp_path: Path) -> None:
    path = SAMPLES / "cisco_cucm" / "cdr_StandAloneCluster_02_201605021800_1"

    found = drafted(path, folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, DelimitedTickets)
    assert tickets.header
    [rule] = tickets.ignore
    assert (rule.field, rule.is_) == ("cdrRecordType", ("INTEGER",))
    columns = found.columns()
    assert columns["started_at"]["from"] == ("dateTimeOrigination",)
    assert columns["started_at"]["format"] == "epoch_seconds"
    assert columns["answered_at"]["from"] == ("dateTimeConnect",)
    assert columns["ended_at"]["from"] == ("dateTimeDisconnect",)
    assert columns["talk_seconds"] == {"from": ("duration",)}
    assert columns["caller_number"]["from"] == ("callingPartyNumber",)


def test_the_two_durations_of_master_csv_are_told_apart_by_its_clocks(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "asterisk_csv" / "constructed_utc.csv", folder=tmp_path)

    columns = found.columns()
    assert columns["started_at"] == {"from": ("time_10",), "format": "yyyy-MM-dd HH:mm:ss"}
    assert columns["talk_seconds"] == {"from": (talk := found.layout.field_names[13],)}
    assert columns["ring_seconds"]["minus"] == talk
    assert columns["outcome"]["lookup"] == {"ANSWERED": "answered"}


def test_columns_of_a_mitel_begin_where_its_manual_says(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "mitel_3300" / "constructed_standard_24h.txt", folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, FixedTickets)
    places = {(place.start, place.width) for place in tickets.fields.values()}
    # Long call, date, time, duration.
    assert {(1, 1), (2, 5), (8, 5), (15, 8)} <= places
    columns = found.columns()
    assert columns["ended_at"]["format"] == "dd/MM HH:mm"
    assert columns["talk_seconds"]["format"] == "hh:mm:ss"
    assert "is the start, the answer or the end" in found.doubts
    assert "dd/MM HH:mm or MM/dd HH:mm?" in found.doubts


def test_the_heading_of_a_panasonic_names_its_fields_and_is_no_ticket(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "panasonic_kx" / "typeB_24h_site_costa.txt", folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, FixedTickets)
    assert list(tickets.fields)[:5] == ["Date", "Time", "Ext", "CO", "Dial Number"]
    assert len(tickets.ignore) == 2
    columns = found.columns()
    # It is written when the call is over: the file is in the order of the clock it has.
    assert columns["ended_at"]["from"] == ("Date", "Time")
    assert columns["ended_at"]["format"] == "dd/MM/yy HH:mm"
    assert [case["value"] for case in columns["direction"]["cases"]] == ["internal", "incoming"]
    assert columns["talk_seconds"] == {"from": ("Duration",), "format": "m'ss"}
    assert "04/12/20 17:18    401 01" in found.draft.text


def test_a_time_that_touches_its_date_is_cut_off(tmp_path: Path) -> None:
    path = SAMPLES / "siemens_hipath" / "hipath_v24_compressed_live_2018_2019.txt"

    found = drafted(path, folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, FixedTickets)
    assert [(place.start, place.width) for place in tickets.fields.values()][:2] == [(1, 8), (9, 8)]
    columns = found.columns()
    [instant] = [columns[name] for name in ("started_at", "ended_at") if name in columns]
    assert instant["format"] == "dd.MM.yy HH:mm:ss"
    assert columns["talk_seconds"]["format"] == "hh:mm:ss"


def test_tickets_of_an_oxo_are_the_elements_that_are_repeated(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "alcatel_oxo" / "TicketCollector02032026.xml", folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, XmlTickets)
    assert tickets.element == "Ticket"
    columns = found.columns()
    assert columns["started_at"]["from"] == ("Date", "Time")
    assert columns["started_at"]["format"] == "dd/MM/yy HH:mm"
    assert columns["direction"]["lookup"] == {"-->": "outgoing"}
    assert columns["called_number"]["from"] == ("DialledNumber",)
    assert columns["extension"]["from"] == ("ChargedUser",)
    assert found.draft.missing == ()


def test_the_answer_of_a_grandstream_is_a_document_with_a_list(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "grandstream_ucm" / "cdrapi_json_33keys.json", folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, JsonTickets)
    assert tickets.list == "cdr_root"
    columns = found.columns()
    assert columns["talk_seconds"] == {"from": ("billsec",)}
    assert columns["ring_seconds"] == {"from": ("duration",), "minus": "billsec"}
    assert columns["direction"]["lookup"] == {
        "Internal": "internal", "Inbound": "incoming", "Outbound": "outgoing"
    }  # fmt: skip
    assert columns["outcome"]["lookup"]["NO ANSWER"] == "no_answer"


def test_objects_of_a_wazo_stand_one_in_a_line(tmp_path: Path) -> None:
    found = drafted(SAMPLES / "wazo" / "from_cdr_fixtures.jsonl", folder=tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, JsonTickets)
    assert tickets.list is None
    columns = found.columns()
    assert columns["started_at"] == {"from": ("start",), "format": "iso8601", "zone": "utc"}
    assert columns["outcome"]["value"] == "answered"
    assert columns["called_number"]["from"] == ("destination_extension",)


def test_a_sample_of_every_pbx_is_drafted(tmp_path: Path) -> None:
    kinds = set()

    for folder in sorted(SAMPLES.iterdir()):
        files = [path for path in sorted(folder.glob("*")) if path.suffix in SUFFIXES]
        kinds |= {drafted(path, folder=tmp_path).layout.tickets.kind for path in files[:1]}

    assert kinds == {"delimited", "fixed", "pattern", "xml", "json"}
