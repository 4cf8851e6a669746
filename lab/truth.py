"""What the lab sent, ticket by ticket: the answer key that the pipeline is held against.

One file per pbx, ``lab/truth/<pbx_id>.jsonl`` below the runtime folder: a first line that says up
to when traffic was sent, then one line per ticket in the order the PBX wrote them. The file is
replaced as a whole, so a lab that was killed goes on where it stood, and a second run sends only
what is new.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class TicketTruth:
    """One ticket as sent and what it means.

    Attributes:
        call_id: the call of the traffic script that it tells of.
        source_call_id: the call identity that the PBX writes; legs of one call share it.
        state: what the contract must make of it: ticket, ignored, rejected or duplicate.
        started_at: as exactly as the ticket tells it, in UTC.
        ring_seconds: absent when the ticket does not tell.
        outside_number: the party outside as dialled in France, without any outside-line prefix.
        written_at: when the PBX wrote it.
        ticket: the ticket itself, as sent.
        line_number: the number of the line, of a carrier that knows lines and no extensions.
    """

    call_id: str
    source_call_id: str
    state: str
    direction: str
    outcome: str
    started_at: str
    ring_seconds: int | None
    talk_seconds: int
    extension: str
    outside_number: str
    destination: str
    account_code: str
    written_at: str
    ticket: str
    line_number: str = ""

    def beside(self, *, ticket: str) -> TicketTruth:
        """Return what is written next to this ticket and is none: kept and ignored."""
        return replace(
            self,
            source_call_id="",
            state="ignored",
            ring_seconds=None,
            talk_seconds=0,
            extension="",
            outside_number="",
            destination="",
            account_code="",
            ticket=ticket,
        )


@dataclass
class Ledger:
    """The truth file of one pbx.

    Attributes:
        seed: the seed of its traffic.
        since: traffic was sent from here ...
        until: ... to here.
        calls_sent: numbers the next call of the PBX.
    """

    path: Path
    seed: int
    since: datetime
    until: datetime
    calls_sent: int = 0
    tickets: list[TicketTruth] = field(default_factory=list)

    def add(self, tickets: Iterable[TicketTruth], *, call_count: int, until: datetime) -> None:
        """Write down what is sent next; the file holds all of it or none."""
        self.tickets += tickets
        self.calls_sent += call_count
        self.until = until
        head = {
            "seed": self.seed,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "calls_sent": self.calls_sent,
        }
        lines = [head, *(asdict(ticket) for ticket in self.tickets)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".draft")
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.path)


class LegCount(NamedTuple):
    """Some of the legs of a pbx."""

    legs: int
    talk_seconds: int


@dataclass(frozen=True)
class ExpectedCounts:
    """What the pipeline must find for one pbx; outgoing is what leaves by a trunk."""

    tickets: int
    tickets_by_state: dict[str, int]
    calls: int
    talk_seconds: int
    legs_by_direction: dict[str, LegCount]
    legs_by_extension: dict[str, LegCount]
    outgoing_answered: int
    outgoing_not_answered: int


def truth_file(var: Path, pbx_id: str) -> Path:
    """Where the truth of a pbx is kept."""
    return var / "lab" / "truth" / f"{pbx_id}.jsonl"


def open_ledger(var: Path, pbx_id: str, *, seed: int, since: datetime) -> Ledger:
    """Return the truth of a pbx as it stands, or a new one that starts at ``since``."""
    path = truth_file(var, pbx_id)
    if not path.exists():
        return Ledger(path=path, seed=seed, since=since, until=since)
    head, *tickets = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return Ledger(
        path=path,
        seed=head["seed"],
        since=datetime.fromisoformat(head["since"]),
        until=datetime.fromisoformat(head["until"]),
        calls_sent=head["calls_sent"],
        tickets=[TicketTruth(**ticket) for ticket in tickets],
    )


def read_truth(var: Path, pbx_id: str) -> list[TicketTruth]:
    """Return every ticket sent for a pbx; none when the lab never ran."""
    path = truth_file(var, pbx_id)
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [TicketTruth(**json.loads(line)) for line in lines]


def expected_counts(var: Path, pbx_id: str) -> ExpectedCounts:
    """Count what was sent for a pbx."""
    sent = read_truth(var, pbx_id)
    legs = [ticket for ticket in sent if ticket.state == "ticket"]
    # What comes in by one trunk and goes out by another is priced as well.
    outgoing = [leg for leg in legs if leg.direction in ("outgoing", "transit")]
    answered = sum(leg.talk_seconds > 0 for leg in outgoing)
    return ExpectedCounts(
        tickets=len(sent),
        tickets_by_state=dict(Counter(ticket.state for ticket in sent)),
        calls=len({leg.source_call_id for leg in legs}),
        talk_seconds=sum(leg.talk_seconds for leg in legs),
        legs_by_direction=_count_by(lambda leg: leg.direction, legs),
        legs_by_extension=_count_by(lambda leg: leg.extension, legs),
        outgoing_answered=answered,
        outgoing_not_answered=len(outgoing) - answered,
    )


def _count_by(
    group_of: Callable[[TicketTruth], str], legs: Iterable[TicketTruth]
) -> dict[str, LegCount]:
    talks: dict[str, list[int]] = defaultdict(list)
    for leg in legs:
        talks[group_of(leg)].append(leg.talk_seconds)
    return {group: LegCount(len(seconds), sum(seconds)) for group, seconds in talks.items()}
