"""Cutting bytes into physical lines."""

from __future__ import annotations

import random

import pytest

from tollhouse.collector.lines import LineSplitter
from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE, TERMINATED


def test_a_line_keeps_its_terminator_and_waits_for_it() -> None:
    splitter = LineSplitter(100)
    assert splitter.feed(b"first\r\nsec") == [(b"first\r\n", TERMINATED)]
    assert splitter.feed(b"ond\r") == []
    assert splitter.feed(b"\n\n") == [(b"second\r\n", TERMINATED), (b"\n", TERMINATED)]
    assert splitter.remainder() == []


def test_what_a_disconnect_leaves_is_kept_and_marked() -> None:
    splitter = LineSplitter(100)
    splitter.feed(b"half a ti")
    assert splitter.remainder() == [(b"half a ti", CUT_BY_DISCONNECT)]
    assert splitter.remainder() == []


def test_an_endless_line_comes_in_bounded_pieces() -> None:
    splitter = LineSplitter(10)
    pieces = [piece for _ in range(1_000) for piece in splitter.feed(b"xyz")]
    assert {len(data) for data, _ in pieces} == {10}
    assert {flags for _, flags in pieces} == {PIECE}
    ending = splitter.feed(b"\n")
    assert b"".join(data for data, _ in pieces + ending) == b"xyz" * 1_000 + b"\n"
    assert ending[-1][1] == TERMINATED


def test_a_line_of_just_the_greatest_length_is_whole() -> None:
    assert LineSplitter(5).feed(b"12345\n") == [(b"12345\n", TERMINATED)]
    assert LineSplitter(5).feed(b"123456\n") == [(b"12345", PIECE), (b"6\n", TERMINATED)]


@pytest.mark.parametrize("seed", range(20))
def test_no_byte_is_lost_however_the_stream_is_cut(seed: int) -> None:
    rng = random.Random(seed)
    stream = bytes(rng.choice(b"abc\r\n\0\xff") for _ in range(3_000))
    splitter = LineSplitter(rng.randint(1, 40))
    pieces = []
    position = 0
    while position < len(stream):
        step = rng.randint(1, 90)
        pieces += splitter.feed(stream[position : position + step])
        position += step
    pieces += splitter.remainder()
    assert b"".join(data for data, _ in pieces) == stream
