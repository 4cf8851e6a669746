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
        """Return it as it stands behind ``with``."""
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

    def branch(self) -> str:
        """Return the branch of the case that finds the first fault of a ticket."""
        return f"when {self.condition}\n{INDENT}then {literal(f'{self.reason}:{self.field}')}"


@dataclass(frozen=True)
class FieldSteps:
    """How tickets of a kind become fields.

    Attributes:
        steps: from the step that reads ``tickets`` to the step ``fields``.
        faults: why a ticket cannot be taken apart, the first that holds counts; the layout's own
            rules of what to ignore come behind them where they look at fields.
        shape_faults: what is wrong with a ticket that was taken apart. They come behind those
            rules: a total may be shorter than a ticket.
        ignored: what means nothing by itself, such as a header that is repeated.
        line: the column that has the whole line, of kinds that have lines.
        all_fields: SQL of all fields as jsonb, by name, where ``columns`` cannot list them.
    """

    steps: tuple[Step, ...]
    faults: tuple[Fault, ...] = ()
    shape_faults: tuple[Fault, ...] = ()
    ignored: tuple[Fault, ...] = ()
    line: str | None = None
    all_fields: str | None = None


def select_of(columns: list[str], source: str, *, is_once: bool = True) -> str:
    """Return a select of columns, each with its name, from a source and what follows it.

    Args:
        columns: expressions, of a line or more.
        source: what stands behind ``from``.
        is_once: what is computed once a row, however often the steps after it use it.
    """
    listed = indent(",\n".join(columns), INDENT)
    return f"{COMPUTED_ONCE if is_once else ''}select\n{listed}\nfrom {source}"


def step_of(name: str, source: str, columns: dict[str, str], comment: str = "") -> Step:
    """Return a step that adds columns, expressions by their names, to all of another step."""
    added = [f"{expression} as {column}" for column, expression in columns.items()]
    return Step(name, select_of(["*", *added], source), comment)


def case_of(branches: list[str]) -> str:
    """Return a case of branches, one a line or more."""
    return "case\n" + indent("\n".join(branches), INDENT) + "\nend"
