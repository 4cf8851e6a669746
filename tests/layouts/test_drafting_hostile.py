"""A draft of whatever a file holds is a layout, or a sentence that says why there is none."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.layouts.drafted import SAMPLES, drafted, drafted_text
from tollhouse.layouts.declaration.tickets import DelimitedTickets, JsonTickets
from tollhouse.layouts.drafting.content import DraftError
from tollhouse.layouts.drafting.draft import draft_of

CALLS = "start;seconds;caller;called\n" + "".join(
    f"2026-03-{13 + number} 10:00:00;{number};0199001234;026191000{number}\n" for number in range(9)
)

#: What trips programs that write or read YAML, JSON, XML, SQL or templates.
SPLINTERS = [
    b'"', b"'", b"{", b"}", b"\n", b"\r", b"\0", b";", b",", b"\t", b"|", b"{{ 1/0 }}", b"{% x %}",
    b"#", b": ", b"- ", b"\xff", b"\xe9", "\u2028\x85\ufeff".encode(), b"\\", b"%", b"&a", b"*a",
    b"!!python/none", b"<!DOCTYPE a>", b"\x1e", b"[", b"]", "\U0001f600".encode(), b"\\ud800",
    b"<a b='c'>", b"</a>", b"=", b"'; drop table raw.tickets; --",
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n\r\n \t\n", "nothing but blanks", id="blank lines"),
        pytest.param(bytes(5_000), "nothing but blanks", id="zeros"),
        pytest.param(b"a" * 5_000, "nothing but the character 'a'", id="one character"),
        pytest.param(b"\xff" * 5_000, "nothing but the character", id="one byte"),
        pytest.param(random.Random(1).randbytes(20_000), "control characters", id="noise"),
        pytest.param(b"x1" * 1_000_000, "no line that can be read whole", id="no line end"),
        pytest.param(b"\x1f\x8b\x08 no archive", "is damaged", id="a damaged archive"),
        pytest.param(b"PK\x05\x06" + bytes(18), "There is no file in", id="an empty archive"),
        pytest.param(b"<a><b>", "begins as XML", id="XML without tickets"),
    ],
)
def test_a_file_without_tickets_is_refused_in_words(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(DraftError, match=problem):
        drafted_text(content, tmp_path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DraftError, match="is no file"):
        draft_of([tmp_path / "absent.csv"])


def test_of_a_file_of_ten_gigabytes_a_bounded_part_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.write(CALLS.encode())
        file.truncate(10 << 30)
        file.seek(0, io.SEEK_END)
        file.write(b"\n2026-03-30 10:00:00;77;0199001234;0261910077\n")

    found = drafted(path, folder=tmp_path)

    assert found.draft.missing == ()
    # Zeros are no tickets; the last line of the file is one.
    assert found.draft.ticket_count == 10


def test_lines_of_a_megabyte_are_left_out_and_counted(tmp_path: Path) -> None:
    found = drafted_text(CALLS + "x" * 900_000 + "\n" + CALLS, tmp_path)

    assert "1 line too long for a ticket" in found.doubts
    assert found.draft.ticket_count == 18


def test_the_only_line_of_a_file_is_drafted(tmp_path: Path) -> None:
    found = drafted_text("2026-03-13 10:00:00;12;0199001234;0261910001", tmp_path)

    assert found.draft.ticket_count == 1
    assert found.columns()["started_at"]["format"] == "yyyy-MM-dd HH:mm:ss"


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../calls.csv", data)
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, _zipped])
def test_a_compressed_file_is_looked_into(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    found = drafted_text(compress(CALLS.encode()), tmp_path, name="calls.csv.gz")

    assert found.draft.missing == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252", "cp850"])
def test_letters_of_a_feed_tell_its_encoding(tmp_path: Path, encoding: str) -> None:
    text = CALLS.replace("caller", "numéro appelé été").replace("0199001234", "Hélène Müller")

    found = drafted_text(text.encode(encoding), tmp_path)

    expected = {"cp1252": "windows-1252", "utf-16-le": "utf-16"}.get(encoding, encoding)
    assert found.layout.tickets.encoding == expected
    assert "numéro appelé été" in found.draft.text


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["a", "a", "", "b"], id="repeated and empty"),
        pytest.param(['"', "{{ x }}", "a: b", "- c"], id="signs of YAML and templates"),
        pytest.param(["\u2028", "\x85x", "\U0001f600", "ü #"], id="signs of Unicode"),
        pytest.param(["no", "on", "null", "~"], id="words of YAML"),
        pytest.param(["x" * 300, "y" * 300, "z", "w"], id="long"),
        pytest.param(["from", "lookup", "value", "cases"], id="keys of layouts"),
    ],
)
def test_any_names_of_fields_become_a_layout(tmp_path: Path, names: list[str]) -> None:
    rows = [f"2026-03-{13 + number} 10:00:00;{number};x;026191000{number}" for number in range(9)]
    header = ";".join('"' + name.replace('"', '""') + '"' for name in names)

    found = drafted_text("\n".join([header, *rows]), tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, DelimitedTickets)
    if tickets.header:
        assert "started_at" in found.columns()
    else:
        assert tickets.skip_lines == 1
        assert len(tickets.fields) == 4


def test_names_of_json_that_no_path_can_have_are_left_out(tmp_path: Path) -> None:
    line = '{"start":"2026-03-02T10:00:00Z","a\\"b":1,"\\ud800":2,"c\\u0000d":3,"e f":4,"":5}\n'

    found = drafted_text(line * 3, tmp_path)

    tickets = found.layout.tickets
    assert isinstance(tickets, JsonTickets)
    assert list(tickets.fields.values()) == ["start", '"e f"']


def test_entities_of_xml_are_never_expanded(tmp_path: Path) -> None:
    text = (
        '<!DOCTYPE a [<!ENTITY x "boom"><!ENTITY y SYSTEM "file:///etc/passwd">]>'
        "<a><Call><Start>&x;</Start><To>&y;</To></Call></a>"
    )

    with pytest.raises(DraftError, match="begins as XML"):
        drafted_text(text, tmp_path)


def test_nested_without_end_is_refused_and_no_crash(tmp_path: Path) -> None:
    for text in ("[" * 100_000 + "\n", '{"a":' * 100_000, "<a>" * 100_000):
        with pytest.raises(DraftError):
            drafted_text(text + "\n", tmp_path)


def test_damaged_samples_are_drafted_to_valid_layouts(tmp_path: Path) -> None:
    files = [path for path in sorted(SAMPLES.glob("*/*")) if path.suffix not in (".md", ".yml")]
    drawn = random.Random(20260302)
    refused = 0

    for _ in range(80):
        data = bytearray(drawn.choice(files).read_bytes()[:3_000])
        for _ in range(drawn.randrange(1, 20)):
            place = drawn.randrange(len(data) + 1)
            if drawn.random() < 0.7:
                data[place:place] = drawn.choice(SPLINTERS)
            else:
                del data[place : place + drawn.randrange(60)]
        try:
            # Reading it back raises where it is no layout.
            drafted_text(bytes(data), tmp_path)
        except DraftError:
            refused += 1

    assert refused < 20
