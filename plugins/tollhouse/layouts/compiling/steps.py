"""What a kind of tickets gives: the steps (CTEs) that turn a ticket into fields, and its faults.

A module of this package that knows a kind has one function::

    def field_steps(tickets: DelimitedTickets, columns: Mapping[str, str]) -> FieldSteps: ...

``columns`` says which fields are wanted and what their columns are called: ``{"Date": "f1"}``.
Fields that are not in it are not computed. The steps begin with one that reads from ``tickets``
and end with one called ``fields``; each passes on all that it is given (``select *, ...``). A field
is its text, trimmed, and null when nothing is left.

``tickets`` has the columns ticket_id, pbx_id, model, delivery_id, ordinal, batch_id, received_at,
header (of the delivery, or null), body, time_zone and answer_threshold_seconds. Columns that a kind
adds for itself must be none of the contract, and not begin with the name of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

from tollhouse.layouts.compiling.literal import literal

INDENT = "    "
COMPUTED_ONCE = "{{ computed_once() }}\n"


@dataclass(frozen=True)
class Step:
    """A CTE.

    Attributes:
        name: what it holds.
        query: its select, not indented.
        comment: a line about it; never a text of a layout.
    """

    name: str
    query: str
    comment: str = ""

    def __str__(self) -> str:
        """As it stands behind ``with``."""
        comment = f"-- {self.comment}\n" if self.comment else ""
        return f"{comment}{self.name} as (\n{indent(self.query, INDENT)}\n)"


@dataclass(frozen=True)
class Fault:
    """Why a ticket is none.

    Attributes:
        condition: SQL over the columns of the last step.
        reason: the state_reason.
        field: the state_field: a field of the layout, or ``layout`` for the whole.
    """

    condition: str
    reason: str
    field: str = ""

    def __str__(self) -> str:
        """A branch of the case that finds the first fault of a ticket."""
        return f"when {self.condition}\n{INDENT}then {literal(f'{self.reason}:{self.field}')}"


@dataclass(frozen=True)
class FieldSteps:
    """How tickets of a kind become fields.

    Attributes:
        steps: from the step that reads ``tickets`` to the step ``fields``.
        faults: why a ticket cannot be taken apart, the first that holds counts.
        ignored: what means nothing by itself, such as a header that is repeated.
        line: the column that has the whole line, of kinds that have lines.
        all_fields: SQL of all fields as jsonb, by name, where ``columns`` cannot list them.
    """

    steps: tuple[Step, ...]
    faults: tuple[Fault, ...] = ()
    ignored: tuple[Fault, ...] = ()
    line: str | None = None
    all_fields: str | None = None


def step_of(name: str, source: str, columns: dict[str, str], *, comment: str = "") -> Step:
    """Return a step that adds columns to all of another, computed once a row.

    Args:
        name: of the step.
        source: the step before.
        columns: what is added: name and expression; a column of its own name is not added.
    """
    added = "".join(f",\n{aliased(expression, column)}" for column, expression in columns.items())
    query = f"{COMPUTED_ONCE}select\n    *{indent(added, INDENT).lstrip()}\nfrom {source}"
    return Step(name, query, comment)


def aliased(expression: str, column: str) -> str:
    """Return an expression with its name, beside it or, where it has several lines, below it."""
    return f"{expression} as {column}"


def case_of(branches: list[str]) -> str:
    """Return a case of branches, one a line or more."""
    return "case\n" + indent("\n".join(branches), INDENT) + "\nend"
