"""A simulated Mitel 3300: a TCP server that hands SMDR lines of 131 columns to who connects.

Like the real one it asks for no login and waits for no answer: it sends what it has buffered to the
first client and forgets it, then each new line as the call ends. The lines come from a feed file
that the lab writes; how far it was sent is kept, so a restart sends nothing twice. Switches make it
misbehave the ways real ones do.

    python -m lab.mitel_3300 --port 17520 --feed FILE [--drop-after N] [--resend N]
        [--garbage-every N]
"""

from __future__ import annotations

import argparse
import select
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

from lab.traffic import Call, Site
from lab.truth import TicketTruth

COLUMNS = 131
SYSTEM_ID = "010"
TRUNKS = 12
MOST_CLIENTS = 10
OUTSIDE_LINE = "0"

#: What a worn cable makes of a line, for the switch that sends it.
GARBAGE = b"\xff\x00P0110:00 T100 *** 5050\x7f\xfe\r\n"


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the one SMDR line that the PBX writes for a call, with its truth."""
    source_call_id = f"M{SYSTEM_ID}{number % 10_000:04d}"
    trunk = f"T{number % TRUNKS + 1:03d}"
    wall = call.started_at.astimezone(site.time_zone)
    columns = {
        1: _long_call_mark(call.talk_seconds),
        2: f"{wall:%m/%d}",
        8: f"{wall:%H:%M}",
        15: _duration(call.talk_seconds),
        73: call.account_code,
        86: SYSTEM_ID,
        114: f"{source_call_id}A",
    }
    is_answered = call.outcome == "answered"
    time_to_answer = f"{call.ring_seconds:03d}" if is_answered else "***"
    extension, outcome = call.extension, call.outcome
    ring_seconds = call.ring_seconds if is_answered else None
    if call.direction == "outgoing":
        # The time to answer is blank on outgoing calls; A says that the exchange told of the
        # answer, and nothing says why there was none.
        ring_seconds = None
        outcome = "answered" if is_answered else "no_answer"
        dialled = f"{call.extension} {OUTSIDE_LINE}{call.outside_number}"
        columns |= {24: call.extension, 34: dialled, 60: "A" if is_answered else "", 62: trunk}
    elif call.direction == "incoming":
        received = f"{call.outside_number} {call.extension}".strip()
        columns |= {
            24: trunk,
            30: time_to_answer,
            34: received,
            60: "B" if call.outcome == "busy" else "",
            62: call.extension,
            92: call.outside_number,
            103: call.extension,
        }
        if call.transferred_to:
            columns |= {66: "T", 68: call.transferred_to}
            extension = call.transferred_to
    else:
        columns |= {
            24: call.extension,
            30: time_to_answer,
            34: call.other_extension,
            60: "I",
            62: call.other_extension,
        }
    # The ticket tells minutes only.
    started_at = call.started_at.astimezone(UTC).replace(second=0)
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=source_call_id,
            state="ticket",
            direction=call.direction,
            outcome=outcome,
            started_at=started_at.isoformat(),
            ring_seconds=ring_seconds,
            talk_seconds=call.talk_seconds,
            extension=extension,
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=call.account_code,
            written_at=call.ended_at.isoformat(),
            ticket=lay_out(columns),
        )
    ]


def lay_out(columns: dict[int, str]) -> str:
    """Put texts at their columns (counted from 1) of a line of 131."""
    line = [" "] * COLUMNS
    for column, text in columns.items():
        line[column - 1 : column - 1 + len(text)] = text
    return "".join(line)


def write_feed(feed: Path, tickets: Iterable[TicketTruth]) -> None:
    """Make the feed file hold exactly these tickets: it grows, what was sent stays where it is."""
    feed.parent.mkdir(parents=True, exist_ok=True)
    draft = feed.with_suffix(".draft")
    draft.write_bytes(b"".join(ticket.ticket.encode("latin-1") + b"\r\n" for ticket in tickets))
    draft.replace(feed)


@dataclass
class Misbehaviour:
    """Faults to play.

    Attributes:
        drop_after: cut the connection in the middle of this ticket (counted from 1), once.
        resend: at each new connection send this many of the last tickets again.
        garbage_every: send a damaged line before each so-many-th ticket.
    """

    drop_after: int = 0
    resend: int = 0
    garbage_every: int = 0


class MitelServer:
    """Serves one feed file on one loopback port until its process is ended."""

    def __init__(self, port: int, feed: Path, misbehaviour: Misbehaviour) -> None:
        self.feed = feed
        self.position_file = feed.with_suffix(".sent")
        self.misbehaviour = misbehaviour
        self.position = int(self.position_file.read_text()) if self.position_file.exists() else 0
        self.sent_lines: list[bytes] = []
        self.clients: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=MOST_CLIENTS)

    def serve(self) -> None:
        """Accept, send, forget; never returns."""
        while True:
            self._accept_and_discard()
            if not (self.clients and self._send_news()):
                time.sleep(0.05)

    def _accept_and_discard(self) -> None:
        """Take new clients and close those that went; what they say is not listened to."""
        readable, _, _ = select.select([self.listener, *self.clients], [], [], 0.05)
        for ready in readable:
            if ready is self.listener:
                client, _ = self.listener.accept()
                self.clients = [*self.clients, client][:MOST_CLIENTS]
                if self.misbehaviour.resend and self.sent_lines:
                    client.sendall(b"".join(self.sent_lines[-self.misbehaviour.resend :]))
            elif not _still_open(ready):
                self.clients.remove(ready)
                ready.close()

    def _send_news(self) -> bool:
        """Send the lines that the feed has grown by; return whether there were any."""
        if not self.feed.exists():
            return False
        with self.feed.open("rb") as feed:
            feed.seek(self.position)
            lines = feed.read().splitlines(keepends=True)
        for line in lines:
            if not self._send_line(line):
                return False
        return bool(lines)

    def _send_line(self, line: bytes) -> bool:
        number = len(self.sent_lines) + 1
        try:
            if self.misbehaviour.garbage_every and number % self.misbehaviour.garbage_every == 0:
                self.clients[0].sendall(GARBAGE)
            if number == self.misbehaviour.drop_after:
                self.misbehaviour.drop_after = 0
                self.clients[0].sendall(line[: len(line) // 2])
                raise BrokenPipeError
            for client in self.clients:
                client.sendall(line)
        except OSError:
            self.clients.pop(0).close()
            return False
        self.sent_lines.append(line)
        self.position += len(line)
        self.position_file.write_text(str(self.position))
        return True


def _still_open(client: socket.socket) -> bool:
    try:
        return bool(client.recv(4096))
    except OSError:
        return False


def _long_call_mark(talk_seconds: int) -> str:
    talk = timedelta(seconds=talk_seconds)
    if talk >= timedelta(minutes=30):
        return "+"
    if talk >= timedelta(minutes=10):
        return "%"
    return "-" if talk >= timedelta(minutes=5) else " "


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


def main() -> None:
    """Serve a feed from the command line."""
    parser = argparse.ArgumentParser(description="A simulated Mitel 3300.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--feed", type=Path, required=True)
    parser.add_argument("--drop-after", type=int, default=0)
    parser.add_argument("--resend", type=int, default=0)
    parser.add_argument("--garbage-every", type=int, default=0)
    arguments = parser.parse_args()
    misbehaviour = Misbehaviour(arguments.drop_after, arguments.resend, arguments.garbage_every)
    MitelServer(arguments.port, arguments.feed, misbehaviour).serve()


if __name__ == "__main__":
    main()
