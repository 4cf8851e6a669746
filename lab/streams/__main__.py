"""Play one PBX from the command line, or all of a configuration in this one process.

A configuration is a JSON list of objects with ``model``, ``port`` and ``feed``; its PBXs behave.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from threading import Thread

from lab.streams import StreamSimulator
from lab.streams.engines import Misbehaviour, prepare
from lab.streams.feed import Feed


def simulator_of(model_id: str) -> StreamSimulator:
    """Return the simulator that ``lab.<model_id>`` exposes."""
    simulator: StreamSimulator = importlib.import_module(f"lab.{model_id}").SIMULATOR
    return simulator


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m lab.streams", description="Simulated PBXs.")
    parser.add_argument("--config", type=Path, help="play all the PBXs of this file")
    parser.add_argument("--model")
    parser.add_argument("--port", type=int, help="of the PBX, or of the collector it dials")
    parser.add_argument("--feed", type=Path)
    parser.add_argument("--drop-after", type=int, default=0, metavar="TICKETS")
    parser.add_argument("--resend", type=int, default=0, metavar="TICKETS")
    parser.add_argument("--garbage-every", type=int, default=0, metavar="TICKETS")
    parser.add_argument("--slow", type=int, default=0, metavar="BYTES_PER_SECOND")
    parser.add_argument("--flood", type=int, default=0, metavar="TICKETS")
    arguments = parser.parse_args()
    if arguments.config:
        entries = json.loads(arguments.config.read_text(encoding="utf-8"))
        services = [
            prepare(
                simulator_of(entry["model"]),
                entry["port"],
                Feed(Path(entry["feed"])),
                Misbehaviour(),
            )
            for entry in entries
        ]
    elif arguments.model and arguments.port and arguments.feed:
        faults = Misbehaviour(
            drop_after=arguments.drop_after,
            resend=arguments.resend,
            garbage_every=arguments.garbage_every,
            bytes_per_second=arguments.slow,
            flood=arguments.flood,
        )
        simulator = simulator_of(arguments.model)
        services = [prepare(simulator, arguments.port, Feed(arguments.feed), faults)]
    else:
        parser.error("name a --config, or --model, --port and --feed")
    # A thread each: a PBX that waits for its client to read must not silence the others.
    for service in services:
        Thread(target=service).start()


if __name__ == "__main__":
    main()
