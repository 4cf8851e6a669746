"""Lists in files of JSON become tickets, whatever stands around them and in them."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace

import pytest

from tollhouse.framing import Ticket, frame_file
from tollhouse.json_items import compact, loaded
from tollhouse.json_lists import ListFile
from tollhouse.pbx import Framing, models

MODEL = replace(models()["wazo"], framing=Framing("items"), encoding="utf-8")
CALLS = ("data", "calls")
#: Items that try to look like what is around them.
ITEMS = [
    '{"n":1.10}',
    '{"say":"], [ } { \\" \\\\","n":[1,[2,{}]]}',
    '["2026-03-02",65]',
    '{"data":{"calls":[{"n":2}]}}',
    '{"é€":"\\ud83d\\u0000 \\ud800"}',
    "{}",
    "12.500",
    '"a, b"',
    "true",
    '{"n":1,,"m"}',
    "nonsense: here",
]


class SlowFile(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, bytes_at_a_time: int) -> None:
        super().__init__(data)
        self._bytes_at_a_time = bytes_at_a_time

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._bytes_at_a_time if size is None or size < 0 else size
        return super().read(min(wanted, self._bytes_at_a_time))


def tickets_of(
    data: bytes,
    *path: str | int,
    start_offset: int = 0,
    maximum_bytes: int = 65_536,
    encoding: str = "utf-8",
    bytes_at_a_time: int = 1 << 20,
) -> list[Ticket]:
    framing = Framing("items", list_path=path, maximum_bytes=maximum_bytes)
    model = replace(MODEL, framing=framing, encoding=encoding)
    stream = SlowFile(data, bytes_at_a_time)
    return list(frame_file(stream, model, start_offset=start_offset).tickets)


def bodies_of(text: str, *path: str | int) -> list[str]:
    return [ticket.body for ticket in tickets_of(text.encode(), *path)]


def damage_of(text: str, *path: str | int) -> str | None:
    file = ListFile(io.BytesIO(text.encode()), path)
    for _ in file.items():
        pass
    return file.damage


@pytest.mark.parametrize("between", ["", "\r\n  "])
@pytest.mark.parametrize("bytes_at_a_time", [1, 7, 1 << 20])
def test_an_item_is_the_bytes_that_stand_in_the_list(between: str, bytes_at_a_time: int) -> None:
    items = f"{between},{between}".join(ITEMS)
    around = '{"total": 3, "other": [[{"calls": ["no"]}]], "d\\u0061ta": {"x": "}]", "calls": ['
    data = f'\ufeff{between}{around}{between}{items}{between}], "calls": ["no"]}}, "y": {{}}}}'
    tickets = tickets_of(data.encode(), *CALLS, bytes_at_a_time=bytes_at_a_time)
    assert [ticket.body for ticket in tickets] == [item.replace(": h", ":h") for item in ITEMS]
    for ticket, item in zip(tickets, ITEMS, strict=True):
        assert data.encode()[ticket.ordinal :].startswith(item.encode())


@pytest.mark.parametrize(
    ("text", "path", "bodies"),
    [
        ('[{"n":1},{"n":2}]', (), ['{"n":1}', '{"n":2}']),
        ("[]", (), []),
        ('[{"n":1}][{"n":2}]\n[{"n":3}]', (), ['{"n":1}', '{"n":2}', '{"n":3}']),
        ('{"n":1}\r\n{"n":2}', (), ['{"n":1}', '{"n":2}']),
        ('[{"n":1}]\ufeff[{"n":2}]', (), ['{"n":1}', '{"n":2}']),
        ('{"calls":[1]}{"calls":[2]}\n\n{"calls":[3]}', ("calls",), ["1", "2", "3"]),
        ('[{"x":[1]},{"x":[2]}]', (1, "x"), ["2"]),
        ('{"a.b":{"c d":[1]}}', ("a.b", "c d"), ["1"]),
        # A converter from XML writes one call without a list, and none as null.
        ('{"calls":{"n":1}}', ("calls",), ['{"n":1}']),
        ('{"calls":null}', ("calls",), []),
        ('{"calls":[]}', ("calls",), []),
        # The first that the path fits, of several that bear its first name.
        ('{"data":{},"data":{"calls":[1]},"data":{"calls":[2]}}', CALLS, ["1"]),
        # A comma too few is no ticket lost.
        ('[{"n":1} {"n":2}]', (), ['{"n":1}', '{"n":2}']),
    ],
)
def test_lists_are_found_wherever_they_stand(
    text: str, path: tuple[str | int, ...], bodies: list[str]
) -> None:
    assert bodies_of(text, *path) == bodies
    assert damage_of(text, *path) is None


@pytest.mark.parametrize(
    "text", ['{"error": "no such report"}', '{"data": {"count": 0}}', "[1,2]", '{"data":[{"n":1}]}']
)
def test_a_document_without_the_list_is_a_ticket_itself(text: str) -> None:
    whole = f'{text} {{"data":{{"calls":[5]}}}}'
    assert bodies_of(whole, *CALLS) == [compact(text), "5"]


def test_a_line_between_documents_is_a_ticket_and_what_follows_is_read() -> None:
    assert bodies_of('<h1>Error</h1>\r\n[{"n":1}]\nnull\n[{"n":2}]') == [
        "<h1>Error</h1>",
        '{"n":1}',
        "null",
        '{"n":2}',
    ]


@pytest.mark.parametrize(
    ("damaged", "rest", "reason"),
    [
        ('[{"n":1},{"n":"2', '{"n":"2', "byte 16: it ends within a value"),
        ('[{"n":1},{"n":{}', '{"n":{}', "byte 16: it ends within a value"),
        ('[{"n":1},{"n":"\\', '{"n":"\\', "byte 15: it ends within a value"),
        ('[{"n":1},', None, "byte 9: it ends before its last bracket"),
        ('[{"n":1}', None, "byte 8: it ends before its last bracket"),
        ('[{"n":1}, {"n":[2}, {"n":3}]', '{"n":[2},{"n":3}]', "byte 18: brackets do not match"),
        ('[{"n":1}}, {"n":2}]', '},{"n":2}]', "byte 8: brackets do not match"),
    ],
)
def test_what_was_whole_before_a_damage_is_tickets_and_the_rest_is_one(
    damaged: str, rest: str | None, reason: str
) -> None:
    assert bodies_of(damaged) == ['{"n":1}'] + ([rest] if rest else [])
    assert damage_of(damaged) == reason


@pytest.mark.parametrize(
    "damaged",
    ['{"data":{"calls"', '{"data":{"cal', '{"data"5', '{"data":{"x":[}}', '{"data":,}', "{5:6}"],
)
def test_a_document_that_breaks_off_above_its_list_is_kept_whole(damaged: str) -> None:
    assert bodies_of(damaged, *CALLS) == [damaged]
    assert damage_of(damaged, *CALLS) is not None


def test_what_follows_the_list_is_no_ticket_even_if_it_breaks_off() -> None:
    assert bodies_of('{"calls":[1],"total":{"a', "calls") == ["1"]


def test_damage_is_told_with_the_name_of_the_file(caplog: pytest.LogCaptureFixture) -> None:
    list(frame_file(io.BytesIO(b'[{"n'), MODEL, name="calls.json").tickets)
    assert "calls.json, byte 4: it ends within a value" in caplog.text


def test_a_list_that_grows_yields_what_is_new_and_what_was_cut() -> None:
    whole = b'[{"n":1}, {"n":2}, {"n":3}]'
    for cut in range(1, len(whole)):
        first, then = tickets_of(whole[:cut]), tickets_of(whole, start_offset=cut)
        rests = [ticket for ticket in first if ticket.body not in ('{"n":1}', '{"n":2}', '{"n":3}')]
        tickets = [ticket for ticket in first if ticket not in rests] + then
        assert [ticket.body for ticket in tickets] == ['{"n":1}', '{"n":2}', '{"n":3}']
        # What was cut keeps its place beside what it was part of.
        assert not {ticket.ordinal for ticket in rests} & {ticket.ordinal for ticket in tickets}


def test_an_item_that_is_too_long_comes_in_pieces_and_the_next_one_whole() -> None:
    item = '{"text":"' + "x" * 50 + '","n":[' + "1," * 30 + "2]}"
    for bytes_at_a_time in (1, 1 << 20):
        data = f'[{item},{{"n":1}}]'.encode()
        tickets = tickets_of(data, maximum_bytes=16, bytes_at_a_time=bytes_at_a_time)
        assert "".join(ticket.body for ticket in tickets[:-1]) == item
        assert tickets[-1].body == '{"n":1}'
        assert max(len(ticket.body) for ticket in tickets) == 16
        assert [ticket.ordinal for ticket in tickets[:-1]] == list(range(1, 1 + len(item), 16))


def test_no_piece_of_an_item_that_is_too_long_is_an_item() -> None:
    fake = '{"talk_seconds":5}'
    for shift in range(16):
        item = json.dumps({"name": "x" * shift + fake * 9})
        for ticket in tickets_of(f"[{item}]".encode(), maximum_bytes=len(fake)):
            assert not isinstance(loaded(ticket.body), dict)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", ["utf-16", "utf-8"])
def test_a_file_in_utf_16_is_read_by_its_mark(encoding: str, declared: str) -> None:
    data = '\ufeff[{"n":"é€😀"}, {"n":"☒崀"}]'.encode(encoding)
    tickets = tickets_of(data, encoding=declared)
    assert [ticket.body for ticket in tickets] == ['{"n":"é€😀"}', '{"n":"☒崀"}']
    assert tickets_of(data, encoding=declared, start_offset=len(data)) == tickets


def test_a_file_in_an_encoding_of_one_byte_is_decoded_by_it() -> None:
    assert tickets_of('[{"n":"é€"}]'.encode("cp1252"), encoding="cp1252")[0].body == '{"n":"é€"}'


def test_brackets_without_end_cost_neither_the_stack_nor_an_error() -> None:
    deep = "[" * 20_000 + "]" * 20_000
    assert bodies_of(f'[{deep},{{"n":1}}]') == [deep, '{"n":1}']
    assert bodies_of("[" * 200_000) == []


def test_random_documents_yield_what_python_finds_in_them() -> None:
    source = random.Random(20260302)
    for _ in range(300):
        items = [random_value(source, 3) for _ in range(source.randrange(5))]
        data = {"b": random_value(source, 2), "calls": items, "c": random_value(source, 2)}
        document = {"a": random_value(source, 2), "data": data}
        text = json.dumps(document, ensure_ascii=False, indent=source.choice([None, 1]))
        tickets = tickets_of(text.encode(), *CALLS, bytes_at_a_time=5)
        assert [json.loads(ticket.body) for ticket in tickets] == items


def random_value(source: random.Random, depth: int) -> object:
    signs = 'a"\\[]{},: é\n😀'
    kind = source.randrange(6 if depth else 3)
    if kind == 0:
        return source.choice([None, True, -1.5, 0, 12345678901234567890])
    if kind < 3:
        return "".join(source.choices(signs, k=source.randrange(6)))
    if kind < 4:
        return [random_value(source, depth - 1) for _ in range(source.randrange(4))]
    names = ["calls", "data", "a", "".join(source.choices(signs, k=3))]
    return {source.choice(names): random_value(source, depth - 1) for _ in range(3)}
