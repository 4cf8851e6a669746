"""``tollhouse collector``: run the service that listens to PBXs, and ask it how it is."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box, filesize
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollhouse.collector.health import health_port, read_health
from tollhouse.collector.service import run_collector
from tollhouse.commands.pbx_check import printable
from tollhouse.settings import load_settings

#: Nine columns are readable from this width of the window on; below it the chief ones are shown.
WIDE_COLUMNS = 160
#: A long pbx id is folded before the words of its state are.
STATE_COLUMNS = 18


def run() -> None:
    """Collect until SIGTERM; one log line per event, on standard error, never a ticket's text."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s %(message)s")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    run_collector(load_settings())


def status(*, as_json: bool = False) -> int:
    """Show the running collector's PBXs, and below them what needs somebody.

    Returns:
        The exit code: 0 when a collector answers and no PBX is in alarm, 1 otherwise. Notices (lost
        tickets, refused peers) do not change it: they are counts since the collector started.
    """
    settings = load_settings()
    found = read_health(settings)
    if found is None:
        sys.stderr.write(
            f"No collector answers on 127.0.0.1:{health_port(settings)}. `make up` starts it, or "
            "`tollhouse collector run`.\n"
        )
        return 1
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        console = Console()
        is_wide = console.width >= WIDE_COLUMNS
        console.print(_wide_table(found) if is_wide else _narrow_table(found))
        for line in _remarks(found):
            console.print(line)
    return 1 if any(entry["alarms"] for entry in found.values()) else 0


def _wide_table(found: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="Collector", title_justify="left")
    for heading in ("PBX", "State", "Peer", "Connected since", "Last ticket"):
        table.add_column(heading, overflow="fold")
    for heading in ("Per minute", "Records", "Not landed", "Disk free"):
        table.add_column(heading, justify="right")
    for pbx_id, entry in sorted(found.items()):
        table.add_row(
            pbx_id,
            _state(entry),
            Text(_peer(entry)),
            _local_time(entry, "connected_since") or "",
            _local_time(entry, "last_ticket_at") or "never",
            f"{entry['tickets_per_minute']:,.1f}",
            f"{entry['record_count']:,}",
            _size(entry["backlog_bytes"]),
            _size(entry["disk_free_bytes"]),
        )
    return table


def _narrow_table(found: dict[str, dict[str, Any]]) -> Table:
    """Return what is looked at first; columns squeezed to a few letters can be read by nobody."""
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=f"Peer, times and sizes in full: at {WIDE_COLUMNS} columns, or with --json.",
        caption_justify="left",
    )
    table.add_column("PBX", overflow="fold")
    table.add_column("State", min_width=STATE_COLUMNS)
    table.add_column("Last ticket", no_wrap=True)
    table.add_column("Per minute", justify="right", no_wrap=True)
    table.add_column("Not landed", justify="right", no_wrap=True)
    for pbx_id, entry in sorted(found.items()):
        table.add_row(
            pbx_id,
            _state(entry),
            (_local_time(entry, "last_ticket_at") or "never").rpartition(":")[0] or "never",
            f"{entry['tickets_per_minute']:,.1f}",
            _size(entry["backlog_bytes"]),
        )
    return table


def _state(entry: dict[str, Any]) -> Text:
    return Text(entry["state_in_words"], style="red" if entry["alarms"] else "green")


def _remarks(found: dict[str, dict[str, Any]]) -> Iterator[Text]:
    for pbx_id, entry in sorted(found.items()):
        for alarm in entry["alarms"]:
            yield Text.assemble((f"{pbx_id} ", "bold"), ("alarm: ", "bold red"), printable(alarm))
        for notice in entry["notices"]:
            yield Text.assemble((f"{pbx_id} ", "bold"), ("notice: ", "yellow"), printable(notice))


def _peer(entry: dict[str, Any]) -> str:
    """Return the peer of the connection that began last, and how many others are open."""
    others = entry["connection_count"] - 1
    return printable(entry["peer"]) + (f" and {others} more" if others > 0 else "")


def _local_time(entry: dict[str, Any], key: str) -> str | None:
    """Return an instant by the clock on the wall beside the PBX."""
    if entry[key] is None:
        return None
    instant = datetime.fromisoformat(entry[key]).astimezone(ZoneInfo(entry["time_zone"]))
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "unknown"
    return str(filesize.decimal(size_bytes))
