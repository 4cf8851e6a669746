"""``tollhouse collector tail``: what a PBX says, as it says it, and how it is read.

For whoever sets a PBX up: make a call, look here. Nothing has to be landed for it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
from rich.console import Console
from rich.text import Text

from tollhouse.collector.following import SpoolFollower
from tollhouse.commands.pbx_check import in_words, printable
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx, load_pbxs
from tollhouse.layouts.trial import selects_of_model
from tollhouse.parsing import AssumedPbx, ParsedTicket, ParsingError, parse_tickets
from tollhouse.settings import Settings, SettingsError, load_settings
from tollhouse.warehouse import LOADER, WarehouseError, connect

POLL_SECONDS = 0.5
#: A database that does not answer is asked again no sooner than this.
RECONNECT_SECONDS = 15
STATE_STYLES = {"ticket": "green", "ignored": "yellow", "rejected": "bold red"}


class TailError(Exception):
    """There is nothing to follow; the message says why."""


def run(pbx_id: str, *, last: int = 10) -> None:
    """Print the last tickets of a PBX and then those that arrive, until Ctrl-C.

    Args:
        pbx_id: its id in include/pbx.yml.
        last: how many to begin with.

    Raises:
        TailError: no such PBX, or it is not the collector's.
    """
    settings = load_settings()
    pbx = _streaming_pbx(pbx_id, settings)
    console = Console(highlight=False, soft_wrap=True)
    follower = SpoolFollower(settings.spool / pbx.id, pbx.known_model)
    reading = _Reading(pbx, settings, console)
    with suppress(KeyboardInterrupt):
        _show(console, pbx, follower.last_tickets(last), reading)
        console.print(f"Waiting for tickets of {pbx.id}. Ctrl-C ends.", style="dim")
        while True:
            time.sleep(POLL_SECONDS)
            _show(console, pbx, follower.new_tickets(), reading)


class _Reading:
    """The staging SQL of the warehouse, as long as one answers."""

    def __init__(self, pbx: Pbx, settings: Settings, console: Console) -> None:
        self._pbx = pbx
        self._settings = settings
        self._console = console
        self._connection: psycopg.Connection | None = None
        self._next_attempt = 0.0
        self._told = ""

    def parse(self, tickets: list[Ticket]) -> list[ParsedTicket | None]:
        """Return each ticket as the pipeline reads it, or None when it cannot, which is said."""
        if not tickets or time.monotonic() < self._next_attempt:
            return [None] * len(tickets)
        try:
            if self._connection is None:
                self._connection = connect(LOADER, settings=self._settings, autocommit=True)
            selects = selects_of_model(self._pbx.model, self._pbx.settings)
            return list(parse_tickets(self._connection, self._assumed(), tickets, selects=selects))
        except (SettingsError, WarehouseError, ParsingError, psycopg.Error) as error:
            self._connection = None
            self._next_attempt = time.monotonic() + RECONNECT_SECONDS
            if str(error) != self._told:
                self._told = str(error)
                self._console.print(Text(f"Not parsed: {printable(str(error))}", style="yellow"))
            return [None] * len(tickets)

    def _assumed(self) -> AssumedPbx:
        return AssumedPbx(
            model=self._pbx.known_model,
            time_zone=self._pbx.time_zone,
            country=self._pbx.country,
            received_at=datetime.now(UTC),
            trunks=self._pbx.trunks,
            settings=self._pbx.settings,
        )


def _show(console: Console, pbx: Pbx, tickets: list[Ticket], reading: _Reading) -> None:
    """Print tickets as text, never as markup: what a PBX sends is not to be trusted."""
    for ticket, meaning in zip(tickets, reading.parse(tickets), strict=True):
        arrived_at = (ticket.received_at or datetime.now(UTC)).astimezone(ZoneInfo(pbx.time_zone))
        console.print(Text.assemble((f"{arrived_at:%H:%M:%S} ", "cyan"), printable(ticket.body)))
        if meaning is not None:
            words = printable(in_words(meaning.columns))
            console.print(Text(f"         {words}", style=STATE_STYLES[meaning.state]))


def _streaming_pbx(pbx_id: str, settings: Settings) -> Pbx:
    pbxs = {pbx.id: pbx for pbx in load_pbxs(settings.pbx_file)}
    streaming = sorted(pbx.id for pbx in pbxs.values() if pbx.transport == "spooled_stream")
    if pbx_id not in pbxs:
        raise TailError(
            f"{pbx_id!r} is no entry of {settings.pbx_file}; of the collector are: "
            f"{', '.join(streaming) or 'none'}."
        )
    if pbx_id not in streaming:
        raise TailError(
            f"{pbx_id} does not speak over TCP ({pbxs[pbx_id].transport}): "
            f"`tollhouse pbx check {pbx_id}` shows its last tickets."
        )
    return pbxs[pbx_id]
