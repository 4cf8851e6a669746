"""Logging in as at a Panasonic KX: prompt, login, password, and from there on nothing but lines.

    PBX        CR ``-``
    collector  ``SMDR`` CR            (echoed)
    PBX        ``Enter Password:``
    collector  ``PCCSMDR`` CR         (echoed, masked)
    PBX        the tickets it kept, then live ones

The manuals print no answer to a wrong password, so what shows one is that the PBX asks again, or
says that it knows no such command. Only the dialogue's own text is left out of the spool: whatever
else follows the password is a line of the PBX, verbatim.
"""

from __future__ import annotations

import re

from tollhouse.collector.dialogues import DialogueError, Heard
from tollhouse.collector.lines import LineSplitter, Piece

DEFAULT_LOGIN = "SMDR"
DEFAULT_PASSWORD = "PCCSMDR"  # noqa: S105 - the vendor's, printed in every manual

#: While logging in a PBX that hangs is given up after this long; logged in, silence is healthy.
LOGIN_SECONDS = 30.0
#: More than any greeting: who says so much without asking is another kind of machine.
MAXIMUM_GREETING_BYTES = 2_048

#: Telnet's commands, should a PBX send some: they are no text, and no answer is waited for.
_COMMAND = rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[\xf0-\xf9])"
_TELNET = re.compile(_COMMAND, re.DOTALL)
#: What is left of one when the complete ones are taken out: its end is in the next bytes.
_TELNET_BEGUN = re.compile(rb"\xff(?:[\xfb-\xfe]?\Z|\xfa)")
_LOGIN_PROMPT = re.compile(rb"(?:\A|[\r\n])\s*-\s*\Z")
_PASSWORD_PROMPT = re.compile(rb"password\s*:\s*\Z", re.IGNORECASE)
_REFUSAL = re.compile(rb"no such command", re.IGNORECASE)
_NO_TEXT = re.compile(rb"\A(?:[\r\n\0]|" + _COMMAND + rb")+", re.DOTALL)


class LoginDialogue:
    """One connection that begins with a login."""

    def __init__(self, login: bytes, password: bytes, lines: LineSplitter) -> None:
        self._login = login
        self._password = password
        self._lines = lines
        self._awaited = "a login prompt"
        #: What was heard since the last answer; once logged in nothing is kept here.
        self._heard = b""
        self._is_logged_in = False
        # The mask shows as many signs as the password has; a ticket after four changes of the
        # clock begins with a date of asterisks, **/**/**, and is none.
        self._echo = re.compile(
            rb"\A(?:%s(?=[\r\n])|\*+(?=[\r\n])|\*{%d}(?![*/]))"
            % (re.escape(password), len(password))
        )

    @property
    def longest_silence_seconds(self) -> float | None:
        """Silence is healthy as soon as the password is given."""
        return LOGIN_SECONDS if self._awaited else None

    @property
    def is_serving(self) -> bool:
        """The password is given; if it is not accepted, that is told as soon as it shows."""
        return not self._awaited

    def greeting(self) -> bytes:
        """Say nothing: the PBX asks first."""
        return b""

    def feed(self, data: bytes) -> Heard:
        """Answer the prompts; once logged in, return the lines that are complete.

        Raises:
            DialogueError: the login is refused, or what answers asks for none.
        """
        if self._is_logged_in:
            return Heard(self._lines.feed(data))
        self._heard += data
        if self._awaited:
            return Heard([], self._answer())
        return Heard(self._listen_after_password())

    def pause(self) -> Heard:
        """A prompt that nothing follows is one: the PBX asks again, so the login did not hold.

        Raises:
            DialogueError: the login is refused.
        """
        if self._is_asked_again():
            raise self._refused("it asks for the login again")
        return Heard([])

    def remainder(self) -> list[Piece]:
        """Return the line that the end of the connection cut.

        Raises:
            DialogueError: the connection ended during the login.
        """
        if self._is_asked_again():
            raise self._refused("it asks for the login again")
        if self._awaited:
            raise DialogueError(
                f"The connection ended before {self._awaited} came: this is no port of tickets "
                "with a login (Panasonic: 2300 by default), or another program holds it."
            )
        return self._lines.remainder()

    def _is_asked_again(self) -> bool:
        text = self._lines.rest if self._is_logged_in else self._heard
        return bool(_LOGIN_PROMPT.search(text) or _PASSWORD_PROMPT.search(text))

    def _answer(self) -> bytes:
        """Return the answer to a prompt, if one has come."""
        # Before the search for commands, whose cost grows faster than what it searches.
        if len(self._heard) > MAXIMUM_GREETING_BYTES:
            raise DialogueError(
                f"{MAXIMUM_GREETING_BYTES:,} bytes came before {self._awaited}, beginning with "
                f"{self._heard[:40]!r}: this is no port of tickets with a login. If this PBX asks "
                "for none, set `login: false` in the entry's settings."
            )
        self._heard = _TELNET.sub(b"", self._heard)
        if _TELNET_BEGUN.search(self._heard):
            return b""
        if _PASSWORD_PROMPT.search(self._heard):
            self._awaited = ""
            self._heard = b""
            return self._password + b"\r"
        if _REFUSAL.search(self._heard):
            raise self._refused("it says 'No such command.'")
        if self._awaited == "a login prompt" and _LOGIN_PROMPT.search(self._heard):
            self._awaited = "the password prompt"
            self._heard = b""
            return self._login + b"\r"
        return b""

    def _listen_after_password(self) -> list[Piece]:
        """Leave out the echo; tell a refusal from the first line of tickets."""
        rest = _NO_TEXT.sub(b"", self._heard)
        if self._echo.match(rest):
            rest = _NO_TEXT.sub(b"", self._echo.sub(b"", rest))
        if _REFUSAL.match(rest):
            raise self._refused("it says 'No such command.'")
        if len(self._heard) <= MAXIMUM_GREETING_BYTES and self._may_be_dialogue(rest):
            return []
        self._is_logged_in = True
        self._heard = b""
        return self._lines.feed(rest)

    def _may_be_dialogue(self, rest: bytes) -> bool:
        """Whether all of it may still turn out to be an echo, a prompt or a refusal."""
        known = (b"no such command", b"enter password:", self._password.lower())
        return (
            any(text.startswith(rest.lower()) for text in known)
            or not rest.strip(b"*")
            or _TELNET_BEGUN.match(rest) is not None
            or _LOGIN_PROMPT.search(rest) is not None
            or _PASSWORD_PROMPT.search(rest) is not None
        )

    def _refused(self, sign: str) -> DialogueError:
        return DialogueError(
            f"The PBX refuses login {self._login!r} or its password: {sign}. Both stand in the "
            f"connection (without them {DEFAULT_LOGIN} and {DEFAULT_PASSWORD} are tried); the PBX "
            "shows its own under SMDR Options."
        )
