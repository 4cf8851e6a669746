"""Blocks of an OXE come out whole, whatever lies between them and however the stream is cut."""

from __future__ import annotations

import io
import random

import pytest

from tollhouse.blocks import (
    BLOCK_BYTES,
    MAIN_PROCESSOR,
    MARKER,
    TEST_REQUEST,
    TICKET_LABEL,
    BlockSplitter,
    Stretch,
    content,
    read_blocks,
)

EMPTY_LABEL = b"\x01\x00\x01\x00"
VOICE_QUALITY_LABEL = b"\x01\x00\x07\x00"


def block(text: bytes, label: bytes = TICKET_LABEL) -> bytes:
    return (label + text).ljust(BLOCK_BYTES, b"\0")


FIRST, SECOND = block(b"ED5.2 first"), block(b"ED5.2 second")


def whole(data: bytes) -> list[bytes]:
    return [stretch for _, stretch in read_blocks(io.BytesIO(data))]


def by_pieces(data: bytes, sizes: list[int]) -> tuple[list[Stretch], int]:
    """Feed a stream in pieces of these sizes, over and over."""
    splitter = BlockSplitter()
    stretches: list[Stretch] = []
    place = number = 0
    while place < len(data):
        size = sizes[number % len(sizes)]
        stretches += splitter.feed(data[place : place + size])
        place, number = place + size, number + 1
    stretches += splitter.remainder()
    return stretches, splitter.test_request_count


def test_a_ticket_loses_its_label_and_its_padding_and_nothing_else() -> None:
    assert content(FIRST) == b"ED5.2 first"
    assert content(block(b"x", VOICE_QUALITY_LABEL)) == VOICE_QUALITY_LABEL + b"x"


def test_blocks_of_a_capture_stand_at_their_offsets() -> None:
    capture = io.BytesIO(MARKER + FIRST + MARKER + SECOND)
    assert list(read_blocks(capture)) == [(2, FIRST), (BLOCK_BYTES + 4, SECOND)]


def test_what_a_connection_says_beside_blocks_is_no_ticket() -> None:
    capture = MAIN_PROCESSOR + MARKER + MARKER + FIRST + TEST_REQUEST + MARKER + SECOND
    assert whole(capture + TEST_REQUEST) == [FIRST, SECOND]


def test_a_capture_goes_on_where_it_was_read_to() -> None:
    capture = io.BytesIO(MARKER + FIRST + MARKER + SECOND)
    start = len(MARKER + FIRST)
    capture.seek(start)
    assert list(read_blocks(capture, start_offset=start)) == [(start + 2, SECOND)]


def test_the_block_that_the_end_cuts_is_kept() -> None:
    assert whole(MARKER + FIRST + MARKER + SECOND[:300]) == [FIRST, SECOND[:300]]


def test_a_block_in_which_another_begins_is_damage_and_the_other_is_whole() -> None:
    stretches = BlockSplitter().feed(MARKER + FIRST[:400] + MARKER + SECOND)
    assert stretches == [Stretch(2, FIRST[:400], False), Stretch(404, SECOND, True)]


def test_damage_between_blocks_is_kept_and_the_next_block_is_found() -> None:
    assert whole(MARKER + FIRST + b"noise\xff\x03" + MARKER + SECOND) == [
        FIRST,
        b"noise\xff\x03",
        SECOND,
    ]


def test_a_marker_by_chance_within_damage_begins_no_block() -> None:
    noise = b"noise" + MARKER + b"noise"
    assert whole(noise + MARKER + FIRST) == [noise, FIRST]


def test_damage_without_a_marker_costs_bounded_memory_and_no_byte() -> None:
    noise = b"\x03\x04\x00\x08TESTx" * 10
    splitter = BlockSplitter()
    stretches: list[Stretch] = []
    held = largest_held = 0
    for _ in range(2_000):
        fed = splitter.feed(noise)
        held += len(noise) - sum(len(stretch.data) for stretch in fed)
        largest_held = max(largest_held, held)
        stretches += fed
    stretches += splitter.remainder()
    assert largest_held < BLOCK_BYTES + len(TEST_REQUEST)
    assert max(len(stretch.data) for stretch in stretches) <= BLOCK_BYTES
    assert b"".join(stretch.data for stretch in stretches) == noise * 2_000


def test_a_test_request_within_a_block_is_taken_out_of_it() -> None:
    stretches, asked = by_pieces(MARKER + FIRST[:300] + TEST_REQUEST + FIRST[300:], [7])
    assert (stretches, asked) == ([Stretch(12, FIRST, True)], 1)


def test_waiting_ends_for_damage_and_not_for_a_block_that_may_go_on() -> None:
    splitter = BlockSplitter()
    assert splitter.feed(b"noise" + MARKER) == []
    assert splitter.damage() == [Stretch(0, b"noise", False)]
    assert splitter.feed(FIRST[:100]) == []
    assert splitter.damage() == []
    assert splitter.feed(FIRST[100:]) == [Stretch(7, FIRST, True)]


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_reads_alike_however_it_is_cut(seed: int) -> None:
    draw = random.Random(seed)
    parts = [
        MARKER + FIRST,
        MARKER + block(draw.randbytes(700), VOICE_QUALITY_LABEL),
        MARKER + block(b"", EMPTY_LABEL),
        TEST_REQUEST,
        TEST_REQUEST[: draw.randint(1, 9)],
        MARKER + FIRST[: draw.randint(1, 771)],
        MARKER,
        MARKER + TICKET_LABEL[:3],
        draw.randbytes(draw.randint(1, 2_000)),
        b"\0" * draw.randint(1, 20),
    ]
    data = b"".join(draw.choice(parts) for _ in range(30))
    damaged = bytearray(data)
    for _ in range(draw.randint(0, 20)):
        damaged[draw.randrange(len(damaged))] = draw.choice(b"\x00\x01\x03\x04\x08TEST_REQ")
    data = bytes(damaged)

    expected = by_pieces(data, [len(data)])

    assert by_pieces(data, [1]) == expected
    assert by_pieces(data, [draw.randint(1, 900) for _ in range(10)]) == expected
    assert [(stretch.offset, stretch.data) for stretch in expected[0]] == list(
        read_blocks(io.BytesIO(data))
    )
