"""The collector's health: a JSON page on loopback, for people, the demo and container checks."""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tollhouse.collector.segment import HEADER_BYTES, segment_numbers, segment_path
from tollhouse.collector.spool import read_landed
from tollhouse.collector.stream import PbxStream
from tollhouse.settings import Settings

DEFAULT_PORT = 17500

logger = logging.getLogger(__name__)


def health_port(settings: Settings) -> int:
    """Return the port of the health page."""
    return int(settings.environment.get("TOLLHOUSE_COLLECTOR_PORT", DEFAULT_PORT))


def describe(stream: PbxStream) -> dict[str, Any]:
    """Return how one PBX is, ready for JSON.

    ``position`` is the end of what is on disk, in the form of IDLAST: when the last batch's IDLAST
    is that position and ``unsynced_bytes`` is 0, nothing is pending.
    """
    status = asdict(stream.status)
    position = f"{status.pop('segment')}:{status.pop('offset')}"
    silent_since = stream.status.last_ticket_at
    threshold = timedelta(hours=stream.pbx.silent_after_hours)
    return {
        **{
            name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
            for name, value in status.items()
        },
        "position": position,
        "is_silent": silent_since is not None and datetime.now(UTC) - silent_since > threshold,
        "backlog_bytes": backlog_bytes(stream),
    }


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
            end = segment_path(stream.folder, number).stat().st_size
        total += max(0, end - start)
    return total


async def serve_health(streams: Iterable[PbxStream], port: int) -> asyncio.Server:
    """Answer ``GET /health`` on loopback.

    Raises:
        OSError: the port is taken.
    """
    watched = list(streams)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                request = await reader.readline()
                found = request.startswith((b"GET /health ", b"GET / "))
                body = json.dumps(
                    {"pbxs": [describe(stream) for stream in watched]} if found else {}
                )
                writer.write(_response("200 OK" if found else "404 Not Found", body.encode()))
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            logger.warning("health request not answered: %s", error)
        finally:
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port)


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
        By pbx id, what ``describe`` says; None when no collector answers.
    """
    url = f"http://127.0.0.1:{health_port(settings)}/health"
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as response:
            pbxs = json.load(response)["pbxs"]
    except (OSError, ValueError, KeyError):
        return None
    return {entry["pbx_id"]: entry for entry in pbxs}
