"""Dialling a PBX for once, as the collector would: port, TLS, login or handshake, and good-bye.

It is done only when it is asked for and no collector runs: what the PBX hands over meanwhile is
lost to the collector.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing

from tollhouse.collector.dialogues import DialogueError
from tollhouse.collector.dialogues.registry import dialogue_for
from tollhouse.collector.stream_settings import stream_of
from tollhouse.collector.tls import server_name
from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.network import open_port
from tollhouse.pbx_check.report import Report, StepFailedError

#: A PBX that has not asked or answered by then does not.
DIALOGUE_SECONDS = 10
PAUSE_SECONDS = 1
CHUNK_BYTES = 65_536

#: What a dialogue is called in a report; plain lines have none.
STEPS = {"login": "login", "oxe_blocks": "handshake"}

REFUSAL_REMEDY = (
    "Correct the connection, or the PBX's own settings; the set-up guide in docs/pbx.md names them."
)
TLS_REMEDY = (
    "The connection's extra says what is asked for: tls, ca_file for an authority of your own, "
    "server_name where the certificate bears another name than the host. docs/configuration.md "
    "lists them."
)


def dial_once(
    report: Report,
    pbx: Pbx,
    connection: PbxConnection,
    port: int,
    tls: ssl.SSLContext | None,
) -> None:
    """Connect, go through TLS and dialogue, and close.

    Raises:
        StepFailedError: a step failed and the next ones need it.
    """
    report.warn(
        "one reader",
        "connecting and closing at once, to see whether the PBX answers",
        "On connect some PBXs hand over what they kept and forget it: what they send in that "
        "instant is lost. Without --dial nothing is dialled.",
    )
    line = open_port(report, connection.host, port, service="the PBX's ticket port")
    with closing(line):
        if tls is not None:
            line = _encrypt(report, line, tls, server_name(connection))
        with closing(line):
            _converse(report, pbx, connection, line)


def _encrypt(
    report: Report, line: socket.socket, tls: ssl.SSLContext, expected_name: str
) -> ssl.SSLSocket:
    try:
        encrypted = tls.wrap_socket(line, server_hostname=expected_name)
    except ssl.SSLCertVerificationError as error:
        raise StepFailedError(
            "TLS", f"the certificate is not accepted: {error.verify_message}", TLS_REMEDY
        ) from error
    except OSError as error:
        raise StepFailedError("TLS", f"no TLS connection: {error}", TLS_REMEDY) from error
    report.ok("TLS", f"{encrypted.version()}, {(encrypted.cipher() or ('',))[0]}")
    return encrypted


def _converse(report: Report, pbx: Pbx, connection: PbxConnection, line: socket.socket) -> None:
    step = STEPS.get(stream_of(pbx).dialogue)
    if step is None:
        return
    try:
        lost_count = _log_in(pbx, connection, line)
    except DialogueError as error:
        raise StepFailedError(step, str(error), REFUSAL_REMEDY) from error
    except OSError as error:
        raise StepFailedError(step, f"the connection broke: {error}", REFUSAL_REMEDY) from error
    lost = f"; {lost_count} lines or blocks came meanwhile and are lost" if lost_count else ""
    report.ok(step, f"accepted{lost}")


def _log_in(pbx: Pbx, connection: PbxConnection, line: socket.socket) -> int:
    """Speak until the PBX is content; return how much it handed over.

    Raises:
        DialogueError: it is not.
    """
    dialogue = dialogue_for(pbx, connection)
    line.settimeout(PAUSE_SECONDS)
    line.sendall(dialogue.greeting())
    deadline = time.monotonic() + DIALOGUE_SECONDS
    has_answered = False
    while time.monotonic() < deadline:
        try:
            data = line.recv(CHUNK_BYTES)
        except TimeoutError:
            heard = dialogue.pause()
            if has_answered:
                return len(heard.pieces)
            continue
        if not data:
            break
        heard = dialogue.feed(data)
        if heard.pieces:
            return len(heard.pieces)
        line.sendall(heard.reply)
        has_answered = has_answered or bool(heard.reply)
    return len(dialogue.remainder())
