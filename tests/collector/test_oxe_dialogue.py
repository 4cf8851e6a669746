"""Talking with an OXE: only its main processor is listened to, and it is kept reassured."""

from __future__ import annotations

import random

import pytest

from tollhouse.blocks import BLOCK_BYTES, MARKER, TEST_REQUEST, TEST_RESPONSE, TICKET_LABEL
from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.dialogues.oxe_blocks import GREETING, READY, OxeDialogue
from tollhouse.collector.lines import Piece
from tollhouse.collector.segment import CUT_BY_DISCONNECT, TERMINATED

ANSWER = b"\x00\x01\x50"


def block(text: bytes) -> bytes:
    return (TICKET_LABEL + text).ljust(BLOCK_BYTES, b"\0")


FIRST, SECOND = block(b"ED5.2 first"), block(b"ED5.2 second")


def connected() -> OxeDialogue:
    dialogue = OxeDialogue()
    assert dialogue.feed(ANSWER).reply == READY
    return dialogue


def held_in_pieces(data: bytes, sizes: list[int]) -> tuple[list[Piece], bytes]:
    """Hold a conversation in which these bytes arrive in pieces of these sizes, over and over."""
    dialogue = OxeDialogue()
    pieces: list[Piece] = []
    said = dialogue.greeting()
    place = number = 0
    while place < len(data):
        size = sizes[number % len(sizes)]
        heard = dialogue.feed(data[place : place + size])
        pieces += heard.pieces
        said += heard.reply
        place, number = place + size, number + 1
    return pieces + dialogue.remainder(), said


@pytest.mark.parametrize(
    "arrivals",
    [[b"\x00\x01", b"\x50"], [ANSWER], [ANSWER + MARKER], [ANSWER, MARKER], [ANSWER[:1], b"\x01P"]],
)
def test_the_answer_may_come_in_any_pieces(arrivals: list[bytes]) -> None:
    dialogue = OxeDialogue()
    assert dialogue.greeting() == GREETING
    assert b"".join(dialogue.feed(arrival).reply for arrival in arrivals) == READY
    assert dialogue.feed(MARKER + FIRST).pieces == [(FIRST, TERMINATED)]


@pytest.mark.parametrize("role", [0x00, 0x4F, 0x51, 0x53, 0xFF])
def test_a_processor_on_stand_by_is_named_and_left(role: int) -> None:
    dialogue = OxeDialogue()
    dialogue.feed(b"\x00\x01")
    with pytest.raises(DialogueError, match=f"role {role:02X} .*stand-by"):
        dialogue.feed(bytes([role]))
    assert dialogue.remainder() == []


def test_a_vpn_client_in_place_of_the_pbx_is_recognised() -> None:
    dialogue = OxeDialogue()
    dialogue.feed(b"\xff")
    with pytest.raises(DialogueError, match="VPN client"):
        dialogue.feed(b"\xff")


def test_another_service_on_the_port_is_shown_by_its_first_bytes() -> None:
    with pytest.raises(DialogueError, match="48 54 54 50 2F 31 2E 31 and not"):
        OxeDialogue().feed(b"HTTP/1.1 400 Bad Request")


def test_blocks_cut_anywhere_are_whole() -> None:
    dialogue = connected()
    assert dialogue.feed(MARKER + FIRST + MARKER + SECOND[:100]).pieces == [(FIRST, TERMINATED)]
    assert dialogue.pause().pieces == []
    assert dialogue.feed(SECOND[100:]).pieces == [(SECOND, TERMINATED)]
    assert dialogue.remainder() == []


@pytest.mark.parametrize(
    "stream",
    [
        TEST_REQUEST + MARKER + FIRST + MARKER + SECOND,
        MARKER + FIRST + TEST_REQUEST + MARKER + SECOND,
        MARKER + FIRST + MARKER + SECOND[:50] + TEST_REQUEST + SECOND[50:],
        MARKER + FIRST + MARKER + SECOND + TEST_REQUEST,
    ],
)
def test_a_test_request_is_answered_wherever_it_stands(stream: bytes) -> None:
    heard = connected().feed(stream)
    assert heard.pieces == [(FIRST, TERMINATED), (SECOND, TERMINATED)]
    assert heard.reply == TEST_RESPONSE


def test_a_test_request_in_two_parts_is_answered_once() -> None:
    dialogue = connected()
    assert dialogue.feed(TEST_REQUEST[:5]).reply == b""
    assert dialogue.pause().pieces == []
    assert dialogue.feed(TEST_REQUEST[5:]).reply == TEST_RESPONSE
    assert dialogue.remainder() == []


def test_a_test_request_may_come_before_the_answer() -> None:
    dialogue = OxeDialogue()
    assert dialogue.feed(TEST_REQUEST + ANSWER).reply == TEST_RESPONSE + READY


def test_damage_is_kept_and_the_next_ticket_is_found() -> None:
    heard = connected().feed(b"noise" + MARKER + FIRST)
    assert heard.pieces == [(b"noise", TERMINATED), (FIRST, TERMINATED)]


def test_damage_at_the_end_waits_for_no_other_ticket() -> None:
    dialogue = connected()
    assert dialogue.feed(b"noise").pieces == []
    assert dialogue.pause().pieces == [(b"noise", TERMINATED)]


def test_the_block_that_a_disconnect_cuts_is_kept_as_such() -> None:
    dialogue = connected()
    dialogue.feed(MARKER + FIRST[:200])
    assert dialogue.remainder() == [(FIRST[:200], CUT_BY_DISCONNECT)]


def test_a_pbx_that_stops_asking_is_gone() -> None:
    assert OxeDialogue.longest_silence_seconds == 31


@pytest.mark.parametrize("seed", range(30))
def test_a_conversation_goes_alike_however_its_bytes_arrive(seed: int) -> None:
    draw = random.Random(seed)
    parts = [MARKER + FIRST, MARKER + SECOND, TEST_REQUEST, TEST_REQUEST[:4], MARKER + FIRST[:99]]
    parts.append(draw.randbytes(900))
    data = ANSWER + draw.choice([b"", MARKER])
    data += b"".join(draw.choice(parts) for _ in range(25))

    expected = held_in_pieces(data, [len(data)])

    assert held_in_pieces(data, [1]) == expected
    assert held_in_pieces(data, [draw.randint(1, 800) for _ in range(9)]) == expected
