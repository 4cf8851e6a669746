"""The collector's health: a JSON page on loopback, for people, the demo and container checks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import urllib.request
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tollhouse.collector.segment import HEADER_BYTES, segment_numbers, segment_path
from tollhouse.collector.silence import is_silent
from tollhouse.collector.spool import SpoolError, read_landed
from tollhouse.collector.stream import PbxStream
from tollhouse.settings import Settings

DEFAULT_PORT = 17500
#: The rate is that of the last minutes, sampled so often.
RATE_SAMPLE_SECONDS = 10
RATE_SAMPLES = 30

#: What each state means to somebody who did not read the source; see ``status.State``.
STATES_IN_WORDS = {
    "starting": "being started",
    "no_connection": "no usable connection is configured",
    "misconfigured": "not tried: its entry or connection has to be corrected",
    "locked": "another collector has its spool",
    "connecting": "being dialled or logged into",
    "listening": "waiting for the PBX to connect",
    "connected": "connected",
    "retrying": "cannot be reached, tried again and again",
    "refused": "it answers and refuses to serve",
    "disk_full": "nothing is read: the disk of the spool is full",
    "failed": "failed, tried again",
    "stopped": "stopped",
}
WELL = ("connected", "listening")

logger = logging.getLogger(__name__)


def health_port(settings: Settings) -> int:
    """Return the port of the health page."""
    return settings.whole_number("TOLLHOUSE_COLLECTOR_PORT", DEFAULT_PORT, lowest=1, highest=65_535)


class PbxHealth:
    """How one PBX is, told from its stream and its spool."""

    def __init__(self, stream: PbxStream) -> None:
        self.stream = stream
        self._watched_since = datetime.now(UTC)
        #: Moments, by a clock that is never set, and the records by then.
        self._samples: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES + 1)

    def sample(self, now: datetime | None = None) -> None:
        """Note how many records there are by now."""
        now = now or datetime.now(UTC)
        status = self.stream.status
        # After the clock was set back, what lies ahead would keep a silence from showing.
        self._watched_since = min(self._watched_since, now)
        if status.last_ticket_at is not None:
            status.last_ticket_at = min(status.last_ticket_at, now)
        self._samples.append((time.monotonic(), self.stream.status.record_count))

    def describe(self, now: datetime | None = None) -> dict[str, Any]:
        """Return it ready for JSON.

        ``position`` is the end of what is on disk, in the form of IDLAST: when the last batch's
        IDLAST is that position and ``unsynced_bytes`` is 0, nothing is pending. ``alarms`` need
        somebody, ``notices`` are worth knowing; both are sentences.
        """
        now = now or datetime.now(UTC)
        pbx, status = self.stream.pbx, self.stream.status
        # A PBX that never said a word is silent since the collector started.
        heard_at = status.last_ticket_at or self._watched_since
        silent = is_silent(pbx, heard_at, now)
        told = asdict(status)
        told["position"] = f"{told.pop('segment')}:{told.pop('offset')}"
        return {
            **{name: _for_json(value) for name, value in told.items()},
            "model": pbx.model,
            "time_zone": pbx.time_zone,
            "state_in_words": STATES_IN_WORDS[status.state],
            "is_silent": silent,
            "silent_since": _for_json(heard_at) if silent else None,
            "tickets_per_minute": self.tickets_per_minute(),
            **self._spool_figures(),
            "alarms": self._alarms(heard_at if silent else None),
            "notices": self._notices(),
        }

    def tickets_per_minute(self) -> float:
        """Return the rate of the last minutes; a line that the PBX wraps counts as two."""
        if not self._samples:
            return 0.0
        started_at, count = self._samples[0]
        minutes = max(time.monotonic() - started_at, 1) / 60
        return round((self.stream.status.record_count - count) / minutes, 1)

    def _spool_figures(self) -> dict[str, int | None]:
        """Return what the spool's folder tells; one that cannot be read must not hide the others.

        Why it cannot be read is in the state, since the stream cannot write there either.
        """
        try:
            disk = os.statvfs(self.stream.folder)
            backlog = backlog_bytes(self.stream)
        except (OSError, SpoolError):
            return {"backlog_bytes": None, "disk_free_bytes": None}
        return {"backlog_bytes": backlog, "disk_free_bytes": disk.f_bavail * disk.f_frsize}

    def _alarms(self, silent_since: datetime | None) -> list[str]:
        status = self.stream.status
        alarms = []
        if status.state not in WELL:
            in_words = STATES_IN_WORDS[status.state]
            alarms.append(f"{in_words}: {status.detail}" if status.detail else in_words)
        if silent_since is not None:
            hours = self.stream.pbx.silent_after_hours
            alarms.append(
                f"silent since {_for_json(silent_since)}: more than {hours} busy hours without a "
                "ticket (silent_after_hours, busy_hours of the entry)"
            )
        return alarms

    def _notices(self) -> list[str]:
        status = self.stream.status
        counted = [
            (
                status.lost_ticket_count,
                f"tickets lost before they came here, by their numbers: {status.last_gap}",
            ),
            (status.refused_peer_count, f"connections refused; the last: {status.last_refusal}"),
            (
                status.full_count,
                "times as many connections were open as may be (max_connections): the next waited",
            ),
            (status.throttled_count, "times reading was held back, because tickets came too fast"),
            (status.overlong_count, "pieces of lines that are longer than the model allows"),
        ]
        return [f"{count:,} {text}" for count, text in counted if count]


def _for_json(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def backlog_bytes(stream: PbxStream) -> int | None:
    """Return how many bytes of the spool are not landed yet; None before the first extraction."""
    landed = read_landed(stream.folder)
    if landed is None:
        return None
    segment, offset = landed
    total = 0
    for number in segment_numbers(stream.folder):
        if number < segment or number > stream.status.segment:
            continue
        start = max(offset if number == segment else 0, HEADER_BYTES)
        if number == stream.status.segment:
            end = stream.status.offset
        else:
            try:
                end = segment_path(stream.folder, number).stat().st_size
            except FileNotFoundError:  # pruned just now, so it was landed
                continue
        total += max(0, end - start)
    return total


async def serve_health(streams: Iterable[PbxStream], port: int) -> asyncio.Server:
    """Answer ``GET /health`` on loopback.

    Raises:
        OSError: the port is taken.
    """
    watched = [PbxHealth(stream) for stream in streams]

    def page() -> bytes:
        return json.dumps({"pbxs": [health.describe() for health in watched]}).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                request = await reader.readline()
                if request.startswith((b"GET /health ", b"GET / ")):
                    # In a thread: a slow disk must not keep the collector from reading.
                    response = _response("200 OK", await asyncio.to_thread(page))
                else:
                    response = _response("404 Not Found", b"{}")
                writer.write(response)
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            # Whoever asks sees it; one that asks nonsense without end must not fill the log.
            logger.debug("health request not answered: %s", error)
        finally:
            writer.close()

    def sample_rates() -> None:
        for health in watched:
            health.sample()
        asyncio.get_running_loop().call_later(RATE_SAMPLE_SECONDS, sample_rates)

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    sample_rates()
    return server


def _response(status: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def read_health(
    settings: Settings, *, timeout_seconds: float = 5
) -> dict[str, dict[str, Any]] | None:
    """Ask a running collector how its PBXs are.

    Returns:
        By pbx id, what ``PbxHealth.describe`` says; None when no collector answers.
    """
    url = f"http://127.0.0.1:{health_port(settings)}/health"
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as response:
            pbxs = json.load(response)["pbxs"]
    except (OSError, ValueError, KeyError):
        return None
    return {entry["pbx_id"]: entry for entry in pbxs}
