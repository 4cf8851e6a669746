"""Times and sizes of the collector."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Times and sizes of the collector; tests shorten them."""

    #: Connecting, a TLS handshake and taking an answer may each last so long.
    connect_seconds: float = 20
    first_retry_seconds: float = 1
    longest_retry_seconds: float = 60
    #: Records are forced to disk in groups: this long after the first of the group.
    group_seconds: float = 0.1
    space_check_seconds: float = 1
    #: With less free space than this on the spool's disk, nothing more is read from the PBX.
    reserve_bytes: int = 256 * 1024 * 1024
    chunk_bytes: int = 65_536
    #: So many records at most are appended before the other PBXs have their turn.
    turn_records: int = 2_048
    #: After so long without a byte a dialogue is told of the pause.
    pause_seconds: float = 1
    #: On a quiet line the kernel asks this often whether the PBX is still there.
    keepalive_seconds: int = 60
    #: When asked to stop, the collector still takes what arrives within this time.
    farewell_seconds: float = 0.1
    #: When connections are all in use, the one that gave no ticket longest, and so long at least,
    #: makes room for a new one: some PBXs open one per ticket and leave the end to the collector.
    idle_seconds: float = 10
