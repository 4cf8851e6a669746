"""The spool of one PBX as its connections use it: append, wait for room, force to disk in groups.

Whatever blocks on the disk runs in a thread, so that one PBX's full segment never holds up the
others.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tollhouse.collector.lines import Piece
from tollhouse.collector.pace import Pace
from tollhouse.collector.segment import PIECE
from tollhouse.collector.serials import SerialWatch
from tollhouse.collector.spool_writer import SpoolFullError, SpoolWriter, now_us
from tollhouse.collector.status import StreamStatus

#: Gaps in a PBX's numbering are logged this often; the status counts all of them.
GAP_LOG_SECONDS = 60

logger = logging.getLogger(__name__)


class SpoolFeed:
    """The writing end of one PBX's spool, shared by its connections."""

    def __init__(
        self, spool: SpoolWriter, status: StreamStatus, pace: Pace, serials: SerialWatch | None
    ) -> None:
        self._spool = spool
        self._status = status
        self._pace = pace
        self._serials = serials
        self._has_appended = asyncio.Event()
        #: Held while a record is written.
        self._writing = asyncio.Lock()
        #: Held while the segment's file is flushed, closed or replaced.
        self._file_in_use = asyncio.Lock()
        self._next_space_check = 0.0
        self._next_gap_log = 0.0
        #: Connections that end without closing the segment.
        self._sharing: set[int] = set()

    def begin(self, peer: str, *, shares_segment: bool) -> int:
        """Start a connection and return its number; see ``SpoolWriter.begin_connection``."""
        number = self._spool.begin_connection(peer, shares_segment=shares_segment)
        if shares_segment:
            self._sharing.add(number)
        return number

    async def append(self, connection: int, pieces: list[Piece]) -> None:
        """Move pieces to the spool; while the disk is full, wait.

        Args:
            connection: whose they are.
            pieces: emptied as far as they are in the spool, also when this call is cancelled.
        """
        while pieces:
            try:
                await self._append_group(connection, pieces)
            except SpoolFullError as error:
                self._note_full_disk(str(error))
                await asyncio.sleep(self._pace.space_check_seconds)
                continue
            self._note_space()
            # The other PBXs have their turn.
            await asyncio.sleep(0)

    async def end(self, connection: int, pieces: list[Piece]) -> None:
        """End a connection with the last of what was read; on a full disk that is lost."""
        try:
            while pieces:
                await self._append_group(connection, pieces)
            if connection in self._sharing:
                self._sharing.remove(connection)
                async with self._writing:
                    self._spool.end_connection(connection)
                return
            async with self._file_in_use, self._writing:
                await _in_thread(lambda: self._spool.end_connection(connection))
                self._note_synced(self._spool.data_end_offset)
        except SpoolFullError as error:
            lost_bytes = sum(len(data) for data, _ in pieces)
            logger.error("%s: %s %d bytes read are lost", self._status.pbx_id, error, lost_bytes)

    async def keep_on_disk_during(self, collecting: Coroutine[Any, Any, None]) -> None:
        """Run what collects, and force records to disk beside it; either's error ends both."""
        serving = asyncio.create_task(collecting)
        syncing = asyncio.create_task(self._force_to_disk_in_groups())
        try:
            await asyncio.wait([serving, syncing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            await asyncio.wait([serving])
            syncing.cancel()
            await asyncio.wait([syncing])
        for task in (syncing, serving):
            if not task.cancelled():
                await task

    async def _force_to_disk_in_groups(self) -> None:
        """Force records to disk, a group at a time, until cancelled; a disk that fails ends it."""
        while True:
            await self._has_appended.wait()
            await asyncio.sleep(self._pace.group_seconds)
            self._has_appended.clear()
            async with self._file_in_use:
                offset = self._spool.data_end_offset
                await _in_thread(self._spool.flush_to_disk)
                try:
                    async with self._writing:
                        self._spool.mark_synced(offset)
                except SpoolFullError:
                    self._has_appended.set()  # the mark did not fit: the next round writes it
                self._note_synced(offset)

    async def wait_for_space(self) -> None:
        """Return at once while the disk has room; otherwise when it has again."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_space_check:
            return
        while (free := _free_bytes(self._spool.folder)) < self._pace.reserve_bytes:
            self._note_full_disk(
                f"{free // 2**20} MiB are free on the spool's disk, less than the reserve of "
                f"{self._pace.reserve_bytes // 2**20} MiB: nothing is read from the PBX"
            )
            await asyncio.sleep(self._pace.space_check_seconds)
        self._note_space()
        self._next_space_check = loop.time() + self._pace.space_check_seconds

    async def _append_group(self, connection: int, pieces: list[Piece]) -> None:
        group = pieces[: self._pace.turn_records]
        arrived_at_us = now_us()

        def append() -> None:
            self._spool.append(group, arrived_at_us, connection=connection)
            del pieces[: len(group)]

        count_before = len(pieces)
        try:
            async with self._writing:
                opens_segment = self._spool.is_due_for_new_segment()
                if not opens_segment:
                    append()
            if opens_segment:
                async with self._file_in_use, self._writing:
                    await _in_thread(append)
        finally:
            if len(pieces) < count_before:  # also when this was cancelled while the thread wrote
                self._note_appended(group)

    def _note_appended(self, group: list[Piece]) -> None:
        status = self._status
        status.record_count += len(group)
        status.byte_count += sum([len(data) for data, _ in group])
        status.overlong_count += sum([flags & PIECE for _, flags in group]) // PIECE
        status.last_ticket_at = datetime.now(UTC)
        status.unsynced_bytes = self._spool.unsynced_bytes
        self._has_appended.set()
        if self._serials is not None:
            told = self._serials.watch(group)
            status.lost_ticket_count = self._serials.lost_count
            if told:
                self._note_gap(told[-1], status.last_ticket_at)

    def _note_gap(self, told: str, noticed_at: datetime) -> None:
        self._status.last_gap = f"{told} ({noticed_at:%Y-%m-%d %H:%M:%S} UTC)"
        now = asyncio.get_running_loop().time()
        # Garbage that looks like tickets has a gap in every line.
        if now >= self._next_gap_log:
            self._next_gap_log = now + GAP_LOG_SECONDS
            logger.warning(
                "%s: %s; %d lost since the collector started",
                self._status.pbx_id,
                told,
                self._status.lost_ticket_count,
            )

    def _note_synced(self, offset: int) -> None:
        if self._spool.segment and offset:
            self._status.segment = self._spool.segment
            self._status.offset = offset
        self._status.unsynced_bytes = self._spool.unsynced_bytes

    def _note_full_disk(self, detail: str) -> None:
        if self._status.state != "disk_full":
            logger.error("%s: %s", self._status.pbx_id, detail)
        self._status.state = "disk_full"
        self._status.detail = detail

    def _note_space(self) -> None:
        if self._status.state == "disk_full":
            logger.warning("%s: the disk has room again, reading goes on", self._status.pbx_id)
            self._status.state = "connected"
            self._status.detail = ""


async def _in_thread(work: Callable[[], None]) -> None:
    """Do blocking work in a thread; a caller that is cancelled still waits for its end."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
