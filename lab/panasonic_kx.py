"""A simulated Panasonic KX-NS: it waits to be dialled, asks for the password, prints type C.

The clock of a line is that of the end, to the minute. A transferred call is a line per extension,
and the receiving one says so. Calls within the house have neither a duration nor an answer. Each
page begins with a form feed, the titles of the columns and dashes, as on paper.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

from lab.streams import StreamSimulator
from lab.traffic import Call, Site
from lab.truth import TicketTruth

COLUMNS = 120
TRUNKS = 12
CALLS_A_PAGE = 50
TITLES = (
    "\f  Date     Time    Ext   CO                    Dial Number"
    "                      Ring Duration Cost        Acc code   CD"
)
DASHES = "-" * COLUMNS

LOGIN = b"SMDR"
PASSWORD = b"PCCSMDR"
PROMPT = b"\r\n-"
GOODBYE = b"\r\nGoodbye.\r\n"
LINE_ENDS = b"\r\n"


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the lines that the PBX writes for a call, with their truth, after a page's head."""
    lines = [] if number % CALLS_A_PAGE else [_page_line(call, text) for text in (TITLES, DASHES)]
    trunk = f"{number % TRUNKS + 1:04d}"
    if call.direction == "internal":
        return [*lines, _leg(call, site, f"EXT{call.other_extension}", has_talk=False)]
    if call.direction == "outgoing":
        # Nothing tells how long it rang, nor why there was no answer.
        return [*lines, _leg(call, site, call.outside_number, trunk=trunk, cost="EUR00000.00")]
    dialled = f"<I>{call.outside_number}"
    if not call.transferred_to:
        code = "" if call.talk_seconds else "NA"
        line = _leg(call, site, dialled, trunk=trunk, ring_seconds=call.ring_seconds, code=code)
        return [*lines, line]
    after = timedelta(seconds=call.ring_seconds + call.transferred_after_seconds)
    return [
        *lines,
        _leg(
            call,
            site,
            dialled,
            trunk=trunk,
            ring_seconds=call.ring_seconds,
            talk_seconds=call.transferred_after_seconds,
            ended_at=call.started_at + after,
        ),
        _leg(
            call,
            site,
            dialled,
            trunk=trunk,
            talk_seconds=call.talk_seconds - call.transferred_after_seconds,
            extension=call.transferred_to,
            code="TR",
        ),
    ]


def _leg(
    call: Call,
    site: Site,
    dialled: str,
    *,
    trunk: str = "",
    cost: str = "",
    ring_seconds: int | None = None,
    talk_seconds: int | None = None,
    extension: str = "",
    ended_at: datetime | None = None,
    code: str = "",
    has_talk: bool = True,
) -> TicketTruth:
    """Lay out one line; what is not given is that of the call."""
    extension = extension or call.extension
    ended_at = ended_at or call.ended_at
    if talk_seconds is None:
        talk_seconds = call.talk_seconds if has_talk else 0
    columns = {
        1: f"{ended_at.astimezone(site.time_zone):%d/%m/%y %H:%M}",
        18: f"{extension:>5}",
        24: trunk,
        29: dialled,
        80: "" if ring_seconds is None else f"{ring_seconds // 60}'{ring_seconds % 60:02d}",
        85: _duration(talk_seconds) if has_talk else "",
        94: cost,
        106: call.account_code,
        117: code,
    }
    # The minute of the end is all that is printed; the start is worked out from it.
    started_at = ended_at.astimezone(UTC).replace(second=0) - timedelta(
        seconds=talk_seconds + (ring_seconds or 0)
    )
    return TicketTruth(
        call_id=call.call_id,
        # No identity is written: each line is a call of its own.
        source_call_id=f"{call.call_id}/{extension}",
        state="ticket",
        direction=call.direction,
        outcome="answered" if talk_seconds else "no_answer",
        started_at=started_at.isoformat(),
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        extension=extension,
        outside_number=call.outside_number,
        destination=call.destination,
        account_code=call.account_code,
        written_at=ended_at.isoformat(),
        ticket=lay_out(columns),
    )


def _page_line(call: Call, text: str) -> TicketTruth:
    """A line of a page's head: kept and ignored."""
    return TicketTruth(
        call_id=call.call_id,
        source_call_id="",
        state="ignored",
        direction=call.direction,
        outcome=call.outcome,
        started_at=call.started_at.isoformat(),
        ring_seconds=None,
        talk_seconds=0,
        extension="",
        outside_number="",
        destination="",
        account_code="",
        written_at=call.ended_at.isoformat(),
        ticket=text,
    )


def lay_out(columns: dict[int, str]) -> str:
    """Put texts at their columns (counted from 1) of a line of 120."""
    line = [" "] * COLUMNS
    for column, text in columns.items():
        line[column - 1 : column - 1 + len(text)] = text
    return "".join(line)


def encode(text: str) -> bytes:
    """Return a line as it goes over the wire."""
    return text.encode("latin-1") + b"\r\n"


def ask_for_login(connection: socket.socket) -> bytes:
    """Play the PBX's side of the login: prompt, echo, password with its echo masked.

    Returns:
        What the other side said beyond the password.

    Raises:
        ConnectionRefusedError: the password was wrong, or the other side took its leave.
    """
    connection.sendall(PROMPT)
    unread = b""
    while True:
        command, unread = _read_answer(connection, unread)
        connection.sendall(command)
        if command.upper() == LOGIN:
            break
        if command in (b"", b"q"):
            connection.sendall(GOODBYE)
            raise ConnectionRefusedError
        connection.sendall(
            b"\r\n" + (b"q, help, smdr" if command == b"help" else b"No such command.")
        )
        connection.sendall(PROMPT)
    connection.sendall(b"\r\nEnter Password:")
    password, unread = _read_answer(connection, unread)
    connection.sendall(b"*" * len(password) + b"\r\n")
    if password != PASSWORD:
        # The manuals do not print what follows; the prompt again is what telnet users report.
        connection.sendall(PROMPT)
        raise ConnectionRefusedError
    return unread


def _read_answer(connection: socket.socket, unread: bytes) -> tuple[bytes, bytes]:
    """Return what was typed up to CR, and what was typed beyond."""
    while b"\r" not in unread:
        piece = connection.recv(256)
        if not piece:
            raise ConnectionResetError
        unread += piece
    answer, _, unread = unread.partition(b"\r")
    return answer.strip(LINE_ENDS), unread


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02d}:{rest // 60:02d}'{rest % 60:02d}"


SIMULATOR = StreamSimulator(
    model_id="panasonic_kx",
    tickets_of=tickets_of,
    role="server",
    encode=encode,
    open_session=ask_for_login,
)
