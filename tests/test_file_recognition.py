"""What a file is, told by its bytes and by its name."""

from __future__ import annotations

import hashlib
import io

import pytest

from tollhouse.declared_lines import ends_a_line
from tollhouse.file_deliveries.recognition import (
    BLOCK_BYTES,
    Beginning,
    Content,
    digest,
    former_names,
    recognise,
    rotated_from,
)
from tollhouse.landing import KnownDelivery
from tollhouse.pbx import models

MITEL = models()["mitel_3300"]


def known(content: bytes, unit: str = "cdr.log", **described: object) -> KnownDelivery:
    sha256 = hashlib.sha256(content).hexdigest()
    values = {"size_bytes": len(content), "delivery_id": 7, **described}
    return KnownDelivery(unit, content_sha256=sha256, **values)  # type: ignore[arg-type]


def content_of(data: bytes, *earlier: KnownDelivery) -> Content:
    stream = io.BytesIO(data)
    content = digest(stream, len(data), earlier, ends_a_line(MITEL))
    assert stream.tell() == 0
    return content


def test_the_beginnings_of_a_file_are_digested_on_the_way_to_its_end() -> None:
    data = b"x" * (BLOCK_BYTES + 5) + b"\n" + b"y" * BLOCK_BYTES
    sizes = (4, BLOCK_BYTES + 6)
    content = content_of(data, *(known(data[:size]) for size in sizes), known(data))
    assert content == Content(
        len(data),
        hashlib.sha256(data).hexdigest(),
        {
            size: Beginning(hashlib.sha256(data[:size]).hexdigest(), data[size - 1 : size] == b"\n")
            for size in sizes
        },
        ends_a_line=False,
    )
    assert content_of(b"a\r").ends_a_line
    assert content_of(b"").ends_a_line


def test_a_file_that_is_shorter_than_it_was_listed_says_so() -> None:
    assert digest(io.BytesIO(b"abc"), 5, [known(b"abcd")], ends_a_line(MITEL)).size_bytes == 3


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("cdr.log.1", "cdr.log"),
        ("Master.csv-20260131", "Master.csv"),
        ("Master.csv.2026-01-31T0400", "Master.csv"),
        ("cdr-20260131.log", "cdr.log"),
        ("cdr~2.log", "cdr.log"),
        ("cdr.log", None),
        ("1.log", None),
        ("cdr2.log", None),
    ],
)
def test_the_name_of_a_log_before_it_was_rotated(name: str, before: str | None) -> None:
    assert rotated_from(name) == before


def test_the_names_of_a_log_before_it_was_rotated_and_put_in_an_archive() -> None:
    assert {"Master.csv.1", "Master.csv"} < set(former_names("Master.csv.1.gz/Master.csv.1"))
    assert former_names("week.zip/logs/cdr.log") == ["cdr.log"]
    assert former_names("cdr.log.1") == ["cdr.log"]
    assert former_names("cdr.log") == []


@pytest.mark.parametrize("idlast", ["6", "7", None])
def test_a_file_that_grew_is_read_from_where_idlast_says_that_it_stood(idlast: str | None) -> None:
    before = known(b"a\n", generation=3, header="names", repeated_bytes=1)
    reading = recognise(
        "cdr.log", content_of(b"a\nb\n", before), before, [], idlast=idlast, is_interval=False
    )
    start = 2 if idlast == "7" else 1
    assert (reading.generation, reading.start_offset, reading.header) == (3, start, "names")


def test_an_interval_reads_an_old_generation_as_what_it_was() -> None:
    old, new = known(b"a\n", generation=1), known(b"b\n", generation=2)
    content = content_of(b"a\n", new)
    generations = [
        recognise("cdr.log", content, new, [old], idlast="9", is_interval=is_interval).generation
        for is_interval in (True, False)
    ]
    assert generations == [1, 3]
