"""A simulated Alcatel OXE: its main processor, which sends tickets as blocks to one client.

It waits to be greeted, answers with its role in two writes, and asks on a quiet connection whether
the client is alive. A ticket has the 525 characters of version ED5.2; a transferred call leaves one
for each extension that pays, under one call reference.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

VERSION = "ED5.2"
WIDTH = 525
TRUNK_GROUP = "55"
NODE = "1"

#: First column and width of what the simulated PBX fills in; texts stand left, numbers right.
TEXT_COLUMNS = {
    "version": (1, 5),
    "called": (6, 30),
    "charged": (36, 30),
    "charged_name": (66, 20),
    "calling": (137, 30),
    "end": (170, 17),
    "access_code": (228, 16),
    "external_facilities": (269, 40),
    "internal_facilities": (309, 40),
    "initial_dialled": (396, 30),
    "start": (442, 17),
    "acting_extension": (459, 30),
}
NUMBER_COLUMNS = {
    "charged_node": (112, 5),
    "call_type": (167, 2),
    "cost_type": (169, 1),
    "charge_units": (187, 5),
    "cost": (192, 10),
    "duration": (202, 10),
    "trunk": (212, 5),
    "trunk_group": (217, 5),
    "trunk_node": (222, 5),
    "call_class": (227, 1),
    "call_reference": (349, 10),
    "com_type": (389, 1),
    "waiting": (426, 5),
    "effective": (431, 10),
    "redirected": (441, 1),
    "node_time_offset": (514, 6),
    "time_delta": (520, 6),
}
PUBLIC_OUTGOING, LOCAL_NETWORK, PUBLIC_INCOMING = 0, 3, 4
CALL_TYPES = {
    "outgoing": PUBLIC_OUTGOING,
    "internal": LOCAL_NETWORK,
    "incoming": PUBLIC_INCOMING,
}
PLAIN_CALL = "2"

GREETING = b"\x00\x01\x53"
ANSWER = (b"\x00\x01", b"\x50\x03\x04")
READY = b"\x00\x02\x00\x00"
TEST_REQUEST = b"\x00\x08TEST_REQ"
TEST_RESPONSE = b"\x00\x08TEST_RSP"
MARKER = b"\x03\x04"
TICKET_LABEL = b"\x01\x00\x02\x00"
BLOCK_BYTES = 772


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the ticket that the PBX writes, or of a transferred call the two, with their truth."""
    if not call.transferred_to:
        return [_leg(call, site, number, call.extension, call.started_at, call.ring_seconds)]
    after = timedelta(seconds=call.ring_seconds + call.transferred_after_seconds)
    first = _leg(
        call,
        site,
        number,
        call.extension,
        call.started_at,
        call.ring_seconds,
        talk_seconds=call.transferred_after_seconds,
    )
    second = _leg(
        call,
        site,
        number,
        call.transferred_to,
        call.started_at + after,
        0,
        talk_seconds=call.talk_seconds - call.transferred_after_seconds,
    )
    return [first, second]


def _leg(
    call: Call,
    site: Site,
    number: int,
    charged: str,
    started_at: datetime,
    ring_seconds: int,
    *,
    talk_seconds: int | None = None,
) -> TicketTruth:
    talk = call.talk_seconds if talk_seconds is None else talk_seconds
    ended_at = started_at + timedelta(seconds=ring_seconds + talk)
    reference = str(number + 1)
    if call.direction == "incoming":
        called, calling = charged, call.outside_number
        initial_dialled = site.public_number(call.extension)
    else:
        called, calling = call.outside_number or call.other_extension, charged
        initial_dialled = called
    columns = {
        "version": VERSION,
        "called": called,
        "charged": charged,
        "charged_name": f"EXEMPLE {charged}",
        "charged_node": NODE,
        "calling": calling,
        "call_type": str(CALL_TYPES[call.direction]),
        "cost_type": "0",
        "end": _wall_clock(ended_at, site),
        "charge_units": "0",
        "cost": "0",
        "duration": str(talk),
        "trunk": "0" if call.direction == "internal" else str(number % 12 + 1),
        "trunk_group": "0" if call.direction == "internal" else TRUNK_GROUP,
        "trunk_node": NODE,
        "call_class": PLAIN_CALL,
        "access_code": call.account_code,
        "external_facilities": "0" * 40,
        "internal_facilities": "0" * 40,
        "call_reference": reference,
        "com_type": "1",
        "initial_dialled": initial_dialled,
        "waiting": str(ring_seconds),
        "effective": str(talk),
        "redirected": "0",
        "start": _wall_clock(started_at, site),
        "acting_extension": charged,
        "node_time_offset": "0",
        "time_delta": "0",
    }
    return TicketTruth(
        call_id=call.call_id,
        source_call_id=f"{NODE}-{reference}",
        state="ticket",
        direction=call.direction,
        # The ticket does not say why nobody answered.
        outcome="answered" if talk else "no_answer",
        started_at=started_at.astimezone(UTC).isoformat(),
        ring_seconds=ring_seconds,
        talk_seconds=talk,
        extension=charged,
        outside_number=call.outside_number,
        destination=call.destination,
        account_code=call.account_code,
        written_at=ended_at.isoformat(),
        ticket=lay_out(columns),
    )


def lay_out(columns: dict[str, str]) -> str:
    """Put texts and numbers at their columns."""
    line = [" "] * WIDTH
    for name, text in columns.items():
        first, width = TEXT_COLUMNS.get(name) or NUMBER_COLUMNS[name]
        laid = text[:width].ljust(width) if name in TEXT_COLUMNS else text.rjust(width)
        line[first - 1 : first - 1 + width] = laid
    return "".join(line)


def encode(ticket: str) -> bytes:
    """Return a ticket as a block behind its marker."""
    return MARKER + (TICKET_LABEL + ticket.encode("latin-1")).ljust(BLOCK_BYTES, b"\0")


def hear_greeting(connection: socket.socket) -> bytes:
    """Answer a client as the main processor does.

    Raises:
        ConnectionError: it does not speak as a client for tickets.
    """
    _expect(connection, GREETING)
    for part in ANSWER:
        connection.sendall(part)
    _expect(connection, READY)
    return b""


def ask_whether_alive(connection: socket.socket) -> None:
    """Send a test request, in two parts as the real one may, and wait for its response.

    Raises:
        ConnectionError: the client says something else.
    """
    connection.sendall(TEST_REQUEST[:4])
    connection.sendall(TEST_REQUEST[4:])
    _expect(connection, TEST_RESPONSE)


def _expect(connection: socket.socket, expected: bytes) -> None:
    heard = b""
    while len(heard) < len(expected):
        piece = connection.recv(len(expected) - len(heard))
        if not piece:
            raise ConnectionError("the client went away")
        heard += piece
    if heard != expected:
        raise ConnectionError(f"the client said {heard!r} and not {expected!r}")


def _wall_clock(instant: datetime, site: Site) -> str:
    return f"{instant.astimezone(site.time_zone):%Y%m%d %H:%M:%S}"


SIMULATOR = StreamSimulator(
    model_id="alcatel_oxe",
    tickets_of=tickets_of,
    role="server",
    encode=encode,
    open_session=hear_greeting,
    keep_alive=ask_whether_alive,
)
