"""Files that a layout describes: heads, other ends of records, quotation marks, UTF-16."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from itertools import chain

import pytest

from tollhouse.declared_lines import ends_a_line
from tollhouse.file_deliveries.growing import end_of_last_ticket
from tollhouse.framing import frame_file
from tollhouse.framing_in_bundles import BLOCK_BYTES, frame_in_bundles
from tollhouse.pbx import Framing, Model, Quoting
from tollhouse.physical_lines import BLOCK_BYTES as READ_BYTES
from tollhouse.quoted_lines import OpenValues

QUOTING = Quoting(b'"', b",")
Framed = tuple[str | None, list[tuple[int, str]]]


def model(encoding: str = "utf-8", **framing: object) -> Model:
    kind = "header_lines" if framing.get("header_is_certain") else "lines"
    return Model("declared", "Declared", ("dropped_files",), Framing(kind, **framing), encoding)  # type: ignore[arg-type]


def framed(data: bytes, of: Model, start: int = 0) -> Framed:
    """Take a file apart both ways, which must agree."""
    single = frame_file(io.BytesIO(data), of, start_offset=start)
    one_by_one = single.header, [(one.ordinal, one.body) for one in single.tickets]
    bundled = frame_in_bundles(io.BytesIO(data), of, start_offset=start)
    tickets = chain.from_iterable(bundle.tickets() for bundle in bundled.bundles)
    in_bundles = bundled.header, [(one.ordinal, one.body) for one in tickets]
    assert in_bundles == one_by_one
    return one_by_one


def bodies(data: bytes, of: Model, start: int = 0) -> list[str]:
    return [body for _, body in framed(data, of, start)[1]]


@pytest.mark.parametrize("names", ["1st,2nd", "#date,number", '"the, date",b', "-;-", "Date,To"])
def test_a_declared_header_is_one_whatever_it_looks_like(names: str) -> None:
    data = f"{names}\r\n1,2\r\n{names}\r\n3,4\r\n".encode()
    header, tickets = framed(data, model(header_is_certain=True, quoting=QUOTING))
    assert header == names
    assert [body for _, body in tickets] == ["1,2", names, "3,4"]


def test_lines_above_the_tickets_are_kept_above_the_header_blank_ones_too() -> None:
    data = b"\xef\xbb\xbfCarrier report\n\n\nDate,Number\n1,2\n3,4\n"
    above = model(skip_lines=2, header_is_certain=True)
    assert framed(data, above) == (
        "Carrier report\n\nDate,Number",
        [(data.index(b"1,2"), "1,2"), (data.index(b"3,4"), "3,4")],
    )
    assert framed(data, model(skip_lines=3))[0] == "Carrier report\n\n"
    assert bodies(data, model(skip_lines=3)) == ["Date,Number", "1,2", "3,4"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp850", "utf-16"])
def test_a_file_that_grows_has_the_same_tickets_wherever_it_was_cut(encoding: str) -> None:
    lines = [
        "Report of today\r\n",
        "é\r\n",
        '"Da\r\nte",Number\r\n',
        "1,é\r\n",
        "\r\n",
        '"2\n",x\r\n',
    ]
    of = model(encoding, skip_lines=2, header_is_certain=True, quoting=QUOTING)
    whole = "".join(lines).encode(encoding)
    everything = framed(whole, of)
    assert everything[0] == 'Report of today\né\n"Da\nte",Number'
    assert [body for _, body in everything[1]] == ["1,é", '"2\n",x']
    for count in range(1, len(lines)):
        start = len("".join(lines[:count]).encode(encoding))
        header, tickets = framed(whole, of, start)
        assert header == everything[0]
        assert tickets == [ticket for ticket in everything[1] if ticket[0] >= start]


@pytest.mark.parametrize("data", [b"", b"one\n", b"one", b"one\ntwo\n", b"\n\n"])
def test_a_file_that_is_its_head_and_no_more_has_no_ticket(data: bytes) -> None:
    header, tickets = framed(data, model(skip_lines=2, header_is_certain=True))
    assert tickets == []
    assert (header or "").split() == data.decode().split()


def test_a_value_between_marks_may_hold_line_ends() -> None:
    data = b'1,"two\r\nlines",3\n4,5,6\n7," and ""so\non""\r",9\n10,11,12'
    assert framed(data, model(quoting=QUOTING))[1] == [
        (0, '1,"two\nlines",3'),
        (data.index(b"4,5"), "4,5,6"),
        (data.index(b"7,"), '7," and ""so\non""\n",9'),
        (data.index(b"10,"), "10,11,12"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'a 5" pipe,b',
        b'a,b"',
        b'"a" b"c,d',
        b'"",""',
        b'"a,""",b',
        b'  "a" ,b',
        b'x" "y,"z"',
        b'"'[:0],
    ],
)
def test_a_mark_within_a_value_is_text(line: bytes) -> None:
    assert not OpenValues(QUOTING).opens(line)
    data = b"first,1\n" + line + b"\nlast,2\n"
    assert bodies(data, model(quoting=QUOTING))[-1] == "last,2"


@pytest.mark.parametrize("line", [b'"a', b'a,"b', b'a, "b"",c', b'"a","', b'x"y,"z', b',"""'])
def test_a_value_that_is_not_closed_may_go_on(line: bytes) -> None:
    values = OpenValues(QUOTING)
    assert values.opens(line)
    assert values.may_open(line + b"\n")
    assert values.may_open(b'1,2\n"3",4\n' + line)
    data = line + b'\nrest",x\nlast\n'
    assert bodies(data, model(quoting=QUOTING)) == [f'{line.decode()}\nrest",x', "last"]


def test_a_value_that_is_never_closed_takes_no_other_ticket_with_it() -> None:
    lines = [f"{number},ok" for number in range(40)]
    data = ('stray,"\n' + "\n".join(lines)).encode()
    assert bodies(data, model(quoting=QUOTING, maximum_bytes=90)) == ['stray,"', *lines]
    assert bodies(data, model(quoting=QUOTING)) == ['stray,"', *lines]


@pytest.mark.parametrize(
    "quoting", [Quoting(b"'", b";"), Quoting(b'"', b"\t"), Quoting(b'"', b" ")]
)
def test_other_marks_and_separators_do_the_same(quoting: Quoting) -> None:
    mark, separator = quoting.mark.decode(), quoting.separator.decode()
    data = f"1{separator}{mark}two\nlines{mark}{separator}3\nnext".encode()
    found = bodies(data, model(quoting=quoting))
    assert found == [f"1{separator}{mark}two\nlines{mark}{separator}3", "next"]


def test_values_with_line_ends_are_whole_across_the_borders_of_blocks() -> None:
    draw = random.Random(5)
    tickets: list[str] = []
    for _ in range(3 * BLOCK_BYTES // 45):
        text = "x" * draw.randrange(60)
        tickets.append(draw.choice([f"{text},1", f'"{text}\n{text}",1', f'"{text} ""q"" ",\'1']))
    found = bodies("\n".join(tickets).encode(), model(quoting=QUOTING))
    assert found == tickets


@pytest.mark.parametrize("maximum_bytes", [13, 4_096])
def test_random_values_make_the_same_tickets_in_bundles(maximum_bytes: int) -> None:
    pieces = [b'"', b'""', b",", b" ", b"a", b"\n", b"\r\n", b"\r", b"1,2\n", b'"b"', b"\xff"]
    of = model(quoting=QUOTING, maximum_bytes=maximum_bytes)
    for seed in range(1_000):
        draw = random.Random(seed)
        data = b"".join(draw.choices(pieces, k=draw.randrange(40)))
        if max(map(len, data.splitlines()), default=0) > maximum_bytes:
            continue  # a piece of a line that was cut may look like the beginning of a value
        found = bodies(data, of)
        kept = "".join(found).encode().replace(b"\\xff", b"\xff")
        assert without_ends(kept) == without_ends(data), data


@pytest.mark.parametrize("end", [b"~", b"\x1e", b"|"])
def test_a_record_may_end_with_another_byte(end: bytes) -> None:
    data = b"a,1" + end + b"\r\n  b,\n2" + end + end + b" \n" + end + b"c,3"
    assert framed(data, model(record_end=end))[1] == [
        (0, "a,1"),
        (data.index(b"  b"), "  b,\n2"),
        (data.index(b"c,3"), "c,3"),
    ]
    header, tickets = framed(data, model(record_end=end, skip_lines=1, header_is_certain=True))
    assert (header, tickets) == ("a,1\n  b,\n2", [(data.index(b"c,3"), "c,3")])


def test_records_are_whole_across_the_borders_of_blocks() -> None:
    records = [f"{number},{'x' * (number % 90)}" for number in range(READ_BYTES // 40)]
    data = "~\n".join(records).encode() + b"~"
    assert len(data) > READ_BYTES
    assert bodies(data, model(record_end=b"~")) == records


def test_a_record_without_end_comes_in_pieces() -> None:
    data = b"x" * 25 + b"~" + b"y" * 10
    assert bodies(data, model(record_end=b"~", maximum_bytes=10)) == [
        "x" * 10, "x" * 10, "x" * 5, "y" * 10,
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("has_mark", [True, False])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "~"])
def test_lines_of_utf_16_are_those_of_the_text(order: str, has_mark: bool, line_end: str) -> None:
    if not has_mark and order == "utf-16-be":
        return  # nothing says so: without a mark it is what Windows writes
    lines = [f"{number};Ångström €\U0001f4de;{'x' * (number % 200)}" for number in range(6_000)]
    text = ("\ufeff" if has_mark else "") + line_end.join(lines)
    data = text.encode(order)
    assert len(data) > READ_BYTES
    of = model("utf-16", record_end=b"~" if line_end == "~" else None)
    header, tickets = framed(data, of)
    assert header is None
    assert [body for _, body in tickets] == lines
    assert all(data[offset:].startswith(body.encode(order)) for offset, body in tickets[:50])
    start = tickets[4_000][0]
    assert framed(data, of, start)[1] == tickets[4_000:]


def test_units_that_are_half_of_a_character_are_kept_escaped() -> None:
    data = b"\xff\xfe" + "a".encode("utf-16-le") + b"\x3d\xd8" + "b\nc\n".encode("utf-16-le") + b"d"
    assert bodies(data, model("utf-16")) == ["a\\x3d\\xd8b", "c", "d".replace("d", "\\x64")]


@pytest.mark.parametrize("maximum_bytes", [9, 400])
def test_every_unit_of_random_utf_16_is_in_one_ticket(maximum_bytes: int) -> None:
    units = ["a", "é", "\U0001f4de", "\n", "\r", " ", "\ud83d", "\udcde", "\0"]
    of = model("utf-16", maximum_bytes=maximum_bytes)
    for seed in range(300):
        draw = random.Random(seed)
        text = "".join(draw.choices(units, k=draw.randrange(60)))
        data = text.encode("utf-16-le", "surrogatepass") + draw.choice([b"", b"z"])
        found = framed(data, of)[1]
        ordinals = [ordinal for ordinal, _ in found]
        assert ordinals == sorted(set(ordinals))
        kept = "".join(body for _, body in found)
        told = data.decode("utf-16-le", "backslashreplace").replace("\0", "\\x00")
        if maximum_bytes > len(data):  # a character may be cut in two where a line is too long
            assert without_ends(kept.encode()) == without_ends(told.encode()), data


def without_ends(data: bytes) -> bytes:
    """Leave out what no ticket has to keep: line ends and blanks, of which a blank line is made."""
    return bytes(byte for byte in data if byte not in b" \t\r\n\v\f")


@pytest.mark.parametrize(
    ("of", "data", "is_whole"),
    [
        (model(), b"a\n", True),
        (model(), b"a\r", True),
        (model(), b"a", False),
        (model("utf-16"), "a\r\n".encode("utf-16"), True),
        (model("utf-16"), "a".encode("utf-16"), False),
        (model("utf-16"), "a\n".encode("utf-16")[:-1], False),
        (model("utf-16"), "a\n".encode("utf-16-be"), True),
        (model(record_end=b"~"), b"a~", True),
        (model(record_end=b"~"), b"a~\r\n", True),
        (model(record_end=b"~"), b"a\n", False),
    ],
)
def test_a_file_that_ends_with_a_line_is_told_from_one_that_was_cut(
    of: Model, data: bytes, is_whole: bool
) -> None:
    assert ends_a_line(of)(data, len(data)) is is_whole


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-15", "cp437", "cp850", "ascii"])
def test_any_bytes_of_an_encoding_of_one_byte_are_kept(encoding: str) -> None:
    data = bytes(range(256)) * 3
    of = model(encoding)
    assert bodies(data, replace(of, framing=replace(of.framing, maximum_bytes=100)))
    told = data.decode(encoding, "backslashreplace").replace("\0", "\\x00")
    kept = "".join(bodies(data, of))
    assert without_ends(kept.encode()) == without_ends(told.encode())


@pytest.mark.parametrize(
    ("of", "encoding"),
    [
        (model(), "utf-8"),
        (model(quoting=QUOTING), "utf-8"),
        (model(quoting=QUOTING, skip_lines=1, header_is_certain=True), "utf-8"),
        (model(record_end=b"~"), "utf-8"),
        (model("utf-16", quoting=QUOTING), "utf-16-le"),
    ],
)
def test_a_log_that_never_rests_is_read_up_to_a_whole_ticket(of: Model, encoding: str) -> None:
    end = "~" if of.framing.record_end else "\n"
    tickets = [f'{number},"é\n{number}",x' if number % 3 else f"{number},ü" for number in range(9)]
    if of.framing.quoting is None and end == "\n":
        tickets = [ticket.replace("\n", "") for ticket in tickets]
    whole = ('"1st,2nd' + end + "".join(ticket + end for ticket in tickets)).encode(encoding)
    if of.framing.quoting is not None and not of.framing.skip_lines:
        whole = whole[len('"'.encode(encoding)) :]
    told = framed(whole, of)[1]
    for size in range(len(whole)):
        up_to = end_of_last_ticket(io.BytesIO(whole[:size]), of)
        assert up_to <= size
        before, after = framed(whole[:up_to], of)[1], framed(whole, of, up_to)[1]
        assert before + after == told, (size, up_to)
        start = before[-1][0] if before else 0
        assert end_of_last_ticket(io.BytesIO(whole[:size]), of, start=start) == up_to or not up_to
