"""``tollhouse collector``: run the service that listens to PBXs, and ask it how it is."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from tollhouse.collector.health import health_port, read_health
from tollhouse.collector.service import run_collector
from tollhouse.settings import load_settings


def run() -> None:
    """Collect until SIGTERM; one log line per event, on standard error, never a ticket's text."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s %(message)s")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    run_collector(load_settings())


def status(*, as_json: bool = False) -> int:
    """Show the running collector's PBXs.

    Returns:
        The exit code: 0 when it answers and every PBX is connected, 1 otherwise.
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
        Console().print(_table(found))
    good = ("connected", "listening")
    return 0 if all(entry["state"] in good for entry in found.values()) else 1


def _table(found: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="Collector", title_justify="left")
    for heading in ("PBX", "State", "Peer", "Connected since", "Last ticket", "Detail"):
        table.add_column(heading, overflow="fold")
    for heading in ("Records", "Position", "Not landed"):
        table.add_column(heading, justify="right")
    for pbx_id, entry in sorted(found.items()):
        backlog = entry["backlog_bytes"]
        table.add_row(
            pbx_id,
            entry["state"] + (", silent" if entry["is_silent"] else ""),
            entry["peer"],
            entry["connected_since"] or "",
            entry["last_ticket_at"] or "never",
            entry["detail"],
            f"{entry['record_count']:,}",
            entry["position"],
            "unknown" if backlog is None else f"{backlog:,} bytes",
        )
    return table
