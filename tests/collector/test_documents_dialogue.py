"""What is said with a Grandstream UCM, byte by byte: plain documents, and documents by HTTP."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

import pytest

from tests.collector.collecting import collecting, pbx_of
from tests.collector.speaking_pbx import wait_until
from tests.conftest import free_port
from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.dialogues.documents import DocumentDialogue
from tollhouse.collector.lines import Piece
from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE, TERMINATED
from tollhouse.collector.spooled_tickets import SpooledTickets
from tollhouse.pbx import models

MAXIMUM_BYTES = 1_000
JSON = b'{"AcctId": "1", "src": "2001"}'
CSV = b"'1','','2001'"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def post(body: bytes, *fields: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([b"POST /cdr HTTP/1.1", b"Host: a", *fields, length, b"", body])


def converse(data: bytes, *, step: int) -> tuple[list[Piece], bytes]:
    """Return what is spooled and answered when the bytes arrive in portions, up to the end."""
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    said = dialogue.greeting()
    pieces: list[Piece] = []
    for start in range(0, len(data), step):
        heard = dialogue.feed(data[start : start + step])
        pieces += heard.pieces
        said += heard.reply
    return pieces + dialogue.remainder(), said


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_documents_are_spooled_one_by_one_and_nothing_is_answered(step: int) -> None:
    data = JSON + b"\n" + JSON + CSV + b"\r\n\0" + JSON
    pieces, said = converse(data, step=step)
    assert [piece for piece, _ in pieces] == [JSON, JSON, CSV + b"\r", JSON]
    assert {flags for _, flags in pieces} == {TERMINATED}
    assert said == b""


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_the_end_of_the_connection_ends_a_line_and_cuts_json(step: int) -> None:
    assert converse(CSV, step=step)[0] == [(CSV, TERMINATED)]
    assert converse(JSON[:-4], step=step)[0] == [(JSON[:-4], CUT_BY_DISCONNECT)]


def test_a_pause_ends_a_line_but_not_a_document_that_is_open() -> None:
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    dialogue.feed(CSV)
    assert dialogue.pause().pieces == [(CSV, TERMINATED)]
    dialogue.feed(JSON[:9])
    assert dialogue.pause().pieces == []
    assert dialogue.feed(JSON[9:]).pieces == [(JSON, TERMINATED)]


def test_a_pause_before_the_first_byte_does_not_hide_a_request() -> None:
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    dialogue.pause()
    assert dialogue.feed(post(JSON)) == ([(JSON, TERMINATED)], OK)


def test_a_line_that_begins_like_a_request_is_a_line() -> None:
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    assert dialogue.feed(b"POS").pieces == []
    assert dialogue.pause().pieces == [(b"POS", TERMINATED)]


def test_a_document_longer_than_allowed_comes_in_pieces() -> None:
    pieces, _ = converse(b"x" * 2_500 + b"\n", step=700)
    assert [(len(piece), flags) for piece, flags in pieces] == [
        (MAXIMUM_BYTES, PIECE),
        (MAXIMUM_BYTES, PIECE),
        (500, TERMINATED),
    ]


@pytest.mark.parametrize("step", [1, 5, 10_000])
def test_the_body_of_each_request_is_spooled_and_answered(step: int) -> None:
    pieces, said = converse(post(JSON) + post(CSV) + post(JSON), step=step)
    assert pieces == [(JSON, TERMINATED), (CSV, TERMINATED), (JSON, TERMINATED)]
    assert said == OK * 3


def test_an_answer_waits_for_the_whole_body() -> None:
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    assert dialogue.feed(post(JSON)[:-1]) == ([], b"")
    assert dialogue.feed(JSON[-1:]) == ([(JSON, TERMINATED)], OK)


@pytest.mark.parametrize("step", [1, 5, 10_000])
def test_a_body_in_chunks_is_put_together(step: int) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"5\r\n%b\r\n%x;x=y\r\n%b\r\n0\r\n\r\n" % (JSON[:5], len(JSON) - 5, JSON[5:])
    pieces, said = converse((head + chunks) * 2, step=step)
    assert pieces == [(JSON, TERMINATED)] * 2
    assert said == OK * 2


def test_who_asks_whether_to_go_on_is_told_so() -> None:
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    head, _, body = post(JSON, b"Expect: 100-continue").partition(b"\r\n\r\n")
    assert dialogue.feed(head + b"\r\n\r\n").reply == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert dialogue.feed(body).reply == OK


def test_a_request_without_a_document_is_seen_and_refused() -> None:
    pieces, said = converse(b"GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\n\r\n", step=9)
    assert pieces == [(b"GET / HTTP/1.1", TERMINATED)]
    assert said.startswith(b"HTTP/1.1 405 ")


def test_a_body_that_breaks_off_is_kept_and_not_answered() -> None:
    assert converse(post(JSON)[:-4], step=9) == ([(JSON[:-4], CUT_BY_DISCONNECT)], b"")


@pytest.mark.parametrize(
    "data", [b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 5_000, b"POST something\r\n\r\n"]
)
def test_what_is_no_request_ends_the_connection(data: bytes) -> None:
    dialogue = DocumentDialogue(MAXIMUM_BYTES)
    with pytest.raises(DialogueError):
        dialogue.feed(data)
    assert dialogue.remainder() == []


def test_a_connection_a_record_and_requests_on_one_port_all_become_tickets(tmp_path: Path) -> None:
    group = b'{"cdr": "17-2000", "main_cdr": {"src": "1"}, "sub_cdr_1": {"src": "2"}}'
    entry = pbx_of("grandstream_ucm"), {"host": "127.0.0.1", "port": free_port()}
    with collecting(tmp_path, entry) as site:
        address = ("127.0.0.1", site.port())
        # Open all the while: who connects next does not replace it.
        with socket.create_connection(address) as first:
            first.sendall(JSON[:9])
            for document in (CSV, group):
                with socket.create_connection(address) as another:
                    another.sendall(document)
            sender = http.client.HTTPConnection(*address, timeout=10)
            for _ in range(2):
                sender.request("POST", "/cdr", body=JSON)
                answer = sender.getresponse()
                assert (answer.status, answer.read()) == (200, b"")
            sender.close()
            first.sendall(JSON[9:])
        wait_until(lambda: len([record for record in site.records() if record.data]) == 5)
        tickets = list(SpooledTickets(models()["grandstream_ucm"]).tickets(site.records()))

    assert sorted(ticket.body.encode() for ticket in tickets) == sorted(
        [JSON, JSON, JSON, CSV, b'"main_cdr": {"src": "1"}', b'"sub_cdr_1": {"src": "2"}']
    )
    assert len({ticket.ordinal for ticket in tickets}) == 6
