"""Logging in at a PBX: byte by byte, refused, and over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.collecting import collecting, pbx_of
from tests.collector.speaking_pbx import speaking, stay_connected, wait_until
from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.dialogues.login import LoginDialogue
from tollhouse.collector.lines import LineSplitter
from tollhouse.collector.segment import CUT_BY_DISCONNECT

TICKETS = (
    b"07/12/20 11:00    401 05 <I>234               00:00'12 EU00000.00               \r\n"
    b"07/12/20 11:08    401 01 0199001234           00:00'40 EU00000.00               \r\n"
)
HEADERS = b"\x0c  Date     Time   Ext CO Dial Number\r\n" + b"-" * 80 + b"\r\n"


def dialogue(password: bytes = b"PCCSMDR") -> LoginDialogue:
    return LoginDialogue(b"SMDR", password, LineSplitter(4_096, b"\r"))


def talk(speaker: LoginDialogue, *said: bytes, in_bytes: bool = False) -> tuple[bytes, list[bytes]]:
    """Say something to a dialogue; return what it spools and its answers."""
    spooled, answers = b"", []
    for text in said:
        for data in [bytes([byte]) for byte in text] if in_bytes else [text]:
            heard = speaker.feed(data)
            spooled += b"".join(piece for piece, _ in heard.pieces)
            answers += [heard.reply] if heard.reply else []
    return spooled, answers


@pytest.mark.parametrize("in_bytes", [False, True])
@pytest.mark.parametrize("echo", [b"*******\r\n", b"PCCSMDR\r\n", b"*****\r\n", b"\r\n", b""])
@pytest.mark.parametrize("tickets", [TICKETS, HEADERS + TICKETS, b"**/**/** 11:00    401\r\n"])
def test_the_login_is_answered_and_left_out_of_the_spool(
    in_bytes: bool, echo: bytes, tickets: bytes
) -> None:
    speaker = dialogue()
    spooled, answers = talk(
        speaker,
        b"\r\n- ",
        b"SMDR\r\nEnter Password:",
        echo + tickets,
        in_bytes=in_bytes,
    )
    assert answers == [b"SMDR\r", b"PCCSMDR\r"]
    rest = b"".join(data for data, _ in speaker.remainder())
    assert spooled + rest == tickets


def test_a_flood_before_the_login_is_refused_unsearched() -> None:
    # Beginnings of telnet commands without an end: a search for each end would take minutes.
    with pytest.raises(DialogueError, match="2,048 bytes came before a login prompt"):
        dialogue().feed(b"\xff\xfa" * 500_000)


def test_telnet_commands_are_ignored_wherever_they_are_cut() -> None:
    offers = b"\xff\xfb\x01\xff\xfd\x03\xff\xfa\x18\x01\xff\xf0\xff\xf1"
    speaker = dialogue()
    spooled, answers = talk(
        speaker, offers + b"\r-" + offers, b"Enter " + offers + b"Password:", TICKETS, in_bytes=True
    )
    assert answers == [b"SMDR\r", b"PCCSMDR\r"]
    assert spooled == TICKETS[:-1]


def test_telnet_commands_in_a_ticket_are_the_tickets() -> None:
    odd = b"07/12/20 11:00 \xff\xfb\x01 \xff\xf1\r"
    spooled, _ = talk(dialogue(), b"\r-", b"Enter Password:", b"\xff\xfb\x01*******\r\n" + odd)
    assert spooled == odd


def test_a_mask_without_end_is_spooled_in_bounded_memory() -> None:
    speaker = dialogue()
    spooled, _ = talk(speaker, b"\r-", b"Enter Password:", b"*" * 10_000, in_bytes=True)
    assert len(spooled) > 4_096


def test_a_masked_echo_without_a_line_end_does_not_stick_to_the_first_ticket() -> None:
    spooled, _ = talk(dialogue(), b"\r-", b"Enter Password:", b"*******" + TICKETS)
    assert spooled == TICKETS[:-1]


def test_after_the_login_every_byte_is_a_tickets() -> None:
    speaker = dialogue()
    talk(speaker, b"\r-", b"Enter Password:", b"\r\n" + TICKETS)
    odd = b"\xff\xfb\x01 Enter Password: \x00 - No such command.\r"
    # The LF of the CR LF before it comes first: a line of this PBX ends with CR.
    assert talk(speaker, odd) == (b"\n" + odd, [])
    assert speaker.longest_silence_seconds is None
    talk(speaker, b"half")
    assert speaker.pause().pieces == []
    assert speaker.remainder() == [(b"half", CUT_BY_DISCONNECT)]


@pytest.mark.parametrize("in_bytes", [False, True])
def test_a_refusal_in_words_is_told(in_bytes: bool) -> None:
    with pytest.raises(DialogueError, match=r"'No such command\.'.*SMDR Options"):
        talk(dialogue(), b"\r-", b"SMDR\r\nNo such command.\r\n-", in_bytes=in_bytes)
    with pytest.raises(DialogueError, match=r"'No such command\.'"):
        talk(
            dialogue(),
            b"\r-",
            b"Enter Password:",
            b"*******\r\nNo such command.\r\n-",
            in_bytes=in_bytes,
        )


@pytest.mark.parametrize("again", [b"\r\n-", b"\r\nEnter Password:", b"Wrong.\r\n- "])
@pytest.mark.parametrize("in_bytes", [False, True])
def test_being_asked_again_is_a_refusal_once_nothing_follows(again: bytes, in_bytes: bool) -> None:
    speaker = dialogue()
    talk(speaker, b"\r-", b"Enter Password:", b"*******" + again, in_bytes=in_bytes)
    with pytest.raises(DialogueError, match="asks for the login again"):
        speaker.pause()


def test_a_page_head_that_is_cut_in_its_dashes_is_no_prompt() -> None:
    speaker = dialogue()
    spooled, _ = talk(speaker, b"\r-", b"Enter Password:", b"\r\n-", b"-" * 79 + b"\r\n" + TICKETS)
    assert speaker.pause().pieces == []
    assert spooled == b"-" * 80 + b"\r\n" + TICKETS[:-1]


def test_no_password_is_in_what_is_told() -> None:
    speaker = dialogue(b"not-for-the-log")
    talk(speaker, b"\r-", b"Enter Password:", b"not-for-the-log\r\n-")
    with pytest.raises(DialogueError) as refused:
        speaker.pause()
    assert "not-for-the-log" not in str(refused.value)


def test_a_machine_that_never_asks_is_given_up_in_bounded_memory() -> None:
    speaker = dialogue()
    assert speaker.longest_silence_seconds == 30
    with pytest.raises(DialogueError, match=r"is no port of tickets with a login.*login: false"):
        talk(speaker, b"HTTP/1.1 400 Bad Request\r\n" * 200, in_bytes=True)
    with pytest.raises(DialogueError, match="is no port of tickets"):
        talk(dialogue(), b"\xff\xfa" + b"endless" * 2_000, in_bytes=True)
    with pytest.raises(DialogueError, match="ended before a login prompt came"):
        dialogue().remainder()


def panasonic(password: bytes, *, tickets: bytes, step: int) -> Callable[[socket.socket], None]:
    """A PBX that asks for login and password, and says everything in steps of some bytes."""

    def speak(connection: socket.socket) -> None:
        def say(text: bytes) -> None:
            for start in range(0, len(text), step):
                connection.sendall(text[start : start + step])

        def hear() -> bytes:
            heard = b""
            while not heard.endswith(b"\r"):
                heard += connection.recv(1)
            return heard

        say(b"\r\n-")
        login = hear()
        say(login + b"\nEnter Password:")
        if hear() != password + b"\r":
            say(b"*******\r\n-")
        else:
            say(b"*******\r\n" + tickets)
        stay_connected(connection)

    return speak


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_panasonic_is_logged_into_with_its_defaults(tmp_path: Path, step: int) -> None:
    speak = panasonic(b"PCCSMDR", tickets=HEADERS + TICKETS, step=step)
    with (
        speaking(speak) as pbx,
        collecting(
            tmp_path, (pbx_of("panasonic_kx"), {"host": "127.0.0.1", "port": pbx.port})
        ) as site,
    ):
        wait_until(lambda: site.spooled().rstrip(b"\n").endswith(TICKETS[-3:-1]))
        assert site.status().state == "connected"
    assert site.spooled() == HEADERS + TICKETS
    assert pbx.connection_count == 1


def test_a_wrong_password_is_told_and_tried_again_until_it_is_corrected(tmp_path: Path) -> None:
    connection = {"host": "127.0.0.1", "password": "wrong-one"}
    with speaking(panasonic(b"right", tickets=TICKETS, step=5)) as pbx:
        entry = (pbx_of("panasonic_kx"), connection | {"port": pbx.port})
        with collecting(tmp_path, entry) as site:
            wait_until(lambda: site.status().state == "refused")
            assert "asks for the login again" in site.status().detail
            assert "wrong-one" not in site.status().detail
            wait_until(lambda: pbx.connection_count >= 3)
            assert site.records() == []
            path = tmp_path / "connections.yaml"
            path.write_text(path.read_text().replace("wrong-one", "right"))
            wait_until(lambda: len(site.records()) >= 2)
    assert site.spooled() == TICKETS


def test_a_machine_that_never_asks_for_a_login_is_not_said_to_be_connected(tmp_path: Path) -> None:
    with speaking(stay_connected) as pbx:
        entry = (pbx_of("panasonic_kx"), {"host": "127.0.0.1", "port": pbx.port})
        with collecting(tmp_path, entry) as site:
            wait_until(lambda: site.status().connection_count == 1)
            assert site.status().state == "connecting"


def test_a_pbx_without_a_login_can_be_said_to_have_none(tmp_path: Path) -> None:
    def speak(connection: socket.socket) -> None:
        connection.sendall(TICKETS)
        stay_connected(connection)

    with speaking(speak) as pbx:
        entry = pbx_of("panasonic_kx", login=False)
        with collecting(tmp_path, (entry, {"host": "127.0.0.1", "port": pbx.port})) as site:
            wait_until(lambda: len(site.records()) >= 2)
    assert site.spooled() == TICKETS
