"""Documents of a Grandstream UCM: cut alike however the bytes arrive, and legs found by shape."""

from __future__ import annotations

import io
import json
import random

import pytest

from tollhouse.documents import Document, DocumentSplitter, legs
from tollhouse.framing import frame_file, frame_record
from tollhouse.pbx import models

UCM = models()["grandstream_ucm"]
MAXIMUM_BYTES = 2_000

LEG = b'{"AcctId": "1", "clid": "\\"A {b}\\" <2001>", "lastdata": "x,[y]\\\\"}'
GROUP = b'{"cdr": "17-2000", "main_cdr": {"AcctId": ""}, "sub_cdr_1": {"AcctId": "58"}}'
PRETTY = json.dumps({"cdr_root": [json.loads(LEG), json.loads(GROUP)]}, indent=1).encode()
XML = b'<?xml version="1.0"?>\r\n<cdr_root>\r\n<cdr><AcctId>1</AcctId><dst/></cdr>\r\n</cdr_root>'
CSV = b"'1','','2001','2000','\"\" <2001>','PJSIP/2000,60,b'"
WHOLE = (LEG, GROUP, PRETTY, XML, CSV, b"[]", b"<134>a line of a log", b"[2026] another")

BREAKS = (
    b"\0", b"\n", b'"', b"\\", b"{", b"}", b"[", b"]", b"<", b">", b"</", b"/>", b"<!--", b"-->",
    b"<![CDATA[", b"]]>", b"<?xml", b"\xef\xbb\xbf", b"\xef", b",", b":", b'{"', b"[" * 150,
    b"POST / HTTP/1.1\r\n",
)  # fmt: skip


def split(data: bytes, *, step: int | None = None, maximum_bytes: int = 65_536) -> list[Document]:
    splitter = DocumentSplitter(maximum_bytes)
    documents = []
    for start in range(0, len(data), step or max(1, len(data))):
        documents += splitter.feed(data[start : start + (step or len(data))])
    return documents + splitter.remainder()


def texts(data: bytes) -> list[bytes]:
    return [document.data for document in split(data)]


def bodies(data: bytes) -> list[str]:
    return [ticket.body for ticket in frame_record(data, UCM)]


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n", b"\0", b"\r\n\0\n"])
@pytest.mark.parametrize("document", [LEG, GROUP, PRETTY, XML])
def test_a_document_ends_where_it_is_closed(document: bytes, between: bytes) -> None:
    assert texts(document + between + document) == [document, document]


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\0", b"\n\0"])
def test_a_line_of_csv_ends_at_a_line_end_or_nul(between: bytes) -> None:
    assert [text.rstrip() for text in texts(CSV + between + CSV + between)] == [CSV, CSV]


def test_a_byte_order_mark_belongs_to_no_document() -> None:
    assert split(b"\xef\xbb\xbf" + LEG) == [Document(3, LEG)]


@pytest.mark.parametrize(
    "cut", [b'{"AcctId": "1", "src": "20', b'{"AcctId": "1",', b'{"AcctId": "1"', b'{"cdr": {"A"']
)
def test_a_record_that_breaks_off_does_not_swallow_the_next_one(cut: bytes) -> None:
    assert texts(cut + b"\n" + LEG)[-1] == LEG
    assert texts(cut + b"\0" + LEG) == [cut, LEG]


@pytest.mark.parametrize("cut", [b"<cdr><AcctId>1</Acc", b"<cdr><AcctId>1</AcctId>"])
def test_an_element_that_breaks_off_does_not_swallow_the_next_document(cut: bytes) -> None:
    assert texts(cut + XML) == [cut, XML]


@pytest.mark.parametrize(
    "cut",
    [b"<cdr><AcctId>1</Acc", b"<cdr><AcctId>1</AcctId>\n", b"<cdr><Acc", b'<?xml version="1.0"?>'],
)
def test_an_element_that_breaks_off_does_not_swallow_a_record_in_json(cut: bytes) -> None:
    record = b'{"cdr": "17-2000", "clid": "\\"\\" <2000>"}'
    assert texts(cut + record + record) == [cut, record, record]


@pytest.mark.parametrize("whole", [LEG, b'{\n  "AcctId": "2"\n}', b'<?xml version="1.0"?><a>1</a>'])
def test_a_string_that_breaks_off_does_not_swallow_the_rest_of_its_line(whole: bytes) -> None:
    cut = b'{"AcctId": "1", "src": "20'
    assert texts(cut + whole) == [cut, whole]


@pytest.mark.parametrize("before", [b"2026-03-02 09:00:25 ", b"}", b"<13>pbx: "])
def test_what_stands_before_a_document_on_its_line_is_a_line(before: bytes) -> None:
    assert [text.strip() for text in texts(before + LEG)] == [before.strip(), LEG]


def test_the_answer_of_a_newer_api_is_taken_apart_inside_its_wrapper() -> None:
    assert bodies(b'{"response": {"cdr_root": [' + LEG + b'], "n": 1}, "status": 0}') == [
        LEG.decode()
    ]
    error = b'{"response": {"error": "no"}, "status": -6}'
    assert bodies(error) == [error.decode()]


def test_bytes_cut_alike_however_they_arrive_and_none_is_lost() -> None:
    draw = random.Random(7777)
    for _ in range(1_500):
        data = b"".join(
            draw.choice(WHOLE) + draw.choice((b"", b"\n", b"\r\n", b"\0"))
            for _ in range(draw.randint(1, 3))
        )
        for _ in range(draw.randint(0, 4)):
            place = draw.randint(0, len(data))
            data = data[:place] + draw.choice(BREAKS) + data[place + draw.randint(0, 20) :]
        maximum_bytes = draw.choice((40, 300, 5_000))
        whole = split(data, maximum_bytes=maximum_bytes)

        for step in (1, 7):
            assert split(data, step=step, maximum_bytes=maximum_bytes) == whole, data
        end = 0
        for document in whole:
            assert 0 < len(document.data) <= maximum_bytes
            assert is_between(data[end : document.offset])
            end = document.offset + len(document.data)
            assert data[document.offset : end] == document.data
        assert is_between(data[end:])


def is_between(data: bytes) -> bool:
    return not data.replace(b"\xef\xbb\xbf", b"").strip(b" \t\r\n\v\f\0")


def test_an_endless_document_costs_bounded_memory_and_loses_nothing() -> None:
    splitter = DocumentSplitter(MAXIMUM_BYTES)
    sent = b'{"AcctId": "' + b"1" * 50_000
    heard = [
        piece
        for start in range(0, len(sent), 999)
        for piece in splitter.feed(sent[start : start + 999])
    ]
    assert all(len(piece.data) == MAXIMUM_BYTES and not piece.is_whole for piece in heard)
    last = splitter.remainder()
    assert b"".join(piece.data for piece in heard + last) == sent
    assert [piece.is_whole for piece in last] == [True]


@pytest.mark.parametrize("brackets", [b'[{"a":' * 50_000, b"<a>" * 100_000, b"[" * 300_000])
def test_a_document_of_nothing_but_brackets_is_a_damaged_ticket(brackets: bytes) -> None:
    assert "".join(bodies(brackets)) == brackets.decode()


def test_each_leg_of_a_group_is_a_ticket_that_keeps_its_name() -> None:
    assert bodies(GROUP) == ['"main_cdr": {"AcctId": ""}', '"sub_cdr_1": {"AcctId": "58"}']


def test_the_ordinal_of_a_leg_is_its_offset_in_the_record() -> None:
    for ticket in frame_record(GROUP, UCM):
        assert GROUP[ticket.ordinal :].decode().startswith(ticket.body)


def test_the_answer_of_the_cdr_api_is_taken_apart_into_its_legs() -> None:
    assert len(bodies(PRETTY)) == 3
    assert bodies(b'{"cdr": [{"AcctId": "1"}, {"AcctId": "2"}]}') == [
        '{"AcctId": "1"}',
        '{"AcctId": "2"}',
    ]


def test_a_record_with_an_object_in_a_field_stays_one_ticket() -> None:
    record = '{"AcctId": "1", "device": {"vendor": "x"}, "codecs": [{"name": "y"}]}'
    assert bodies(record.encode()) == [record]


def test_a_document_without_a_leg_is_a_ticket_itself() -> None:
    assert bodies(b'{"cdr_root": []}') == ['{"cdr_root": []}']
    assert bodies(b"<cdr_root></cdr_root>") == ["<cdr_root></cdr_root>"]


def test_elements_of_text_make_a_leg_whatever_holds_them() -> None:
    leg = "<sub_cdr_1><AcctId>1</AcctId><dst/><clid>&lt;1&gt;</clid></sub_cdr_1>"
    summary = "<main_cdr><AcctId/><src>1</src></main_cdr>"
    document = f"<r><cdr><cdr>17-2000</cdr>{summary}{leg}</cdr></r>"
    assert bodies(document.encode()) == [summary, leg]
    assert bodies(f"<?xml version='1.0'?><!-- c -->{leg}".encode()) == [leg]


def test_the_legs_before_the_damage_are_kept_and_the_rest_is_one_ticket() -> None:
    data = GROUP[:-3]
    assert bodies(data) == ['"main_cdr": {"AcctId": ""}', ', "sub_cdr_1": {"AcctId": "58']


def test_a_leg_longer_than_allowed_comes_in_pieces() -> None:
    data = b'{"src": "' + b"1" * 100 + b'"}'
    pieces = [piece for _, piece in legs(Document(5, data), maximum_bytes=30)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) == 30


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_the_line_that_names_the_columns_is_the_header_of_a_file(quote: str) -> None:
    names = ",".join(f"{quote}{name}{quote}" for name in ("AcctId", "accountcode", "src"))
    framed = frame_file(io.BytesIO(f"{names}\r\n1,,2001\r\n2,,2002".encode()), UCM)
    assert framed.header == names
    assert [ticket.body for ticket in framed.tickets] == ["1,,2001", "2,,2002"]


def test_a_grown_file_is_read_from_where_it_stood() -> None:
    framed = frame_file(io.BytesIO(LEG + b"\n" + LEG), UCM, start_offset=len(LEG) + 1)
    assert [(ticket.ordinal, ticket.body) for ticket in framed.tickets] == [
        (len(LEG) + 1, LEG.decode())
    ]


def test_names_in_utf_8_are_read_and_other_bytes_are_kept_escaped() -> None:
    assert bodies('{"caller_name": "Zoé"}'.encode()) == ['{"caller_name": "Zoé"}']
    assert bodies(b"'1','Zo\xe9'") == ["'1','Zo\\xe9'"]


@pytest.mark.parametrize("document", [PRETTY, XML, GROUP])
def test_a_leg_is_a_verbatim_slice_of_its_document(document: bytes) -> None:
    framed = list(frame_file(io.BytesIO(b"\n" + document), UCM).tickets)
    assert framed
    for ticket in framed:
        body = ticket.body.encode()
        assert document[ticket.ordinal - 1 :].startswith(body)
