"""What a check of a PBX found, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from tollhouse.collector.silence import is_silent
from tollhouse.framing import Ticket
from tollhouse.installed_pbxs import Pbx
from tollhouse.parsing import ParsedTicket

Outcome = Literal["ok", "warning", "failed"]

#: How many of the last tickets are shown.
SHOWN_TICKETS = 5


@dataclass(frozen=True)
class Step:
    """One step: what was tried, what was found, and what to do when that is not good."""

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class LastTickets:
    """The last tickets of a PBX, verbatim, and the line that names their columns, if any."""

    tickets: tuple[Ticket, ...] = ()
    header: str | None = None


@dataclass(frozen=True)
class Landed:
    """What raw has of a PBX already.

    Attributes:
        idlast: up to where it was read, by the ledger of pulls; None when that is not known.
        units: the deliveries and the size of each; None when the warehouse does not answer.
    """

    idlast: str | None = None
    units: dict[str, int | None] | None = None


class StepFailedError(Exception):
    """A step failed, so that the next ones cannot be tried."""

    def __init__(self, name: str, found: str, remedy: str) -> None:
        super().__init__(f"{name}: {found} {remedy}")
        self.step = Step(name, "failed", found, remedy)


@dataclass
class Report:
    """The steps of one check, handed on as they are known."""

    pbx_id: str
    show: Callable[[Step], None] = lambda step: None
    steps: list[Step] = field(default_factory=list)
    last: LastTickets = field(default_factory=LastTickets)
    parsed: list[ParsedTicket] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether no step failed."""
        return all(step.outcome != "failed" for step in self.steps)

    def add(self, step: Step) -> None:
        """Note a step and show it."""
        self.steps.append(step)
        self.show(step)

    def ok(self, name: str, found: str) -> None:
        """Note a step that went well."""
        self.add(Step(name, "ok", found))

    def warn(self, name: str, found: str, remedy: str) -> None:
        """Note something that works and that the operator should know about."""
        self.add(Step(name, "warning", found, remedy))


def age_step(pbx: Pbx, last_at: datetime, remedy: str) -> Step:
    """Return the step that says when the last ticket came and whether that is too long ago."""
    now = datetime.now(UTC)
    found = f"the last ticket is of {last_at:%Y-%m-%d %H:%M} UTC, {spoken(now - last_at)} ago"
    if is_silent(pbx, last_at, now):
        found += f" (silent_after_hours of the entry, in its busy_hours: {pbx.silent_after_hours})"
        return Step("last ticket", "failed", found, remedy)
    return Step("last ticket", "ok", found)


def spoken(age: timedelta) -> str:
    """Return an age as people say it."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} minutes"
    hours = minutes // 60
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
