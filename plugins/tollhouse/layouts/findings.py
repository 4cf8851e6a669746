"""What a layout makes of files: counts, what was rejected and why, what it leaves out, totals.

Gathered ticket by ticket in bounded memory, so that a file of a year can be tried out.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.readings import TimeReading
from tollhouse.parsing import ParsedTicket

#: Of each reason, each field and so on so many examples are kept.
MOST_EXAMPLES = 3
MOST_REASONS = 50
#: No PBX has tickets from before; a clock that was never set begins there or earlier.
OLDEST_YEAR = 2000
#: What a spreadsheet makes of a long number.
SPREADSHEET_NUMBER = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Example:
    """A ticket as it came.

    Attributes:
        file: that it is in.
        number: which ticket of the file, from 1.
        ordinal: its place in the file, as framing counts it.
        text: what stands in the field that it is an example for, if it is known.
        body: the ticket verbatim.
    """

    file: str
    number: int
    ordinal: int
    text: str | None
    body: str


@dataclass
class Refusal:
    """Tickets that are rejected, or ignored, for one reason and because of one field."""

    reason: str
    field: str | None
    count: int = 0
    examples: list[Example] = dataclasses.field(default_factory=list)


@dataclass
class Totals:
    """Sums over the parsed tickets, to hold against what the source says of itself."""

    tickets: int = 0
    talk_seconds: int = 0
    talking: int = 0
    charges: dict[str, Decimal] = dataclasses.field(default_factory=dict)
    charged: int = 0
    first_start: datetime | None = None
    last_start: datetime | None = None
    directions: Counter[str] = dataclasses.field(default_factory=Counter)
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)


class Findings:
    """What was found while tickets were read by a layout."""

    def __init__(self, layout: Layout, *, received_at: datetime, shown_tickets: int = 10) -> None:
        """Begin with nothing.

        Args:
            layout: that reads.
            received_at: when the tickets are taken to have come: none began later.
            shown_tickets: so many of each file are kept to be shown.
        """
        self.layout = layout
        self.files: dict[str, Counter[str]] = {}
        self.refusals: dict[tuple[str, str, str | None], Refusal] = {}
        self.shown: list[ParsedTicket] = []
        self.unmapped: dict[str, list[str]] = {}
        self.totals = Totals()
        self._received_at = received_at
        self._shown_tickets = shown_tickets
        self._read = set(layout.fields_read())
        self._too_late = 0
        self._too_early = 0
        self._by_spreadsheet = 0

    def add_file(self, file: str) -> None:
        """Begin with a file, which may have no ticket."""
        self.files[file] = Counter()

    def add(self, file: str, ticket: ParsedTicket) -> None:
        """Take a ticket of a file into account."""
        states = self.files[file]
        states[ticket.state] += 1
        number = states.total()
        self._add_fields(ticket)
        if ticket.state != "ticket":
            self._refuse(file, number, ticket)
            return
        if states["ticket"] <= self._shown_tickets:
            self.shown.append(ticket)
        self._add_up(ticket)

    def refused(self, state: str) -> list[Refusal]:
        """Return why tickets are in a state, the most frequent reason first."""
        found = [refusal for (kind, *_), refusal in self.refusals.items() if kind == state]
        return sorted(found, key=lambda refusal: (-refusal.count, refusal.reason))

    def count(self, state: str) -> int:
        """Return how many tickets of all files are in a state."""
        return sum(states[state] for states in self.files.values())

    def names_new_field(self, name: str) -> bool:
        """Whether a field is named by a file's header and by nothing in the layout."""
        return bool(self.layout.tickets.named_fields) and name not in self.layout.field_names

    def warnings(self) -> Iterator[str]:
        """Yield what a person should look at though nothing was rejected."""
        totals = self.totals
        if totals.tickets:
            yield from self._warnings_of_columns()
        elif not self.count("rejected"):
            yield "There is no ticket in it."
        if self._too_late:
            yield (
                f"{self._too_late} tickets start after they came: is it the right zone, the right "
                "order of day and month?"
            )
        if self._too_early:
            yield f"{self._too_early} tickets start before {OLDEST_YEAR}: is the year where it is?"
        if self._by_spreadsheet:
            yield (
                f"{self._by_spreadsheet} tickets have numbers such as 3.3199E+10: a spreadsheet "
                "saved this file and lost their digits; use the file as the source wrote it."
            )

    def _warnings_of_columns(self) -> Iterator[str]:
        totals = self.totals
        if totals.directions["unknown"] == totals.tickets:
            yield (
                "No ticket has a direction: all are unknown, and calls of unknown direction have "
                "no price."
            )
        if not totals.talking:
            yield "Nobody talks in any ticket: is talk_seconds the right field and format?"
        if self.layout.columns.pbx_charge_amount is not None and not any(totals.charges.values()):
            yield "All charges are 0 or empty: is pbx_charge_amount the right field?"

    def _add_fields(self, ticket: ParsedTicket) -> None:
        for name, text in (ticket.fields or {}).items():
            if name in self._read:
                continue
            examples = self.unmapped.setdefault(name, [])
            if text and len(examples) < MOST_EXAMPLES and text not in examples:
                examples.append(text)

    def _refuse(self, file: str, number: int, ticket: ParsedTicket) -> None:
        reason, name = ticket.columns["state_reason"], ticket.columns["state_field"]
        key = (ticket.state, reason, name)
        if key not in self.refusals and len(self.refusals) >= MOST_REASONS:
            key = (ticket.state, "other", None)
        refusal = self.refusals.setdefault(key, Refusal(key[1], key[2]))
        refusal.count += 1
        if len(refusal.examples) < MOST_EXAMPLES:
            text = self._text(reason, name, ticket.fields or {})
            refusal.examples.append(Example(file, number, ticket.ordinal, text, ticket.body))

    def _text(self, reason: str, name: str | None, fields: Mapping[str, str | None]) -> str | None:
        """Return what stands in the field at fault, and of an instant in all that it is read from.

        The first of its fields names an instant's fault, whichever of them is wrong.
        """
        if reason in ("no_such_time", "missing"):
            for reading in self.layout.columns.given().values():
                if isinstance(reading, TimeReading) and reading.from_[:1] == (name,):
                    return reading.join.join(fields.get(part) or "" for part in reading.from_)
        return fields.get(name) if name else None

    def _add_up(self, ticket: ParsedTicket) -> None:
        columns, totals = ticket.columns, self.totals
        totals.tickets += 1
        totals.talk_seconds += columns["talk_seconds"] or 0
        totals.talking += bool(columns["talk_seconds"])
        totals.directions[columns["direction"]] += 1
        totals.outcomes[columns["outcome"]] += 1
        if columns["pbx_charge_amount"] is not None:
            currency = columns["pbx_charge_currency"] or "?"
            charge = Decimal(columns["pbx_charge_amount"])
            totals.charges[currency] = totals.charges.get(currency, Decimal(0)) + charge
            totals.charged += 1
        started_at = datetime.fromisoformat(columns["started_at"]).astimezone(UTC)
        totals.first_start = min(totals.first_start or started_at, started_at)
        totals.last_start = max(totals.last_start or started_at, started_at)
        self._too_late += started_at > self._received_at
        self._too_early += started_at.year < OLDEST_YEAR
        self._by_spreadsheet += any(
            SPREADSHEET_NUMBER.fullmatch(columns[name] or "")
            for name in ("caller_number", "called_number")
        )
