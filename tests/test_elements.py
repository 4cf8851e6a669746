"""XML files become tickets: each element as it stands, whatever the file does to the parser."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from xml.parsers import expat

import pytest

from tollhouse import elements
from tollhouse.elements import MAXIMUM_DEPTH, ElementFile
from tollhouse.framing import Ticket, decode, frame_file
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import Framing, models
from tollhouse.settings import PROJECT

OXO = models()["alcatel_oxo"]
TICKETS = [
    "<T>a</T>",
    "<T b='>'>/></T>",
    "<T/>",
    '<T c="/>" />',
    "<T><T/></T>",
    "<T></T >",
    "<u:T>é€</u:T>",
]

SAMPLES = sorted(
    path
    for path in (PROJECT / "tests" / "samples" / "alcatel_oxo").iterdir()
    if path.suffix in (".xml", ".txt")
)
#: Declaration, comments, instructions and the tags of the root.
FRAME = re.compile(r"(\s|<\?.*?\?>|<!--.*?-->|</?TicketCollector[^<>]*>)*", re.DOTALL)


def tickets_of(
    data: bytes,
    *,
    start_offset: int = 0,
    ticket_element: str | None = None,
    maximum_bytes: int = OXO.framing.maximum_bytes,
) -> list[Ticket]:
    framing = Framing("elements", ticket_element=ticket_element, maximum_bytes=maximum_bytes)
    model = replace(OXO, framing=framing)
    return list(frame_file(io.BytesIO(data), model, start_offset=start_offset).tickets)


def bodies_of(data: bytes, *, ticket_element: str | None = None) -> list[str]:
    return [ticket.body for ticket in tickets_of(data, ticket_element=ticket_element)]


class SlowFile(io.BytesIO):
    """A file that gives a few bytes at a time, as one on a network share may."""

    def __init__(self, data: bytes, bytes_at_a_time: int) -> None:
        super().__init__(data)
        self._bytes_at_a_time = bytes_at_a_time

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._bytes_at_a_time if size is None or size < 0 else size
        return super().read(min(wanted, self._bytes_at_a_time))


def damage_of(data: bytes) -> str | None:
    file = ElementFile(io.BytesIO(data), Framing(kind="elements"))
    file.read_header()
    for _ in file.elements():
        pass
    return file.damage


@pytest.mark.parametrize("between", ["", "\r\n  ", "<!-- <T>none</T> -->", "<?page 2?>"])
@pytest.mark.parametrize("block_bytes", [7, 1 << 16])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_ticket_is_the_bytes_of_an_element(between: str, block_bytes: int, encoding: str) -> None:
    root = "<T site='a>b'>"
    text = root + between + "".join(ticket + between for ticket in TICKETS) + "</T>" + between
    data = text.encode(encoding)
    framed = frame_file(SlowFile(data, block_bytes), OXO)
    tickets = list(framed.tickets)
    assert framed.header == root
    assert [ticket.body for ticket in tickets] == TICKETS
    for ticket in tickets:
        assert data[ticket.ordinal :].startswith(ticket.body.encode(encoding))


@pytest.mark.parametrize(
    ("declared", "written", "mark"),
    [
        ("", "utf-8", b""),
        ("UTF-8", "utf-8", b"\xef\xbb\xbf"),
        ("ISO-8859-1", "latin-1", b""),
        ("ISO-8859-15", "iso8859-15", b""),
        ("windows-1252", "cp1252", b""),
        ("UTF-16", "utf-16-le", b"\xff\xfe"),
        ("UTF-16", "utf-16-be", b"\xfe\xff"),
        # What a program declares that writes through a text stream.
        ("utf-16", "utf-8", b""),
    ],
)
def test_the_encoding_is_that_of_the_mark_or_the_declaration(
    declared: str, written: str, mark: bytes
) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    data = mark + f"{declaration}<r><t>Café à Sète</t></r>".encode(written)
    assert bodies_of(data) == ["<t>Café à Sète</t>"]


@pytest.mark.parametrize("declared", ["utf-7x", "EUC-JP", "idna", "rot13", "base64"])
def test_an_encoding_that_is_not_read_is_damage_and_nothing_is_lost(declared: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?><r><t>a</t></r>'
    assert bodies_of(text.encode()) == [text]
    assert damage_of(text.encode()) == f"line 1: the encoding {declared!r} is not read"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("<t>b", "no element found"),
        ("<t>b</u></r>", "mismatched tag"),
        ("<t>&eacute;</t></r>", "undefined entity"),
        ("<t>\x01</t></r>", "not well-formed (invalid token)"),
        ("</r><r><t>b</t></r>", "junk after document element"),
        ("<t>" * (MAXIMUM_DEPTH + 1), f"more than {MAXIMUM_DEPTH} elements within each other"),
    ],
)
def test_what_was_whole_before_a_damage_is_tickets_and_the_rest_is_one(
    damage: str, reason: str
) -> None:
    data = f"<r>\n<t>a</t>\n{damage}".encode()
    whole, rest = bodies_of(data)
    assert whole == "<t>a</t>"
    assert rest == damage.removeprefix("</r>")
    assert damage_of(data) == f"line 3: {reason}"


@pytest.mark.parametrize(
    "document_type",
    [
        "<!DOCTYPE r>",
        '<!DOCTYPE r SYSTEM "http://192.0.2.1/r.dtd">',
        '<!DOCTYPE r [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]>',
        '<!DOCTYPE r [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]>',
    ],
)
def test_a_document_type_is_refused_with_file_and_line(
    document_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = f'<?xml version="1.0"?>\n{document_type}<r><t>a</t></r>'
    framed = frame_file(io.BytesIO(text.encode()), OXO, name="TicketCollector.xml")
    assert [ticket.body for ticket in framed.tickets] == [text]
    assert "TicketCollector.xml, line 2: a document type" in caplog.text


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_no_character_of_a_sample_is_lost_but_what_holds_its_elements_together(path: Path) -> None:
    data = path.read_bytes()
    file = ElementFile(io.BytesIO(data), OXO.framing)
    file.read_header()
    rest = decode(data.removeprefix(elements.BYTE_ORDER_MARK), file.encoding)
    for ticket in tickets_of(data):
        before, found, rest = rest.partition(ticket.body)
        assert found
        assert FRAME.fullmatch(before), before
    assert FRAME.fullmatch(rest), rest


@pytest.mark.parametrize("text", ["", "\n \n", "<r/>", "<r></r>", "<r>\n", "\ufeff<r/>"])
def test_a_file_without_elements_holds_no_ticket(text: str) -> None:
    assert bodies_of(text.encode()) == []


def test_text_between_elements_is_kept() -> None:
    assert bodies_of(b"<r> stray <t>a</t> and <!-- b --> more</r>") == [
        "stray",
        "<t>a</t>",
        "and <!-- b --> more",
    ]


def test_elements_that_are_too_long_come_in_pieces_and_the_next_are_whole() -> None:
    data = b"<r><t>" + b"x" * 1_000_000 + b"</t><t>a</t></r>"
    tickets = tickets_of(data, maximum_bytes=4_096)
    assert tickets[-1].body == "<t>a</t>"
    assert all(len(ticket.body) <= 4_096 for ticket in tickets)
    assert "".join(ticket.body for ticket in tickets[:-1]).encode() == data[3:-12]
    ordinals = [ticket.ordinal for ticket in tickets]
    assert ordinals == sorted(set(ordinals))


@pytest.mark.parametrize("token", [b"<t a='%s'>", b"<!-- %s -->", b"<r a='%s'>"])
def test_a_tag_without_end_fills_no_memory(token: bytes) -> None:
    data = b"<r><t>a</t>" + token % (b"x" * 300_000)
    tickets = tickets_of(data, maximum_bytes=4_096)
    assert tickets[0].body == "<t>a</t>"
    assert "".join(ticket.body for ticket in tickets[1:]).encode() == data[11:]
    assert all(len(ticket.body) <= 4_096 for ticket in tickets)


def test_comments_without_number_between_elements_are_passed_over() -> None:
    data = b"<r>" + b"<!-- none -->\n" * 50_000 + b"<t>a</t></r>"
    assert bodies_of(data) == ["<t>a</t>"]


def test_tickets_that_stand_deeper_are_found_by_name() -> None:
    text = """<e><head a="1"/><s n="1"><u/><m:t>a<t/></m:t><t>b</t><u/></s><s><s><t/></s></s></e>"""
    assert bodies_of(text.encode(), ticket_element="t") == [
        '<head a="1"/>',
        '<s n="1"><u/>',
        "<m:t>a<t/></m:t>",
        "<t>b</t>",
        "<u/>",
        "<t/>",
    ]
    assert bodies_of(b"<t>the root is the ticket</t>", ticket_element="t") == [
        "<t>the root is the ticket</t>"
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_file_that_grew_gives_the_whole_element_of_which_a_part_was_damaged(
    encoding: str,
) -> None:
    tickets = ["<t>a</t>", "<t>\nb</t>", "<t>c</t>"]
    whole = "\n".join(["<r>", *tickets, "</r>\n"]).encode(encoding)
    for start in range(len(whole)):
        before = tickets_of(whole[:start])
        after = tickets_of(whole, start_offset=start)
        landed = [ticket.body for ticket in before if ticket.body in tickets]
        assert landed + [ticket.body for ticket in after] == tickets
        assert {ticket.ordinal for ticket in before}.isdisjoint(ticket.ordinal for ticket in after)


def test_an_entry_names_the_element_of_its_tickets() -> None:
    entry = {"id": "quimper_office", "model": "alcatel_oxo", "time_zone": "Europe/Paris"}
    named = entry | {"country": "FR", "settings": {"ticket_element": "Ticket"}}
    assert Pbx.model_validate(named).known_model.framing.ticket_element == "Ticket"
    with pytest.raises(ValueError, match=re.escape("settings.ticket_element is '<T>'")):
        Pbx.model_validate(named | {"settings": {"ticket_element": "<T>"}})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize(
    "fake", ["<T><d>9</d></T>", "\n <T><d>9</d></T>", "<" * 9 + "<T>9</T>", " " * 40]
)
@pytest.mark.parametrize("is_damaged", [False, True])
def test_no_piece_of_a_ticket_that_is_too_long_is_an_element(
    encoding: str, fake: str, is_damaged: bool
) -> None:
    end = "" if is_damaged else "]]></n><d>5</d></T></r>"
    unit_bytes = len("<".encode(encoding))
    for shift in range(len(fake)):
        data = f"<r><T><n><![CDATA[{'x' * shift}{fake * 9}<T>9</T>{end}".encode(encoding)
        pieces = tickets_of(data, maximum_bytes=unit_bytes * len("<T><d>9</d></T>"))
        assert len(pieces) > 1
        assert [piece.body for piece in pieces if is_element(piece.body)] == []


def is_element(body: str) -> bool:
    try:
        expat.ParserCreate("utf-8").Parse(body.encode(), True)
    except expat.ExpatError:
        return False
    return body.startswith("<")


def test_pieces_of_a_ticket_are_all_of_it() -> None:
    ticket = "<T><![CDATA[" + "<T/> " * 9 + "]]></T>"
    for maximum_bytes in range(16, 40):
        pieces = tickets_of(f"<r>{ticket}</r>".encode(), maximum_bytes=maximum_bytes)
        assert "".join(piece.body for piece in pieces) == ticket
