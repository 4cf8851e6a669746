"""Names on another machine are data: which of them may become the name of a file here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from tollhouse.transports.remote_files.folder import Kind, RemoteFile

#: Files that are not whole lie in this folder beside the others.
PARTIAL_FOLDER = ".partial"
#: File systems hold names of 255 bytes; some room is left for what is put behind them.
LONGEST_NAME_BYTES = 200

NO_FILE: dict[Kind, str] = {
    "link": "it is a link",
    "other": "it is no plain file",
    "unmeasured": "the server does not say how long it is",
}


def refusal(file: RemoteFile) -> str | None:
    """Return why a file is not fetched; None if it may be."""
    name = file.name
    if "/" in name or "\\" in name or name in ("", ".", "..", PARTIAL_FOLDER):
        return "its name would lead elsewhere"
    if not name.isprintable():
        return "its name holds characters that cannot be printed"
    if len(name.encode()) > LONGEST_NAME_BYTES:
        return f"its name has more than {LONGEST_NAME_BYTES} bytes"
    return NO_FILE.get(file.kind)


def clashing(files: Iterable[RemoteFile]) -> dict[str, str]:
    """Return the names that differ from an earlier one by case or accents' form alone, and that.

    Where this machine's disk does not tell them apart one file would overwrite the other.
    """
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for name in sorted({file.name for file in files}):
        alike = unicodedata.normalize("NFC", name).casefold()
        if first.setdefault(alike, name) != name:
            found[name] = first[alike]
    return found
