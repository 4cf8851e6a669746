"""Looking into files of tickets: is there a ticket in the newest, and does it say its columns?"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tollhouse.decompression import DecompressionError, contents
from tollhouse.elements import ElementFile
from tollhouse.framing import NAMES_LINE, Ticket, frame_file
from tollhouse.installed_pbxs import Pbx
from tollhouse.json_lists import ListFile, as_utf_8
from tollhouse.pbx import Model
from tollhouse.pbx_check.report import SHOWN_TICKETS, LastTickets, Report, StepFailedError

#: Only so many of the newest files are opened in search of tickets: empty ones are ordinary.
OPENED_FILES = 50
#: Of the text above the tickets, enough to know it again.
SHOWN_SIGNS = 60


class _Content(NamedTuple):
    """What a file holds.

    Attributes:
        header: the line that names the columns, or the start tag of the root.
        last: its last tickets.
        damage: what is wrong with it, and on which line, where its format tells.
    """

    header: str | None
    last: tuple[Ticket, ...]
    damage: str | None


def remedy(pbx: Pbx) -> str:
    """Return what to look at in the PBX when no file comes, or none with a ticket."""
    files = pbx.known_model.files_of(pbx.transport)
    own = files.remedy if files else ""
    return "Make a call and look again. " + (
        own or "The set-up guide (docs/pbx.md) says what must be switched on in the PBX."
    )


def check_content(report: Report, pbx: Pbx, newest_first: Iterable[Path]) -> None:
    """Look for the newest file that holds tickets, and show the last of them.

    Raises:
        StepFailedError: there is none, or a file on the way there cannot be read.
    """
    model, opened = pbx.known_model, 0
    for path in islice(newest_first, OPENED_FILES):
        opened += 1
        found = _read(path, model)
        if found.damage is not None:
            report.warn(
                "damage",
                f"{path.name}, {found.damage}",
                "What is whole before it are tickets, the rest is kept as a damaged one. Was the "
                "file cut or edited on its way?",
            )
        if model.framing.kind == "header_lines" and not model.framing.header_is_certain:
            _require_header(path, found.header)
        if found.last:
            report.last = LastTickets(found.last, found.header)
            report.ok("content", f"{path.name} {_described(model, found.header)}")
            return
    raise StepFailedError("tickets", f"the {opened} newest files hold no ticket", remedy(pbx))


def _read(path: Path, model: Model) -> _Content:
    try:
        with path.open("rb") as file, contents(file, path.name) as streams:
            found = _Content(None, (), None)
            for stream in streams:
                one = _content(stream, model, path.name)
                found = one if one.last or not found.last else found
            return found
    except PermissionError as error:
        raise StepFailedError(
            "rights",
            f"{path.name} may not be read by this account",
            "Let the account that writes the files create ones that its group may read (umask 007 "
            "or 027).",
        ) from error
    except DecompressionError as error:
        raise StepFailedError(
            "files",
            f"{path.name} cannot be decompressed: {error}",
            "The other files land; this one waits until it is whole, or is taken away.",
        ) from error


def _content(stream: BinaryIO, model: Model, name: str) -> _Content:
    damage = _damage_of(stream, model)
    stream.seek(0)
    framed = frame_file(stream, model, name=name)
    return _Content(framed.header, tuple(deque(framed.tickets, SHOWN_TICKETS)), damage)


def _damage_of(stream: BinaryIO, model: Model) -> str | None:
    """Return where a file that is one document breaks off, and why."""
    framing = model.framing
    if framing.kind == "elements":
        elements = ElementFile(stream, framing)
        elements.read_header()
        deque(elements.elements(), maxlen=0)
        return elements.damage
    if framing.kind == "items":
        with as_utf_8(stream, model.encoding) as (text, _):
            lists = ListFile(text, framing.list_path, maximum_bytes=framing.maximum_bytes)
            deque(lists.items(), maxlen=0)
            return lists.damage
    return None


def _described(model: Model, header: str | None) -> str:
    if header is None:
        return "holds tickets"
    if model.framing.kind == "elements":
        return f"holds elements within {header[:SHOWN_SIGNS]}"
    if model.framing.has_declared_head:
        return f"holds tickets below {_last_line(header)!r}"
    columns = header.count(",") + 1
    # An OXE gives each column its first and last place and its width.
    return f"names {columns // 4 if model.framing.kind == 'blocks' else columns} columns"


def _last_line(header: str) -> str:
    """Return the line right above the tickets, cut: titles may stand above the names of columns."""
    line = (header.splitlines() or [""])[-1]
    return line if len(line) <= SHOWN_SIGNS else line[:SHOWN_SIGNS] + "…"


def _require_header(path: Path, header: str | None) -> None:
    names = re.findall(r"[A-Za-z_]\w*", header or "")
    if header is None or not NAMES_LINE.match(header) or len(names) < 2:
        raise StepFailedError(
            "header",
            f"the first line of {path.name} names no columns: {(header or '')[:SHOWN_SIGNS]!r}",
            "The columns of a ticket are found by that line alone. Was the file cut or edited on "
            "its way? Send the PBX's files as they are (FTP in binary mode).",
        )
