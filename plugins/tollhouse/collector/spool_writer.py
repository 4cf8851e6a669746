"""Writing the collector's spool: append, put on disk in groups, rotate, close.

What is appended goes to the operating system at once, so that a killed collector loses nothing; a
group of records is forced to disk together, so that a power cut loses the last group at most. A
file is only ever appended to. One process at a time may write to a spool: a file lock sees to it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tollhouse.collector.segment import (
    CLOSE,
    DATA,
    END,
    HEADER_BYTES,
    OPEN,
    PIECE,
    SYNC,
    SegmentHeader,
    pack_header,
    pack_peer,
    pack_record,
    segment_numbers,
    segment_path,
)
from tollhouse.collector.spool import (
    IDENTITY_FILE,
    LANDED_FILE,
    PRUNED_FILE,
    SpoolError,
    highest_connection,
    read_header,
    spool_identity,
)
from tollhouse.collector.spool_repair import close_torn_segment

LOCK_FILE = "spool.lock"

#: The last is a limit on the size of a file, which an operator can lift like a quota.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SpoolLockedError(SpoolError):
    """Another process writes to this spool: a PBX has exactly one collector."""


class SpoolFullError(SpoolError):
    """The disk of the spool is full; nothing of what was to be appended is in the spool."""


@dataclass(frozen=True)
class Rotation:
    """When a segment is closed and the next one opened, at the first append after it."""

    segment_bytes: int = 64 * 1024 * 1024
    segment_seconds: int = 24 * 3600


@dataclass
class _OpenConnection:
    """One connection that may still speak."""

    number: int
    peer: str
    shares_segment: bool
    next_ordinal: int = 0
    #: Whether the present segment says whose these records are.
    is_in_segment: bool = False
    #: The last record is a piece of a line that goes on in the next.
    is_within_line: bool = False


def now_us() -> int:
    """Return the present instant in microseconds since 1970."""
    return time.time_ns() // 1000


class SpoolWriter:
    """The spool of one PBX, locked and open for writing.

    Opening repairs the segment that a killed collector left open. A segment begins with the first
    record of a connection: a PBX that answers and says nothing makes no files.
    """

    def __init__(self, folder: Path, pbx_id: str, rotation: Rotation | None = None) -> None:
        self.folder = folder
        self.pbx_id = pbx_id
        self.rotation = rotation or Rotation()
        self.connection = 0
        self.segment = 0
        self.end_offset = 0
        self.synced_offset = 0
        self.data_end_offset = 0
        self._connections: dict[int, _OpenConnection] = {}
        self._opened_at_us = 0
        self._file: int | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._lock = _lock(folder)
        try:
            self.spool_id = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin_connection(self, peer: str, *, shares_segment: bool = False) -> int:
        """Start a connection and return its number.

        Its records go to a segment of their own, which ends the connection before it; or, for a PBX
        that opens several, to one segment with the records of those that share it too.
        """
        others = self._connections.values()
        if not (shares_segment and all(other.shares_segment for other in others)):
            self.end_connection()
        self.connection += 1
        self._connections[self.connection] = _OpenConnection(self.connection, peer, shares_segment)
        return self.connection

    def append(
        self,
        pieces: Iterable[tuple[bytes, int]],
        arrived_at_us: int,
        *,
        connection: int | None = None,
    ) -> int:
        """Append pieces of one connection, all or none; the operating system has them on return.

        Args:
            pieces: bytes as received, and flags of ``segment``.
            arrived_at_us: when they arrived, in microseconds since 1970.
            connection: whose they are; the connection that began last if not given.

        Returns:
            How many records were appended.

        Raises:
            SpoolFullError: the disk is full; the same pieces may be appended again later.
        """
        speaker = self._connections[self.connection if connection is None else connection]
        taken = list(pieces)
        if not taken:
            return 0
        if self._is_due_for_rotation():
            self._close_segment()
        if self._file is None:
            self._open_segment(speaker)
        packed = [
            pack_record(
                DATA,
                flags=flags,
                connection=speaker.number,
                ordinal=ordinal,
                arrived_at_us=arrived_at_us,
                data=data,
            )
            for ordinal, (data, flags) in enumerate(taken, start=speaker.next_ordinal)
        ]
        introduction = b"" if speaker.is_in_segment else self._introduction(speaker)
        self._write(introduction + b"".join(packed))
        self.data_end_offset = self.end_offset
        speaker.is_in_segment = True
        speaker.is_within_line = bool(taken[-1][1] & PIECE)
        speaker.next_ordinal += len(packed)
        return len(packed)

    def is_due_for_new_segment(self) -> bool:
        """Whether the next append opens a segment, which waits for the disk."""
        return self._file is None or self._is_due_for_rotation()

    def _is_due_for_rotation(self) -> bool:
        """Whether the next append closes the present segment.

        A line that came in pieces so far is not cut by a rotation, unless it has no end.
        """
        if self._file is None:
            return False
        segment_bytes = self.rotation.segment_bytes
        # A copy: another thread may begin a connection meanwhile.
        if any(connection.is_within_line for connection in tuple(self._connections.values())):
            return self.end_offset >= 2 * segment_bytes
        return (
            self.end_offset >= segment_bytes
            or now_us() - self._opened_at_us >= self.rotation.segment_seconds * 1_000_000
        )

    def flush_to_disk(self) -> None:
        """Force what was appended to disk; may run in another thread than the appends."""
        if self._file is not None:
            os.fdatasync(self._file)

    def mark_synced(self, offset: int) -> None:
        """Let readers see the segment up to ``offset``, its end of data before the last flush."""
        if self._file is None or offset <= self.synced_offset:
            return
        self._write(self._mark(SYNC, offset, connection=self.connection))
        self.synced_offset = offset

    def sync(self) -> None:
        """Force everything to disk and let readers see it."""
        offset = self.data_end_offset
        self.flush_to_disk()
        self.mark_synced(offset)

    @property
    def unsynced_bytes(self) -> int:
        """Bytes of the PBX's records that readers do not see yet."""
        return max(0, self.data_end_offset - self.synced_offset) if self._file is not None else 0

    def end_connection(self, connection: int | None = None) -> None:
        """End a connection: its segment is closed, or one that others share says so.

        Args:
            connection: which; all of them, and so the segment, if not given.
        """
        if connection is None:
            self._connections.clear()
            if self._file is not None:
                self._close_segment()
            return
        ended = self._connections.get(connection)
        if ended is None:
            return
        if not ended.shares_segment:
            self.end_connection()
            return
        del self._connections[connection]
        if ended.is_in_segment:
            # Without it a reader waits a little before it takes the last line for complete.
            with contextlib.suppress(SpoolFullError):
                self._write(self._mark(END, ended.next_ordinal, connection=connection))

    def close(self) -> None:
        """End the connection and give the lock back.

        On a full disk the footer may not fit: the next start of the collector writes it.
        """
        try:
            with contextlib.suppress(SpoolFullError):
                self.end_connection()
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            os.close(self._lock)

    def _open(self) -> uuid.UUID:
        for draft in self.folder.glob("*.draft"):
            draft.unlink()
        numbers = segment_numbers(self.folder)
        identity = spool_identity(self.folder)
        if not numbers:
            # Segments count from 1 again, so even a kept identity file would be another spool's.
            identity = uuid.uuid4()
            for note in (LANDED_FILE, PRUNED_FILE):
                (self.folder / note).unlink(missing_ok=True)
        elif identity is None:
            identity = read_header(self.folder, numbers[-1]).spool_id
        _write_durably(self.folder / IDENTITY_FILE, f"{identity}\n")
        for number in numbers:
            path = segment_path(self.folder, number)
            if highest_connection(path) is None:
                close_torn_segment(self.folder, number, self.pbx_id, identity)
            self.segment = number
            self.connection = max(self.connection, highest_connection(path) or 0)
        return identity

    def _open_segment(self, first_speaker: _OpenConnection) -> None:
        number = self.segment + 1
        opened_at_us = now_us()
        header = SegmentHeader(
            number=number,
            connection=first_speaker.number,
            opened_at_us=opened_at_us,
            first_ordinal=first_speaker.next_ordinal,
            spool_id=self.spool_id,
            pbx_id=self.pbx_id,
            peer=first_speaker.peer,
        )
        path = segment_path(self.folder, number)
        try:
            self._file = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640
            )
            self.end_offset = 0
            self._write(pack_header(header))
            _sync_folder(self.folder)
        except (OSError, SpoolError) as error:
            if self._file is not None:
                os.close(self._file)
                self._file = None
                path.unlink()
            if isinstance(error, OSError) and error.errno in _DISK_FULL:
                raise SpoolFullError(f"{path}: the disk is full.") from error
            raise
        self.segment = number
        self.synced_offset = HEADER_BYTES
        self.data_end_offset = HEADER_BYTES
        self._opened_at_us = opened_at_us
        for connection in tuple(self._connections.values()):
            # The header introduces a connection that has the segment for itself.
            connection.is_in_segment = not connection.shares_segment

    def _close_segment(self) -> None:
        """Put the segment on disk with its footer; after an error it stays open, to try again."""
        assert self._file is not None
        self.flush_to_disk()
        end_before = self.end_offset
        self._write(self._mark(CLOSE, 0, connection=self.connection))
        try:
            self.flush_to_disk()
        except OSError:
            os.ftruncate(self._file, end_before)
            self.end_offset = end_before
            raise
        os.close(self._file)
        self._file = None

    def _introduction(self, speaker: _OpenConnection) -> bytes:
        return self._mark(
            OPEN,
            speaker.next_ordinal,
            connection=speaker.number,
            data=pack_peer(speaker.peer),
        )

    def _mark(self, mark: int, ordinal: int, *, connection: int, data: bytes = b"") -> bytes:
        return pack_record(
            mark,
            flags=0,
            connection=connection,
            ordinal=ordinal,
            arrived_at_us=now_us(),
            data=data,
        )

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            # Half a record would hide what is appended after it.
            os.ftruncate(self._file, self.end_offset)
            if error.errno in _DISK_FULL:
                raise SpoolFullError(f"{self.folder}: the disk is full.") from error
            raise
        self.end_offset += len(data)


def _lock(folder: Path) -> int:
    """Take the lock of a spool; it is held until the file is closed or the process ends."""
    path = folder / LOCK_FILE
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(file, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(file)
        raise SpoolLockedError(
            f"{folder}: another collector (process {holder}) writes to this spool. A PBX has "
            "exactly one collector, or each would take a part of its tickets: stop one of the two."
        ) from error
    # Who holds it is for people only: on a full disk the lock holds without.
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
    return file


def _write_durably(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
