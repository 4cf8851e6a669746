"""Plays one of the PBXs below from a feed, in a process of its own, until it is ended.

python -m tests.lab.playing NAME PORT FEED FAULTS
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lab.streams import StreamSimulator
from lab.streams.engines import Misbehaviour, prepare
from lab.streams.feed import Feed
from lab.traffic import Call, Site
from lab.truth import TicketTruth

PASSWORD = b"open\n"


def no_tickets(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """What is played here comes from a feed, not from calls."""
    return []


def ask_for_the_password(connection: socket.socket) -> bytes:
    """The PBX's side of a login."""
    connection.sendall(b"password? ")
    heard = b""
    while b"\n" not in heard:
        piece = connection.recv(64)
        if not piece:
            raise ConnectionResetError
        heard += piece
    if not heard.startswith(PASSWORD):
        raise ConnectionRefusedError
    return heard.removeprefix(PASSWORD)


LISTENING = StreamSimulator(
    model_id="listening",
    tickets_of=no_tickets,
    role="server",
    encode=lambda text: text.encode() + b"\r\n",
)
DIALLING = replace(LISTENING, model_id="dialling", role="client")

PBXS = {
    pbx.model_id: pbx
    for pbx in (
        LISTENING,
        DIALLING,
        replace(LISTENING, model_id="asking", open_session=ask_for_the_password),
        replace(DIALLING, model_id="dialling_anew", connection_per_ticket=True),
    )
}


def main() -> None:
    """Play until the process is ended."""
    name, port, feed, faults = sys.argv[1:]
    serve: Callable[[], None] = prepare(
        PBXS[name], int(port), Feed(Path(feed)), Misbehaviour(**json.loads(faults))
    )
    serve()


if __name__ == "__main__":
    main()
