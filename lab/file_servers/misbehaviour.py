"""What a simulated file server does wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 14


class CutError(Exception):
    """The connection is to be cut here."""


@dataclass
class Misbehaviour:
    """Switches; a server that has none of them set behaves. A test may change them at any time.

    Attributes:
        cut_after_bytes: a transfer is cut when so many bytes of it were sent ...
        cuts: ... so many times; None for always.
        bytes_per_second: files are sent that slowly.
        wrong_size_bytes: listings say that files are so much longer.
        strange_names: entries that listings show and that are not there.
        denied_names: files that are listed and may not be read.
        refuses_passive: FTP without PASV.
        refuses_active: FTP that never connects back, as behind a firewall.
        blocks_passive: FTP whose data port nobody answers on.
        announced_host: the address that PASV tells, as from behind NAT.
        lists_for_people: FTP without MLSD, or a web page that rounds.
        tells_no_files: FTP without SIZE and MDTM; a web server without HEAD and Last-Modified.
        refuses_resume: files are given from their beginning only.
        is_read_only: nothing may be renamed or deleted (SFTP).
        sent_bytes: how much was sent of files so far.
        before_transfer: called with the file that is about to be sent.
        before_look: called with the file that is about to be told of (SFTP).
        before_listing: called with the folder that is about to be listed (SFTP).
    """

    cut_after_bytes: int | None = None
    cuts: int | None = None
    bytes_per_second: int | None = None
    wrong_size_bytes: int = 0
    strange_names: tuple[str, ...] = ()
    denied_names: tuple[str, ...] = ()
    refuses_passive: bool = False
    refuses_active: bool = False
    blocks_passive: bool = False
    announced_host: str = ""
    lists_for_people: bool = False
    tells_no_files: bool = False
    refuses_resume: bool = False
    is_read_only: bool = False
    sent_bytes: int = 0
    before_transfer: Callable[[Path], None] = field(default=lambda path: None, repr=False)
    before_look: Callable[[Path], None] = field(default=lambda path: None, repr=False)
    before_listing: Callable[[Path], None] = field(default=lambda path: None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def blocks(self, file: BinaryIO, limit: int | None = None) -> Iterator[bytes]:
        """Yield the content of a file as this server sends it.

        Raises:
            CutError: the connection is to be cut.
        """
        sent = 0
        while limit is None or sent < limit:
            wanted = BLOCK_BYTES if limit is None else min(BLOCK_BYTES, limit - sent)
            block = file.read(wanted)
            if not block:
                return
            is_cut = self.is_cut(sent + len(block))
            if is_cut:
                block = block[: max((self.cut_after_bytes or 0) - sent, 0)]
            if self.bytes_per_second:
                time.sleep(len(block) / self.bytes_per_second)
            self.count(len(block))
            sent += len(block)
            yield block
            if is_cut:
                raise CutError

    def is_cut(self, sent: int) -> bool:
        """Whether a transfer is cut that has come so far; counts the cut."""
        if self.cut_after_bytes is None or sent <= self.cut_after_bytes:
            return False
        with self._lock:
            if self.cuts is None:
                return True
            self.cuts -= 1
            return self.cuts >= 0

    def count(self, sent: int) -> None:
        """Count what was sent."""
        with self._lock:
            self.sent_bytes += sent
