"""IDLAST: up to where a PBX has been read. The only module that knows Airflow Variables.

The value is plain text that an operator can read and edit: the last id of a table, the place in the
spool (``segment:offset``), or the number of the last delivery of files. It is moved only after the
tickets are committed: a crash in between repeats work and loses nothing, and so does an operator
who sets it back. IDLAST and raw live in two databases, though, which can be restored apart: an
IDLAST that is ahead of raw would skip tickets, so it stops the run until somebody says which is
right.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import Settings

FILE_NAME = "idlast.json"
#: An operator writes this behind a value that is ahead of raw and meant so.
CONFIRMED = " confirmed"


class IdlastError(Exception):
    """IDLAST needs an operator: trying again changes nothing. The message says what to do."""


class Watermark(Protocol):
    """Where the IDLAST of one PBX is kept."""

    def get(self) -> str | None:
        """Return IDLAST, or None if the PBX was never read."""

    def set(self, value: str) -> None:
        """Move IDLAST."""


class VariableWatermark:
    """IDLAST in the Airflow Variable ``idlast__<pbx_id>``; for use inside a task."""

    def __init__(self, pbx: Pbx) -> None:
        self._name = pbx.idlast_variable

    def get(self) -> str | None:
        """Return the Variable, or None if there is none."""
        from airflow.sdk import Variable

        value = Variable.get(self._name, default=None)
        return None if value is None else str(value)

    def set(self, value: str) -> None:
        """Set the Variable."""
        from airflow.sdk import Variable

        Variable.set(
            self._name, value, description="How far this PBX is read; see its extract DAG."
        )


class FileWatermark:
    """IDLAST in ``var/idlast.json``: for pulls without Airflow."""

    def __init__(self, pbx: Pbx, settings: Settings) -> None:
        self._pbx_id = pbx.id
        self._path = settings.var / FILE_NAME

    def get(self) -> str | None:
        """Return the value in the file, or None if there is none."""
        return self._read(self._path).get(self._pbx_id)

    def set(self, value: str) -> None:
        """Write the file anew; the values of other PBXs stay."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            values = {**self._read(self._path), self._pbx_id: value}
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps(values, indent=2, sort_keys=True), encoding="utf-8")
            draft.replace(self._path)

    @staticmethod
    def _read(path: Path) -> dict[str, str]:
        if not path.exists():
            return {}
        return {str(key): str(value) for key, value in json.loads(path.read_text("utf-8")).items()}


@dataclass(frozen=True)
class LedgerEntry:
    """The last pull in ``raw.batches`` that moved IDLAST."""

    batch_id: int
    idlast_before: str | None
    idlast_after: str


def starting_point(
    pbx: Pbx,
    idlast: str | None,
    last: LedgerEntry | None,
    position: Callable[[str], tuple[int, ...]],
) -> str | None:
    """Return where a pull starts, after comparing IDLAST with the ledger.

    Args:
        pbx: whose IDLAST it is.
        idlast: as it is kept; None starts at the beginning.
        last: the last pull that the ledger knows.
        position: makes IDLAST comparable, as its transport does.

    Raises:
        IdlastError: IDLAST cannot be read, or is ahead of the ledger and nobody confirmed it.
    """
    if idlast is None:
        return None
    value = idlast.strip()
    is_confirmed = value.endswith(CONFIRMED)
    value = value.removesuffix(CONFIRMED).strip()
    try:
        here = position(value)
    except ValueError as error:
        raise IdlastError(
            f"{pbx.id}: the Variable {pbx.idlast_variable} holds {idlast!r}, which is no place in "
            f"its source: {error}. {_way_out(last, position)}"
        ) from error
    if is_confirmed or (last is not None and _is_up_to(here, last, position)):
        return value
    if last is not None and idlast == last.idlast_before:
        # The source began anew, so the last pull moved IDLAST back, and was killed before it could.
        return last.idlast_after
    if last is None and not any(here):
        return value
    raise IdlastError(_ahead(pbx, value, last))


def _is_up_to(
    here: tuple[int, ...], last: LedgerEntry, position: Callable[[str], tuple[int, ...]]
) -> bool:
    try:
        return here <= position(last.idlast_after)
    except ValueError:
        # The entry had another transport then.
        return False


def _way_out(last: LedgerEntry | None, position: Callable[[str], tuple[int, ...]]) -> str:
    """Return what to do about an IDLAST that is no place."""
    anew = "elete it to read everything again; nothing doubles."
    if last is None:
        return f"Set it to what it was, or d{anew}"
    try:
        position(last.idlast_after)
    except ValueError:
        return f"The entry had another transport before: d{anew}"
    return f"Set it to {last.idlast_after} to go on, or d{anew}"


def _ahead(pbx: Pbx, value: str, last: LedgerEntry | None) -> str:
    known = (
        f"the last pull in raw.batches (batch {last.batch_id}) ends at {last.idlast_after}"
        if last
        else "raw.batches knows no pull of this PBX"
    )
    way_back = (
        f"set {pbx.idlast_variable} to {last.idlast_after}"
        if last
        else f"delete {pbx.idlast_variable}"
    )
    return (
        f"{pbx.id}: IDLAST is ahead of raw: {pbx.idlast_variable} says {value}, but {known}. "
        "Nothing was read, because the tickets between the two would be skipped. Check whether the "
        "warehouse was restored from an older backup, or the Variable edited. "
        f"If raw is right, {way_back}: the next run reads from there and nothing doubles. "
        f"If IDLAST is right and those tickets are not wanted, set it to '{value}{CONFIRMED}'."
    )
