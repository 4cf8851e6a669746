"""Records in groups become the tickets that they become one by one, whatever a PBX sends."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE, TERMINATED
from tollhouse.collector.spool import GROUP_RECORDS, read_groups, read_spool
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.collector.spooled_tickets import SpooledTickets
from tollhouse.framing import Ticket
from tollhouse.pbx import Model, models

MITEL = models()["mitel_3300"]
SHORT_LINES = replace(MITEL, framing=replace(MITEL.framing, maximum_bytes=200))
IN_UTF_8 = replace(SHORT_LINES, encoding="utf-8")

ODD_LINES = [
    b"\r\n",
    b" \t \x0b\r\n",
    b"one\rtwo\r\n",
    b"one\ntwo\n",
    b"\xff\xc3\r\n",
    b"\xe2\x82\r\n",
    "é€😀\x1c\x85\u2028 end\r\n".encode(),
    b"nul \0 and \\x00\r\n",
    b"many ends\r\r\n\r\n",
    b"full".ljust(80) + b"\r\n",
    b"x" * 201 + b"\r\n",
    b"no end",
]


def tickets_in_groups(folder: Path, model: Model) -> tuple[list[Ticket], int]:
    reader = SpooledTickets(model)
    bundles = reader.bundles(read_groups(folder, segment=1, offset=0))
    return [ticket for bundle in bundles for ticket in bundle.tickets()], reader.safe_offset


def tickets_one_by_one(folder: Path, model: Model) -> tuple[list[Ticket], int]:
    reader = SpooledTickets(model)
    records = read_spool(folder, segment=1, offset=0, with_ends=True)
    return list(reader.tickets(records)), reader.safe_offset


@pytest.mark.parametrize("model", [SHORT_LINES, IN_UTF_8], ids=["latin-1", "utf-8"])
@pytest.mark.parametrize("odd_share", [0.0, 0.002, 0.3])
def test_in_groups_or_one_by_one_the_tickets_are_the_same(
    tmp_path: Path, model: Model, odd_share: float
) -> None:
    rng = random.Random(odd_share)
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        numbers = [spool.begin_connection(f"peer {n}", shares_segment=True) for n in range(2)]
        for count in range(5 * GROUP_RECORDS):
            is_odd = rng.random() < odd_share
            data = rng.choice(ODD_LINES) if is_odd else b" 02/04 13:34 %d\r\n" % count
            flags = rng.choice([TERMINATED, TERMINATED, 0, PIECE]) if is_odd else TERMINATED
            spool.append([(data, flags)], now_us(), connection=rng.choice(numbers))
            if count % 100 == 0:
                spool.sync()
        spool.append([(b"cut", CUT_BY_DISCONNECT)], now_us(), connection=numbers[0])
        spool.end_connection(numbers[0])
        spool.sync()
        in_groups = tickets_in_groups(tmp_path, model)
        assert len(in_groups[0]) > 4 * GROUP_RECORDS
        assert in_groups == tickets_one_by_one(tmp_path, model)
    assert tickets_in_groups(tmp_path, model) == tickets_one_by_one(tmp_path, model)


@pytest.mark.parametrize("odd", ODD_LINES)
def test_one_odd_line_among_plain_ones_is_what_it_is_by_itself(tmp_path: Path, odd: bytes) -> None:
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.10:1752")
        lines = [b"before\r\n", odd, b" after\r\n"]
        spool.append([(line, TERMINATED) for line in lines], now_us())
    for model in (SHORT_LINES, IN_UTF_8):
        assert tickets_in_groups(tmp_path, model) == tickets_one_by_one(tmp_path, model)
