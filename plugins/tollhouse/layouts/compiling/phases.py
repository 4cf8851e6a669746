"""The steps between the fields of a ticket and its columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tollhouse.layouts.compiling.steps import Step, step_of

#: In this order; a phase in which nothing is computed is left out. What an expression reads was
#: computed in an earlier phase.
PHASES = {
    "texts": "What a column is read from, put together of its fields.",
    "cuts": "Times and numbers in the signs that PostgreSQL reads.",
    "clocks": "Times in the order of ISO 8601; hours, minutes and seconds as one number.",
    "readings": "Times, seconds and numbers; null where the text is none.",
    "codes": "What the codes of the layout stand for.",
    "durations": "What comes of several readings.",
    "outcome_texts": "",
    "outcome_cuts": "",
    "outcome_clocks": "",
    "outcome_readings": "",
    "outcome_codes": "",
    "reported": "",
    "outcomes": "How the call ended; a guess from its seconds where trunks do not tell (rule R9).",
    "late_texts": "What depends on the direction or the outcome.",
    "late_cuts": "",
    "late_clocks": "",
    "late_readings": "",
    "late_codes": "",
}


class Stage(NamedTuple):
    """The phases of a reading, which may have to wait for the direction or the outcome."""

    texts: str
    cuts: str
    clocks: str
    readings: str
    codes: str


FIRST = Stage("texts", "cuts", "clocks", "readings", "codes")
WITH_DIRECTION = Stage(*(f"outcome_{phase}" for phase in FIRST))
WITH_OUTCOME = Stage(*(f"late_{phase}" for phase in FIRST))


@dataclass
class Phases:
    """Columns by the phase in which they are computed."""

    columns: dict[str, dict[str, str]] = field(
        default_factory=lambda: {phase: {} for phase in PHASES}
    )

    def add(self, phase: str, column: str, expression: str) -> str:
        """Have a column computed and return its name; a bare column is not computed again."""
        if expression.isidentifier():
            return expression
        self.columns[phase][column] = expression
        return column

    def name(self, phase: str, column: str, expression: str) -> None:
        """Have a column computed under this very name."""
        self.columns[phase][column] = expression

    def steps(self) -> list[Step]:
        """Return the phases in which anything is computed."""
        steps: list[Step] = []
        source = "fields"
        for phase, columns in self.columns.items():
            if columns:
                steps.append(step_of(phase, source, columns, PHASES[phase]))
                source = phase
        return steps
