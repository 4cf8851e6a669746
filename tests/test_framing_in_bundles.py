"""Lines taken apart a block at a time are the lines taken apart one by one."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest

from tollhouse.framing import Ticket, frame_file
from tollhouse.framing_in_bundles import BLOCK_BYTES, HEAD_BYTES, frame_in_bundles
from tollhouse.pbx import Framing, Model, models
from tollhouse.settings import PROJECT

SHORETEL, CUCM, MITEL = (models()[name] for name in ("shoretel", "cisco_cucm", "mitel_3300"))
#: Of these the hard cases of a line are made: ends, blanks, NUL, bytes that decode to nothing or
#: to what Python calls a line end in a text.
PIECES = [b"a", b"1,bc", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b"\xff", b"\xe9", b"\x85"]
PIECES += ["€".encode(), "\u2028".encode(), "€".encode()[:2], b"\x1c", b"\x0b", b"\xef\xbb\xbf"]


def one_by_one(data: bytes, model: Model, start: int) -> tuple[str | None, list[Ticket]]:
    framed = frame_file(io.BytesIO(data), model, start_offset=start)
    return framed.header, list(framed.tickets)


def in_bundles(data: bytes, model: Model, start: int) -> tuple[str | None, list[Ticket]]:
    framed = frame_in_bundles(io.BytesIO(data), model, start_offset=start)
    return framed.header, list(chain.from_iterable(bundle.tickets() for bundle in framed.bundles))


def told(tickets: list[Ticket]) -> list[Ticket]:
    """Leave out the blank end of a line that was cut: whether it is one depends on the blocks."""
    return [ticket for ticket in tickets if ticket.body.strip(" \t\v")]


@pytest.mark.parametrize("model", [SHORETEL, CUCM, MITEL], ids=lambda model: model.model_id)
@pytest.mark.parametrize("maximum_bytes", [7, 4_096])
def test_random_bytes_make_the_same_tickets(model: Model, maximum_bytes: int) -> None:
    framing = replace(model.framing, maximum_bytes=maximum_bytes)
    model = replace(model, framing=framing)
    for seed in range(300):
        draw = random.Random(seed)
        data = b"".join(draw.choices(PIECES, k=draw.randrange(60)))
        for start in {0, data.find(b"\n") + 1}:
            bundled, single = in_bundles(data, model, start), one_by_one(data, model, start)
            assert bundled[0] == single[0], data
            assert told(bundled[1]) == told(single[1]), data


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("line_bytes", [97, 4_000, BLOCK_BYTES - 1, BLOCK_BYTES * 5 // 2])
def test_lines_across_blocks_make_the_same_tickets(line_end: bytes, line_bytes: int) -> None:
    line = "é".encode() + b"x" * line_bytes + line_end
    data = (line * (3 * BLOCK_BYTES // line_bytes + 2)) + b"its end is missing"
    model = replace(SHORETEL, framing=Framing(kind="lines", maximum_bytes=4_096))
    assert in_bundles(data, model, 0) == one_by_one(data, model, 0)


@pytest.mark.parametrize("name_bytes", [10, HEAD_BYTES // 2, HEAD_BYTES * 2])
def test_column_names_of_any_length_are_found(name_bytes: int) -> None:
    names = ",".join(["cdrRecordType", "x" * name_bytes])
    data = f"{names}\nINTEGER,VARCHAR(50)\n".encode() + b"1,a\n" * HEAD_BYTES
    header, tickets = in_bundles(data, CUCM, 0)
    assert header == names
    assert (header, tickets) == one_by_one(data, CUCM, 0)


@pytest.mark.parametrize("model_id", sorted(models()))
def test_samples_make_the_same_tickets(model_id: str) -> None:
    model = models()[model_id]
    for path in sorted(Path(PROJECT / "tests" / "samples" / model_id).glob("*")):
        data = path.read_bytes()
        assert in_bundles(data, model, 0) == one_by_one(data, model, 0), path.name


def test_the_tickets_of_a_file_share_the_instant_at_which_it_was_received() -> None:
    noon = datetime(2026, 2, 4, 12, tzinfo=UTC)
    for model in (SHORETEL, MITEL):
        framed = frame_in_bundles(io.BytesIO(b"a\nb\n"), model, received_at=noon)
        assert [list(bundle.received_at) for bundle in framed.bundles] == [[noon, noon]]
