"""Bytes to tickets: every byte ends up in one ticket, whatever a PBX sends."""

from __future__ import annotations

import io
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tollhouse.framing import WrappedLines, decode, frame_file
from tollhouse.layouts.registry import known_models
from tollhouse.pbx import models
from tollhouse.physical_lines import BLOCK_BYTES, JOIN_WINDOW, PhysicalLine
from tollhouse.settings import PROJECT

MITEL = models()["mitel_3300"]
CUCM = models()["cisco_cucm"]
ASTERISK = models()["asterisk_mysql"]
WAZO = models()["wazo"]
START = " 02/04 13:34  00:00:53 T001"
FULL = START.ljust(80)


def framed(data: bytes, model: object = MITEL, start_offset: int = 0) -> list[tuple[int, str]]:
    file = frame_file(io.BytesIO(data), model, start_offset=start_offset)  # type: ignore[arg-type]
    return [(ticket.ordinal, ticket.body) for ticket in file.tickets]


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_any_line_end_ends_a_ticket(line_end: bytes) -> None:
    assert [body for _, body in framed(line_end.join([b"a", b"b", b"c"]))] == ["a", "b", "c"]


def test_the_ordinal_of_a_ticket_is_its_byte_offset() -> None:
    assert framed(b"one\r\n\r\ntwo\n  \nthree") == [(0, "one"), (7, "two"), (14, "three")]


def test_a_last_line_without_a_line_end_is_a_ticket() -> None:
    assert framed(b"one\ntwo") == [(0, "one"), (4, "two")]


def test_lines_are_told_apart_in_a_file_as_short_as_a_byte_order_mark() -> None:
    assert framed(b"a\nb") == [(0, "a"), (2, "b")]
    assert framed(b"\r\na") == [(2, "a")]


def test_an_empty_file_holds_no_ticket() -> None:
    assert framed(b"") == []


def test_a_byte_order_mark_belongs_to_no_ticket() -> None:
    assert framed(b"\xef\xbb\xbfone\n") == [(3, "one")]


def test_blank_lines_are_no_tickets_and_every_other_line_is() -> None:
    assert [body for _, body in framed(b"\n \t \n?\n\x01\n")] == ["?", "\x01"]


def test_bytes_that_do_not_decode_are_kept_escaped() -> None:
    assert decode(b"caf\xe9 \xff", "utf-8") == "caf\\xe9 \\xff"
    assert decode("café".encode("latin-1"), "latin-1") == "café"


def test_nul_is_kept_escaped_since_no_database_text_holds_it() -> None:
    assert decode(b"a\0b", "latin-1") == "a\\x00b"


def test_a_wrapped_line_is_joined_with_its_rest() -> None:
    assert framed(f"{FULL}\r\n    010 M0100376 A\r\n".encode()) == [
        (0, FULL + "    010 M0100376 A")
    ]


def test_a_line_wrapped_twice_is_one_ticket() -> None:
    middle = "x" * 80
    assert framed(f"{FULL}\n{middle}\nrest\n".encode()) == [(0, FULL + middle + "rest")]


def test_a_line_that_just_fills_the_width_is_not_joined_with_the_next_ticket() -> None:
    assert [body for _, body in framed(f"{FULL}\n{START}\n".encode())] == [FULL, START]


def test_a_line_that_fills_the_width_at_the_end_of_the_file_is_a_ticket() -> None:
    assert framed(FULL.encode()) == [(0, FULL)]


def test_the_published_wrapped_capture_keeps_its_three_tickets_apart() -> None:
    path = PROJECT / "tests" / "samples" / "mitel_3300" / "raw_level2_wrapped80.txt"
    data = path.read_bytes()
    expected = [line.decode("latin-1") for line in data.splitlines() if line.strip()]
    assert [body for _, body in framed(data)] == expected


def test_a_continuation_that_arrives_too_late_is_no_continuation() -> None:
    arrived_at = datetime(2026, 2, 4, 13, 34, tzinfo=UTC)
    wrapped = WrappedLines(MITEL.framing, MITEL.encoding)
    lines = [
        PhysicalLine(0, FULL.encode(), arrived_at),
        PhysicalLine(82, b"late", arrived_at + JOIN_WINDOW + timedelta(seconds=1)),
    ]
    assert [ticket.body for ticket in wrapped.tickets(lines)] == [FULL, "late"]
    assert wrapped.held is None


def test_what_may_still_go_on_is_held() -> None:
    wrapped = WrappedLines(MITEL.framing, MITEL.encoding)
    assert list(wrapped.tickets([PhysicalLine(5, FULL.encode())])) == []
    assert wrapped.held is not None
    assert wrapped.held.offset == 5
    assert [ticket.body for ticket in wrapped.release()] == [FULL]


def test_a_line_longer_than_the_maximum_is_cut_and_no_byte_is_lost() -> None:
    maximum = MITEL.framing.maximum_bytes
    line = b"x" * (2 * maximum + 10)
    tickets = framed(b"before\n" + line + b"\nafter\n")
    assert tickets[0] == (0, "before")
    assert "".join(body for _, body in tickets[1:-1]) == line.decode()
    assert all(len(body) <= maximum for _, body in tickets)
    assert tickets[-1] == (7 + len(line) + 1, "after")


def test_a_file_without_a_line_end_is_read_in_bounded_memory() -> None:
    class Endless(io.RawIOBase):
        left = 64 * BLOCK_BYTES

        def read(self, size: int = -1) -> bytes:
            count = min(size, self.left)
            self.left -= count
            return b"x" * count

    tracemalloc.start()
    count = sum(1 for _ in frame_file(Endless(), MITEL).tickets)  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 64 * BLOCK_BYTES // MITEL.framing.maximum_bytes
    assert peak < 8 * BLOCK_BYTES


def test_lines_across_block_borders_are_whole_whatever_ends_them() -> None:
    chance = random.Random(7)
    lines = [b"%d " % number * chance.randint(1, 40) for number in range(40_000)]
    data = b"".join(line + chance.choice([b"\r\n", b"\n", b"\r"]) for line in lines)
    assert len(data) > 2 * BLOCK_BYTES
    tickets = framed(data, ASTERISK)
    assert [body.encode() for _, body in tickets] == lines


def test_the_first_line_of_a_cucm_file_is_kept_as_its_header_and_the_types_are_no_ticket() -> None:
    data = b'"cdrRecordType","pkid"\nINTEGER,VARCHAR(50)\n1,"abc"\n'
    file = frame_file(io.BytesIO(data), CUCM)
    assert file.header == '"cdrRecordType","pkid"'
    assert [(ticket.ordinal, ticket.body) for ticket in file.tickets] == [(43, '1,"abc"')]


def test_a_cucm_file_without_types_loses_no_ticket() -> None:
    file = frame_file(io.BytesIO(b"cdrRecordType,pkid\n1,abc\n1,def\n"), CUCM)
    assert [ticket.body for ticket in file.tickets] == ["1,abc", "1,def"]


def test_a_cucm_file_without_a_header_loses_no_ticket() -> None:
    file = frame_file(io.BytesIO(b"1,abc\n1,def\n"), CUCM)
    assert file.header is None
    assert [ticket.body for ticket in file.tickets] == ["1,abc", "1,def"]


@pytest.mark.parametrize(
    "data", [b"", b"cdrRecordType,pkid\n", b"cdrRecordType,pkid\nINTEGER,VARCHAR(50)"]
)
def test_a_cucm_file_of_header_lines_only_holds_no_ticket(data: bytes) -> None:
    assert list(frame_file(io.BytesIO(data), CUCM).tickets) == []


def test_a_grown_file_is_read_from_where_it_stood_with_the_header_it_had() -> None:
    data = b"cdrRecordType,pkid\nINTEGER,VARCHAR(50)\n1,abc\n1,def\n"
    file = frame_file(io.BytesIO(data), CUCM, start_offset=45, header="cdrRecordType,pkid")
    assert file.header == "cdrRecordType,pkid"
    assert [(ticket.ordinal, ticket.body) for ticket in file.tickets] == [(45, "1,def")]


def test_a_saved_answer_of_an_api_is_its_items_and_rows_of_json_stay_rows() -> None:
    answer = b'{\n "items": [\n  {"id": 8, "n": 1.50},\n  {"id": 9}, 7\n ],\n "total": 3\n}\n'
    assert framed(answer, WAZO) == [(8, '{"id":8,"n":1.50}'), (9, '{"id":9}'), (3, "7")]
    assert framed(b'{"items": [], "total": 0}', WAZO) == []
    assert framed(b'{"id": 8}\n{"items": [{"id": 9}]}\n', WAZO) == [
        (8, '{"id": 8}'),
        (2, '{"items": [{"id": 9}]}'),
    ]
    assert [body for _, body in framed(answer[:-3], WAZO)] == answer[:-3].decode().splitlines()


def test_a_row_of_json_is_known_by_its_key_and_else_by_its_line() -> None:
    data = b'{"id": 41, "src": "100"}\n{"src": "101"}\nno json\n{"id": "7"}\n[1]\n'
    assert [ordinal for ordinal, _ in framed(data, ASTERISK)] == [41, 2, 3, 4, 5]


def samples() -> list[Path]:
    """Every sample of tickets as lines of text: nothing compressed, padded or grouped."""
    found = (PROJECT / "tests" / "samples").glob("*/*")
    other = {".md", ".yml", ".csv", ".DAT", ".bin"}
    grouped = {"grandstream_ucm", "alcatel_oxo", "exemple_trunk_xml", "exemple_cloud_pbx"}
    return sorted(
        path for path in found if path.suffix not in other and path.parent.name not in grouped
    )


@pytest.mark.parametrize("path", samples(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_character_of_a_sample_is_lost_but_line_ends_and_types(path: Path) -> None:
    model = known_models()[path.parent.name]
    file = frame_file(io.BytesIO(path.read_bytes()), model)
    text = (file.header or "") + "".join(ticket.body for ticket in file.tickets)
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    if model is CUCM and lines[1].lstrip(b'"').startswith((b"INTEGER", b"VARCHAR(")):
        del lines[1]
    assert text == "".join(decode(line, model.encoding) for line in lines)


OXE_SAMPLES = PROJECT / "tests" / "samples" / "alcatel_oxe"


def oxe_tickets(name: str) -> tuple[str | None, list[str]]:
    file = frame_file(io.BytesIO((OXE_SAMPLES / name).read_bytes()), models()["alcatel_oxe"])
    return file.header, [ticket.body for ticket in file.tickets]


def test_a_compressed_file_of_an_oxe_holds_what_its_text_holds() -> None:
    header, bodies = oxe_tickets("SYNTHETIC_TAXSYNTA.DAT")
    assert (header, bodies) == oxe_tickets("SYNTHETIC_TAXSYNTA.txt")
    assert header is not None
    assert header.startswith("#TicketVersion,1,5,5,")
    assert [len(body) for body in bodies] == [525, 525]


def test_a_block_of_an_oxe_holds_the_same_ticket_as_its_file() -> None:
    _, (of_block,) = oxe_tickets("SYNTHETIC_ethernet_frame_of_real_ticket.bin")
    _, (of_file,) = oxe_tickets("real_ticket_ED5.2_772chars.txt")
    assert of_block == of_file[:525]
    assert of_file[525:].isspace()


def test_a_compressed_file_that_has_grown_is_read_from_its_beginning() -> None:
    data = (OXE_SAMPLES / "SYNTHETIC_TAXSYNTA.DAT").read_bytes()
    model = models()["alcatel_oxe"]
    whole = frame_file(io.BytesIO(data), model)
    again = frame_file(io.BytesIO(data), model, start_offset=500, header="as it was")
    assert (again.header, list(again.tickets)) == (whole.header, list(whole.tickets))


def test_the_second_half_of_an_oxe_file_keeps_the_header_of_the_first() -> None:
    data = (OXE_SAMPLES / "SYNTHETIC_TAXSYNTA.txt").read_bytes()
    start = data.rindex(b"ED5.2")
    model = models()["alcatel_oxe"]
    file = frame_file(io.BytesIO(data), model, start_offset=start, header="#TicketVersion,1,5,5")
    assert file.header == "#TicketVersion,1,5,5"
    assert [(ticket.ordinal, ticket.body[:9]) for ticket in file.tickets] == [(start, "ED5.22101")]
