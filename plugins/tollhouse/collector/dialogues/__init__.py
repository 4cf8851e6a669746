"""What is said on a connection beside tickets: logins, handshakes, keep-alives.

A dialogue does no input or output. It is told what arrived and answers what is to be said and what
is to be spooled, so it can be tried byte by byte, and one stream serves every model. ``registry``
knows which dialogue a PBX speaks.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from tollhouse.collector.lines import Piece


class DialogueError(Exception):
    """The other side is not what it should be: a refused login, a stand-by processor."""


class Heard(NamedTuple):
    """What came of some bytes: pieces to spool, in order, and what to say."""

    pieces: list[Piece]
    reply: bytes = b""


class Dialogue(Protocol):
    """One connection's conversation; made anew for each connection.

    Whatever ends the connection, an error of the dialogue included, ``remainder`` is asked last: a
    ticket that was heard before an error is handed over there.
    """

    @property
    def longest_silence_seconds(self) -> float | None:
        """The connection is given up when nothing arrives for so long; None: silence is healthy.

        It is asked in every silence, so a dialogue may be stricter while it logs in.
        """

    @property
    def is_serving(self) -> bool:
        """Whether tickets may come by now: a login or a handshake there may be is through."""

    def greeting(self) -> bytes:
        """Return what to say on connecting, before anything was heard."""

    def feed(self, data: bytes) -> Heard:
        """Take what arrived.

        Raises:
            DialogueError: the connection is of no use; it is closed and tried again later.
        """

    def pause(self) -> Heard:
        """Nothing has arrived for a second: return what is complete for that reason, if any.

        It is asked once a silence.

        Raises:
            DialogueError: the silence shows that the connection is of no use.
        """

    def remainder(self) -> list[Piece]:
        """The connection has ended: return what was not complete.

        Raises:
            DialogueError: it ended before it was of any use, in the middle of a login.
        """
