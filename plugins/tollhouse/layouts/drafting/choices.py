"""What a draft proposes for the columns of the contract, with its reasons and doubts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tollhouse.layouts.drafting.guessing import Facts, facts_of
from tollhouse.layouts.drafting.shape import Shape
from tollhouse.layouts.drafting.words import roles_of

#: A name that holds a word among others speaks for a role; less says nothing.
ENOUGH_SCORE = 0.5


@dataclass(frozen=True)
class Code:
    """A code of a field, what it stands for, and what is known of it."""

    text: str
    meaning: str
    remark: str


@dataclass(frozen=True)
class Choice:
    """How a column is read by the draft.

    Attributes:
        reading: keys and values as a layout has them; texts, lists, mappings, or a list of codes.
        reason: what speaks for it.
        doubt: what a person should check; None where nothing speaks against it.
    """

    reading: dict[str, object]
    reason: str
    doubt: str | None = None


@dataclass
class Survey:
    """What is known of a sample, and what has been decided so far.

    Attributes:
        shape: of the sample.
        month_first: whether a month stands before its day where the values cannot tell.
        currency: of the country of the PBX.
        choices: by column of the contract.
        doubts: beside those of the choices.
        hints: by column that was not found, what was seen instead.
    """

    shape: Shape
    month_first: bool = False
    currency: str = "EUR"
    choices: dict[str, Choice] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    hints: dict[str, str] = field(default_factory=dict)

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        """What is known of each field."""
        return tuple(
            facts_of(sampled, month_first=self.month_first) for sampled in self.shape.fields
        )

    @cached_property
    def is_named(self) -> bool:
        """Whether the sample itself names its fields."""
        return any(sampled.title for sampled in self.shape.fields)

    def choose(
        self, column: str, reading: dict[str, object], reason: str, doubt: str | None = None
    ) -> None:
        """Decide how a column is read; texts that mean nothing are named."""
        names = _sources(reading)
        empty: list[str] = []
        for facts in self.facts:
            if facts.field.name in names:
                empty += facts.placeholders
                is_epoch = str(reading.get("format")).startswith("epoch")
                empty += ["0"] if is_epoch and "0" in facts.counts else []
        if empty:
            reading = {**reading, "empty_when": list(dict.fromkeys(empty))}
        self.choices[column] = Choice(reading, reason, doubt)

    def score(self, facts: Facts, *roles: str) -> float:
        """Return how much the name of a field speaks for one of several roles."""
        if not facts.field.title:
            return 0.0
        known = roles_of(facts.field.title)
        return max((known.get(role, 0.0) for role in roles), default=0.0)

    def best_named(
        self,
        role: str,
        holds: Callable[[Facts], bool] = lambda facts: bool(facts.filled),
        *,
        least: float = ENOUGH_SCORE,
        without: Sequence[Facts] = (),
        tie: Callable[[Facts], float] = lambda facts: float(len(facts.filled)),
    ) -> Facts | None:
        """Return the field whose name speaks most for a role, of those for which a test holds."""
        left_out = [facts.field.name for facts in without]
        scored = [
            (self.score(facts, role), tie(facts), facts)
            for facts in self.facts
            if facts.field.name not in left_out
            and self.score(facts, role) >= least
            and holds(facts)
        ]
        return max(scored, key=lambda item: item[:2])[2] if scored else None

    def used_names(self) -> set[str]:
        """Return the fields that some column reads."""
        return {name for choice in self.choices.values() for name in names_in(choice.reading)}

    def unused(self, holds: Callable[[Facts], bool]) -> list[Facts]:
        """Return the fields that no column reads, among those for which a test holds."""
        used = self.used_names()
        return [facts for facts in self.facts if facts.field.name not in used and holds(facts)]


def _sources(reading: dict[str, object]) -> set[str]:
    """Return the fields whose text a reading begins with."""
    return names_in({"from": reading["from"]}) if "from" in reading else set()


def names_in(value: object) -> set[str]:
    """Return the names of fields that a reading, or a part of one, reads."""
    names: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("from", "first_of", "minus", "field"):
                names |= {inner} if isinstance(inner, str) else set(inner)
            else:
                names |= names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            names |= names_in(inner)
    return names


def quoted(texts: Sequence[str], most: int = 3) -> str:
    """Return some texts, each between quotation marks."""
    more = " …" if len(texts) > most else ""
    return ", ".join(f'"{text}"' for text in texts[:most]) + more
