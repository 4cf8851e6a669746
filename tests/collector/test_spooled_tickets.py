"""Records to tickets: several connections in one segment, read in as many goes as you like."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tollhouse import blocks
from tollhouse.collector.dialogues.documents import DocumentDialogue
from tollhouse.collector.segment import CUT_BY_DISCONNECT, PIECE, TERMINATED
from tollhouse.collector.spool import read_spool
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.collector.spooled_tickets import (
    LINE_COMPLETE_AFTER,
    PIECE_WINDOW,
    PIECES_COMPLETE_AFTER,
    SpooledTickets,
)
from tollhouse.framing import Ticket
from tollhouse.pbx import Framing, Model, models

LINES = models()["mitel_3300"]
DOCUMENTS = models()["grandstream_ucm"]
WIDTH = 80
BLOCKS = Model(
    model_id="blocks_for_tests",
    title="Blocks",
    transports=("spooled_stream",),
    framing=Framing(kind="blocks"),
)


def block(text: bytes) -> bytes:
    return (blocks.TICKET_LABEL + text).ljust(blocks.BLOCK_BYTES, b"\0")


def read(
    folder: Path, model: Model, offset: int = 0, *, now: datetime | None = None
) -> tuple[list[Ticket], int]:
    """What one pull makes of segment 1, and where the next one begins."""
    reader = SpooledTickets(model)
    records = read_spool(folder, segment=1, offset=offset, with_ends=True)
    tickets = list(reader.tickets(records))
    tickets += reader.release_complete(now or datetime.now(UTC))
    return tickets, reader.safe_offset or offset


def bodies(tickets: list[Ticket]) -> list[str]:
    return [ticket.body for ticket in tickets]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolWriter]:
    with SpoolWriter(tmp_path, "brest_port") as writer:
        yield writer


def test_wrapped_lines_are_joined_within_their_connection_only(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    one, other = (spool.begin_connection(peer, shares_segment=True) for peer in ("a", "b"))
    arrivals = [
        (one, "A".ljust(WIDTH)), (other, "B".ljust(WIDTH)), (one, "  rest of A"), (other, "  of B"),
    ]  # fmt: skip
    for connection, line in arrivals:
        spool.append([(f"{line}\r\n".encode(), TERMINATED)], now_us(), connection=connection)
    spool.sync()
    tickets, _ = read(tmp_path, LINES)
    assert bodies(tickets) == ["A".ljust(WIDTH) + "  rest of A", "B".ljust(WIDTH) + "  of B"]


def test_the_end_of_a_connection_completes_its_line_while_others_go_on(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    one, other = (spool.begin_connection(peer, shares_segment=True) for peer in ("a", "b"))
    for connection in (one, other):
        full = f"{connection}".ljust(WIDTH).encode()
        spool.append([(full + b"\r\n", TERMINATED)], now_us(), connection=connection)
    spool.sync()
    assert read(tmp_path, LINES) == ([], 0)
    spool.end_connection(one)
    tickets, resume = read(tmp_path, LINES)
    assert bodies(tickets) == ["1".ljust(WIDTH)]
    # The other line may go on: it is read again, and the first comes again under the same ordinal.
    spool.end_connection(other)
    again, _ = read(tmp_path, LINES, resume)
    assert bodies(again) == ["1".ljust(WIDTH), "2".ljust(WIDTH)]
    assert again[0] == tickets[0]


def test_idlast_never_stands_within_a_ticket_of_another_connection(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    one, other = (spool.begin_connection(peer, shares_segment=True) for peer in ("a", "b"))
    for connection, data, flags in [
        (one, block(b"first")[:300], PIECE),
        (other, block(b"second")[:300], PIECE),
        (one, block(b"first")[300:], 0),
    ]:
        spool.append([(data, flags)], now_us(), connection=connection)
    spool.sync()
    tickets, resume = read(tmp_path, BLOCKS)
    # Reading again from the second's beginning would take the first's rest for a ticket.
    assert (bodies(tickets), resume) == (["first"], 0)
    spool.append([(block(b"second")[300:], 0)], now_us(), connection=other)
    spool.sync()
    again, resume = read(tmp_path, BLOCKS, resume)
    assert bodies(again) == ["first", "second"]
    assert read(tmp_path, BLOCKS, resume) == ([], resume)


def test_a_block_is_one_record_or_several_pieces(spool: SpoolWriter, tmp_path: Path) -> None:
    spool.begin_connection("192.0.2.1:2533")
    whole = block(b"in one")
    pieces = block(b"in three")
    spool.append(
        [(whole, 0), (pieces[:5], PIECE), (pieces[5:9], PIECE), (pieces[9:], 0), (whole, 0)],
        now_us(),
    )
    spool.sync()
    tickets, _ = read(tmp_path, BLOCKS)
    assert bodies(tickets) == ["in one", "in three", "in one"]
    assert len({ticket.ordinal for ticket in tickets}) == 3


def test_pieces_without_an_end_are_a_ticket_when_they_are_too_many_or_too_old(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    small = replace(BLOCKS, framing=Framing(kind="blocks", maximum_bytes=100))
    spool.begin_connection("192.0.2.1:2533")
    spool.append([(b"x" * 40, PIECE)] * 5, now_us())
    spool.sync()
    tickets, resume = read(tmp_path, small)
    assert bodies(tickets) == ["x" * 80, "x" * 80]
    rest, _ = read(tmp_path, small, resume, now=datetime.now(UTC) + PIECES_COMPLETE_AFTER)
    assert bodies(rest)[-1] == "x" * 40


def test_what_arrives_too_late_continues_nothing_whenever_it_is_read(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    spool.begin_connection("192.0.2.1:2533")
    long_ago = now_us() - int(PIECE_WINDOW.total_seconds() * 1_000_000) - 1_000_000
    spool.append([(b"front", PIECE)], long_ago)
    spool.append([(b"rest", 0)], now_us())
    spool.sync()
    assert bodies(read(tmp_path, BLOCKS)[0]) == ["front", "rest"]


def test_read_in_any_number_of_goes_the_tickets_are_those_of_one_go(tmp_path: Path) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        model = rng.choice([LINES, BLOCKS])
        folder = tmp_path / str(seed)
        landed: dict[int, str] = {}
        resume = 0
        arrived_at_us = now_us() - 3_600_000_000
        with SpoolWriter(folder, "brest_port") as spool:
            numbers = [spool.begin_connection(f"peer {n}", shares_segment=True) for n in range(4)]
            for _ in range(60):
                connection = rng.choice(numbers)
                arrived_at_us += rng.randrange(3_000_000)
                spool.append([_utterance(rng, model)], arrived_at_us, connection=connection)
                if rng.random() < 0.05:
                    spool.end_connection(connection)
                    numbers.remove(connection)
                    numbers.append(spool.begin_connection("again", shares_segment=True))
                if rng.random() < 0.3:
                    spool.sync()
                    # As old as the records say: what may still go on is held back.
                    now = datetime.fromtimestamp(arrived_at_us / 1_000_000, UTC)
                    tickets, resume = read(folder, model, resume, now=now)
                    for ticket in tickets:
                        assert landed.setdefault(ticket.ordinal, ticket.body) == ticket.body
        tickets, _ = read(folder, model, resume)
        landed |= {ticket.ordinal: ticket.body for ticket in tickets}
        in_one_go, _ = read(folder, model)
        assert landed == {ticket.ordinal: ticket.body for ticket in in_one_go}


def _utterance(rng: random.Random, model: Model) -> tuple[bytes, int]:
    if model is LINES:
        text = str(rng.randrange(10**6)).ljust(rng.choice([WIDTH, 20]))
        return f"{text}\r\n".encode(), TERMINATED
    data = str(rng.randrange(10**6)).encode()
    return data, rng.choice([0, PIECE, PIECE, CUT_BY_DISCONNECT])


def test_a_line_is_held_only_as_long_as_it_may_go_on(spool: SpoolWriter, tmp_path: Path) -> None:
    spool.begin_connection("192.0.2.1:1752")
    spool.append([("full".ljust(WIDTH).encode() + b"\r\n", TERMINATED)], now_us())
    spool.sync()
    assert read(tmp_path, LINES) == ([], 0)
    later = datetime.now(UTC) + LINE_COMPLETE_AFTER + timedelta(seconds=1)
    tickets, resume = read(tmp_path, LINES, now=later)
    assert bodies(tickets) == ["full".ljust(WIDTH)]
    assert read(tmp_path, LINES, resume) == ([], resume)


def test_a_clock_that_is_set_back_holds_no_line_for_longer(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    spool.begin_connection("192.0.2.1:1752")
    an_hour_ahead_us = now_us() + 3_600 * 1_000_000
    spool.append([("full".ljust(WIDTH).encode() + b"\r\n", TERMINATED)], an_hour_ahead_us)
    spool.sync()
    assert bodies(read(tmp_path, LINES)[0]) == ["full".ljust(WIDTH)]


def cut_bodies(folder: Path, model: Model) -> list[str]:
    reader = SpooledTickets(model)
    tickets = list(reader.tickets(read_spool(folder, segment=1, offset=0, with_ends=True)))
    return [ticket.body for ticket in tickets if ticket.ordinal in reader.cut_ordinals]


@pytest.mark.parametrize(
    ("arrivals", "cut"),
    [
        ([b"whole\r\n", b"healthy\r\n"], []),
        ([b"whole\r\n", b"half a ti"], ["half a ti"]),
        ([b"whole\r\n", b"half a ti   "], ["half a ti   "]),
        ([b"whole\r\n", b"its line end had begun\r"], []),
        ([b"whole\r\n", b"  \t "], []),
        ([b"one\rother\rthird"], ["third"]),
        ([b"one\rother\r "], []),
        ([b"x" * WIDTH + b"\r\n", b"  rest of"], ["x" * WIDTH + "  rest of"]),
        ([b"x" * WIDTH + b"\r\n"], []),
        ([b"x" * WIDTH], ["x" * WIDTH]),
        ([b"x" * WIDTH + b"\r\n", b" "], []),
    ],
)
def test_a_line_is_cut_when_its_line_end_was_never_heard(
    spool: SpoolWriter, tmp_path: Path, arrivals: list[bytes], cut: list[str]
) -> None:
    connection = spool.begin_connection("192.0.2.1:1752")
    for data in arrivals:
        flags = TERMINATED if data.endswith(b"\n") else CUT_BY_DISCONNECT
        spool.append([(data, flags)], now_us())
    spool.end_connection(connection)
    assert cut_bodies(tmp_path, LINES) == cut


def test_a_block_that_is_not_whole_is_cut(spool: SpoolWriter, tmp_path: Path) -> None:
    spool.begin_connection("192.0.2.1:2533")
    spool.append(
        [(block(b"whole"), TERMINATED), (block(b"half")[:300], CUT_BY_DISCONNECT)], now_us()
    )
    spool.sync()
    assert cut_bodies(tmp_path, BLOCKS) == ["half"]


def test_a_document_is_cut_with_all_its_legs_and_one_that_the_end_completes_is_not(
    spool: SpoolWriter, tmp_path: Path
) -> None:
    group = b'{"cdr":"1","main_cdr":{"src":"2001"},"sub_cdr_1":{"src":"2002"}}'
    for said in (b"'1','','2001','0199001234'", group[:-4], group):
        dialogue = DocumentDialogue(DOCUMENTS.framing.maximum_bytes)
        number = spool.begin_connection("192.0.2.1:40000", shares_segment=True)
        for pieces in (dialogue.feed(said).pieces, dialogue.remainder()):
            spool.append(pieces, now_us(), connection=number)
        spool.end_connection(number)
    spool.sync()
    assert cut_bodies(tmp_path, DOCUMENTS) == [
        '"main_cdr":{"src":"2001"}', ',"sub_cdr_1":{"src":"200',
    ]  # fmt: skip
