"""What an Alcatel OXE and its client say on port 2533, beside blocks of tickets.

The client greets, the processor answers with its role, and only the main one has tickets. From then
on it sends blocks, and asks now and then whether its client is alive: a client that does not answer
in time is dropped. No text of the vendor describes this; it is what a working collector does.
"""

from __future__ import annotations

from tollhouse.blocks import (
    MAIN_PROCESSOR,
    TEST_REQUEST,
    TEST_RESPONSE,
    BlockSplitter,
    Stretch,
)
from tollhouse.collector.dialogues import DialogueError, Heard
from tollhouse.collector.lines import Piece
from tollhouse.collector.segment import CUT_BY_DISCONNECT, TERMINATED

GREETING = b"\x00\x01\x53"
READY = b"\x00\x02\x00\x00"
#: What a VPN client says that took over the address of the PBX.
OTHER_HOST = b"\xff\xff"
_ROLE_OFFSET = len(MAIN_PROCESSOR) - 1
_SHOWN_BYTES = 8


class OxeDialogue:
    """One connection to the main processor of an OXE.

    It asks whether its client is alive before this much silence has passed, so a longer one means
    that it is gone.
    """

    longest_silence_seconds: float | None = 31.0

    def __init__(self) -> None:
        self._splitter = BlockSplitter()
        self._unanswered: bytes | None = b""
        self._answered_count = 0

    @property
    def is_serving(self) -> bool:
        """The main processor has answered."""
        return self._unanswered is None

    def greeting(self) -> bytes:
        """Say that a client for tickets is here."""
        return GREETING

    def feed(self, data: bytes) -> Heard:
        """Take what arrived; blocks are spooled with their label and without their marker.

        Raises:
            DialogueError: who answers is not the main processor of an OXE.
        """
        reply = b""
        if self._unanswered is not None:
            reply, data = self._hear_answer(self._unanswered + data)
        pieces = _pieces(self._splitter.feed(data), TERMINATED)
        asked = self._splitter.test_request_count - self._answered_count
        self._answered_count += asked
        return Heard(pieces, reply + TEST_RESPONSE * asked)

    def pause(self) -> Heard:
        """Return damage that nothing followed; a block may still go on."""
        return Heard(_pieces(self._splitter.damage(), TERMINATED))

    def remainder(self) -> list[Piece]:
        """Return the block that the end of the connection cut."""
        return _pieces(self._splitter.remainder(), CUT_BY_DISCONNECT)

    def _hear_answer(self, heard: bytes) -> tuple[bytes, bytes]:
        """Look for the answer to the greeting; return what to say, and what came after it."""
        reply = b""
        while heard.startswith(TEST_REQUEST):
            heard = heard.removeprefix(TEST_REQUEST)
            reply += TEST_RESPONSE
        if heard.startswith(MAIN_PROCESSOR):
            self._unanswered = None
            return reply + READY, heard.removeprefix(MAIN_PROCESSOR)
        if MAIN_PROCESSOR.startswith(heard) or TEST_REQUEST.startswith(heard) or heard == b"\xff":
            self._unanswered = heard
            return reply, b""
        self._unanswered = b""
        raise DialogueError(_explanation(heard))


def _explanation(heard: bytes) -> str:
    if heard.startswith(OTHER_HOST):
        return (
            "FF FF came as the answer: a VPN client answers in place of the PBX. Check the address "
            "and the route to it."
        )
    if heard.startswith(MAIN_PROCESSOR[:_ROLE_OFFSET]):
        return (
            f"The processor that answers has the role {heard[_ROLE_OFFSET]:02X} and not 50 (main): "
            "it is on stand-by and has no tickets. Name the other processor's address, or the one "
            "that follows the main processor."
        )
    shown = heard[:_SHOWN_BYTES].hex(" ").upper()
    return (
        f"The answer to the greeting begins with {shown} and not with 00 01: this is no port for "
        "tickets of an OXE (2533 by default)."
    )


def _pieces(stretches: list[Stretch], flags: int) -> list[Piece]:
    return [(stretch.data, flags) for stretch in stretches]
